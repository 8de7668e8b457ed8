from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from perps_actors.market.numbers import decimal_text
from tests.market.implementations import IMPLEMENTATIONS

pytestmark = pytest.mark.parametrize("made", IMPLEMENTATIONS)

SPELLED = [
    "0",
    "7",
    "7.6110",
    "0.00000123",
    "123456789012345",
    "0.000000000012345",
    "26366.0",
    "1e-7",
    "8.7e3",
    "1E+2",
]
NOT_SPELLED = [
    "",
    " ",
    ".",
    "5.x",
    "1 2",
    " 1",
    "1\n",
    "1_0",
    "+1",
    "--1",
    "1e",
    "1e+",
    "1.e5",
    "0x1",
    "NaN",
    "inf",
    "\uff11",
    "1\u0660",
    "1\x00",
]

texts = st.one_of(
    st.sampled_from(SPELLED + NOT_SPELLED),
    st.text(alphabet="0123456789.eE+-_ \x00\uff11", max_size=40),
    st.from_regex(r"\A-?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?\Z"),
    st.text(max_size=5),
)
anything = st.one_of(
    texts,
    st.integers(),
    st.none(),
    st.booleans(),
    st.floats(),
    st.binary(max_size=5),
    st.just(Raw(b"1.5")),
    st.lists(st.integers(), max_size=1),
)


def number(text: Any) -> Decimal | None:
    """Return the number of a text by the thorough check, None if it is not a number."""
    try:
        return Decimal(decimal_text(text)) if type(text) is str else None
    except ValueError:
        return None


@given(anything)
@example("0" * 31)
@example("9" * 30)
def test_a_plain_text_is_a_number_of_its_kind(made, text):
    exact = number(text)
    assert not made.numbers.is_number(text) or exact is not None
    assert not made.numbers.is_size(text) or (exact is not None and exact >= 0)
    assert not made.numbers.is_above_zero(text) or (exact is not None and exact > 0)


@pytest.mark.parametrize("text", SPELLED)
def test_numbers_as_venues_spell_them_are_plain(made, text):
    assert made.numbers.is_number(text)
    assert made.numbers.is_number(f"-{text}")
    assert made.numbers.is_size(text)
    assert made.numbers.is_above_zero(text) is (text != "0")


@pytest.mark.parametrize(
    "text", [*NOT_SPELLED, None, True, 1, 0, 1.5, b"1", Raw(b"1"), ["1"], "9" * 31, "1e21"]
)
def test_a_text_that_is_not_a_number_is_not_plain(made, text):
    assert not made.numbers.is_number(text)
    assert not made.numbers.is_size(text)
    assert not made.numbers.is_above_zero(text)


@given(st.from_regex(r"\A-?[0-9]{1,15}(\.[0-9]{0,15})?([eE][+-]?[01]?[0-9])?\Z"))
def test_the_nearest_float_of_a_number_does_not_depend_on_its_spelling(made, text):
    assert made.numbers.nearest_float(text) == float(text)


def test_zero_is_a_size_and_a_number_below_is_not(made):
    assert not made.numbers.is_size("-1")
    assert made.numbers.is_size("0.00")
    assert not made.numbers.is_above_zero("0.00")


@given(anything, anything, anything, anything)
def test_a_plain_touch_is_a_bid_below_an_ask_and_sizes_above_zero(
    made, bid, bid_size, ask, ask_size
):
    if made.book.is_touch(bid, bid_size, ask, ask_size):
        exact = [number(each) for each in (bid, bid_size, ask, ask_size)]
        assert all(each is not None and each > 0 for each in exact)
        assert exact[0] < exact[2]


def test_a_touch_as_venues_send_it_is_plain(made):
    assert made.book.is_touch("7.610", "1", "7.611", "20.5")
    assert not made.book.is_touch("7.611", "1", "7.6110", "20.5")
    assert not made.book.is_touch("7.610", "0", "7.611", "20.5")
    assert not made.book.is_touch(None, "1", "7.611", None)


class Row(msgspec.Struct):
    price: Any
    size: Any


@given(
    st.lists(st.builds(Row, anything, anything), max_size=3),
    st.lists(st.builds(Row, anything, anything), max_size=3),
)
def test_levels_are_plain_only_if_prices_are_above_zero_and_sizes_not_below(made, bids, asks):
    if made.book.are_levels(bids, asks):
        for row in (*bids, *asks):
            price, size = (
                number(str(each) if type(each) is int else each) for each in (row.price, row.size)
            )
            assert price is not None
            assert price > 0
            assert size is not None
            assert size >= 0


def test_levels_are_made_of_texts_integers_and_json(made):
    rows = [Row("7.10", "2"), Row(7, 20), Row(Raw(b"7.5e-3"), Raw(b"10.0")), Row(10**30, Raw(b""))]
    assert made.book.levels_of(rows) == [
        made.book.Level("7.10", "2"),
        made.book.Level("7", "20"),
        made.book.Level("7.5e-3", "10.0"),
        made.book.Level(str(10**30), ""),
    ]
    assert made.book.levels_of(()) == []


def test_json_numbers_keep_their_spelling(made):
    assert made.numbers.spelled(Raw(b"1.50")) == "1.50"
    assert made.numbers.spelled(Raw()) == ""
    assert made.numbers.spelled(Raw(b"\xff1")) == "\xff1"


def test_a_number_that_was_not_sent_is_none(made):
    assert made.numbers.numbers_of(Raw(b"1.50"), Raw(), Raw(b"null"), Raw(b"-3e-4")) == [
        "1.50",
        None,
        None,
        "-3e-4",
    ]
    assert made.numbers.numbers_of(Raw(b"1"), Raw(b'"1"')) is None
    assert made.numbers.numbers_of() == []
