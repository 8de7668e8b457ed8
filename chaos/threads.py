"""A runtime on threads whose actors crash and hang when told to, and that counts who was told what, apart from the inboxes' own books."""

from __future__ import annotations

import threading
from typing import Any

from pykka._envelope import Envelope

from perps_actors.kernel.address import Address
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lifecycle import Incarnation, TurnResult
from perps_actors.kernel.messages import LIFECYCLE, traits_of, weight_of
from perps_actors.kernel.runtime import Runtime, ThreadedRuntime
from perps_actors.kernel.timers import Timer
from perps_actors.testing.harm import Harm, HarmedCell


class Tally:
    """A sum to which many threads add without a lock: each on a line of its own."""

    def __init__(self) -> None:
        self._mine = threading.local()
        self._lines: list[list[int]] = []

    def add(self, items: int) -> None:
        """Add from the present thread."""
        line = getattr(self._mine, "line", None)
        if line is None:
            line = self._mine.line = [0]
            self._lines.append(line)
        line[0] += items

    def total(self) -> int:
        """Return the sum; exact while nobody adds."""
        return sum(line[0] for line in self._lines)


def _of_timer(entry: Any) -> bool:
    return isinstance(entry, Envelope) and isinstance(entry.reply_to, Timer)


class CountedCell(HarmedCell):
    """A cell that counts what it is told where it is told."""

    def __init__(self, name: str, runtime: Runtime, group: str, policy: InboxPolicy) -> None:
        super().__init__(name, runtime, group, policy)
        self.told = Tally()
        self.timers = Tally()
        self._put = self.inbox.put
        # Everyone who tells goes through this attribute; the address has it by heart already.
        self.inbox.put = self._counting_put  # type: ignore[method-assign]
        self.address = Address(self)

    def _counting_put(self, entry: Any) -> bool:
        message = entry.message if isinstance(entry, Envelope) else entry
        if not _of_timer(entry) and not traits_of(type(message)) & LIFECYCLE:
            self.told.add(weight_of(message))
        return self._put(entry)

    def step(self, actor: Incarnation, entry: Any) -> TurnResult | None:
        """Handle one message; those of timers are counted when they come, because some never do."""
        if _of_timer(entry):
            self.timers.add(1)
        return super().step(actor, entry)

    def unaccounted(self) -> str | None:
        """Return what is wrong with the books of this inbox; None when they agree."""
        books = self.statistics()
        inbox = books.inbox
        told = self.told.total() + self.timers.total()
        accounted = books.handled + books.dead + inbox.dropped + inbox.left + inbox.length
        if told == accounted and not inbox.length:
            return None
        return f"{self.name} was told {told} items and accounts for {accounted}: {books}"


class HarmfulThreads(ThreadedRuntime):
    """A runtime whose actors suffer what is armed for them, each at its next message."""

    cell_class = CountedCell

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.counted: list[CountedCell] = []
        self.released = threading.Event()
        self.strikes = Tally()
        self._armed: dict[str, list[tuple[int, Harm]]] = {}

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell."""
        cell = super().cell(name, group=group, policy=policy)
        assert isinstance(cell, CountedCell)
        self.counted.append(cell)
        return cell

    def arm(self, actor: str, *harms: tuple[int, Harm]) -> None:
        """Let these befall the actor one after the other, each after so many messages that are spared."""
        self._armed[actor] = list(reversed(harms))

    def disarm(self) -> None:
        """Let nothing happen any more to those it has not happened to yet."""
        self._armed.clear()

    def harm_to(self, actor: str, message: Any) -> Harm | None:  # noqa: ARG002 - who does harm is asked about both
        """Return what is to befall an actor now; asked before each message, by the one thread that runs the actor."""
        armed = self._armed.get(actor)
        if not armed:
            return None
        spared, harm = armed.pop()
        if spared:
            armed.append((spared - 1, harm))
            return None
        self.strikes.add(1)
        return harm

    @property
    def struck(self) -> int:
        """How often something befell an actor."""
        return self.strikes.total()

    def hang(self, cell: Cell, seconds: float) -> None:  # noqa: ARG002 - each hangs in its own thread
        """Hold the present handler up until all are released, for `seconds` at most."""
        self.released.wait(seconds)
