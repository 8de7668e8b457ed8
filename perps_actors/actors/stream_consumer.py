"""The stream consumer: one venue's streams, from raw frames to marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from perps_actors.actors.board import VenueBoard
from perps_actors.actors.lines import Line, Lines
from perps_actors.actors.reporter import Reporter
from perps_actors.actors.rest_desk import RestDesk
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.events import BookTop, BookWithdrawn, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.market.mark_maker import MarkMaker
from perps_actors.messages.control import Tick
from perps_actors.messages.feeds import (
    AnswerArrived,
    BookSuspect,
    ConnectionClosed,
    ConnectionOpened,
    FeedDown,
    FeedHeard,
    FramesArrived,
    GetStreamStatistics,
    MakeRequest,
    Reconnect,
    StreamStatistics,
)
from perps_actors.messages.marks import OfferMarks, RecordMarks
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import Complaint, SendFrame, StreamAdapter


class StreamConsumer(Actor):
    """Owns a venue's connections, its adapter with the books, and the rung each instrument stands on.

    Takes: what its connections' threads tell (`ConnectionOpened`, `FramesArrived`, `ConnectionClosed`, `AnswerArrived`),
    `OfferMarks` of the poller, `GetStreamStatistics`, and its own timers. Tells: `RecordMarks` to the store; `FeedHeard`,
    `FeedDown`, `BookSuspect` to the market monitor; `ws_stream_error`, `ws_stream_exit`, `book_withdrawn`, `rung_changed`,
    `input_rejected` events to the recorder. Inbox: *all*; the sockets stop reading while it is full. A restart opens all
    connections anew and loses the books, which are synchronised again from snapshots, and the rungs, which start at the top.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=100_000)

    def __init__(
        self,
        *,
        adapter: StreamAdapter,
        plans: Iterable[ConnectionPlan],
        maker: MarkMaker,
        lines: Callable[[Callable[[float, Any], object]], Lines],
        desk: RestDesk,
        store: Teller,
        monitor: Teller,
        report: Reporter,
        board: VenueBoard,
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._plans = tuple(plans)
        self._maker = maker
        self._lines = lines(self.after)
        self._desk = desk
        self._store = store
        self._monitor = monitor
        self._report = report
        self._clock = report.clock
        self._board = board
        self._frames = self._complaints = self._told_complaints = 0
        self._last_complaint: str | None = None

    def on_start(self) -> None:
        """Open all connections."""
        self.after(1.0, Tick())
        self._lines.open(self._plans, self.voice())

    def on_stop(self) -> None:
        """Close all connections."""
        self._close("stopped")

    def on_failure(self, *_: object) -> None:
        """Close all connections: the next incarnation opens its own."""
        self._close("the consumer failed")

    def _close(self, reason: str) -> None:
        for connection in self._lines.close(reason):
            self._report.tell("ws_stream_exit", None, connection=connection, reason=reason)

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case FramesArrived():
                self._read(message)
            case OfferMarks(marks):
                self._record([mark for mark in marks if self._maker.admit(mark)])
            case AnswerArrived(answer):
                self._desk.answered(answer)
                self._take(self._adapter.answer(answer.request, answer.status, answer.body, answer.received_ns), answer.monotonic_ns)
            case MakeRequest(request):
                self._desk.make(request, self)
            case ConnectionOpened(connection, session) | ConnectionClosed(connection, session) | Reconnect(connection, session):
                line = self._lines.current(connection, session)
                if line is not None:
                    self._tend(line, message)
            case Tick():
                self._tell_complaints()
                self.after(1.0, Tick())
            case GetStreamStatistics():
                return self._statistics()
            case _:
                return super().on_receive(message)
        return None

    # --- frames to marks

    def _read(self, message: FramesArrived) -> None:
        line = self._lines.current(message.connection, message.session)
        if line is None:
            return
        self._heard(line, message.monotonic_ns)
        self._frames += len(message.frames)
        read, connection, received_ns = self._adapter.frame, message.connection, message.received_ns
        marks: list[Mark] = []
        try:
            for self.cursor, frame in enumerate(message.frames):
                for outcome in read(connection, frame, received_ns):
                    mark = self._mark_of(outcome, message.monotonic_ns)
                    if mark is not None:
                        marks.append(mark)
        finally:
            # Also when one frame kills this actor: the marks made before it are true.
            self._record(marks)

    def _take(self, outcomes: Iterable[Any], monotonic_ns: int) -> None:
        marks = [self._mark_of(outcome, monotonic_ns) for outcome in outcomes]
        self._record([mark for mark in marks if mark is not None])

    def _mark_of(self, outcome: Any, monotonic_ns: int) -> Mark | None:
        cls = outcome.__class__
        if cls is Touch:
            return self._maker.of_touch(outcome, monotonic_ns)
        if cls is BookTop:
            return self._maker.of_book(outcome, monotonic_ns)
        if cls is Trade:
            return self._maker.of_trade(outcome, monotonic_ns)
        self._act_on(outcome)
        return None

    def _act_on(self, outcome: Any) -> None:
        match outcome:
            case VenueMark():
                self._board.venue_marks[outcome.instrument] = outcome
            case BookWithdrawn(instrument, cause):
                self._monitor.tell(BookSuspect(instrument, cause))
                self._report.tell("book_withdrawn", instrument, cause=cause)
            case HttpRequest():
                self._desk.make(outcome, self)
            case SendFrame(connection, text):
                self._lines.send(connection, text)
            case Complaint(what):
                self._complaints += 1
                self._last_complaint = what

    def _record(self, marks: list[Mark]) -> None:
        if marks:
            self._store.tell(RecordMarks(tuple(marks), self._report.provenance))
        if self._maker.changes:
            for instrument, change in self._maker.take_changes():
                self._report.tell("rung_changed", instrument, before=change.before, after=change.after, cause=change.cause)

    # --- the outside

    def _tend(self, line: Line, news: ConnectionOpened | ConnectionClosed | Reconnect) -> None:
        now_ns = self._clock.monotonic_ns()
        match news:
            case ConnectionOpened(connection):
                self._lines.opened(line, now_ns)
                self._heard(line, now_ns)
                self._take(self._adapter.opened(connection), now_ns)
            case ConnectionClosed(connection, _, reason, error):
                if error:
                    self._failed(line, reason)
                self._report.tell("ws_stream_exit", None, connection=connection, reason=reason)
                self._monitor.tell(FeedDown(connection, reason))
                self._take(self._adapter.closed(connection, self._clock.time_ns()), now_ns)
                self._lines.closed(line, now_ns)
            case Reconnect():
                self._lines.reconnect(line, self.voice())

    def _failed(self, line: Line, reason: str) -> None:
        """Tell of the fault, and let a lower rung speak for what this connection carried."""
        self._report.tell("ws_stream_error", None, message=reason, connection=line.plan.name)
        for symbol in line.plan.symbols:
            for source in line.plan.sources:
                self._maker.fail(InstrumentId(self._report.venue, symbol), source, reason)

    def _heard(self, line: Line, monotonic_ns: int) -> None:
        if line.told_heard_ns is None or monotonic_ns - line.told_heard_ns >= NS_PER_S:
            line.told_heard_ns = monotonic_ns
            self._monitor.tell(FeedHeard(line.plan.name, monotonic_ns))

    def _tell_complaints(self) -> None:
        fresh = self._complaints - self._told_complaints
        if fresh:
            self._told_complaints = self._complaints
            self._report.tell("input_rejected", None, count=fresh, last=self._last_complaint)

    def _statistics(self) -> StreamStatistics:
        return StreamStatistics(
            frames=self._frames,
            complaints=self._complaints,
            reconnects=self._lines.reconnects,
            rungs=self._maker.rungs(),
            last_complaint=self._last_complaint,
        )
