"""The order book: the price levels of two sides, exact, sorted, and fast at the top.

A level stays the record that the venue's text was decoded to. Its price and size become text when
somebody reads them. Levels are keyed by the price as a float while every price has at most 15
significant digits, because decimals that short never share a float (IEEE 754 binary64 carries 15
decimal digits there and back). The first longer price moves the whole book to exact `Decimal` keys.
So `7.6110` and `7.611` are one level, and prices that differ in their 20th digit are two.

With a C compiler at installation, `_native` replaces `FloatBook` and the checks of levels.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Protocol, cast

import msgspec
from msgspec import Raw

from perps_actors.errors import MarketError
from perps_actors.market.events import BookTop
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import (
    DecimalText,
    decimal_text,
    is_above_zero,
    is_size,
    nearest_float,
    positive,
)

MAX_LEVELS = 20_000
"""Levels a side beyond which a book is suspect."""

_FLOAT_DIGITS = 15
_ZEROS = frozenset({"0", "0.0", "0.00", "0.000"})
"""The usual spellings of the size that deletes a level; there are others."""


class Row(Protocol):
    """A venue's record of a level: price and size are texts, integers or raw JSON."""

    @property
    def price(self) -> object: ...  # noqa: D102 - said above
    @property
    def size(self) -> object: ...  # noqa: D102 - said above


class Level(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A price and the total size at it, as the venue spells them; size zero deletes the level."""

    price: DecimalText
    size: DecimalText


_Key = float | Decimal
_Changes = list[tuple[_Key, Row | None]]
"""Levels by price; None deletes one."""
_Best = tuple[
    DecimalText | None, DecimalText | None, DecimalText | None, DecimalText | None, int, int
]
"""Bid, its size, ask, its size, and the number of bids and of asks."""


def levels_of(rows: Iterable[Row], /) -> list[Level]:
    """Return a venue's rows as levels, unchecked."""
    return [Level(_text(row.price), _text(row.size)) for row in rows]


def are_levels(bids: Iterable[Row], asks: Iterable[Row], /) -> bool:
    """Return whether all prices are plain numbers above zero, all sizes plain and not below."""
    return all(
        is_above_zero(_as_text(level.price)) and is_size(_as_text(level.size))
        for level in chain(bids, asks)
    )


def check_levels(bids: Iterable[Row], asks: Iterable[Row] = ()) -> None:
    """Check that every level has a price above zero and a size of zero or more.

    Raises:
        MarketError: a price or size that no book can have; the text names it.
    """
    if are_levels(bids, asks):
        return
    for level in chain(bids, asks):
        positive(_as_text(level.price))
        if Decimal(decimal_text(_as_text(level.size))) < 0:
            msg = f"Expected a size of zero or more at price {level.price}, was {level.size!r}"
            raise MarketError(msg)


def is_touch(bid: object, bid_size: object, ask: object, ask_size: object, /) -> bool:
    """Return whether these are plain numbers above zero, the bid below the ask."""
    numbers = (bid, bid_size, ask, ask_size)
    # Rounding to floats keeps order, so floats that differ are numbers that differ the same way.
    return all(map(is_above_zero, numbers)) and nearest_float(cast("str", bid)) < nearest_float(
        cast("str", ask)
    )


def check_touch(bid: str, bid_size: str, ask: str, ask_size: str) -> None:
    """Check that these are a best bid below a best ask, with sizes above zero.

    Raises:
        MarketError: a number that is not above zero, or a bid at or above the ask. An exchange
            matches such orders, so this is not a state of a market.
    """
    if is_touch(bid, bid_size, ask, ask_size):
        return
    for number in (bid, bid_size, ask, ask_size):
        positive(number)
    if Decimal(bid) >= Decimal(ask):
        msg = f"Expected a bid below the ask, was bid {bid} and ask {ask}"
        raise MarketError(msg)


class _SortedBook:
    """Levels of two sides, sorted by a key made of the price."""

    __slots__ = ("_ask_keys", "_asks", "_bid_keys", "_bids")

    def __init__(self) -> None:
        self._bids: dict[_Key, Row] = {}
        self._asks: dict[_Key, Row] = {}
        self._bid_keys: list[_Key] = []
        """In ascending order, as `_ask_keys`."""
        self._ask_keys: list[_Key] = []

    def set(self, bids: Sequence[Row], asks: Sequence[Row], /) -> bool:
        """Set levels, or delete those of size zero; on a bad one change nothing, return False."""
        bid_changes, ask_changes = self._changes(bids), self._changes(asks)
        if bid_changes is None or ask_changes is None:
            return False
        _set(self._bids, self._bid_keys, bid_changes)
        _set(self._asks, self._ask_keys, ask_changes)
        return True

    def replace(self, bids: Sequence[Row], asks: Sequence[Row], /) -> bool:
        """Hold these levels only; on a bad one change nothing, return False."""
        bid_changes, ask_changes = self._changes(bids), self._changes(asks)
        if bid_changes is None or ask_changes is None:
            return False
        self._bids, self._asks = _remaining(bid_changes), _remaining(ask_changes)
        self._bid_keys, self._ask_keys = sorted(self._bids), sorted(self._asks)
        return True

    def best(self) -> _Best | None:
        """Return the best levels; None if the bid is at or above the ask."""
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

    @staticmethod
    def _changes(levels: Sequence[Row]) -> _Changes | None:
        raise NotImplementedError


class FloatBook(_SortedBook):
    """Levels keyed by the price as a float. Bad levels: not plain, or with too long a price."""

    __slots__ = ()

    @staticmethod
    def _changes(levels: Sequence[Row]) -> _Changes | None:
        changes: _Changes = []
        for level in levels:
            price, size = _as_text(level.price), _as_text(level.size)
            if not (is_above_zero(price) and is_size(size)):
                return None
            if len(price) > _FLOAT_DIGITS and _significant_digits(price) > _FLOAT_DIGITS:
                return None
            # A leading digit of 1 to 9 means the size is not zero.
            stays = size >= "1" or (size not in _ZEROS and nearest_float(size))
            changes.append((nearest_float(price), level if stays else None))
        return changes


class ExactBook(_SortedBook):
    """Levels keyed by the price as a `Decimal`: slow, and right for every price.

    `set` and `replace` raise `MarketError` on a level that no book can have.
    """

    __slots__ = ()

    @staticmethod
    def _changes(levels: Sequence[Row]) -> _Changes:
        check_levels(levels)
        return [
            (Decimal(str(level.price)), level if Decimal(str(level.size)) else None)
            for level in levels
        ]


def _set(held: dict[_Key, Row], keys: list[_Key], changes: _Changes) -> None:
    count = len(held)
    for key, level in changes:
        if level is not None:
            held[key] = level
            if len(held) > count:  # comparing lengths saves a look-up of the key
                insort(keys, key)
                count += 1
        elif held.pop(key, None) is not None:
            del keys[bisect_left(keys, key)]
            count -= 1


def _remaining(changes: _Changes) -> dict[_Key, Row]:
    return {key: level for key, level in dict(changes).items() if level is not None}


def _texts(level: Row) -> tuple[DecimalText, DecimalText]:
    return DecimalText(str(level.price)), DecimalText(str(level.size))


def _text(number: object) -> DecimalText:
    return DecimalText(str(number, "latin-1") if type(number) is Raw else str(number))


def _as_text(number: object) -> object:
    return str(number) if type(number) is int else number


def _significant_digits(price: str) -> int:
    digits = price.lower().partition("e")[0].replace(".", "").lstrip("0")
    return len(digits.rstrip("0"))


class OrderBook:
    """Bids and asks of one instrument. A message with an impossible level changes nothing.

    Args:
        max_levels: levels a side beyond which the book is suspect.
    """

    __slots__ = ("_levels", "_max_levels")

    def __init__(self, max_levels: int = MAX_LEVELS) -> None:
        self._levels: FloatBook | ExactBook = FloatBook()
        self._max_levels = max_levels

    def apply(self, bids: Sequence[Row], asks: Sequence[Row]) -> None:
        """Set the given levels; size zero deletes one, if it is there.

        Raises:
            MarketError: a price or size that no book can have.
        """
        if not self._levels.set(bids, asks):
            exact = ExactBook()
            exact.replace(*map(_levels, self._levels.depth(sys.maxsize)))
            exact.set(bids, asks)
            self._levels = exact

    def replace(self, bids: Sequence[Row], asks: Sequence[Row]) -> None:
        """Hold the given levels only, in any order.

        Raises:
            MarketError: a price or size that no book can have.
        """
        levels: FloatBook | ExactBook = FloatBook()
        if not levels.replace(bids, asks):
            levels = ExactBook()
            levels.replace(bids, asks)
        self._levels = levels

    def clear(self) -> None:
        """Forget every level."""
        self._levels = FloatBook()

    def top(
        self,
        instrument: InstrumentId,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        *,
        snapshot: bool,
    ) -> BookTop | None:
        """Return the best levels after a message; None if `suspicion` returns a cause."""
        best = self._levels.best()
        if best is None:
            return None
        bid, bid_size, ask, ask_size, bid_count, ask_count = best
        if bid_count > self._max_levels or ask_count > self._max_levels:
            return None
        return BookTop(
            instrument,
            snapshot,
            bid,
            bid_size,
            ask,
            ask_size,
            bid_count,
            ask_count,
            sequence,
            venue_time_ns,
            received_ns,
        )

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks, best first."""
        return self._levels.depth(levels)

    def suspicion(self) -> str | None:
        """Return why this book cannot be right (crossed, locked, too many levels), or None."""
        best = self._levels.best()
        if best is None:
            ((bid, _),), ((ask, _),) = self._levels.depth(1)
            return f"crossed: bid {bid} at or above ask {ask}"
        return (
            f"more than {self._max_levels} levels on a side"
            if max(best[4:]) > self._max_levels
            else None
        )


def _levels(pairs: Iterable[tuple[str, str]]) -> list[Level]:
    return [Level(DecimalText(price), DecimalText(size)) for price, size in pairs]


if not TYPE_CHECKING:
    with suppress(ImportError):
        from perps_actors.market import _native

        FloatBook = _native.FloatBook
        are_levels = _native.are_levels
        is_touch = _native.is_touch
        levels_of = _native.levels_of
