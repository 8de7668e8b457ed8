from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.observer import (
    PRICES_VALID_NS,
    BestPriceWatch,
    Observer,
    Problem,
    Rate,
    ask_best_prices,
    problems_of,
)
from perps_actors.errors import ActorUnavailable
from perps_actors.kernel.clock import NS_PER_S, ManualClock
from perps_actors.market.feed_state import Health, Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.feeds import Tops
from perps_actors.settings import JournalSettings, Market, MarkSettings
from tests.cli.rows import row


def observer(world, frames=None) -> Observer:
    def prices():
        tops = ask_best_prices(world.system).tops
        return {instrument: (bid[0], ask[0]) for instrument, (bid, ask) in tops}

    return Observer(world.system, world.clock, prices, lambda: frames)


def test_a_row_shows_the_known_values_and_none_for_the_unknown(world) -> None:
    world.book("BTCUSDT", "99", "101")
    world.market(
        world.frame(
            "BTCUSDT", "markPriceUpdate", "markPrice@1s", p="100.12500000", i="100", r="0", P="100"
        )
    )
    world.advance(2.0)
    known, unknown = observer(world).look(10).rows
    assert (known.symbol, known.mark, known.source, known.venue_mark) == (
        "BTCUSDT",
        Decimal(100),
        "book",
        Decimal("100.125"),
    )
    assert (known.age_ns, known.held, known.length, known.health) == (
        2 * 10**9,
        len(world.marks("BTCUSDT")),
        25,
        Health.LIVE,
    )
    assert (known.bid, known.ask, known.spread_bp) == (Decimal(99), Decimal(101), 200.0)
    assert (unknown.symbol, unknown.mark, unknown.source, unknown.age_ns) == (
        "ETHUSDT",
        None,
        None,
        None,
    )
    assert (unknown.venue_mark, unknown.spread_bp, unknown.held) == (None, None, 0)


def test_the_rate_of_marks_is_the_number_of_marks_per_second(world) -> None:
    look = observer(world)
    look.look(10)
    for number in range(8):
        world.advance(0.5)
        world.book("BTCUSDT", "99", "101") if number == 0 else world.depth(
            "BTCUSDT", bids=[(98, number)]
        )
        figures = look.look(10)
    assert [row.marks_per_s for row in figures.rows] == [2.0, 0.0]


def test_a_decimal_place_once_shown_stays_so_that_prices_stay_aligned(world) -> None:
    look = observer(world)
    world.book("BTCUSDT", "99.25", "99.75")
    assert look.look(10).rows[0].places == 1
    world.depth("BTCUSDT", bids=[("99.5", 1)])
    assert look.look(10).rows[0].places == 3
    world.depth("BTCUSDT", bids=[("99.5", 0)])
    assert look.look(10).rows[0].places == 3


def test_a_lost_connection_is_one_problem_of_all_its_symbols_with_the_cause(world) -> None:
    world.network.refuse = "the venue hung up"
    for link in tuple(world.network.links):
        world.network.end(link, "the venue hung up", error=True)
    world.runtime.settle()
    [problem] = observer(world).look(1).problems
    assert problem.health is Health.DOWN
    assert problem.names == ("BTCUSDT", "ETHUSDT")
    assert "the venue hung up" in str(problem)


def test_a_feed_that_stops_being_live_shows_within_a_second(world) -> None:
    world.book("BTCUSDT", "99", "101")
    world.advance(1.0)
    look = observer(world)
    assert look.look(10).rows[0].health is Health.LIVE
    world.advance(7.0)
    assert look.look(10).rows[0].health is not Health.LIVE


def test_symbols_without_a_row_are_counted_by_health(world) -> None:
    world.advance(2.0)
    figures = observer(world).look(1)
    assert [row.symbol for row in figures.rows] == ["BTCUSDT"]
    assert figures.hidden == (("waiting", 1),)


def test_the_figures_of_the_system_come_from_its_own_statistics(world, worlds) -> None:
    look = observer(world, frames=(3, 9))
    world.advance(5.0)
    whole = look.look(10).system
    assert (whole.markets, whole.running_ns, whole.frames) == (
        (("binance_futures", "synthetic"),),
        5 * 10**9,
        (3, 9),
    )
    assert (
        whole.queued,
        whole.oldest_age_ns,
        whole.restarts,
        whole.dropped,
        whole.journal_error,
        whole.journal_kept,
    ) == (0, None, 0, 0, None, True)
    assert whole.queue_limit_bytes == world.system.memory_ceiling().total
    other = worlds(journal=JournalSettings(path=None), marks=MarkSettings(short=5, long=7))
    figures = observer(other).look(10)
    assert (figures.system.journal_kept, figures.rows[0].length) == (False, 12)


def test_several_markets_are_told_apart_in_rows_problems_and_provenance(worlds) -> None:
    markets = (
        Market("binance_futures", ("BTCUSDT",)),
        Market("bybit", ("BTCUSDT",), provenance="recording"),
    )
    world = worlds(symbols=(), markets=markets)
    world.book("BTCUSDT", "99", "101")
    world.advance(60.0)
    figures = observer(world).look(10)
    assert figures.system.markets == (("binance_futures", "synthetic"), ("bybit", "recording"))
    binance, bybit = figures.rows
    assert [(row.venue, row.symbol) for row in (binance, bybit)] == [
        ("binance_futures", "BTCUSDT"),
        ("bybit", "BTCUSDT"),
    ]
    assert (binance.bid, bybit.bid) == (Decimal(99), None)
    assert binance.mark is not None
    assert bybit.mark is None
    assert any("bybit:BTCUSDT" in str(problem) for problem in figures.problems)


def test_feeds_with_the_same_cause_are_one_problem_and_the_worst_comes_first() -> None:
    def judged(health: Health, cause: str) -> Judgement:
        return Judgement(health, cause, None)

    stale = judged(Health.STALE, "no mark")
    found = problems_of(
        {
            "A": stale,
            "B": judged(Health.LIVE, "marks arrive"),
            "C": judged(Health.QUIET, "calm"),
            "D": stale,
            "E": None,
        }
    )
    assert found == (
        Problem(health=Health.STALE, cause="no mark", names=("A", "D")),
        Problem(health=Health.QUIET, cause="calm", names=("C",)),
    )


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "S0"), (3, "S0, S1, S2"), (4, "S0, S1 and 2 more"), (500, "S0, S1 and 498 more")],
)
def test_a_problem_names_a_few_instruments_and_counts_the_others(count, named) -> None:
    names = tuple(f"S{number}" for number in range(count))
    assert (
        str(Problem(health=Health.STALE, cause="no mark", names=names)) == f"stale {named}: no mark"
    )


@given(
    st.decimals(min_value="1e-9", max_value="1e9", places=9),
    st.decimals(min_value=0, max_value=100, places=4),
)
def test_the_spread_is_a_part_of_the_mid_in_basis_points(mid, spread) -> None:
    half = mid * spread / 20_000
    assert row(bid=mid - half, ask=mid + half).spread_bp == pytest.approx(
        float(spread), rel=1e-6, abs=1e-6
    )


def test_a_mid_of_zero_has_no_spread() -> None:
    assert row(bid=Decimal(0), ask=Decimal(0)).spread_bp is None


def test_a_rate_needs_two_readings() -> None:
    assert Rate().of(0, 1_000) is None


def test_a_steady_counter_has_its_rate_from_the_second_reading_on() -> None:
    rate = Rate()
    found = [rate.of(quarter * NS_PER_S // 4, 5 * quarter) for quarter in range(40)]
    assert found == [None] + [20.0] * 39


def test_the_rate_of_a_counter_that_stops_falls_to_zero_within_seconds() -> None:
    rate = Rate()
    for second in range(10):
        rate.of(second * NS_PER_S, 100 * second)
    assert [rate.of((10 + second) * NS_PER_S, 900) for second in range(4)][-1] == 0.0


def test_readings_far_apart_give_the_rate_between_the_last_two() -> None:
    rate = Rate()
    rate.of(0, 0)
    assert rate.of(60 * NS_PER_S, 120) == 2.0
    assert rate.of(120 * NS_PER_S, 180) == 1.0


def test_a_counter_that_was_reset_starts_over_and_its_rate_is_never_negative() -> None:
    rate = Rate()
    rate.of(0, 1_000)
    rate.of(NS_PER_S, 1_100)
    assert rate.of(2 * NS_PER_S, 3) is None
    assert rate.of(3 * NS_PER_S, 13) == 10.0


BTC = InstrumentId("binance_futures", "BTCUSDT")
TOPS = Tops(((BTC, (("99", "1"), ("101", "2"))),))
LIMIT_S = 10


class Consumer:
    """Gives its answers in turn and the last one again and again; counts the questions."""

    def __init__(self, *answers: Tops | ActorUnavailable) -> None:
        self._answers = list(answers)
        self.asked = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()

    def ask(self) -> Tops:
        self.asked.release()
        assert self.free.wait(LIMIT_S)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Tops):
            return answer
        raise answer

    def wait_for_questions(self, count: int) -> None:
        for _ in range(count):
            assert self.asked.acquire(timeout=LIMIT_S)


def test_the_last_prices_are_shown_until_they_are_too_old() -> None:
    clock, consumer = ManualClock(), Consumer(TOPS, ActorUnavailable("gone"))
    watch = BestPriceWatch(consumer.ask, clock, every_s=0.001)
    assert watch.latest() == {}
    with watch:
        consumer.wait_for_questions(2)
        assert watch.latest() == {BTC: ("99", "101")}
        clock.advance(PRICES_VALID_NS)
        assert watch.latest() == {BTC: ("99", "101")}
        clock.advance(1)
        assert watch.latest() == {}
    watch.thread.join(LIMIT_S)
    assert not watch.thread.is_alive()


def test_a_missing_answer_delays_neither_the_table_nor_the_end() -> None:
    consumer = Consumer(TOPS)
    consumer.free.clear()
    watch = BestPriceWatch(consumer.ask, ManualClock(), every_s=0.001)
    with watch:
        consumer.wait_for_questions(1)
        assert watch.latest() == {}
    assert watch.thread.is_alive()
    consumer.free.set()
    watch.thread.join(LIMIT_S)
    assert not watch.thread.is_alive()


def test_a_consumer_that_was_unavailable_is_asked_again() -> None:
    consumer = Consumer(ActorUnavailable("gone"), TOPS)
    watch = BestPriceWatch(consumer.ask, ManualClock(), every_s=0.001)
    with watch:
        consumer.wait_for_questions(3)
        assert watch.latest() == {BTC: ("99", "101")}
    watch.thread.join(LIMIT_S)
