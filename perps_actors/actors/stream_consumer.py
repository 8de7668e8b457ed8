"""The stream consumer: one market's streams, from raw frames to marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any, ClassVar

from perps_actors.feeds.actor_spec import FEEDS, FRAME_BYTES, ActorSpec
from perps_actors.feeds.boards import VenueBoard
from perps_actors.feeds.connection_pool import ConnectionPool, PooledConnection
from perps_actors.feeds.consumer_outputs import ConsumerOutputs
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.feeds.stream_reader import StreamReader, stream_plan
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.messages.control import SetStreams, StreamPlan, Tick
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
)
from perps_actors.messages.marks import OfferMarks
from perps_actors.settings import Market
from perps_actors.transport.rate_limits import BackoffPolicy, Priority
from perps_actors.transport.wire import Network
from perps_actors.venues.contract import StreamAdapter


class StreamConsumer(Actor):
    """Owns a market's connections, and the reader that makes marks of what they bring.

    Takes: `ConnectionOpened`, `FramesArrived`, `ConnectionClosed` of its connections,
    `AnswerArrived`, `OfferMarks` of the poller, `SetStreams`, `CloseSources`, `GetTops`,
    `GetStreamStatistics`, and its own timers. Tells: `RecordMarks` to the store; `FeedHeard`,
    `FeedDown`, `FeedGone`, `BookSuspect` to the market monitor; `ws_stream_error`,
    `ws_stream_exit`, `book_withdrawn`, `rung_changed`, `input_rejected` events to the recorder.
    Inbox: takes all; sockets stop reading while it is full. A restart opens all connections again
    and loses the books, which are synchronised from snapshots, and the active sources.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=100_000)

    def __init__(
        self,
        *,
        plan: StreamPlan,
        make_stream: Callable[[StreamPlan], StreamAdapter],
        network: Network,
        requests: RequestScheduler,
        mark_store: Teller,
        market_monitor: Teller,
        report: Reporter,
        market: str | None = None,
        venue_board: VenueBoard | None = None,
        gate: Gate | None = None,
        random: Random | None = None,
        sessions: Iterator[int] | None = None,
    ) -> None:
        super().__init__()
        self._requests = requests
        self._batch: FramesArrived | None = None
        self._connection: PooledConnection | None = None
        self._clock = report.clock
        self._pool = ConnectionPool(
            network=network,
            gate=gate,
            backoff=BackoffPolicy(),
            random=random if random is not None else Random(),  # noqa: S311 - pauses
            after=self.after,
            sessions=sessions if sessions is not None else count(1),
        )
        self._outputs = ConsumerOutputs(
            market=market if market is not None else report.venue,
            store=mark_store,
            monitor=market_monitor,
            report=report,
            venue_marks=(venue_board if venue_board is not None else VenueBoard()).take_over(),
        )
        self._reader = StreamReader(
            plan,
            make_stream,
            self._outputs,
            send=self._pool.send,
            request=lambda request: requests.make(request, self),
        )

    def on_start(self) -> None:
        """Open all connections."""
        self.after(1.0, Tick())
        self._pool.open(self._reader.connections(), self.voice())

    def on_stop(self) -> None:
        """Close all connections."""
        self._close("stopped")

    def on_failure(self, *_: object) -> None:
        """Close all connections: the next incarnation opens its own."""
        self._close("the consumer failed")

    def _close(self, reason: str) -> None:
        for plan in self._pool.close(reason):
            self._outputs.ended(plan, reason, error=False)
        self._outputs.report_invalid_inputs()

    def on_item(self, batch: FramesArrived | OfferMarks, item: Any) -> None:
        """Read one frame, or admit one mark that was polled."""
        if not isinstance(batch, FramesArrived):
            self._reader.admit(item, batch.newest_venue_time_ns)
            return
        if batch is not self._batch:
            # The connection of a batch is looked up once, because this runs for every message.
            self._batch = batch
            self._connection = self._pool.current(batch.connection, batch.session)
        if self._connection is not None:
            self._reader.frame(batch.connection, item, batch.received_ns, batch.monotonic_ns)

    def on_batch_end(self, batch: FramesArrived | OfferMarks) -> None:
        """Tell the store the marks of the batch."""
        if batch is self._batch and self._connection is not None:
            self._outputs.heard(self._connection, self._batch.monotonic_ns)
        self._batch = self._connection = None
        self._reader.tell_marks()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case AnswerArrived(answer):
                self._reader.answered(answer, self._requests)
            case MakeRequest(request):
                self._requests.make(request, self)
            case ConnectionOpened() | ConnectionClosed() | Reconnect():
                self._tend(message)
            case SetStreams(plan):
                self._follow(plan)
            case CloseSources(done):
                self._requests.close_sources()
                self._pool.close_sources("stopped", done)
            case Tick():
                self._outputs.report_invalid_inputs()
                self._outputs.report_offset_rise(self._reader.take_offset_rise_ns())
                self.after(1.0, Tick())
            case GetTops():
                return self._reader.tops()
            case GetStreamStatistics():
                return self._statistics()
            case _:
                return super().on_receive(message)
        return None

    def _tend(self, news: ConnectionOpened | ConnectionClosed | Reconnect) -> None:
        connection = self._pool.current(news.connection, news.session)
        now_ns = self._clock.monotonic_ns()
        if connection is None:
            return
        match news:
            case ConnectionOpened(name):
                self._pool.opened(connection, now_ns)
                self._outputs.heard(connection, now_ns)
                self._reader.opened(name, now_ns)
            case ConnectionClosed(_, _, reason, error):
                self._outputs.ended(connection.plan, reason, error=error)
                failed = reason if error else None
                self._reader.closed(connection.plan, failed, ended=self._pool.sources_closed)
                self._pool.closed(connection, now_ns)
            case Reconnect():
                self._pool.reconnect(connection, self.voice())

    def _follow(self, plan: StreamPlan) -> None:
        """Follow another plan: open connections are amended if only its symbols are others."""
        if self._reader.amended(plan):
            gone = self._pool.amend(self._reader.connections(), self._reader.amend, self.voice())
        else:
            gone = self._pool.close("settings changed")
            self._reader.replace(plan)
            self._pool.open(self._reader.connections(), self.voice())
        for ended in gone:
            self._outputs.gone(ended, "settings changed")

    def _statistics(self) -> StreamStatistics:
        return StreamStatistics(
            frames=self._reader.frames,
            invalid_inputs=self._outputs.invalid_inputs,
            reconnects=self._pool.reconnects,
            rungs=self._reader.rungs(),
            last_invalid_input=self._outputs.last_invalid_input,
        )


def _make(
    *,
    name: str,
    market: Market,
    scheduler: Callable[[Priority], RequestScheduler],
    make_stream: Callable[[StreamPlan], StreamAdapter],
    network: Network,
    mark_store: Teller,
    market_monitor: Teller,
    report: Reporter,
    venue_board: VenueBoard,
    gate: Gate,
    random: Random,
    sessions: Iterator[int],
) -> StreamConsumer:
    return StreamConsumer(
        plan=stream_plan(market),
        make_stream=make_stream,
        network=network,
        requests=scheduler(Priority.SNAPSHOT),
        mark_store=mark_store,
        market_monitor=market_monitor,
        report=report,
        market=name,
        venue_board=venue_board,
        gate=gate,
        random=random,
        sessions=sessions,
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
