"""Group commit: events wait until there is a block of them, and for a journal that fails. Plain, for one thread."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from perps_actors.errors import EventUnfit, JournalError
from perps_actors.journal.contract import JournalWriter
from perps_actors.messages.records import Event, JournalStatus


@attrs.frozen(kw_only=True)
class RecordingPolicy:
    """How events are grouped and how long they may wait for a journal that fails."""

    linger_s: float = 0.02
    block: int = 1_000
    """Events that are written at once, without lingering."""
    backlog: int = 200_000
    """Events that wait for a failing journal; beyond, mark updates are dropped and accounted for."""
    retry_s: float = 0.5
    rest_marks: bool = False
    """Whether polled marks are recorded, as `rest_mark_update`; never as `ws_mark_update`."""


class GroupCommit:
    """Gives a writer events in blocks, keeps what could not be written, and accounts for what never will be.

    Args:
        writer: where to.
        block: events in one transaction.
        backlog: events that wait for a failing journal; beyond, those that may be dropped are.
        before: how the group before this one ended: what still waited then is gone.
    """

    def __init__(
        self, writer: JournalWriter, *, block: int, backlog: int, before: JournalStatus
    ) -> None:
        self.writer = writer
        self.failing: str | None = None
        """Why the last commit failed; None while commits succeed."""
        self._recorded = before.recorded
        self._dropped = before.dropped + before.waiting
        self._untold = before.untold + before.waiting
        self._telling = 0  # of the dropped, those whose telling waits to be written itself
        self.block = block
        """Events in one transaction."""
        self._backlog = backlog
        self._waiting: list[Event] = []
        self._unfit: list[EventUnfit] = []

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    @property
    def ripe(self) -> bool:
        """Whether a block is full and the journal is not waiting for its retry."""
        return self.failing is None and len(self._waiting) >= self.block

    def add(self, events: Collection[Event]) -> None:
        """Let events wait for the next commit."""
        self._waiting.extend(events)

    def add_or_drop(self, events: Collection[Event]) -> None:
        """Let events wait for the next commit, unless the backlog is beyond its bound."""
        if len(self._waiting) > self._backlog:
            self._dropped += len(events)
            self._untold += len(events)
        else:
            self._waiting.extend(events)

    def commit(self) -> None:
        """Write all that waits, block by block; what cannot be written stays, in order, and `failing` says why."""
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
        self._telling = 0

    def take_unfit(self) -> list[EventUnfit]:
        """Return which events could not be kept at all, since the last call."""
        unfit, self._unfit = self._unfit, []
        return unfit

    def take_untold(self) -> int:
        """Return how many events were dropped since the last call; 0 as long as the journal could not be told of it."""
        if self.failing is not None:
            return 0
        untold, self._untold = self._untold, 0
        self._telling += untold
        return untold

    def abandon(self) -> None:
        """Count what waits as dropped: nobody will write it."""
        self._dropped += len(self._waiting)
        self._untold += len(self._waiting)
        self._waiting.clear()

    def status(self) -> JournalStatus:
        """Return the state of the journal."""
        return JournalStatus(
            recorded=self._recorded,
            dropped=self._dropped,
            waiting=len(self._waiting),
            last_sequence=self.writer.last_sequence,
            failing=self.failing,
            untold=self._untold + self._telling,
        )
