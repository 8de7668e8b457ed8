from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.figures import Ailment, Observer, ailments_of, spread_bp
from perps_actors.market.feed_state import Health, Judgement
from perps_actors.messages.feeds import GetTops
from perps_actors.settings import JournalSettings, MarkSettings


def observer(world, frames=None) -> Observer:
    def prices():
        tops = world.system.ask("stream_consumer", GetTops()).tops
        return {instrument: (bid[0], ask[0]) for instrument, (bid, ask) in tops}

    return Observer(world.system, world.clock, prices, lambda: frames)


def test_a_row_says_what_is_known_of_a_symbol_and_where_it_came_from(world) -> None:
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
    assert known.spread_bp == 200.0
    assert (unknown.symbol, unknown.mark, unknown.source, unknown.age_ns) == (
        "ETHUSDT",
        None,
        None,
        None,
    )
    assert (unknown.venue_mark, unknown.spread_bp, unknown.held) == (None, None, 0)


def test_the_rate_of_marks_is_that_of_the_marks_made(world) -> None:
    look = observer(world)
    look.look(10)
    for number in range(8):
        world.advance(0.5)
        world.book("BTCUSDT", "99", "101") if number == 0 else world.depth(
            "BTCUSDT", bids=[(98, number)]
        )
        figures = look.look(10)
    assert [row.marks_per_s for row in figures.rows] == [2.0, 0.0]


def test_decimals_once_shown_stay_so_that_numbers_keep_in_line(world) -> None:
    look = observer(world)
    world.book("BTCUSDT", "99.25", "99.75")
    assert look.look(10).rows[0].places == 1
    world.depth("BTCUSDT", bids=[("99.5", 1)])
    assert look.look(10).rows[0].places == 3
    world.depth("BTCUSDT", bids=[("99.5", 0)])
    assert look.look(10).rows[0].places == 3


def test_a_lost_connection_is_an_ailment_of_all_symbols_with_its_cause(world) -> None:
    world.network.refuse = "the venue hung up"
    for link in tuple(world.network.links):
        world.network.end(link, "the venue hung up", error=True)
    world.runtime.settle()
    [ailment] = observer(world).look(1).ailments
    assert ailment.health is Health.DOWN
    assert ailment.symbols == ("BTCUSDT", "ETHUSDT")
    assert "the venue hung up" in str(ailment)


def test_a_feed_that_falls_ill_while_it_is_looked_at_is_seen_within_a_second(world) -> None:
    world.book("BTCUSDT", "99", "101")
    world.advance(1.0)
    look = observer(world)
    assert look.look(10).rows[0].health is Health.LIVE
    world.advance(7.0)
    assert look.look(10).rows[0].health is not Health.LIVE


def test_symbols_without_a_row_are_counted_by_their_health(world) -> None:
    world.advance(2.0)
    figures = observer(world).look(1)
    assert [row.symbol for row in figures.rows] == ["BTCUSDT"]
    assert figures.hidden == (("waiting", 1),)


def test_the_whole_is_counted_from_the_system_itself(world, worlds) -> None:
    look = observer(world, frames=(3, 9))
    world.advance(5.0)
    whole = look.look(10).whole
    assert (whole.venue, whole.provenance, whole.running_ns, whole.frames) == (
        "binance_futures",
        "synthetic",
        5 * 10**9,
        (3, 9),
    )
    assert (
        whole.waiting,
        whole.oldest_age_ns,
        whole.restarts,
        whole.dropped,
        whole.failing,
        whole.kept,
    ) == (0, None, 0, 0, None, True)
    assert whole.ceiling_bytes == world.system.memory_ceiling().total
    other = worlds(journal=JournalSettings(path=None), marks=MarkSettings(short=5, long=7))
    figures = observer(other).look(10)
    assert (figures.whole.kept, figures.rows[0].length) == (False, 12)


def test_feeds_with_one_cause_are_one_ailment_and_the_worst_comes_first() -> None:
    def judged(health: Health, cause: str) -> Judgement:
        return Judgement(health, cause, None)

    stale = judged(Health.STALE, "no mark")
    found = ailments_of(
        {
            "A": stale,
            "B": judged(Health.LIVE, "marks arrive"),
            "C": judged(Health.QUIET, "calm"),
            "D": stale,
            "E": None,
        }
    )
    assert found == (
        Ailment(health=Health.STALE, cause="no mark", symbols=("A", "D")),
        Ailment(health=Health.QUIET, cause="calm", symbols=("C",)),
    )


@pytest.mark.parametrize(
    ("count", "named"),
    [(1, "S0"), (3, "S0, S1, S2"), (4, "S0, S1 and 2 more"), (500, "S0, S1 and 498 more")],
)
def test_an_ailment_names_a_few_and_counts_the_others(count, named) -> None:
    symbols = tuple(f"S{number}" for number in range(count))
    assert (
        str(Ailment(health=Health.STALE, cause="no mark", symbols=symbols))
        == f"stale {named}: no mark"
    )


@given(
    st.decimals(min_value="1e-9", max_value="1e9", places=9),
    st.decimals(min_value=0, max_value=100, places=4),
)
def test_a_spread_is_its_part_of_the_mid_in_basis_points(mid, spread) -> None:
    half = mid * spread / 20_000
    assert spread_bp(str(mid - half), str(mid + half)) == pytest.approx(
        float(spread), rel=1e-6, abs=1e-6
    )


def test_prices_without_a_mid_have_no_spread() -> None:
    assert spread_bp("0", "0") is None
