"""Price levels of two sides, in order.

A level is whatever record the venue's text was decoded to; its price and size are spelled when somebody reads them. Where the package
was installed with a C compiler `_native` has a `FloatBook` that is many times faster, and the one here stands in for it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

from perps_actors.errors import MarketError
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.market.plain import (
    Row,
    are_levels,
    as_text,
    is_above_zero,
    is_size,
    nearest_float,
)
from perps_actors.market.texts import DecimalText

Key = float | Decimal
"""What a level is held by: its price."""

Changes = Iterable[tuple[Key, Row | None]]
"""Levels by their keys, None for one that is gone."""

Best = tuple[
    DecimalText | None, DecimalText | None, DecimalText | None, DecimalText | None, int, int
]
"""Price and size of the best bid and the best ask, None where there is none, and how many levels the sides have."""

_FLOAT_DIGITS = 15
"""IEEE 754 binary64 carries so many decimal digits there and back: two prices that are so short never share a float."""
_ZEROS = frozenset({"0", "0.0", "0.00", "0.000"})
"""How most venues spell that a level is gone; there are other ways."""


def check_levels(bids: Iterable[Row], asks: Iterable[Row] = ()) -> None:
    """Return if every level has a price above zero and a size of zero or more.

    Raises:
        MarketError: a price or size that no book can have; names it.
    """
    if are_levels(bids, asks):
        return
    for level in chain(bids, asks):
        positive(as_text(level.price))
        if Decimal(decimal_text(as_text(level.size))) < 0:
            msg = f"Expected a size of zero or more at price {level.price}, was {level.size!r}"
            raise MarketError(msg)


class SortedBook:
    """Levels of two sides by price, as some number."""

    __slots__ = ("_ask_keys", "_asks", "_bid_keys", "_bids")

    def __init__(self) -> None:
        self._bids: dict[Key, Row] = {}
        self._asks: dict[Key, Row] = {}
        self._bid_keys: list[Key] = []
        """In ascending order."""
        self._ask_keys: list[Key] = []

    def best(self) -> Best | None:
        """Return the best levels; None if they cross or touch."""
        bid_keys, ask_keys = self._bid_keys, self._ask_keys
        if bid_keys and ask_keys and bid_keys[-1] >= ask_keys[0]:
            return None
        bid, bid_size = _texts(self._bids[bid_keys[-1]]) if bid_keys else (None, None)
        ask, ask_size = _texts(self._asks[ask_keys[0]]) if ask_keys else (None, None)
        return bid, bid_size, ask, ask_size, len(bid_keys), len(ask_keys)

    def depth(self, levels: int, /) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return price and size of the best levels of the sides, best first."""
        bids: list[tuple[str, str]] = [
            _texts(self._bids[key]) for key in self._bid_keys[: -levels - 1 : -1]
        ]
        return bids, [_texts(self._asks[key]) for key in self._ask_keys[:levels]]

    def _fill(self, bids: Changes, asks: Changes) -> None:
        """Hold these levels and no other."""
        self._bids, self._asks = _remaining(bids), _remaining(asks)
        self._bid_keys, self._ask_keys = sorted(self._bids), sorted(self._asks)


class FloatBook(SortedBook):
    """Levels of two sides, by price as a float: plain ones only, of whose price a float holds every digit."""

    __slots__ = ()

    def set(self, bids: Sequence[Row], asks: Sequence[Row], /) -> bool:
        """Set levels, which deletes those of size zero; if one is not plain change nothing and return False."""
        bid_changes, ask_changes = _changes(bids), _changes(asks)
        if bid_changes is None or ask_changes is None:
            return False
        _set(self._bids, self._bid_keys, bid_changes)
        _set(self._asks, self._ask_keys, ask_changes)
        return True

    def replace(self, bids: Sequence[Row], asks: Sequence[Row], /) -> bool:
        """Hold these levels and no other; if one is not plain change nothing and return False."""
        bid_changes, ask_changes = _changes(bids), _changes(asks)
        if bid_changes is None or ask_changes is None:
            return False
        self._fill(bid_changes, ask_changes)
        return True


def _changes(levels: Iterable[Row]) -> list[tuple[float, Row | None]] | None:
    """Return each level by its price, None for one that is gone; nothing at all if one is not plain."""
    changes: list[tuple[float, Row | None]] = []
    for level in levels:
        price, size = as_text(level.price), as_text(level.size)
        if not (is_above_zero(price) and is_size(size)):
            return None
        if len(price) > _FLOAT_DIGITS and _significant_digits(price) > _FLOAT_DIGITS:
            return None
        # A number that begins with 1 to 9 is none of zero's spellings.
        stays = size >= "1" or (size not in _ZEROS and nearest_float(size))
        changes.append((nearest_float(price), level if stays else None))
    return changes


def _set(held: dict[Key, Row], keys: list[Key], changes: Changes) -> None:
    count = len(held)
    for key, level in changes:
        if level is not None:
            held[key] = level
            if len(held) > count:  # asked afterwards, it takes no look-up of its own
                insort(keys, key)
                count += 1
        elif held.pop(key, None) is not None:
            del keys[bisect_left(keys, key)]
            count -= 1


def _remaining(changes: Changes) -> dict[Key, Row]:
    newest = dict(changes)
    return {key: level for key, level in newest.items() if level is not None}


def _texts(level: Row) -> tuple[DecimalText, DecimalText]:
    return DecimalText(str(level.price)), DecimalText(str(level.size))


class ExactBook(SortedBook):
    """Levels of two sides, by price as a `Decimal`: slow, and right for every price there is.

    Args:
        bids: its first levels, in any order.
        asks: likewise.

    Raises:
        MarketError: a price or size that no book can have.
    """

    __slots__ = ()

    def __init__(self, bids: Sequence[Row], asks: Sequence[Row]) -> None:
        check_levels(bids, asks)
        super().__init__()
        self._fill(_exact_changes(bids), _exact_changes(asks))

    def set(self, bids: Sequence[Row], asks: Sequence[Row], /) -> bool:
        """Set levels, which deletes those of size zero.

        Raises:
            MarketError: a price or size that no book can have; nothing was changed.
        """
        check_levels(bids, asks)
        _set(self._bids, self._bid_keys, _exact_changes(bids))
        _set(self._asks, self._ask_keys, _exact_changes(asks))
        return True


def _exact_changes(levels: Iterable[Row]) -> Changes:
    return (
        (Decimal(str(level.price)), level if Decimal(str(level.size)) else None) for level in levels
    )


def _significant_digits(price: str) -> int:
    digits = price.lower().partition("e")[0].replace(".", "").lstrip("0")
    return len(digits.rstrip("0"))


if not TYPE_CHECKING:
    with suppress(ImportError):
        from perps_actors.market import _native

        FloatBook = _native.FloatBook
