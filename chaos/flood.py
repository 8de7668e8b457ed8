"""A flooded round: many senders, small inboxes of every policy, actors that crash and hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

import attrs

from chaos.leftovers import Belongings, left_behind, resident_mib
from chaos.result import RoundResult
from chaos.threads import CountedCell, HarmfulThreads
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address, Answer
from perps_actors.kernel.children import Child, ChildSpec, RestartPolicy, StopReport
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.kernel.messages import Batch
from perps_actors.kernel.supervision import StartChildren, StopChildren
from perps_actors.kernel.supervisor import Supervisor
from perps_actors.testing.harm import Harm, Moment

LIMIT_S = 20.0
POLICIES = {
    "refusing": InboxPolicy(bound=300),
    "overrun": InboxPolicy(bound=200, overflow=Overflow.DROP_OLDEST),
    "merging": InboxPolicy(bound=300, conflate=True),
    "last": InboxPolicy(bound=10_000),
}
MOMENTS: tuple[Moment, ...] = ("before", "within", "after", "hang_before", "hang_after")
SENDERS = 3


class Load(Batch, frozen=True):
    """A batch of items."""

    items: tuple[int, ...]


class Sum(Load, frozen=True):
    """A batch that may be merged with a later one."""

    def merged_with(self, newer: Sum) -> Sum:
        """Return the items of both, while they are few."""
        items = self.items + newer.items
        return Sum(items if len(items) < 20 else items[-10:])


@attrs.frozen
class Trifle:
    """A message that may be dropped."""

    sheddable = True
    number: int


class Relay(Actor):
    """Sends every item to the next relay."""

    def __init__(self, following: Address | None) -> None:
        super().__init__()
        self._following = following

    def on_receive(self, message: Any) -> None:
        """Send a message, or an item of a batch, to the next relay."""
        if self._following is not None:
            self._following.tell(message)


def _messages(random: Random) -> Iterator[Any]:
    while True:
        number = random.randrange(1000)
        yield random.choice(
            (
                number,
                Trifle(number),
                Load((number,) * random.randrange(1, 9)),
                Sum((number,) * random.randrange(1, 5)),
            )
        )


class Flood:
    """A chain of relays under a supervisor, and senders that tell each of them."""

    def __init__(self, seed: int) -> None:
        self.runtime = HarmfulThreads("chaos-flood")
        self.cells: dict[str, CountedCell] = {}
        self._random = Random(seed)
        self._over = threading.Event()
        children: list[Child] = []
        following: Address | None = None
        for name, inbox in reversed(POLICIES.items()):
            cell = self.runtime.cell(
                name, group="shared" if name in {"overrun", "merging"} else name, policy=inbox
            )
            assert isinstance(cell, CountedCell)
            self.cells[name] = cell
            children.append(
                Child(
                    ChildSpec(name=name, factory=partial(Relay, following), hang_after_s=0.05), cell
                )
            )
            following = cell.address
        self._supervisor = self.runtime.cell("supervisor", group="supervisor")
        policy = RestartPolicy(intensity=10**6, base_delay_s=0.001, max_delay_s=0.01)
        supervisor = Supervisor(
            children,
            policy=policy,
            random=self._random,
            on_incident=lambda _: None,
            look_every_s=0.02,
        )
        self._supervisor.install(supervisor)

    def play(self, seconds: float) -> StopReport:
        """Flood for a time, then drain."""
        started, stopped = Answer(), Answer()
        self._supervisor.address.tell(StartChildren(started))
        started.get(timeout=LIMIT_S)
        senders = [
            threading.Thread(target=self._send, args=(Random(self._random.random()),))
            for _ in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        pause, until_s = threading.Event(), time.monotonic() + seconds
        while time.monotonic() < until_s:
            harm = Harm(
                self._random.choice(MOMENTS),
                item=self._random.randrange(9),
                hang_s=self._random.uniform(0.01, 0.3),
            )
            self.runtime.arm(
                self._random.choice(tuple(self.cells)), (self._random.randrange(20), harm)
            )
            pause.wait(self._random.uniform(0.001, 0.02))
        self._over.set()
        for sender in senders:
            sender.join()
        self.runtime.disarm()
        self.runtime.released.set()
        self._supervisor.address.tell(StopChildren(drain=True, deadline_s=LIMIT_S, done=stopped))
        report: StopReport = stopped.get(timeout=LIMIT_S + 1.0)
        return report

    def _send(self, random: Random) -> None:
        addresses, pause = [cell.address for cell in self.cells.values()], threading.Event()
        for message in _messages(random):
            if self._over.is_set():
                return
            random.choice(addresses).tell(message)
            if random.random() < 0.02:
                pause.wait(0.002)


def flood_round(seed: int, seconds: float) -> RoundResult:
    """Play a round."""
    result, before = RoundResult(kind="flood", seed=seed), Belongings.now()
    flood = Flood(seed)
    report = flood.play(seconds)
    threads = flood.runtime.close(LIMIT_S)
    result.require(not threads, f"threads left: {threads}")
    result.require(sorted(report.finished) == sorted(POLICIES), f"not all finished: {report}")
    result.violations += filter(None, (cell.unaccounted() for cell in flood.cells.values()))
    books = [cell.statistics() for cell in flood.cells.values()]
    result.figures = {
        "struck": flood.runtime.struck,
        "restarts": sum(each.restarts for each in books),
        "handled": sum(each.handled for each in books),
        "dead": sum(each.dead for each in books),
        "refused": sum(each.inbox.refused for each in books),
        "merged": sum(each.inbox.merged for each in books),
        "overrun": sum(each.inbox.overrun for each in books),
        "dropped": sum(each.inbox.dropped for each in books),
        "left": sum(each.inbox.left for each in books),
        "abandoned": flood.runtime.abandoned,
    }
    del flood, report
    result.violations += (f"left behind: {what}" for what in left_behind(before))
    result.figures["rss_mib"] = round(resident_mib(), 1)
    return result
