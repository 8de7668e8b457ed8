from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.book import ExactBook, Level
from tests.market.implementations import IMPLEMENTATIONS

pytestmark = pytest.mark.parametrize("made", IMPLEMENTATIONS)

ALL = 1_000_000


class Row(msgspec.Struct):
    """A level of a venue that sends numbers as integers."""

    price: Any
    size: Any


prices = st.one_of(
    st.integers(1, 60).map(str),
    st.integers(1, 60),
    st.integers(1, 600).map(lambda n: f"{n / 10:.2f}"),
)
sizes = st.one_of(st.sampled_from(["0", "0.00", "0e5", "1", "2.50"]), st.integers(0, 3))
levels = st.lists(st.builds(Row, prices, sizes), max_size=30)
no_number = [
    "",
    "x",
    "-1",
    "1_0",
    None,
    True,
    1.5,
    b"1",
    [1],
    "1" * 31,
    -1,
    "NaN",
    "\uff11",
    float("nan"),
]
no_price = st.sampled_from([*no_number, 0, "0", "1.0000000000000001", 10**20])
no_size = st.sampled_from(no_number)


def pairs(held: dict[Decimal, Row], *, highest_first: bool) -> list[tuple[str, str]]:
    return [
        (str(row.price), str(row.size)) for _, row in sorted(held.items(), reverse=highest_first)
    ]


def applied(held: dict[Decimal, Row], rows: list[Row]) -> None:
    for row in rows:
        held.pop(Decimal(str(row.price)), None)
        if Decimal(str(row.size)):
            held[Decimal(str(row.price))] = row


@given(st.lists(st.tuples(st.booleans(), levels, levels), max_size=8))
def test_a_book_holds_the_latest_level_of_every_price_in_order(made, steps):
    book = made.book.FloatBook()
    bids: dict[Decimal, Row] = {}
    asks: dict[Decimal, Row] = {}
    for whole, bid_rows, ask_rows in steps:
        if whole:
            bids.clear()
            asks.clear()
        assert book.replace(bid_rows, ask_rows) if whole else book.set(bid_rows, ask_rows)
        applied(bids, bid_rows)
        applied(asks, ask_rows)
        bid_pairs, ask_pairs = pairs(bids, highest_first=True), pairs(asks, highest_first=False)
        assert book.depth(ALL) == (bid_pairs, ask_pairs)
        assert book.depth(3) == (bid_pairs[:3], ask_pairs[:3])
        if bids and asks and max(bids) >= min(asks):
            assert book.best() is None
        else:
            best = (
                *(bid_pairs[0] if bids else (None, None)),
                *(ask_pairs[0] if asks else (None, None)),
            )
            assert book.best() == (*best, len(bids), len(asks))


@given(levels, levels, st.data(), st.booleans())
def test_a_message_with_a_level_that_is_not_plain_changes_nothing(
    made, bid_rows, ask_rows, data, whole
):
    book = made.book.FloatBook()
    book.replace([Level("5", "1"), Level("4", "2")], [Level("100", "3")])
    before = book.depth(ALL)
    side = data.draw(st.sampled_from([bid_rows, ask_rows]))
    spoilt = data.draw(
        st.one_of(st.builds(Row, no_price, st.just("1")), st.builds(Row, st.just("7"), no_size))
    )
    side.insert(data.draw(st.integers(0, len(side))), spoilt)
    assert not (book.replace if whole else book.set)(bid_rows, ask_rows)
    assert book.depth(ALL) == before


@pytest.mark.parametrize(
    "price",
    ["1.0000000000000001", "9007199254740993", "0.12345678901234567", 9_007_199_254_740_993],
)
def test_a_price_of_more_digits_than_a_float_holds_is_not_plain(made, price):
    book = made.book.FloatBook()
    assert not book.set([Row(price, "1")], [])
    assert not book.replace([], [Row(price, "1")])
    assert book.set(
        [Row("1", "12345678901.234567")], []
    )  # a size may be long, because it is not a key


@pytest.mark.parametrize("count", [1, 2, 17, 500])
@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
def test_a_snapshot_may_come_in_any_order(made, count, order):
    numbers = list(range(1, count + 1))
    numbers = {"rising": numbers, "falling": numbers[::-1], "mixed": numbers[::2] + numbers[1::2]}[
        order
    ]
    book = made.book.FloatBook()
    assert book.replace(
        [Level(str(n), "1") for n in numbers], [Level(str(n + count), "2") for n in numbers]
    )
    assert book.depth(ALL) == (
        [(str(n), "1") for n in range(count, 0, -1)],
        [(str(n + count), "2") for n in range(1, count + 1)],
    )
    assert book.best() == (str(count), "1", str(count + 1), "2", count, count)


def test_of_a_price_sent_twice_in_a_snapshot_the_last_level_counts(made):
    book = made.book.FloatBook()
    assert book.replace([Level("7", "1"), Level("6", "1"), Level("7.0", "2"), Level("6", "0")], [])
    assert book.depth(ALL) == ([("7.0", "2")], [])


def test_levels_without_price_and_size_raise_an_attribute_error(made):
    with pytest.raises(AttributeError):
        made.book.FloatBook().set([("1", "2")], [])


fine = st.tuples(st.integers(1, 10**15 - 1), st.integers(-20, 6)).map(
    lambda drawn: str(Decimal(drawn[0]).scaleb(drawn[1]))
)
fine_levels = st.lists(
    st.builds(Level, st.one_of(fine, st.integers(1, 9).map(str)), st.sampled_from(["0", "1"])),
    max_size=12,
)


@given(fine_levels, fine_levels)
def test_a_float_book_holds_the_same_levels_as_an_exact_book(made, bid_rows, ask_rows):
    plain, exact = made.book.FloatBook(), ExactBook()
    exact.replace(bid_rows, ask_rows)
    if plain.replace(bid_rows, ask_rows):  # false if a price has more zeros than a plain number
        assert plain.depth(ALL) == exact.depth(ALL)
        assert plain.set(ask_rows, bid_rows)
        exact.set(ask_rows, bid_rows)
        assert plain.depth(ALL) == exact.depth(ALL)
        assert plain.best() == exact.best()
