"""Group commit: events wait for a full block, or for a failing journal. Used by one thread."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from perps_actors.errors import EventUnfit, JournalError
from perps_actors.journal.contract import JournalWriter
from perps_actors.messages.records import Event, JournalStatus


@attrs.frozen(kw_only=True)
class RecordingPolicy:
    """When events are written, and how many may wait for a failing journal."""

    linger_s: float = 0.02
    block: int = 1_000
    """A block of this many events is written at once, without waiting for `linger_s`."""
    backlog: int = 200_000
    """Events that may wait for a failing journal. Beyond, mark updates are dropped and counted."""
    retry_s: float = 0.5
    rest_marks: bool = False
    """Whether polled marks are recorded, as `rest_mark_update`; never as `ws_mark_update`."""


class GroupCommit:
    """Writes events in blocks, keeps events that could not be written, and counts lost events.

    Args:
        writer: the journal's writer.
        block: events in one transaction.
        backlog: events that may wait for a failing journal. Beyond, sheddable events are dropped.
        before: the last status of the previous group, whose waiting events are lost.
    """

    def __init__(
        self, writer: JournalWriter, *, block: int, backlog: int, before: JournalStatus
    ) -> None:
        self.writer = writer
        self.failing: str | None = None
        """The error of the last commit; None if it succeeded."""
        self._recorded = before.recorded
        self._dropped = before.dropped + before.waiting
        # A `hole` event reports dropped events. It may itself be lost while the journal fails, so a
        # count moves from unreported to reporting when the event is made, and is forgotten only
        # after a commit that left nothing waiting.
        self._unreported = before.unreported + before.waiting
        self._reporting = 0
        self.block = block
        """Events in one transaction."""
        self._backlog = backlog
        self._waiting: list[Event] = []
        self._unfit: list[EventUnfit] = []

    def __len__(self) -> int:
        """Return the number of waiting events."""
        return len(self._waiting)

    @property
    def ripe(self) -> bool:
        """Whether a block is full and the journal is not failing."""
        return self.failing is None and len(self._waiting) >= self.block

    def add(self, events: Collection[Event]) -> None:
        """Queue events for the next commit."""
        self._waiting.extend(events)

    def add_or_drop(self, events: Collection[Event]) -> None:
        """Queue events for the next commit, or drop and count them if the backlog is full."""
        if len(self._waiting) > self._backlog:
            self._dropped += len(events)
            self._unreported += len(events)
        else:
            self._waiting.extend(events)

    def commit(self) -> None:
        """Write waiting events block by block; on an error the rest waits and `failing` is set."""
        waiting = self._waiting
        while waiting:
            block = waiting[: self.block]
            try:
                self.writer.write(block)
            except EventUnfit as error:
                self._unfit.append(error)
                self._dropped += 1
                del waiting[error.index]
            except JournalError as error:
                self.failing = str(error)
                return
            else:
                self._recorded += len(block)
                del waiting[: len(block)]
        self.failing = None
        self._reporting = 0

    def take_unfit(self) -> list[EventUnfit]:
        """Return the events that could not be stored since the last call."""
        unfit, self._unfit = self._unfit, []
        return unfit

    def take_unreported(self) -> int:
        """Return the number of events dropped since the last call; 0 while the journal fails."""
        if self.failing is not None:
            return 0
        unreported, self._unreported = self._unreported, 0
        self._reporting += unreported
        return unreported

    def abandon(self) -> None:
        """Drop and count the waiting events, because they will never be written."""
        self._dropped += len(self._waiting)
        self._unreported += len(self._waiting)
        self._waiting.clear()

    def status(self) -> JournalStatus:
        """Return the state of the journal."""
        return JournalStatus(
            recorded=self._recorded,
            dropped=self._dropped,
            waiting=len(self._waiting),
            last_sequence=self.writer.last_sequence,
            failing=self.failing,
            unreported=self._unreported + self._reporting,
        )
