"""The stream consumer: one venue's streams, from raw frames to marks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, ClassVar

from perps_actors.feeds.actor_spec import FEEDS, FRAME_BYTES, ActorSpec
from perps_actors.feeds.boards import VenueBoard
from perps_actors.feeds.connection_pool import ConnectionPool
from perps_actors.feeds.consumer_outputs import ConsumerOutputs
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.feeds.stream_plan_state import Streams, stream_plan
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.clock import Clock
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.events import BookWithdrawn, VenueMark
from perps_actors.market.mark import Mark
from perps_actors.market.mark_maker import MARKED
from perps_actors.messages.control import Tick
from perps_actors.messages.feeds import (
    AnswerArrived,
    CloseSources,
    ConnectionClosed,
    ConnectionOpened,
    FramesArrived,
    GetStreamStatistics,
    GetTops,
    MakeRequest,
    Reconnect,
    StreamStatistics,
    Tops,
)
from perps_actors.messages.marks import OfferMarks
from perps_actors.messages.reconfiguration import SetStreams, StreamPlan
from perps_actors.settings import Market
from perps_actors.transport.rate_limits import BackoffPolicy, Priority
from perps_actors.transport.wire import HttpAnswer, HttpRequest, Network
from perps_actors.venues.contract import InvalidInput, Outcome, SendFrame, StreamAdapter


class StreamConsumer(Actor):
    """Owns a venue's connections, its adapter with the books, and the rung each instrument stands on.

    Takes: what its connections' threads tell (`ConnectionOpened`, `FramesArrived`, `ConnectionClosed`, `AnswerArrived`),
    `OfferMarks` of the poller, `SetStreams`, `CloseSources`, `GetTops`, `GetStreamStatistics`, and its own timers. Tells: `RecordMarks`
    to the store; `FeedHeard`, `FeedDown`, `FeedGone`, `BookSuspect` to the market monitor; `ws_stream_error`, `ws_stream_exit`,
    `book_withdrawn`, `rung_changed`, `input_rejected` events to the recorder. Inbox: *all*; the sockets stop reading while it is
    full. A restart opens all connections anew and loses the books, which are synchronised again from snapshots, and the rungs,
    which start at the top.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=100_000)

    def __init__(
        self,
        *,
        streams: Streams,
        lines: Callable[[Callable[[float, Any], object]], ConnectionPool],
        scheduler: RequestScheduler,
        outputs: ConsumerOutputs,
    ) -> None:
        super().__init__()
        self._streams = streams
        self._lines = lines(self.after)
        self._desk = scheduler
        self._findings = outputs
        self._clock = outputs.report.clock
        self._frames = 0
        self._marks: list[Mark] = []

    def on_start(self) -> None:
        """Open all connections."""
        self.after(1.0, Tick())
        self._lines.open(self._streams.connections(), self.voice())

    def on_stop(self) -> None:
        """Close all connections."""
        self._close("stopped")

    def on_failure(self, *_: object) -> None:
        """Close all connections: the next incarnation opens its own."""
        self._close("the consumer failed")

    def _close(self, reason: str) -> None:
        for plan in self._lines.close(reason):
            self._findings.ended(plan, reason, error=False)
        self._findings.report_invalid_inputs()

    def _follow(self, plan: StreamPlan) -> None:
        """Follow another plan: other symbols amend the connections, anything else opens all of them anew."""
        if self._streams.amended(plan):
            gone = self._lines.amend(
                self._streams.connections(), self._streams.adapter.amend, self.voice()
            )
        else:
            gone = self._lines.close("settings changed")
            before, self._streams = self._streams, self._streams.anew(plan)
            self._findings.marks([], self._streams.moved_from(before))
            self._lines.open(self._streams.connections(), self.voice())
        for ended in gone:
            self._findings.gone(ended, "settings changed")

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case AnswerArrived(answer):
                self._answered(answer)
            case MakeRequest(request):
                self._desk.make(request, self)
            case ConnectionOpened() | ConnectionClosed() | Reconnect():
                self._tend(message)
            case SetStreams(plan):
                self._follow(plan)
            case CloseSources(done):
                self._desk.close_sources()
                self._lines.close_sources("stopped", done)
            case Tick():
                self._findings.report_invalid_inputs()
                self._findings.report_offset_rise(self._streams.take_offset_rise_ns())
                self.after(1.0, Tick())
            case GetTops() | GetStreamStatistics():
                return self._answer(message)
            case _:
                return super().on_receive(message)
        return None

    def on_item(self, batch: FramesArrived | OfferMarks, item: Any) -> None:
        """Read one frame, or admit one mark that was polled."""
        if isinstance(batch, OfferMarks):
            # The newest row of the answer shows the offset of the venue's clock. It is noted before
            # every mark, so that an old row which comes first does not pass for a new one.
            if batch.newest_venue_time_ns is not None:
                self._streams.maker.note_time(item.monotonic_ns, batch.newest_venue_time_ns)
            mark = self._streams.maker.admit(item)
            if mark is not None:
                self._marks.append(mark)
        elif self._lines.current(batch.connection, batch.session) is not None:
            self._frames += 1
            outcomes = self._streams.adapter.frame(batch.connection, item, batch.received_ns)
            self._sort(outcomes, batch.monotonic_ns)

    def on_batch_end(self, batch: FramesArrived | OfferMarks) -> None:
        """Tell the store the marks of the batch."""
        if isinstance(batch, FramesArrived):
            line = self._lines.current(batch.connection, batch.session)
            if line is not None:
                self._findings.heard(line, batch.monotonic_ns)
        self._tell_marks()

    def _tell_marks(self) -> None:
        marks, self._marks = self._marks, []
        self._findings.marks(marks, self._streams.maker.take_changes())

    def _answered(self, answer: HttpAnswer) -> None:
        outcomes = self._streams.adapter.answer(
            answer.request, answer.status, answer.body, answer.received_ns
        )
        self._desk.answered(
            answer, usable=not any(outcome.__class__ is InvalidInput for outcome in outcomes)
        )
        self._take(outcomes, answer.monotonic_ns)

    def _take(self, outcomes: Iterable[Outcome], monotonic_ns: int) -> None:
        self._sort(outcomes, monotonic_ns)
        self._tell_marks()

    def _sort(self, outcomes: Iterable[Any], monotonic_ns: int) -> None:
        for outcome in outcomes:
            kind = outcome.__class__
            if kind not in MARKED:
                self._act_on(outcome)
            elif (mark := self._streams.maker.of(outcome, monotonic_ns)) is not None:
                self._marks.append(mark)

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
            case InvalidInput(what):
                self._findings.invalid_input(what)

    def _tend(self, news: ConnectionOpened | ConnectionClosed | Reconnect) -> None:
        line, now_ns = (
            self._lines.current(news.connection, news.session),
            self._clock.monotonic_ns(),
        )
        if line is None:
            return
        match news:
            case ConnectionOpened(connection):
                self._lines.opened(line, now_ns)
                self._findings.heard(line, now_ns)
                self._take(self._streams.adapter.opened(connection, self._clock.time_ns()), now_ns)
            case ConnectionClosed(connection, _, reason, error):
                if error:
                    self._streams.maker.fail_all(line.plan.symbols, line.plan.sources, reason)
                self._findings.ended(line.plan, reason, error=error)
                if not self._lines.sources_closed:
                    self._take(
                        self._streams.adapter.closed(connection, self._clock.time_ns()), now_ns
                    )
                self._lines.closed(line, now_ns)
            case Reconnect():
                self._lines.reconnect(line, self.voice())

    def _answer(self, question: GetTops | GetStreamStatistics) -> Tops | StreamStatistics:
        if isinstance(question, GetTops):
            return self._streams.tops()
        return StreamStatistics(
            frames=self._frames,
            invalid_inputs=self._findings.invalid_inputs,
            reconnects=self._lines.reconnects,
            rungs=self._streams.maker.rungs(),
            last_invalid_input=self._findings.last_invalid_input,
        )


def _make(
    *,
    name: str,
    market: Market,
    make_stream: Callable[[StreamPlan], StreamAdapter],
    clock: Clock,
    random: Random,
    network: Network,
    gate: Gate,
    sessions: Iterator[int],
    scheduler: Callable[[Priority], RequestScheduler],
    mark_store: Teller,
    market_monitor: Teller,
    report: Reporter,
    venue_board: VenueBoard,
) -> StreamConsumer:
    def pool(after: Callable[[float, Any], object]) -> ConnectionPool:
        return ConnectionPool(
            network=network,
            gate=gate,
            backoff=BackoffPolicy(),
            random=random,
            after=after,
            sessions=sessions,
        )

    return StreamConsumer(
        streams=Streams(stream_plan(market), market.venue, make_stream, clock),
        lines=pool,
        scheduler=scheduler(Priority.SNAPSHOT),
        outputs=ConsumerOutputs(
            market=name,
            store=mark_store,
            monitor=market_monitor,
            report=report,
            venue_marks=venue_board.take_over(),
        ),
    )


def _changed(market: Market) -> SetStreams:
    return SetStreams(stream_plan(market))


SPEC = ActorSpec(
    name="stream_consumer",
    make=_make,
    group=FEEDS,
    item_bytes=FRAME_BYTES,
    per_market=True,
    reads_frames=True,
    listens_to=(CloseSources,),
    sections=("symbols", "stream"),
    changed=_changed,
)
