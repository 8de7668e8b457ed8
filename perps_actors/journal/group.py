"""Group commit: events wait until there is a block of them, and for a journal that fails. Plain, for one thread."""

from __future__ import annotations

from collections.abc import Iterable

from perps_actors.errors import EventUnfit, JournalError
from perps_actors.journal.contract import JournalWriter
from perps_actors.messages.records import Event


class GroupCommit:
    """Gives a writer events in blocks, and keeps what could not be written.

    Attributes:
        recorded: events written.
        failing: why the last commit failed; None while commits succeed.
    """

    def __init__(self, writer: JournalWriter, *, block: int, backlog: int, recorded: int = 0) -> None:
        self.writer = writer
        self.recorded = recorded
        self.failing: str | None = None
        self._block = block
        self._backlog = backlog
        self._waiting: list[Event] = []
        self._unfit: list[EventUnfit] = []

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    @property
    def ripe(self) -> bool:
        """Whether a block is full and the journal is not waiting for its retry."""
        return self.failing is None and len(self._waiting) >= self._block

    @property
    def overfull(self) -> bool:
        """Whether the backlog is beyond its bound: what may be dropped should be."""
        return len(self._waiting) > self._backlog

    def add(self, events: Iterable[Event]) -> None:
        """Let events wait for the next commit."""
        self._waiting.extend(events)

    def commit(self) -> None:
        """Write all that waits, block by block; what cannot be written stays, in order, and `failing` says why."""
        waiting = self._waiting
        while waiting:
            block = waiting[: self._block]
            try:
                self.writer.write(block)
            except EventUnfit as error:
                self._unfit.append(error)
                del waiting[error.index]
            except JournalError as error:
                self.failing = str(error)
                return
            else:
                self.recorded += len(block)
                del waiting[: len(block)]
        self.failing = None

    def take_unfit(self) -> list[EventUnfit]:
        """Return which events could not be kept at all, since the last call."""
        unfit, self._unfit = self._unfit, []
        return unfit
