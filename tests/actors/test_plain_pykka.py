"""The actors without a system: plain Pykka actors that know each other by their `ActorRef`s."""

from __future__ import annotations

from random import Random

import attrs
import pykka

from perps_actors.actors.event_recorder import EventRecorder
from perps_actors.actors.mark_store import MarkStore
from perps_actors.actors.quote_poller import QuotePoller
from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.actors.stream_consumer import StreamConsumer
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.journal.group import RecordingPolicy
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.kernel import Published, SystemClock
from perps_actors.market.ladder import LadderPolicy
from perps_actors.messages.control import StreamPlan
from perps_actors.messages.feeds import GetPollStatistics, GetStreamStatistics
from perps_actors.messages.marks import GetWindow
from perps_actors.messages.records import Flush, JournalStatus
from perps_actors.messages.risk import GetVerdict
from perps_actors.testing import FakeNetwork, Probe
from perps_actors.trading.staleness import StalenessLimits
from perps_actors.transport.rate_limits import BackoffPolicy, Priority, RateLimiter, RequestPacing
from perps_actors.venues.registry import venue

LIMIT_S = 10.0
FRAME = (
    b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"100",'
    b'"B":"1","a":"102","A":"1","T":1700000000000,"E":1700000000000}}'
)


def test_a_frame_passes_through_actors_that_were_started_with_pykka_alone(tmp_path, btc) -> None:
    path, clock, known = tmp_path / "events.journal", SystemClock(), venue("binance_futures")
    network, limiter = FakeNetwork(clock), RateLimiter(1200)
    snapshots, quotes = (
        RequestScheduler(
            RequestPacing(limiter, priority, BackoffPolicy(), Random(0)), network, clock
        )
        for priority in (Priority.SNAPSHOT, Priority.QUOTE)
    )
    report = Reporter(
        recorder=Probe(), venue="binance_futures", provenance="synthetic", clock=clock
    )
    recorder = EventRecorder.start(
        open_writer=lambda: SqliteJournalWriter.open(path),
        policy=RecordingPolicy(),
        report=report,
        status=Published(JournalStatus(0, 0, 0, 0, None)),
    )
    report = attrs.evolve(report, recorder=recorder)
    risk = RiskMonitor.start(instruments=[btc], limits=StalenessLimits(), report=report)
    store = MarkStore.start(window_length=25, listeners=[risk, recorder])
    consumer = StreamConsumer.start(
        plan=StreamPlan(symbols=("BTCUSDT",), ladder=LadderPolicy(top="touch"), aged=False),
        make_stream=lambda _: known.stream(known.endpoints),
        network=network,
        requests=snapshots,
        mark_store=store,
        market_monitor=Probe(),
        report=report,
    )
    poller = QuotePoller.start(
        rest=known.rest(known.endpoints),
        symbols=("BTCUSDT",),
        interval_s=60.0,
        scheduler=quotes,
        offer_to=consumer,
        report=report,
    )
    assert consumer.ask(GetStreamStatistics(), timeout=LIMIT_S).frames == 0  # `on_start` is done
    assert poller.ask(GetPollStatistics(), timeout=LIMIT_S).polls == 1
    network.deliver("public-0", FRAME)
    # Each question waits behind the messages that the one before it was handled after.
    assert consumer.ask(GetStreamStatistics(), timeout=LIMIT_S).frames == 1
    (mark,) = store.ask(GetWindow(btc), timeout=LIMIT_S).marks
    assert (mark.mark, mark.source) == (101, "touch")
    assert risk.ask(GetVerdict(btc), timeout=LIMIT_S).may_open
    assert recorder.ask(Flush(), timeout=LIMIT_S) > 0
    with SqliteJournalReader(path) as reader:
        events = [event for _, event in reader.events() if event.kind == "ws_mark_update"]
    assert [dict(event.data)["mark"] for event in events] == ["101"]
    for ref in (poller, consumer, store, risk, recorder):
        assert ref.stop(timeout=LIMIT_S)
    assert pykka.ActorRegistry.get_all() == []
