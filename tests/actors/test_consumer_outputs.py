from __future__ import annotations

from random import Random

import attrs
import pytest

from perps_actors.feeds.connection_pool import PooledConnection
from perps_actors.feeds.consumer_outputs import ConsumerOutputs
from perps_actors.market.events import BookWithdrawn
from perps_actors.market.ladder import RungChange
from perps_actors.messages.feeds import BookSuspect, FeedDown, FeedHeard
from perps_actors.messages.marks import RecordMarks
from perps_actors.testing import Probe
from perps_actors.transport.rate_limits import Backoff, BackoffPolicy
from perps_actors.transport.wire import ConnectionPlan

PLAN = ConnectionPlan(name="public-0", url="ws://127.0.0.1", symbols=("BTCUSDT",))

S = 1_000_000_000


@pytest.fixture
def outputs(bench) -> ConsumerOutputs:
    return ConsumerOutputs(
        market="binance_futures",
        store=Probe(),
        monitor=Probe(),
        report=bench.report,
        venue_marks={},
    )


def line(name: str) -> PooledConnection:
    return PooledConnection(
        ConnectionPlan(name=name, url="wss://venue"), Backoff(BackoffPolicy(), Random(0))
    )


def test_the_monitor_hears_of_a_connection_at_most_once_a_second(outputs) -> None:
    public, market = line("public-0"), line("market-0")
    for tenth in range(25):
        outputs.heard(public, tenth * S // 10)
    outputs.heard(market, 5)
    assert outputs.monitor.told == [
        FeedHeard("binance_futures", "public-0", 0),
        FeedHeard("binance_futures", "public-0", S),
        FeedHeard("binance_futures", "public-0", 2 * S),
        FeedHeard("binance_futures", "market-0", 5),
    ]


@pytest.mark.parametrize("error", [True, False])
def test_the_end_of_a_connection_is_told_to_recorder_and_monitor(outputs, bench, error) -> None:
    outputs.ended(PLAN, "reset by peer", error=error)
    assert [event.kind for event in bench.events()] == ["ws_stream_error"] * error + [
        "ws_stream_exit"
    ]
    assert outputs.monitor.told == [
        FeedDown("binance_futures", "public-0", "reset by peer", ("BTCUSDT",))
    ]


def test_a_withdrawn_book_is_told_to_recorder_and_monitor(outputs, bench, btc) -> None:
    outputs.withdrawn(BookWithdrawn(btc, "gap", 1))
    assert bench.told_of() == [("book_withdrawn", "BTCUSDT", {"cause": "gap"})]
    assert outputs.monitor.told == [BookSuspect(btc, "gap")]


def test_marks_go_to_the_store_with_their_provenance_and_moves_to_the_recorder(
    outputs, bench, mark, btc
) -> None:
    outputs.marks([], [])
    assert outputs.store.told == []
    outputs.marks([mark(1)], [(btc, RungChange("book", "touch", "broke"))])
    assert outputs.store.told == [RecordMarks((mark(1),), "synthetic")]
    assert bench.told_of() == [
        ("rung_changed", "BTCUSDT", {"before": "book", "after": "touch", "cause": "broke"})
    ]


def test_a_flood_of_complaints_is_one_event_at_each_look_with_their_number(outputs, bench) -> None:
    for number in range(1000):
        outputs.invalid_input(f"bad {number}")
    outputs.report_invalid_inputs()
    outputs.report_invalid_inputs()
    outputs.invalid_input("one more")
    outputs.report_invalid_inputs()
    assert [data for _, _, data in bench.told_of("input_rejected")] == [
        {"count": 1000, "last": "bad 999"},
        {"count": 1, "last": "one more"},
    ]


@pytest.mark.parametrize(
    ("provenance", "reason", "error", "ended"),
    [
        ("recording", "closed by the other side: 1000 end of recording", False, True),
        ("recording", "closed by the other side: 1001 going away", False, False),
        ("recording", "end of recording", True, False),
        ("live", "closed by the other side: 1000 end of recording", False, False),
    ],
)
def test_only_the_clean_close_of_a_recording_that_was_sent_ends_a_feed(
    *, outputs, bench, provenance, reason, error, ended
) -> None:
    outputs.report = attrs.evolve(bench.report, provenance=provenance)
    outputs.ended(PLAN, reason, error=error)
    assert outputs.monitor.told == [
        FeedDown("binance_futures", "public-0", reason, ("BTCUSDT",), ended)
    ]
