"""The event recorder: every event into the journal, in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from perps_actors.actors.reporter import Reporter
from perps_actors.errors import JournalError
from perps_actors.journal.contract import JournalWriter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.published import Published
from perps_actors.market.mark import Mark, Provenance
from perps_actors.market.numbers import plain
from perps_actors.messages.control import Tick
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event, Flush, JournalStatus, Record

_KIND_OF_SOURCE = {"book": "ws_mark_update", "touch": "ws_mark_update", "trades": "ws_mark_update", "rest": "rest_mark_update"}


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


@attrs.frozen
class _Commit:
    control = True


def mark_event(mark: Mark, provenance: Provenance) -> Event:
    """Return the event of a mark: its exact decimal as text, its own source and times."""
    instrument = mark.instrument
    return Event(
        _KIND_OF_SOURCE[mark.source],
        instrument.venue,
        instrument.symbol,
        mark.venue_time_ns,
        mark.received_ns,
        mark.source,
        provenance,
        (("mark", plain(mark.mark)),),
    )


class EventRecorder(Actor):
    """Writes events to the journal: a group when it is full or has lingered, each group one transaction.

    Takes: `Record`, `MarksUpdated`, `Flush`, its own timers. Tells nobody; publishes a `JournalStatus`. Inbox: *all* but mark
    updates, which are dropped beyond the bound. Drops, its own and those of every other inbox, are journalled as `hole` events,
    at most one a second and inbox. While the journal fails (disk full) events wait and the write is tried again. A restart loses
    nothing that can be written when the actor dies: its last act is to write what waits.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=200_000)

    def __init__(
        self,
        *,
        open_writer: Callable[[], JournalWriter],
        policy: RecordingPolicy,
        report: Reporter,
        status: Published[JournalStatus],
        drops: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        super().__init__()
        self._open_writer = open_writer
        self._policy = policy
        self._report = report
        self._status = status
        self._drops = drops
        self._writer: JournalWriter | None = None
        self._waiting: list[Event] = []
        self._lingering = False
        before = status.value
        self._recorded, self._dropped, self._failing = before.recorded, before.dropped, before.failing
        self._unwritten = 0

    def on_start(self) -> None:
        """Open the journal; a file that cannot be opened is a failed start."""
        self._writer = self._open_writer()
        repair = self._writer.repaired
        if repair is not None:
            self._waiting.append(self._report.event("journal_repaired", None, what=repair.what, events=repair.events))
        self.after(1.0, Tick())
        self._publish()

    def on_stop(self) -> None:
        """Write what waits and close the journal."""
        self._tell_holes()
        self._commit()
        assert self._writer is not None
        self._writer.close()

    def on_failure(self, *_: object) -> None:
        """Write what waits, so that the restart loses nothing."""
        if self._writer is not None:
            self._commit()
            self._writer.close()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case MarksUpdated(marks, provenance):
                self._add_marks(marks, provenance)
            case Record(events):
                self._waiting.extend(events)
            case _Commit():
                self._lingering = False
                self._commit()
            case Tick():
                self._tell_holes()
                self.after(1.0, Tick())
            case Flush():
                self._commit()
                assert self._writer is not None
                return self._writer.last_sequence
            case _:
                return super().on_receive(message)
        self._group()
        return None

    def _add_marks(self, marks: tuple[Mark, ...], provenance: Provenance) -> None:
        if len(self._waiting) > self._policy.backlog:
            self._unwritten += len(marks)
            return
        rest_too = self._policy.rest_marks
        self._waiting += [mark_event(mark, provenance) for mark in marks if rest_too or mark.source != "rest"]

    def _group(self) -> None:
        """Write a full group now, unless the journal is failing and waits for its retry; a started one after it lingered."""
        if self._failing is None and len(self._waiting) >= self._policy.block:
            self._commit()
        if self._waiting and not self._lingering:
            self._lingering = True
            self.after(self._policy.linger_s if self._failing is None else self._policy.retry_s, _Commit())

    def _commit(self) -> None:
        assert self._writer is not None
        waiting, block = self._waiting, self._policy.block
        try:
            while waiting:
                self._writer.write(waiting[:block])
                self._recorded += len(waiting[:block])
                del waiting[:block]
        except JournalError as error:
            self._failing = str(error)
        else:
            self._failing = None
        self._publish()

    def _tell_holes(self) -> None:
        """Journal what was dropped since the last look, one event an inbox."""
        for inbox, lost in self._drops().items():
            self._waiting.append(self._report.event("hole", None, inbox=inbox, reason="inbox full", dropped=lost))
        if self._unwritten and self._failing is None:
            self._waiting.append(self._report.event("hole", None, inbox="journal", reason="journal failing", dropped=self._unwritten))
            self._dropped += self._unwritten
            self._unwritten = 0

    def _publish(self) -> None:
        assert self._writer is not None
        self._status.value = JournalStatus(
            recorded=self._recorded,
            dropped=self._dropped,
            waiting=len(self._waiting),
            last_sequence=self._writer.last_sequence,
            failing=self._failing,
        )
