"""Numbers and levels that are plain, as nearly all are: short decimals, told by one look.

What is plain is right; what is not may be right as well, and takes a closer look (`numbers`, `book`). Where the package was installed
with a C compiler `_native` does the same in machine code, many times faster, and this is what stands in for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Protocol, TypeGuard, cast

import msgspec
from msgspec import Raw

from perps_actors.market.texts import DecimalText, Level


class Row(Protocol):
    """A venue's record of a level: each number is a text or an integer, or, ahead of `levels_of`, JSON as it was sent."""

    @property
    def price(self) -> object: ...  # noqa: D102 - said above
    @property
    def size(self) -> object: ...  # noqa: D102 - said above


_FLOAT = msgspec.json.Decoder(float).decode
_EXPONENT = r"(?:[eE][+-]?1?[0-9])?+"
_NUMBER = rf"[0-9]{{1,15}}+(?:\.[0-9]{{1,15}}+)?+{_EXPONENT}"
_ABOVE_ZERO = (
    rf"(?:[1-9][0-9]{{0,14}}+(?:\.[0-9]{{1,15}}+)?+|0\.0{{0,14}}+[1-9][0-9]{{0,14}}+){_EXPONENT}"
)
_IS_NUMBER = re.compile(f"-?{_NUMBER}").fullmatch
_IS_SIZE = re.compile(_NUMBER).fullmatch
_IS_ABOVE_ZERO = re.compile(_ABOVE_ZERO).fullmatch


def is_number(text: object, /) -> TypeGuard[DecimalText]:
    """Return whether a text plainly is a number."""
    return type(text) is str and _IS_NUMBER(text) is not None


def is_above_zero(text: object, /) -> TypeGuard[DecimalText]:
    """Return whether a text plainly is a number above zero."""
    return type(text) is str and _IS_ABOVE_ZERO(text) is not None


def is_size(text: object, /) -> TypeGuard[DecimalText]:
    """Return whether a text plainly is a number of zero or more."""
    return type(text) is str and _IS_SIZE(text) is not None


def are_levels(bids: Iterable[Row], asks: Iterable[Row], /) -> bool:
    """Return whether every level plainly has a price above zero and a size of zero or more."""
    return all(
        is_above_zero(as_text(level.price)) and is_size(as_text(level.size))
        for level in chain(bids, asks)
    )


def as_text(number: object) -> object:
    """Return an integer as its text, and anything else as it is."""
    return str(number) if type(number) is int else number


def is_touch(bid: object, bid_size: object, ask: object, ask_size: object, /) -> bool:
    """Return whether these plainly are a best bid below a best ask, with sizes above zero."""
    numbers = (bid, bid_size, ask, ask_size)
    # Rounding to floats keeps order, so a difference between floats is one between the numbers.
    return all(map(is_above_zero, numbers)) and nearest_float(cast("str", bid)) < nearest_float(
        cast("str", ask)
    )


def nearest_float(text: str) -> float:
    """Return the float nearest to a validated number; `float` says the same, and takes several times as long."""
    try:
        return _FLOAT(text)
    except msgspec.DecodeError:  # spelled as no JSON has it: 007
        return float(text)


def spelled(number: Raw, /) -> DecimalText:
    """Return a JSON number as the venue spelled it, ahead of its check: what is no number stays a text that no check takes for one."""
    return DecimalText(str(number, "latin-1"))


def numbers_of(*numbers: Raw) -> list[DecimalText | None] | None:
    """Return JSON numbers as spelled, None for what was not sent or is null; nothing at all if one is not plain."""
    texts = [spelled(number) for number in numbers]
    sent = [text if text not in ("", "null") else None for text in texts]
    return sent if all(text is None or is_number(text) for text in sent) else None


def levels_of(rows: Iterable[Row], /) -> list[Level]:
    """Return the levels in a venue's rows, as spelled, ahead of their check."""
    return [Level(_text(row.price), _text(row.size)) for row in rows]


def _text(number: object) -> DecimalText:
    return DecimalText(str(number, "latin-1") if type(number) is Raw else str(number))


if not TYPE_CHECKING:
    with suppress(ImportError):
        from perps_actors.market import _native

        is_number = _native.is_number
        is_above_zero = _native.is_above_zero
        is_size = _native.is_size
        are_levels = _native.are_levels
        is_touch = _native.is_touch
        spelled = _native.spelled
        numbers_of = _native.numbers_of
        levels_of = _native.levels_of
