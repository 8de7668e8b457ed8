from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import MarketError
from perps_actors.market.book import Level, OrderBook, check_levels, check_touch
from perps_actors.market.events import BookTop
from perps_actors.market.instrument import InstrumentId
from tests.market.implementations import IMPLEMENTATIONS

prices = st.one_of(
    st.decimals(min_value="0.0001", max_value="9999", places=4).map(str),
    st.sampled_from(
        [
            "7.611",
            "7.6110",
            "7.61100",
            "0.00001",
            "1e1",
            "10",
            "10.0",
            "1152921504606846976",
            "1152921504606850000",
        ]
    ),
    st.sampled_from(["0.12345678901234567890", "0.12345678901234567891", "0.1234567890123456789"]),
)
sizes = st.sampled_from(["0", "0.000", "0e5", "1", "2.50", "30"])
levels = st.lists(st.builds(Level, prices, sizes), max_size=8)
changes = st.lists(st.tuples(st.booleans(), levels, levels), max_size=12)


@pytest.fixture(autouse=True, scope="module", params=IMPLEMENTATIONS)
def float_book(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("perps_actors.market.book.FloatBook", request.param.book.FloatBook)
        yield


def top(book: OrderBook) -> BookTop | None:
    return book.top(InstrumentId("binance_futures", "BTCUSDT"), 1, 2, 3, snapshot=False)


def counts(book: OrderBook) -> tuple[int, int]:
    bids, asks = book.depth(1_000)
    return len(bids), len(asks)


def side(*levels: tuple[str, str]) -> list[Level]:
    return [Level(*level) for level in levels]


def applied(held: dict[Decimal, tuple[str, str]], rows: list[Level]) -> None:
    for row in rows:
        held.pop(Decimal(row.price), None)
        if Decimal(row.size):
            held[Decimal(row.price)] = (row.price, row.size)


@given(changes)
def test_the_book_holds_the_same_levels_as_a_dictionary_of_exact_prices(steps):
    book = OrderBook()
    bids: dict[Decimal, tuple[str, str]] = {}
    asks: dict[Decimal, tuple[str, str]] = {}
    for snapshot, bid_rows, ask_rows in steps:
        if snapshot:
            bids.clear()
            asks.clear()
            book.replace(bid_rows, ask_rows)
        else:
            book.apply(bid_rows, ask_rows)
        applied(bids, bid_rows)
        applied(asks, ask_rows)
        best_bids = [bids[price] for price in sorted(bids, reverse=True)]
        best_asks = [asks[price] for price in sorted(asks)]
        assert counts(book) == (len(bids), len(asks))
        assert [[(Decimal(p), Decimal(s)) for p, s in side] for side in book.depth(5)] == [
            [(Decimal(p), Decimal(s)) for p, s in side[:5]] for side in (best_bids, best_asks)
        ]
        best, crossed = top(book), bool(bids and asks and max(bids) >= min(asks))
        assert (book.suspicion() is not None, best is None) == (crossed, crossed)
        if best is not None:
            (bid,), (ask,) = ((side or [(None, None)]) for side in book.depth(1))
            assert (best.bid, best.bid_size, best.ask, best.ask_size) == (*bid, *ask)
            assert (best.bid_levels, best.ask_levels) == (len(bids), len(asks))


def test_two_spellings_of_a_price_are_one_level_of_which_the_newer_counts():
    book = OrderBook()
    book.apply(side(("7.6110", "2")), side())
    book.apply(side(("7.611", "5")), side())
    assert book.depth(9) == ([("7.611", "5")], [])
    book.apply(side(("7.61100", "0")), side())
    assert counts(book) == (0, 0)


def test_prices_that_share_a_float_are_two_levels_on_both_sides():
    fine = "1152921504606849920"  # exactly the float that 1152921504606850000 rounds to
    book = OrderBook()
    book.apply(side(("1152921504606850000", "1")), side(("2000000000000000000", "1")))
    book.apply(side((fine, "2")), side(("1999999999999999999.5", "3")))
    assert book.depth(9) == (
        [("1152921504606850000", "1"), (fine, "2")],
        [("1999999999999999999.5", "3"), ("2000000000000000000", "1")],
    )


def test_a_change_with_a_long_price_is_applied_as_a_whole_and_once():
    book = OrderBook()
    book.apply(side(("1", "1"), ("1.00000000000000000001", "2"), ("1", "0")), side(("2", "4")))
    assert book.depth(9) == ([("1.00000000000000000001", "2")], [("2", "4")])


def test_prices_that_json_cannot_spell_are_valid_levels():
    book = OrderBook()
    book.apply(side(("007", "1"), ("6.", "1"), ("5e0", "1"), ("4", "1"), ("05", "0")), side())
    assert book.depth(9) == ([("007", "1"), ("6.", "1"), ("4", "1")], [])


def test_deleting_a_level_that_is_not_there_changes_nothing():
    book = OrderBook()
    book.apply(side(("1.5", "1")), side(("1.6", "1")))
    book.apply(side(("1.4", "0")), side(("1.7", "0.00")))
    assert book.depth(9) == ([("1.5", "1")], [("1.6", "1")])
    assert book.suspicion() is None


@pytest.mark.parametrize(
    ("bid", "ask"),
    [("1.6", "1.6"), ("1.60", "1.6"), ("1.7", "1.6"), ("1.60000000000000000001", "1.6")],
)
def test_a_locked_or_crossed_book_is_suspect(bid, ask):
    book = OrderBook()
    book.replace(side((bid, "1")), side((ask, "1")))
    assert f"bid {bid} at or above ask {ask}" in str(book.suspicion())


def test_sides_that_differ_in_the_twentieth_digit_are_not_crossed():
    book = OrderBook()
    book.replace(side(("0.1", "1")), side())
    book.apply(side(), side(("0.10000000000000000001", "1")))
    assert book.suspicion() is None


def test_a_book_with_more_levels_than_allowed_is_suspect():
    book = OrderBook(max_levels=3)
    book.apply(side(*[(str(n), "1") for n in range(1, 4)]), side())
    assert book.suspicion() is None
    book.apply(side(("4", "1")), side())
    assert "more than 3 levels" in str(book.suspicion())


good_prices = st.decimals(min_value="0.000001", max_value="1e9", places=6).map(str)
odd_numbers = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "1 2",
            "0",
            "0.0",
            "-1",
            "+1",
            "NaN",
            "Infinity",
            "1e999999",
            "1e21",
            "1_0",
            "\uff11",
            "1\n",
            "1.2.3",
            ".5",
            "1" * 31,
        ]
    ),
    st.text(alphabet="0123456789.eE+-_ ", max_size=8),
)


def is_number(text: str) -> bool:
    """The rule in simple code: at most 30 ASCII digits, one point, an exponent within 20."""
    mantissa, mark, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits = "0123456789"
    sound = (
        bool(whole) and all(c in digits for c in whole + fraction) and len(whole + fraction) <= 30
    )
    power = exponent[1:] if exponent[:1] in ("+", "-") else exponent
    return sound and (
        not mark or (0 < len(power) <= 2 and all(c in digits for c in power) and int(power) <= 20)
    )


@given(
    st.lists(
        st.tuples(st.one_of(good_prices, odd_numbers), st.one_of(sizes, odd_numbers)), max_size=6
    )
)
def test_levels_are_valid_exactly_if_prices_are_above_zero_and_sizes_not_below(rows):
    sound = [is_number(p) and Decimal(p) > 0 and is_number(s) and Decimal(s) >= 0 for p, s in rows]
    for (price, size), is_sound in zip(rows, sound, strict=True):
        if is_sound:
            check_levels([Level(price, size)])
        else:
            with pytest.raises(MarketError):
                check_levels([], [Level(price, size)])
    if all(sound):
        check_levels(side(*rows))
        check_levels(side(*rows[:2]), side(*rows[2:]))
    else:
        with pytest.raises(MarketError):
            check_levels(side(*rows))


def test_two_numbers_joined_by_a_space_are_not_a_number():
    with pytest.raises(MarketError, match="1 2"):
        check_levels(side(("1 2", "3 4")))


@given(*[st.one_of(good_prices, odd_numbers)] * 4)
def test_a_touch_is_valid_exactly_if_all_four_are_above_zero_and_the_bid_is_below_the_ask(
    bid, bid_size, ask, ask_size
):
    numbers = (bid, bid_size, ask, ask_size)
    sound = all(is_number(n) and Decimal(n) > 0 for n in numbers) and Decimal(bid) < Decimal(ask)
    if sound:
        check_touch(*numbers)
    else:
        with pytest.raises(MarketError):
            check_touch(*numbers)


def test_a_touch_narrower_than_the_precision_of_a_float_is_valid():
    check_touch("0.1", "1", "0.10000000000000000000001", "1")
    with pytest.raises(MarketError, match="below the ask"):
        check_touch("0.10000000000000000000001", "1", "0.1", "1")
