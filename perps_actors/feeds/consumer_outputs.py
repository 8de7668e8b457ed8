"""Sends the results of a stream consumer: marks to the store, feed states, and events."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from perps_actors.feeds.connection_pool import PooledConnection
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
    """Sends the results of one market's consumer to other actors, and counts invalid input."""

    market: str
    """Name of the market, for the market monitor."""
    store: Teller
    monitor: Teller
    report: Reporter
    venue_marks: dict[InstrumentId, VenueMark]
    """The board of the venue's own marks, which this consumer writes."""
    invalid_inputs: int = 0
    last_invalid_input: str | None = None
    _reported: int = 0

    def marks(self, marks: list[Mark], changes: Iterable[tuple[InstrumentId, RungChange]]) -> None:
        """Send new marks to the store, and report ladders that changed their active source."""
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
        """Publish the exchange's own mark price."""
        self.venue_marks[mark.instrument] = mark

    def withdrawn(self, news: BookWithdrawn) -> None:
        """Report a book that is out of sync."""
        self.monitor.tell(BookSuspect(news.instrument, news.cause))
        self.report.tell("book_withdrawn", news.instrument, cause=news.cause)

    def invalid_input(self, what: str) -> None:
        """Count invalid input; it is reported once a second, however much there is."""
        self.invalid_inputs += 1
        self.last_invalid_input = what

    def report_invalid_inputs(self) -> None:
        """Report the invalid input since the last call."""
        fresh = self.invalid_inputs - self._reported
        if fresh:
            self._reported = self.invalid_inputs
            self.report.tell("input_rejected", None, count=fresh, last=self.last_invalid_input)

    def report_offset_rise(self, rise_ns: int | None) -> None:
        """Report that the venue's times fell behind ours: a clock was set, or all sources lag."""
        if rise_ns is not None:
            self.report.tell("venue_offset_rose", None, seconds=round(rise_ns / NS_PER_S, 3))

    def heard(self, connection: PooledConnection, monotonic_ns: int) -> None:
        """Tell the monitor that a connection brought data, at most once a second."""
        if connection.told_heard_ns is None or monotonic_ns - connection.told_heard_ns >= NS_PER_S:
            connection.told_heard_ns = monotonic_ns
            self.monitor.tell(FeedHeard(self.market, connection.plan.name, monotonic_ns))

    def gone(self, plan: ConnectionPlan, reason: str) -> None:
        """Report a connection that was closed because settings changed."""
        self.report.tell("ws_stream_exit", None, connection=plan.name, reason=reason)
        self.monitor.tell(FeedGone(self.market, plan.name))

    def ended(self, plan: ConnectionPlan, reason: str, *, error: bool) -> None:
        """Report a connection that ended: `ws_stream_exit` is the last event of each connection."""
        if error:
            self.report.tell("ws_stream_error", None, message=reason, connection=plan.name)
        self.report.tell("ws_stream_exit", None, connection=plan.name, reason=reason)
        recording_ended = (
            self.report.provenance == "recording"
            and not error
            and reason.endswith(END_OF_RECORDING)
        )
        self.monitor.tell(FeedDown(self.market, plan.name, reason, plan.symbols, recording_ended))
