"""Actors on real threads crash and hang at random, and every message is accounted for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from random import Random
from typing import Any

import attrs
import pytest

from perps_actors.errors import Fenced
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address, Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.children import Child, ChildSpec, RestartPolicy, StopReport
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.kernel.messages import Batch
from perps_actors.kernel.runtime import ThreadedRuntime
from perps_actors.kernel.supervision import StartChildren, StopChildren
from perps_actors.kernel.supervisor import Supervisor

LIMIT_S = 30.0
LINKS = ("source", "store", "monitor", "recorder")


class Load(Batch, frozen=True):
    """A batch; an item of None kills whoever handles it."""

    items: tuple[int | None, ...]


@attrs.frozen
class Poison:
    """Kills whoever handles it."""

    error: BaseException


@attrs.frozen(eq=False)
class Trap:
    """Holds the actor that handles it until the end of the test."""

    release: threading.Event


class Tally:
    """Counts the messages to one inbox, without a lock: each sender has a counter of its own."""

    def __init__(self) -> None:
        self._lines: list[list[int]] = []

    def line(self) -> list[int]:
        line = [0]
        self._lines.append(line)
        return line

    def total(self) -> int:
        return sum(line[0] for line in self._lines)


class Link(Actor):
    """Passes on what it is told, item by item."""

    def __init__(self, after: Address | None, tally: Tally | None) -> None:
        super().__init__()
        self.next, self.line = after, tally.line() if tally is not None else [0]

    def on_receive(self, message: Any) -> Any:
        match message:
            case None:
                raise ValueError(message)
            case Poison(error):
                raise error
            case Trap(release):
                release.wait(LIMIT_S)
                self.pass_on(0)
            case _:
                self.pass_on(message)

    def pass_on(self, item: Any) -> None:
        if self.next is not None:
            try:
                self.next.tell(item)
            except Fenced:
                return
            self.line[0] += 1


@pytest.fixture
def switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def _family(runtime: ThreadedRuntime) -> tuple[dict[str, Cell], dict[str, Tally], Cell]:
    cells: dict[str, Cell] = {}
    tallies = {name: Tally() for name in LINKS}
    children: list[Child] = []
    following: tuple[Address | None, Tally | None] = None, None
    for name in reversed(LINKS):
        policy = (
            InboxPolicy(bound=200, overflow=Overflow.DROP_OLDEST)
            if name == "monitor"
            else InboxPolicy(bound=500)
        )
        cells[name] = runtime.cell(
            name, group="shared" if name in {"store", "monitor"} else name, policy=policy
        )
        spec = ChildSpec(
            name=name, factory=lambda following=following: Link(*following), hang_after_s=0.05
        )
        children.append(Child(spec, cells[name]))
        following = cells[name].address, tallies[name]
    supervisor = runtime.cell("supervisor", group="supervisor")
    policy = RestartPolicy(intensity=10**6, base_delay_s=0.0005, max_delay_s=0.002)
    supervisor.install(
        Supervisor(
            children, policy=policy, random=Random(1), on_incident=lambda _: None, look_every_s=0.01
        )
    )
    return cells, tallies, supervisor


def _torment(
    cells: dict[str, Cell], tallies: dict[str, Tally], seed: int, release: threading.Event
) -> None:
    random, gate = Random(seed), Gate([cell.inbox for cell in cells.values()], high=150)
    lines, room = {name: tallies[name].line() for name in LINKS}, threading.Event()
    for step in range(4000):
        name = random.choice(LINKS)
        room.clear()
        if not gate.has_room(room.set):
            room.wait(0.1)
        draw = random.random()
        message: Any = step
        if draw < 0.3:
            message = Load(
                tuple(
                    random.choice([step, step, step, None]) if draw < 0.02 else step
                    for _ in range(5)
                )
            )
        elif draw < 0.34:
            message = Poison(random.choice([ValueError(), SystemExit(1), KeyboardInterrupt()]))
        elif draw < 0.341:
            message = Trap(release)
        cells[name].address.tell(message)
        lines[name][0] += len(message.items) if isinstance(message, Load) else 1


@pytest.mark.usefixtures("switching")
def test_whoever_is_killed_or_hangs_every_message_is_accounted_for() -> None:
    runtime, release = ThreadedRuntime(name="chaos"), threading.Event()
    cells, tallies, supervisor = _family(runtime)
    started, stopped = Answer(), Answer()
    supervisor.address.tell(StartChildren(started))
    started.get(timeout=LIMIT_S)
    tormentors = [
        threading.Thread(target=_torment, args=(cells, tallies, seed, release)) for seed in range(3)
    ]
    for thread in tormentors:
        thread.start()
    for thread in tormentors:
        thread.join(LIMIT_S)
    supervisor.address.tell(StopChildren(drain=True, deadline_s=LIMIT_S, done=stopped))
    report: StopReport = stopped.get(timeout=LIMIT_S)
    release.set()
    assert runtime.close(LIMIT_S) == ()
    assert sorted(report.finished) == sorted(LINKS)
    assert report.dead_letters > 50
    assert runtime.abandoned > 0
    for name, cell in cells.items():
        statistics = cell.statistics()
        accounted = (
            statistics.handled + statistics.dead + statistics.inbox.dropped + statistics.inbox.left
        )
        assert (name, accounted, statistics.inbox.length) == (name, tallies[name].total(), 0)
