"""The stream consumer: one venue's streams, from raw frames to marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from perps_actors.actors.findings import Findings
from perps_actors.actors.lines import Line, Lines
from perps_actors.actors.rest_desk import RestDesk
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.events import BookWithdrawn, VenueMark
from perps_actors.market.mark import Mark
from perps_actors.market.mark_maker import MARKED, MarkMaker
from perps_actors.messages.control import Tick
from perps_actors.messages.feeds import (
    AnswerArrived,
    ConnectionClosed,
    ConnectionOpened,
    FramesArrived,
    GetStreamStatistics,
    HangUp,
    MakeRequest,
    Reconnect,
    StreamStatistics,
)
from perps_actors.messages.marks import OfferMarks
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import Complaint, Outcome, SendFrame, StreamAdapter


class StreamConsumer(Actor):
    """Owns a venue's connections, its adapter with the books, and the rung each instrument stands on.

    Takes: what its connections' threads tell (`ConnectionOpened`, `FramesArrived`, `ConnectionClosed`, `AnswerArrived`),
    `OfferMarks` of the poller, `HangUp`, `GetStreamStatistics`, and its own timers. Tells: `RecordMarks` to the store; `FeedHeard`,
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
        findings: Findings,
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._plans = tuple(plans)
        self._maker = maker
        self._lines = lines(self.after)
        self._desk = desk
        self._findings = findings
        self._clock = findings.report.clock
        self._frames = 0

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
            self._findings.ended(connection, reason, error=False)
        self._findings.tell_complaints()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case FramesArrived():
                self._read(message)
            case OfferMarks(marks):
                self._findings.marks([mark for mark in marks if self._maker.admit(mark)], self._maker.take_changes())
            case AnswerArrived(answer):
                outcomes = self._adapter.answer(answer.request, answer.status, answer.body, answer.received_ns)
                self._desk.answered(answer, usable=not any(outcome.__class__ is Complaint for outcome in outcomes))
                self._take(outcomes, answer.monotonic_ns)
            case MakeRequest(request):
                self._desk.make(request, self)
            case ConnectionOpened(connection, session) | ConnectionClosed(connection, session) | Reconnect(connection, session):
                line = self._lines.current(connection, session)
                if line is not None:
                    self._tend(line, message)
            case HangUp(done):
                self._desk.hang_up()
                self._lines.hang_up("stopped", done)
            case Tick():
                self._findings.tell_complaints()
                self.after(1.0, Tick())
            case GetStreamStatistics():
                return self._statistics()
            case _:
                return super().on_receive(message)
        return None

    def _read(self, message: FramesArrived) -> None:
        line = self._lines.current(message.connection, message.session)
        if line is None:
            return
        self._findings.heard(line, message.monotonic_ns)
        self._frames += len(message.frames)
        read, connection, received_ns = self._adapter.frame, message.connection, message.received_ns
        marks: list[Mark] = []
        try:
            for self.cursor, frame in enumerate(message.frames):
                self._sort(read(connection, frame, received_ns), message.monotonic_ns, marks)
        finally:
            # Also when one frame kills this actor: the marks made before it are true.
            self._findings.marks(marks, self._maker.take_changes())

    def _take(self, outcomes: Iterable[Outcome], monotonic_ns: int) -> None:
        marks: list[Mark] = []
        self._sort(outcomes, monotonic_ns, marks)
        self._findings.marks(marks, self._maker.take_changes())

    def _sort(self, outcomes: Iterable[Any], monotonic_ns: int, marks: list[Mark]) -> None:
        for outcome in outcomes:
            kind = outcome.__class__
            if kind not in MARKED:
                self._act_on(outcome)
            elif (mark := self._maker.of(outcome, monotonic_ns)) is not None:
                marks.append(mark)

    def _act_on(self, outcome: Any) -> None:
        match outcome:
            case VenueMark():
                self._findings.venue_mark(outcome)
            case BookWithdrawn():
                self._findings.withdrawn(outcome)
            case HttpRequest():
                self._desk.make(outcome, self)
            case SendFrame(connection, text):
                self._lines.send(connection, text)
            case Complaint(what):
                self._findings.complaint(what)

    def _tend(self, line: Line, news: ConnectionOpened | ConnectionClosed | Reconnect) -> None:
        now_ns = self._clock.monotonic_ns()
        match news:
            case ConnectionOpened(connection):
                self._lines.opened(line, now_ns)
                self._findings.heard(line, now_ns)
                self._take(self._adapter.opened(connection), now_ns)
            case ConnectionClosed(connection, _, reason, error):
                if error:
                    self._maker.fail_all(line.plan.symbols, line.plan.sources, reason)
                self._findings.ended(connection, reason, error=error)
                if not self._lines.hung_up:
                    self._take(self._adapter.closed(connection, self._clock.time_ns()), now_ns)
                self._lines.closed(line, now_ns)
            case Reconnect():
                self._lines.reconnect(line, self.voice())

    def _statistics(self) -> StreamStatistics:
        return StreamStatistics(
            frames=self._frames,
            complaints=self._findings.complaints,
            reconnects=self._lines.reconnects,
            rungs=self._maker.rungs(),
            last_complaint=self._findings.last_complaint,
        )
