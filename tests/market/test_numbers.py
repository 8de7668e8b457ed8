from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import MarketError
from perps_actors.market.numbers import decimal_text, is_zero, mid, plain, positive

REFUSED = [
    "",
    "NaN",
    "Infinity",
    "-",
    ".",
    ".5",
    "+1",
    "1_000",
    "\uff11\uff12",
    "1e999999",
    "1e21",
    "1e-21",
    "1" * 31,
    "0." + "1" * 30,
    " 1",
    "1\n",
    "0x1",
]


@pytest.mark.parametrize(
    "text", ["0", "7.6110", "-0.0003", "8.7e3", "-3.1e-6", "1e20", "1E-20", "9" * 30, "5."]
)
def test_a_number_within_the_limits_keeps_its_spelling(text):
    assert decimal_text(text) == text


@pytest.mark.parametrize("text", [*REFUSED, None, 1, 1.5, True, b"1", Decimal(1), ["1"]])
def test_a_text_that_is_not_a_number_is_refused_and_named(text):
    with pytest.raises(MarketError, match="Expected a number"):
        decimal_text(text)


@pytest.mark.parametrize(
    ("text", "zero"),
    [
        ("0", True),
        ("-0.00", True),
        ("0e5", True),
        ("0.01", False),
        ("-1", False),
        ("9" * 30, False),
    ],
)
def test_zero_has_many_spellings(text, zero):
    assert is_zero(text) is zero


@pytest.mark.parametrize("text", [*REFUSED, None, 0])
def test_a_text_that_is_not_a_number_raises_when_compared_with_zero(text):
    with pytest.raises(MarketError, match="Expected a number"):
        is_zero(text)


@given(st.text())
def test_every_accepted_text_is_a_number_of_the_decimal_module(text):
    try:
        checked = decimal_text(text)
    except MarketError:
        return
    assert Decimal(checked).is_finite()
    assert checked.isascii()


@pytest.mark.parametrize("text", ["0", "0.000", "-1", "-0", "0e5"])
def test_a_price_must_be_above_zero(text):
    with pytest.raises(MarketError, match="above zero"):
        positive(text)


short_prices = st.from_regex(r"\A[0-9]{1,10}(\.[0-9]{1,8})?\Z")


@given(short_prices, short_prices)
def test_the_mid_of_short_prices_is_spelled_as_decimal_arithmetic_spells_it(bid, ask):
    with localcontext() as context:
        context.prec = 120
        assert str(mid(bid, ask)) == str((Decimal(bid) + Decimal(ask)) * Decimal("0.5"))


long_numbers = st.decimals(min_value="1e-20", max_value="1e25", allow_nan=False).filter(
    lambda d: len(d.as_tuple().digits) <= 30
)


@given(long_numbers, long_numbers)
def test_the_mid_is_exact_in_any_decimal_context_of_the_host(bid, ask):
    with localcontext() as context:
        context.prec = 3
        middle = mid(str(bid), str(ask))
    with localcontext() as context:
        context.prec = 200
        assert middle * 2 == bid + ask


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value="-1e20", max_value="1e20"))
def test_plain_notation_keeps_the_value_and_has_no_exponent_and_no_trailing_zero(number):
    text = plain(number)
    assert Decimal(text) == number
    assert "e" not in text.lower()
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [("7.6110", "7.611"), ("1e-5", "0.00001"), ("100", "100"), ("-0.0", "0"), ("1E+3", "1000")],
)
def test_plain_notation_of_known_numbers(given_text, expected):
    assert plain(given_text) == expected
