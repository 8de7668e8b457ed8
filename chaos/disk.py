"""A disk that is slow or full for a while, in front of a real journal."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from perps_actors.errors import JournalFull
from perps_actors.journal.contract import JournalWriter, Repair
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.messages.records import Event


class Disk:
    """The state of the disk under the writers of one journal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.full = False
        self.writes_slowed = 0
        self._slow_s = 0.0
        self._fast = threading.Event()

    def slow_down(self, seconds: float) -> None:
        """Delay each write from now on."""
        self._fast.clear()
        self._slow_s = seconds

    def recover(self) -> None:
        """Be fast and have room again; waiting writes continue."""
        self.full = False
        self._slow_s = 0.0
        self._fast.set()

    def open(self) -> JournalWriter:
        """Open the journal on this disk."""
        return DiskWriter(SqliteJournalWriter.open(self.path), self)

    def meet(self) -> None:
        """Wait while the disk is slow.

        Raises:
            JournalFull: no room.
        """
        if self._slow_s:
            self.writes_slowed += 1
            self._fast.wait(self._slow_s)
        if self.full:
            msg = f"{self.path}: no space left, for now"
            raise JournalFull(msg)


class DiskWriter:
    """A `JournalWriter` on such a disk."""

    def __init__(self, writer: JournalWriter, disk: Disk) -> None:
        self._writer = writer
        self._disk = disk

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last written event."""
        return self._writer.last_sequence

    @property
    def next_sequence(self) -> int:
        """Sequence number of the next event."""
        return self._writer.next_sequence

    @property
    def repaired(self) -> Repair | None:
        """The repair that was made at opening."""
        return self._writer.repaired

    def write(self, events: Sequence[Event]) -> int:
        """Write events when the disk allows it."""
        self._disk.meet()
        return self._writer.write(events)

    def close(self) -> None:
        """Close the journal."""
        self._writer.close()
