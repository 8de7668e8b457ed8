"""The order book: price levels a side, exact, fast at the top, and no work on levels that nobody reads.

A level stays the pair of texts that the venue sent. It is keyed by the price as a float while every price of the book has at
most 15 significant digits, because decimals that short never share a float (IEEE 754 binary64 carries 15 decimal digits there
and back); the first longer price moves the whole book to exact `Decimal` keys. So `7.6110` and `7.611` are one level, and two
prices that differ in their 20th digit are two.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain

from perps_actors.errors import MarketError
from perps_actors.market.numbers import DecimalText, decimal_text, positive

Level = tuple[DecimalText, DecimalText]
"""Price and size, as the venue spells them; a size is absolute, and zero deletes the level."""

MAX_LEVELS = 20_000
"""Levels a side beyond which a book is no longer believed."""

_FLOAT_DIGITS = 15
_NUMBER = r"[0-9]{1,15}+(?:\.[0-9]{1,15}+)?+"
_ABOVE_ZERO = rf"(?!0*+(?:\.0*+)?+(?: |\Z)){_NUMBER}"
# One match over a whole message costs a tenth of one call a number; what it does not know is judged number by number.
_LEVELS = re.compile(rf"(?:{_ABOVE_ZERO} {_NUMBER}(?: |\Z))*+")
_TOUCH = re.compile(" ".join([_ABOVE_ZERO] * 4))


def check_levels(levels: Sequence[tuple[str, str]]) -> None:
    """Return if every level has a price above zero and a size of zero or more.

    Raises:
        MarketError: a price or size that no book can have; names it.
    """
    text = " ".join(chain.from_iterable(levels))
    # The count tells a space inside a number from one between two.
    if not levels or (text.count(" ") == 2 * len(levels) - 1 and _LEVELS.fullmatch(text)):
        return
    for price, size in levels:
        positive(price)
        if Decimal(decimal_text(size)) < 0:
            msg = f"Expected a size of zero or more at price {price}, was {size!r}"
            raise MarketError(msg)


def check_touch(bid: str, bid_size: str, ask: str, ask_size: str) -> None:
    """Return if these are a best bid below a best ask, with sizes above zero.

    Raises:
        MarketError: not numbers above zero, or crossed or locked (an exchange matches these, so it is no state of a market).
    """
    # Rounding to floats keeps order, so a difference between floats is one between the numbers.
    if _TOUCH.fullmatch(f"{bid} {bid_size} {ask} {ask_size}") and float(bid) < float(ask):
        return
    for number in (bid, bid_size, ask, ask_size):
        positive(number)
    if Decimal(bid) >= Decimal(ask):
        msg = f"Expected a bid below the ask, was bid {bid} and ask {ask}"
        raise MarketError(msg)


class _TooFine(Exception):
    """A price has more digits than a float keeps apart."""


def _significant_digits(price: str) -> int:
    digits = price.lower().partition("e")[0].lstrip("-").replace(".", "").lstrip("0")
    return len(digits.rstrip("0"))


class _Side:
    """One side: levels by key, and the keys in ascending order."""

    __slots__ = ("keys", "levels")

    def __init__(self) -> None:
        self.levels: dict[float | Decimal, Level] = {}
        self.keys: list[float | Decimal] = []

    def apply(self, levels: Iterable[Level], to_key: type[float | Decimal]) -> None:
        held, keys = self.levels, self.keys
        for level in levels:
            price, size = level
            if len(price) > _FLOAT_DIGITS and to_key is float and _significant_digits(price) > _FLOAT_DIGITS:
                raise _TooFine
            key = to_key(price)
            if float(size):
                if key not in held:
                    insort(keys, key)
                held[key] = level
            elif key in held:
                del held[key]
                del keys[bisect_left(keys, key)]

    def fill(self, levels: Iterable[Level], to_key: type[float | Decimal]) -> None:
        newest = {to_key(level[0]): level for level in levels}
        self.levels = {key: level for key, level in newest.items() if float(level[1])}
        self.keys = sorted(self.levels)


class OrderBook:
    """Bids and asks of one instrument. Pure; levels given to it have passed `check_levels`.

    Args:
        max_levels: levels a side beyond which the book is suspect.
    """

    __slots__ = ("_asks", "_bids", "_max_levels", "_to_key")

    def __init__(self, max_levels: int = MAX_LEVELS) -> None:
        self._bids = _Side()
        self._asks = _Side()
        self._to_key: type[float | Decimal] = float
        self._max_levels = max_levels

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set the given levels; size zero deletes one, and deleting a level that is not there changes nothing."""
        bids, asks = tuple(bids), tuple(asks)
        try:
            self._bids.apply(bids, self._to_key)
            self._asks.apply(asks, self._to_key)
        except _TooFine:
            self._to_key = Decimal
            for side, levels in ((self._bids, bids), (self._asks, asks)):
                side.fill(side.levels.values(), Decimal)
                side.apply(levels, Decimal)

    def replace(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Forget every level and hold the given ones, in whatever order they come."""
        bids, asks = tuple(bids), tuple(asks)
        long = (price for price, _ in chain(bids, asks) if len(price) > _FLOAT_DIGITS)
        self._to_key = Decimal if any(_significant_digits(price) > _FLOAT_DIGITS for price in long) else float
        self._bids.fill(bids, self._to_key)
        self._asks.fill(asks, self._to_key)

    def clear(self) -> None:
        """Forget every level."""
        self.replace((), ())

    def best_bid(self) -> Level | None:
        """Return price and size of the highest bid; None when there is none."""
        side = self._bids
        return side.levels[side.keys[-1]] if side.keys else None

    def best_ask(self) -> Level | None:
        """Return price and size of the lowest ask; None when there is none."""
        side = self._asks
        return side.levels[side.keys[0]] if side.keys else None

    @property
    def counts(self) -> tuple[int, int]:
        """Number of bid and of ask levels."""
        return len(self._bids.keys), len(self._asks.keys)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks, best first."""
        bids, asks = self._bids, self._asks
        return [bids.levels[key] for key in bids.keys[: -levels - 1 : -1]], [asks.levels[key] for key in asks.keys[:levels]]

    def suspicion(self) -> str | None:
        """Return why this book cannot be right (crossed, locked, too many levels), or None."""
        bids, asks = self._bids.keys, self._asks.keys
        if bids and asks and bids[-1] >= asks[0]:
            return f"crossed: bid {self._bids.levels[bids[-1]][0]} at or above ask {self._asks.levels[asks[0]][0]}"
        if max(len(bids), len(asks)) > self._max_levels:
            return f"more than {self._max_levels} levels on a side"
        return None
