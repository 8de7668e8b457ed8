from __future__ import annotations

import pytest

from perps_actors.actors.market_monitor import MarketMonitor
from perps_actors.kernel.address import Published
from perps_actors.kernel.lifecycle import Stop
from perps_actors.market.feed_state import Health
from perps_actors.messages.feeds import BookSuspect, FeedDown, FeedHealth, FeedHeard, GetFeedHealth
from perps_actors.messages.marks import MarksUpdated


@pytest.fixture
def health():
    return Published(FeedHealth(0, ()))


@pytest.fixture
def monitor(bench, btc, eth, health):
    return bench.run(
        MarketMonitor(
            instruments=dict.fromkeys((btc, eth), "binance_futures"),
            report=bench.report,
            health=health,
        )
    )


@pytest.fixture
def marked(bench, monitor, mark):
    def tell(*symbols):
        now_ns = bench.clock.monotonic_ns()
        bench.tell(
            monitor,
            MarksUpdated(tuple(mark(1, symbol, at_ns=now_ns) for symbol in symbols), "synthetic"),
        )

    return tell


def heard(bench, monitor):
    bench.tell(monitor, FeedHeard("binance_futures", "public-0", bench.clock.monotonic_ns()))


def changes(bench, symbol="BTCUSDT"):
    return [
        (data["before"], data["health"])
        for _, told, data in bench.told_of("feed_health")
        if told == symbol
    ]


def test_a_feed_waits_then_lives_then_is_stale_with_one_event_a_change(bench, marked) -> None:
    bench.runtime.advance(2)
    assert changes(bench) == []
    marked("BTCUSDT")
    for _ in range(5):
        bench.runtime.advance(1)
        marked("BTCUSDT")
    assert changes(bench) == [("waiting", "live")]
    bench.runtime.advance(20)
    assert changes(bench) == [("waiting", "live"), ("live", "stale")]
    data = [data for _, symbol, data in bench.told_of("feed_health") if symbol == "BTCUSDT"][-1]
    assert (data["cause"], data["age_seconds"]) == ("no mark for more than 5 s", 6.0)


def test_five_seconds_are_still_live_and_one_look_later_is_not(bench, monitor, marked, btc) -> None:
    marked("BTCUSDT")
    bench.runtime.advance(5)
    assert dict(bench.ask(monitor, GetFeedHealth()).judgements)[btc].health is Health.LIVE
    bench.clock.advance(1)
    assert dict(bench.ask(monitor, GetFeedHealth()).judgements)[btc].health is Health.STALE


def test_an_instrument_without_marks_on_a_venue_that_speaks_is_quiet_not_stale(
    bench, monitor, marked
) -> None:
    marked("BTCUSDT")
    for _ in range(8):
        heard(bench, monitor)
        bench.runtime.advance(1)
    assert changes(bench)[-1] == ("live", "quiet")
    bench.runtime.advance(10)
    assert changes(bench)[-1] == ("quiet", "stale")


@pytest.mark.usefixtures("monitor")
def test_an_instrument_that_was_never_marked_is_stale_after_the_limit(bench) -> None:
    bench.runtime.advance(5)
    assert changes(bench) == []
    bench.runtime.advance(1)
    assert changes(bench) == [("waiting", "stale")]


def test_a_suspect_book_is_a_gap_at_once_and_the_next_mark_heals_it_alone(
    bench, monitor, marked, btc
) -> None:
    marked("BTCUSDT", "ETHUSDT")
    bench.runtime.advance(1)
    bench.tell(monitor, BookSuspect(btc, "gap: update 5 was followed by one after 7"))
    assert changes(bench)[-1] == ("live", "gapped")
    assert changes(bench, "ETHUSDT") == [("waiting", "live")]
    assert (
        bench.told_of("feed_health")[-1][2]["cause"] == "gap: update 5 was followed by one after 7"
    )
    marked("BTCUSDT")
    bench.runtime.advance(1)
    assert changes(bench)[-1] == ("gapped", "live")


def test_a_lost_connection_is_down_with_its_cause_until_it_is_heard_again(
    bench, monitor, marked
) -> None:
    marked("BTCUSDT")
    bench.runtime.advance(6)
    bench.tell(monitor, FeedDown("binance_futures", "public-0", "reset by peer"))
    assert changes(bench)[-1] == ("stale", "down")
    assert bench.told_of("feed_health")[-1][2]["cause"] == "reset by peer"
    heard(bench, monitor)
    bench.runtime.advance(1)
    assert changes(bench)[-1] == ("down", "quiet")


def test_marks_from_elsewhere_keep_a_feed_alive_while_a_connection_is_down(
    bench, monitor, marked
) -> None:
    bench.tell(monitor, FeedDown("binance_futures", "public-0", "reset by peer"))
    marked("BTCUSDT")
    bench.runtime.advance(1)
    assert changes(bench)[-1] == ("down", "live")


def test_the_published_health_is_of_the_last_look_and_of_the_end(
    bench, monitor, marked, health, btc
) -> None:
    bench.runtime.advance(1)
    assert health.value.judged_ns == bench.clock.monotonic_ns()
    marked("BTCUSDT")
    bench.tell(monitor, Stop())
    assert dict(health.value.judgements)[btc].health is Health.LIVE


def test_steps_of_the_wall_clock_are_no_silence(bench, marked) -> None:
    marked("BTCUSDT")
    bench.clock.step_wall(3_600_000_000_000)
    bench.runtime.advance(2)
    assert changes(bench) == [("waiting", "live")]


def test_instruments_of_another_connection_are_not_down_with_it(bench, monitor, btc, eth) -> None:
    bench.tell(monitor, FeedDown("binance_futures", "public-0", "cut", (btc.symbol,)))
    bench.runtime.advance(2)
    judged = dict(bench.ask(monitor, GetFeedHealth()).judgements)
    assert judged[btc].health is Health.DOWN
    assert judged[eth].health is not Health.DOWN


def test_feeds_of_a_recording_that_ended_are_ended_and_not_down(
    bench, monitor, marked, btc
) -> None:
    marked("BTCUSDT", "ETHUSDT")
    bench.runtime.advance(1)
    reason = "closed by the other side: 1000 end of recording"
    bench.tell(monitor, FeedDown("binance_futures", "public-0", reason, (btc.symbol,), ended=True))
    heard(bench, monitor)
    bench.runtime.advance(20)
    assert changes(bench) == [("waiting", "live"), ("live", "ended")]
    assert changes(bench, "ETHUSDT")[-1] == ("quiet", "stale")
