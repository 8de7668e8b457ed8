"""Where what a consumer finds in its streams goes: marks to the store, news of feeds to the monitor, events to the recorder."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from perps_actors.feeds.connection_pool import Connection
from perps_actors.feeds.reporter import Reporter
from perps_actors.kernel.address import Teller
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.events import BookWithdrawn, VenueMark
from perps_actors.market.feed_state import END_OF_RECORDING
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import RungChange
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import BookSuspect, FeedDown, FeedGone, FeedHeard
from perps_actors.messages.marks import RecordMarks
from perps_actors.transport.wire import ConnectionPlan


@attrs.define(kw_only=True)
class ConsumerOutputs:
    """Tells the findings of one consumer to those concerned, and counts what could not be used."""

    market: str
    """Name of the market, for the market monitor."""
    store: Teller
    monitor: Teller
    report: Reporter
    venue_marks: dict[InstrumentId, VenueMark]
    """The board of the venue's own marks, which this consumer writes."""
    invalid_inputs: int = 0
    last_invalid_input: str | None = None
    _told_complaints: int = 0

    def marks(self, marks: list[Mark], changes: Iterable[tuple[InstrumentId, RungChange]]) -> None:
        """Marks were made, and ladders moved."""
        if marks:
            self.store.tell(RecordMarks(tuple(marks), self.report.provenance))
        for instrument, change in changes:
            self.report.tell(
                "rung_changed",
                instrument,
                before=change.before,
                after=change.after,
                cause=change.cause,
            )

    def venue_mark(self, mark: VenueMark) -> None:
        """The venue said its own mark."""
        self.venue_marks[mark.instrument] = mark

    def withdrawn(self, news: BookWithdrawn) -> None:
        """A book became suspect."""
        self.monitor.tell(BookSuspect(news.instrument, news.cause))
        self.report.tell("book_withdrawn", news.instrument, cause=news.cause)

    def invalid_input(self, what: str) -> None:
        """Input could not be used; told at the next look, however much of it there is."""
        self.invalid_inputs += 1
        self.last_invalid_input = what

    def report_invalid_inputs(self) -> None:
        """Tell of the input that could not be used since the last call."""
        fresh = self.invalid_inputs - self._told_complaints
        if fresh:
            self._told_complaints = self.invalid_inputs
            self.report.tell("input_rejected", None, count=fresh, last=self.last_invalid_input)

    def report_offset_rise(self, rise_ns: int | None) -> None:
        """Report that the venue's times fell behind ours: a clock was set, or all sources lag."""
        if rise_ns is not None:
            self.report.tell("venue_offset_rose", None, seconds=round(rise_ns / NS_PER_S, 3))

    def heard(self, line: Connection, monotonic_ns: int) -> None:
        """A connection spoke; the monitor is told at most once a second."""
        if line.told_heard_ns is None or monotonic_ns - line.told_heard_ns >= NS_PER_S:
            line.told_heard_ns = monotonic_ns
            self.monitor.tell(FeedHeard(self.market, line.plan.name, monotonic_ns))

    def gone(self, plan: ConnectionPlan, reason: str) -> None:
        """A connection was closed on purpose and is not missed."""
        self.report.tell("ws_stream_exit", None, connection=plan.name, reason=reason)
        self.monitor.tell(FeedGone(self.market, plan.name))

    def ended(self, plan: ConnectionPlan, reason: str, *, error: bool) -> None:
        """A connection ended: `ws_stream_exit` is the last event of each."""
        if error:
            self.report.tell("ws_stream_error", None, message=reason, connection=plan.name)
        self.report.tell("ws_stream_exit", None, connection=plan.name, reason=reason)
        recording_ended = (
            self.report.provenance == "recording"
            and not error
            and reason.endswith(END_OF_RECORDING)
        )
        self.monitor.tell(FeedDown(self.market, plan.name, reason, plan.symbols, recording_ended))
