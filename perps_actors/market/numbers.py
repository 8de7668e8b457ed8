"""Exact decimal numbers within limits, kept as the text that the venue sent.

A venue's numbers stay text (`DecimalText`) until somebody needs their value, because of the
thousand levels of a book only the best two are read. Text is checked where it enters: ASCII digits,
at most 30 of them, an exponent of at most 20 either way. So a hostile `1e999999` costs nothing, and
neither a full-width digit nor an underscore passes for part of a number.

Nearly all numbers are plain: decimals so short that a quick check accepts them (`is_number`,
`is_above_zero`, `is_size`). Other texts may be numbers too, and take the thorough check
(`decimal_text`). With a C compiler at installation, `_native` does the quick checks in machine
code.
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Context, Decimal
from typing import TYPE_CHECKING, NewType, TypeGuard

import msgspec
from msgspec import Raw

from perps_actors.errors import MarketError

if TYPE_CHECKING:
    DecimalText = NewType("DecimalText", str)
    """A validated decimal number as the venue spelled it."""
else:
    DecimalText = str  # a call of a NewType costs as much as making the text

MAX_DIGITS = 30
MAX_EXPONENT = 20

_NUMBER = re.compile(r"-?(\d{1,30})(?:\.(\d{0,30}))?(?:[eE]([+-]?\d{1,2}))?", re.ASCII)
_EXPONENT = r"(?:[eE][+-]?1?[0-9])?+"
_SIZE = rf"[0-9]{{1,15}}+(?:\.[0-9]{{1,15}}+)?+{_EXPONENT}"
_IS_NUMBER = re.compile(f"-?{_SIZE}").fullmatch
_IS_SIZE = re.compile(_SIZE).fullmatch
_IS_ABOVE_ZERO = re.compile(
    rf"(?:[1-9][0-9]{{0,14}}+(?:\.[0-9]{{1,15}}+)?+|0\.0{{0,14}}+[1-9][0-9]{{0,14}}+){_EXPONENT}"
).fullmatch
_FLOAT = msgspec.json.Decoder(float).decode
# Wide enough that sums and halves of two numbers of 30 digits and exponents of 20 lose nothing.
# The host's own decimal context is never used.
_EXACT = Context(prec=120)
_HALF = Decimal("0.5")
_add, _multiply = _EXACT.add, _EXACT.multiply


def is_number(text: object, /) -> TypeGuard[DecimalText]:
    """Return whether a text is a plain number."""
    return type(text) is str and _IS_NUMBER(text) is not None


def is_above_zero(text: object, /) -> TypeGuard[DecimalText]:
    """Return whether a text is a plain number above zero."""
    return type(text) is str and _IS_ABOVE_ZERO(text) is not None


def is_size(text: object, /) -> TypeGuard[DecimalText]:
    """Return whether a text is a plain number of zero or more."""
    return type(text) is str and _IS_SIZE(text) is not None


def nearest_float(text: str) -> float:
    """Return the float nearest to a validated number, several times faster than `float`."""
    try:
        return _FLOAT(text)
    except msgspec.DecodeError:  # a spelling that JSON does not have, such as 007
        return float(text)


def decimal_text(text: object) -> DecimalText:
    """Return `text` unchanged if it is a number within the limits.

    Raises:
        MarketError: not a string, not a decimal number, or beyond 30 digits or an exponent of 20.
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
    """Return `text` unchanged if it is a number above zero.

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


def spelled(number: Raw, /) -> DecimalText:
    """Return a JSON value as text, unchecked; a value that is not a number fails every check."""
    return DecimalText(str(number, "latin-1"))


def numbers_of(*numbers: Raw) -> list[DecimalText | None] | None:
    """Return plain JSON numbers as text; None unless all are plain.

    A number that was not sent, or is null, is None in the list.
    """
    texts = [spelled(number) for number in numbers]
    sent = [text if text not in ("", "null") else None for text in texts]
    return sent if all(text is None or is_number(text) for text in sent) else None


def mid(bid: str, ask: str) -> Decimal:
    """Return (bid + ask) / 2 exactly."""
    text = mid_text(bid, ask)
    if text is not None:
        return Decimal(text)
    return _multiply(_add(Decimal(bid), Decimal(ask)), _HALF)


def mid_text(_: str, __: str, /) -> str | None:
    """Return the exact middle of two prices as text; None if only `mid` can tell it.

    Decimal arithmetic is all there is without machine code.
    """
    return None


def plain(value: Decimal | str) -> str:
    """Return a number without exponent and trailing zeros (`0.00001`, never `1E-5`)."""
    text = str(value)
    if "E" in text or "e" in text:
        text = format(Decimal(text), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


if not TYPE_CHECKING:
    with suppress(ImportError):
        from perps_actors.market import _native

        is_number = _native.is_number
        is_above_zero = _native.is_above_zero
        is_size = _native.is_size
        spelled = _native.spelled
        numbers_of = _native.numbers_of
        mid_text = _native.mid_text
