"""A journal in memory: it writes all events or none, numbers them, and has one writer at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exploration.schedule import JournalFault
from perps_actors.errors import JournalError, JournalFenced, JournalFull
from perps_actors.messages.records import Event


class MemoryJournal:
    """The events of all writers.

    Args:
        faults: times at which it cannot be written or opened, in seconds of `now_s`.
        now_s: returns the time.

    Attributes:
        on_write: called before each write with its number; it may hang.
    """

    def __init__(self, faults: Sequence[JournalFault], now_s: Callable[[], float]) -> None:
        self.events: list[Event] = []
        self.opened = 0
        self._writes = 0
        self._faults = tuple(faults)
        self._now_s = now_s
        self.on_write: Callable[[int], None] | None = None

    def open(self) -> MemoryWriter:
        """Open it for writing and fence the writer before.

        Raises:
            JournalError: it cannot be opened now.
        """
        if self._holds("shut"):
            msg = "cannot be opened"
            raise JournalError(msg)
        self.opened += 1
        return MemoryWriter(self, self.opened)

    def write(self, epoch: int, events: Sequence[Event]) -> int:
        """Keep the events of the writer of an epoch."""
        self._writes += 1
        if self.on_write is not None:
            self.on_write(self._writes)
        if epoch != self.opened:
            msg = f"a newer writer, {self.opened}, has opened it"
            raise JournalFenced(msg)
        if self._holds("broken"):
            msg = "the store is broken"
            raise RuntimeError(msg)
        if self._holds("full") or self._holds("shut"):
            msg = "no space left"
            raise JournalFull(msg)
        self.events.extend(events)
        return len(self.events)

    def _holds(self, do: str) -> bool:
        now_s = self._now_s()
        return any(
            fault.do == do and fault.at_s <= now_s < fault.at_s + fault.for_s
            for fault in self._faults
        )


class MemoryWriter:
    """One writer of a `MemoryJournal`."""

    repaired = None

    def __init__(self, journal: MemoryJournal, epoch: int) -> None:
        self._journal = journal
        self._epoch = epoch
        self.last_sequence = len(journal.events)

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next event will get."""
        return self.last_sequence + 1

    def write(self, events: Sequence[Event]) -> int:
        """Keep all events or none."""
        self.last_sequence = self._journal.write(self._epoch, events)
        return self.last_sequence

    def close(self) -> None:
        """Do nothing."""
