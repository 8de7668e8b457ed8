"""A runtime on threads whose actors crash and hang as planned.

It counts the messages of each actor itself, so that the counters of the inboxes can be checked.
"""

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
    """A sum to which many threads add without a lock, because each has a term of its own."""

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
        """Return the sum, which is exact while no thread adds."""
        return sum(line[0] for line in self._lines)


def _of_timer(entry: Any) -> bool:
    return isinstance(entry, Envelope) and isinstance(entry.reply_to, Timer)


class CountedCell(HarmedCell):
    """A cell that counts messages when they are sent."""

    def __init__(self, name: str, runtime: Runtime, group: str, policy: InboxPolicy) -> None:
        super().__init__(name, runtime, group, policy)
        self.told = Tally()
        self.timers = Tally()
        self._put = self.inbox.put
        # All senders use this attribute. The address made before keeps a reference to the old one.
        self.inbox.put = self._counting_put  # type: ignore[method-assign]
        self.address = Address(self)

    def _counting_put(self, entry: Any) -> bool:
        message = entry.message if isinstance(entry, Envelope) else entry
        if not _of_timer(entry) and not traits_of(type(message)) & LIFECYCLE:
            self.told.add(weight_of(message))
        return self._put(entry)

    def step(self, actor: Incarnation, entry: Any) -> TurnResult | None:
        """Handle one message. Timers' messages count here, because a timer may never fire."""
        if _of_timer(entry):
            self.timers.add(1)
        return super().step(actor, entry)

    def unaccounted(self) -> str | None:
        """Return the fault in the counters of this inbox; None if they are right."""
        books = self.statistics()
        inbox = books.inbox
        told = self.told.total() + self.timers.total()
        accounted = books.handled + books.dead + inbox.dropped + inbox.left + inbox.length
        if told == accounted and not inbox.length:
            return None
        return f"{self.name} was told {told} items and accounts for {accounted}: {books}"


class HarmfulThreads(ThreadedRuntime):
    """A runtime whose actors fail as planned, each at its next message."""

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
        """Plan failures of an actor, each after a number of further messages."""
        self._armed[actor] = list(reversed(harms))

    def disarm(self) -> None:
        """Cancel all planned failures."""
        self._armed.clear()

    def harm_to(self, actor: str, message: Any) -> Harm | None:  # noqa: ARG002 - of the base class
        """Return the failure that is due. Called before each message on the actor's thread."""
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
        """Number of failures so far."""
        return self.strikes.total()

    def hang(self, cell: Cell, seconds: float) -> None:  # noqa: ARG002 - of the base class
        """Let the running handler hang until all are released, for `seconds` at most."""
        self.released.wait(seconds)
