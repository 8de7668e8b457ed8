"""The event recorder: every event into the journal, in groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from perps_actors.feeds.actor_spec import EVENT_BYTES, ActorSpec
from perps_actors.feeds.reporter import Reporter
from perps_actors.journal.contract import JournalWriter
from perps_actors.journal.group import GroupCommit, RecordingPolicy
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Published
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.statistics import DropLedger
from perps_actors.market.mark import Mark, Provenance
from perps_actors.market.numbers import plain
from perps_actors.messages.control import SetRecording, Tick
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event, Flush, JournalStatus, Record
from perps_actors.settings import Settings

_KIND_OF_SOURCE = {
    "book": "ws_mark_update",
    "touch": "ws_mark_update",
    "trades": "ws_mark_update",
    "rest": "rest_mark_update",
}


@attrs.frozen
class _Commit:
    control = True


def mark_event(mark: Mark, provenance: Provenance, system: str = "") -> Event:
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
        system=system,
    )


class EventRecorder(Actor):
    """Writes events to the journal in groups, each when it is full or has lingered.

    Takes: `Record`, `MarksUpdated`, `Flush`, `SetRecording`, its own timers. Tells no actor;
    publishes a `JournalStatus`. Inbox: takes all; mark updates are dropped beyond the bound.
    Drops of every inbox are journalled as `hole` events, at most one a second and inbox. While the
    journal fails (disk full) events wait. A restart loses nothing that can be written: its last act
    is to write what waits.
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
        self._group: GroupCommit | None = None
        self._lingering = False
        self._marks: list[Event] = []

    def on_start(self) -> None:
        """Open the journal; a file that cannot be opened is a failed start."""
        writer, policy = self._open_writer(), self._policy
        self._group = GroupCommit(
            writer, block=policy.block, backlog=policy.backlog, before=self._status.value
        )
        if writer.repaired is not None:
            self._note("journal_repaired", what=writer.repaired.what, events=writer.repaired.events)
        self.after(1.0, Tick())
        self._commit()

    def on_stop(self) -> None:
        """Write what waits and close the journal; what cannot be written counts as dropped."""
        self._tell_holes()
        self.on_failure()
        self._open_group.abandon()
        self._publish()

    def on_failure(self, *_: object) -> None:
        """Write what waits, so that the restart loses nothing."""
        if self._group is not None:
            self._commit()
            self._commit()  # once more, for the events that the first commit itself made
            self._group.writer.close()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        group = self._open_group
        match message:
            case Record(events):
                group.add(events)
            case _Commit():
                self._lingering = False
                self._commit()
            case Tick():
                self._tell_holes()
                self.after(1.0, Tick())
            case SetRecording():
                self._policy = _applied(message, self._policy)
                group.block = message.block
            case Flush():
                self._commit()
                return group.writer.last_sequence
            case _:
                return super().on_receive(message)
        self._commit_or_linger(group)
        return None

    def on_item(self, batch: MarksUpdated, item: Mark) -> None:
        """Make the event of a mark."""
        if item.source != "rest" or self._policy.rest_marks:
            self._marks.append(mark_event(item, batch.provenance, self._report.system))

    def on_batch_end(self, _: MarksUpdated) -> None:
        """Let the events of the marks wait for the next commit."""
        marks, self._marks = self._marks, []
        group = self._open_group
        group.add_or_drop(marks)
        self._commit_or_linger(group)

    def _commit_or_linger(self, group: GroupCommit) -> None:
        if group.ripe:
            self._commit()
        if len(group) and not self._lingering:
            self._lingering = True
            self.after(
                self._policy.linger_s if group.failing is None else self._policy.retry_s, _Commit()
            )

    @property
    def _open_group(self) -> GroupCommit:
        assert self._group is not None, "the journal is opened in on_start"
        return self._group

    def _note(self, kind: str, **data: Any) -> None:
        noted = (self._report.event(kind, None, **data),)
        self._open_group.add(noted)
        self._report.subscribers.tell_events(noted)

    def _commit(self) -> None:
        group = self._open_group
        # Publish before the write too: if it never returns, the next incarnation knows how many
        # events were in it.
        self._publish()
        group.commit()
        for unfit in group.take_unfit():
            self._note("event_unfit", why=str(unfit))
        if unreported := group.take_unreported():
            self._note("hole", inbox="journal", reason="journal failing", dropped=unreported)
        self._publish()

    def _publish(self) -> None:
        # A recorder that was replaced while it hung in a write must not overwrite the status of its
        # replacement.
        if not self.actor_inbox.void:
            self._status.value = self._open_group.status()

    def _tell_holes(self) -> None:
        """Journal the drops of each inbox since the last tick, one `hole` event per inbox."""
        for inbox, lost in self._drops().items():
            self._note("hole", inbox=inbox, reason="inbox full", dropped=lost)


def _applied(order: SetRecording, policy: RecordingPolicy) -> RecordingPolicy:
    return attrs.evolve(
        policy, linger_s=order.linger_s, block=order.block, rest_marks=order.rest_marks
    )


def _make(
    *,
    settings: Settings,
    open_journal: Callable[[], JournalWriter],
    report: Reporter,
    journal_status: Published[JournalStatus],
    drops: DropLedger,
) -> EventRecorder:
    return EventRecorder(
        open_writer=open_journal,
        policy=_applied(_changed(settings), RecordingPolicy()),
        report=report,
        status=journal_status,
        drops=drops.fresh,
    )


def _changed(settings: Settings) -> SetRecording:
    journal = settings.journal
    return SetRecording(
        linger_s=journal.linger_s, block=journal.block, rest_marks=journal.rest_marks
    )


SPEC = ActorSpec(
    name="event_recorder",
    make=_make,
    group="recorder",
    item_bytes=EVENT_BYTES,
    listens_to=(MarksUpdated,),
    sections=("journal",),
    changed=_changed,
)
