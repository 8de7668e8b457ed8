"""Exact numbers: validation of a venue's text within limits, arithmetic and plain notation.

A venue's numbers stay text (`DecimalText`) until code needs their value, because of a book's
thousand levels only the best two are read. Text is validated on entry (at most 30 ASCII digits,
exponent within 20 either way), so that a hostile `1e999999` costs nothing and a full-width digit
or an underscore is never read as a number.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from perps_actors.errors import MarketError
from perps_actors.market.plain import is_above_zero, is_number
from perps_actors.market.texts import DecimalText

__all__ = [
    "MAX_DIGITS",
    "MAX_EXPONENT",
    "DecimalText",
    "decimal_text",
    "is_zero",
    "mid",
    "plain",
    "positive",
]

MAX_DIGITS = 30
MAX_EXPONENT = 20

_NUMBER = re.compile(r"-?(\d{1,30})(?:\.(\d{0,30}))?(?:[eE]([+-]?\d{1,2}))?", re.ASCII)
# Precise enough that sums and halves of two numbers of 30 digits and exponents of 20 are exact.
# The host's decimal context is never used, because a host may have set a low precision.
_EXACT = Context(prec=120)
_HALF = Decimal("0.5")


def decimal_text(text: object) -> DecimalText:
    """Return `text` unchanged if it spells a number within the limits.

    Raises:
        MarketError: not a string, not a decimal number, over 30 digits or an exponent over 20.
    """
    if is_number(text):
        return text
    if type(text) is str:
        found = _NUMBER.fullmatch(text)
        if found is not None:
            whole, fraction, exponent = found.groups()
            if (
                len(whole) + len(fraction or "") <= MAX_DIGITS
                and abs(int(exponent or 0)) <= MAX_EXPONENT
            ):
                return DecimalText(text)
    msg = f"Expected a number of at most {MAX_DIGITS} digits, was {str(text)[:60]!r}"
    raise MarketError(msg)


def positive(text: object) -> DecimalText:
    """Return `text` unchanged if it spells a number above zero.

    Raises:
        MarketError: not a number within the limits, or not above zero.
    """
    if is_above_zero(text):
        return text
    checked = decimal_text(text)
    if Decimal(checked) <= 0:
        msg = f"Expected a number above zero, was {checked!r}"
        raise MarketError(msg)
    return checked


def is_zero(text: object) -> bool:
    """Return whether a number is zero.

    Raises:
        MarketError: not a number within the limits.
    """
    if is_above_zero(text):
        return False
    return (is_number(text) and not text.strip("0.")) or not Decimal(decimal_text(text))


def mid(bid: str, ask: str) -> Decimal:
    """Return (bid + ask) / 2 exactly, independent of the host's decimal context."""
    return _EXACT.multiply(_EXACT.add(Decimal(bid), Decimal(ask)), _HALF)


def plain(value: Decimal | str) -> str:
    """Return a number without exponent and trailing zeros (`0.00001`, never `1E-5`)."""
    text = format(value if isinstance(value, Decimal) else Decimal(value), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
