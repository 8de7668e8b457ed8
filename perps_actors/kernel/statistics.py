"""The counters of every actor, the question for them, and a ledger of what inboxes dropped."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

import attrs


@attrs.frozen
class GetStatistics:
    """Ask any actor for its `CellStatistics`.

    The kernel answers, ahead of data. Not counted, like a lifecycle message.

    While a handler runs, or the cell is vacant, the answer waits. `Cell.statistics` never waits.
    """

    lifecycle = True
    control = True


@attrs.frozen(kw_only=True)
class InboxStatistics:
    """Counters of one inbox, in items.

    Lifecycle messages and timers that fired too late are not counted.

    Every item that came was taken, or dropped, or left, or still waits.
    """

    length: int
    held_bytes: int
    """Bytes from outside in the messages that wait, of the classes that declare them."""
    oldest_age_ns: int | None
    """How long the oldest message has waited, at most; None when nothing waits.

    Exact while the inbox was empty not long ago. Otherwise it is the time since a moment of which
    all that waited then is gone: never too low, and less than twice too high while the load is
    steady.
    """
    taken: int
    refused: int
    """Lost to the bound on arrival."""
    merged: int
    """Merged into a waiting message before they were handled."""
    overrun: int
    """Lost to the bound while they waited, being the oldest."""
    left: int
    """Found waiting when the inbox was closed, or told after it."""

    @property
    def dropped(self) -> int:
        """Everything that was lost, for whichever reason."""
        return self.refused + self.merged + self.overrun

    @property
    def told(self) -> int:
        """Everything that was ever put."""
        return self.length + self.taken + self.dropped + self.left


@attrs.frozen(kw_only=True)
class CellStatistics:
    """What a cell has done, over all its incarnations. What was taken was handled or is dead."""

    name: str
    generation: int
    """Incarnations so far."""
    handled: int
    """Items handled."""
    dead: int
    """Items that became dead letters."""
    busy_ns: int
    """Monotonic time spent in handlers, up to the last turn that ended."""
    inbox: InboxStatistics

    @property
    def restarts(self) -> int:
        """Incarnations after the first."""
        return max(0, self.generation - 1)


class CountedInbox(Protocol):
    """An inbox, as the ledger knows it."""

    def statistics(self) -> InboxStatistics:
        """Return the counters."""


class Watched(Protocol):
    """The owner of an inbox: a cell, or the stream of an asyncio host."""

    @property
    def name(self) -> str:
        """The name under which its drops are reported."""

    @property
    def inbox(self) -> CountedInbox:
        """The inbox that is watched."""


class DropLedger:
    """Reads the drop counters of inboxes.

    It has one reader and outlives that reader's incarnations, so every drop is reported.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._cells: tuple[Watched, ...] = ()
        self._past: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def watch(self, cells: Iterable[Watched]) -> None:
        """Watch these cells too."""
        with self._lock:
            self._cells = (*self._cells, *cells)

    def forget(self, cell: Watched) -> None:
        """Watch a closed cell no more; what it dropped stays counted."""
        with self._lock:
            self._past.update(_dropped((cell,)))
            self._cells = tuple(other for other in self._cells if other is not cell)

    def total(self) -> int:
        """Return all items ever dropped."""
        return self._all().total()

    def fresh(self) -> dict[str, int]:
        """Return the items dropped since the last call, by the name of the cell."""
        dropped = self._all()
        fresh, self._told = dropped - self._told, dropped
        return dict(fresh)

    def _all(self) -> Counter[str]:
        with self._lock:
            return self._past + _dropped(self._cells)


def _dropped(cells: Iterable[Watched]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for cell in cells:
        counts[cell.name] += cell.inbox.statistics().dropped
    # Those that dropped nothing leave no trace.
    return +counts


_MIB = 2**20


@attrs.frozen(kw_only=True)
class CeilingRow:
    """One place where messages wait."""

    name: str
    items: int
    """The most items that wait there."""
    item_bytes: int
    """Bytes of the heaviest item as a message of its own, without data from outside."""
    held_bytes: int = 0
    """The most bytes from outside that all items together hold."""

    @property
    def total(self) -> int:
        """The most bytes that wait there."""
        return self.items * self.item_bytes + self.held_bytes


@attrs.frozen
class MemoryCeiling:
    """The most bytes of all messages that can wait in a system; windows and books not counted."""

    rows: tuple[CeilingRow, ...]

    @property
    def total(self) -> int:
        """The most bytes that wait anywhere in the system."""
        return sum(row.total for row in self.rows)

    def __str__(self) -> str:
        """Return a table with one line for each row, and the total."""
        lines = [f"{'inbox':<16} {'items':>8} {'B/item':>8} {'held MiB':>9} {'total MiB':>10}"]
        for row in self.rows:
            held, total = row.held_bytes / _MIB, row.total / _MIB
            lines.append(
                f"{row.name:<16} {row.items:>8} {row.item_bytes:>8} {held:>9.1f} {total:>10.1f}"
            )
        lines.append(f"{'all':<16} {'':>8} {'':>8} {'':>9} {self.total / _MIB:>10.1f}")
        return "\n".join(lines)
