"""The order book: price levels a side, exact, fast at the top, and no work on levels that nobody reads.

A level stays the pair of texts that the venue sent. It is keyed by the price as a float while every price of the book has at
most 15 significant digits, because decimals that short never share a float (IEEE 754 binary64 carries 15 decimal digits there
and back); the first longer price moves the whole book to exact `Decimal` keys. So `7.6110` and `7.611` are one level, and two
prices that differ in their 20th digit are two.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Sequence
from decimal import Decimal
from itertools import chain
from operator import itemgetter

import msgspec

from perps_actors.errors import MarketError
from perps_actors.market.events import BookTop
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, nearest_float, positive

Level = tuple[DecimalText, DecimalText]
"""Price and size, as the venue spells them; a size is absolute, and zero deletes the level."""

MAX_LEVELS = 20_000
"""Levels a side beyond which a book is no longer believed."""

_FLOAT_DIGITS = 15
_NUMBER = r"[0-9]{1,15}+(?:\.[0-9]{1,15}+)?+"
_ABOVE_ZERO = r"(?:[1-9][0-9]{0,14}+(?:\.[0-9]{1,15}+)?+|0\.0{0,14}+[1-9][0-9]{0,14}+)"
# One match over a whole message costs a tenth of one call a number; what it does not know is judged number by number.
_LEVEL = re.compile(f"{_ABOVE_ZERO} {_NUMBER}").fullmatch
_LEVELS = re.compile(rf"(?:{_ABOVE_ZERO} {_NUMBER}(?: |\Z))*+").fullmatch
_TOUCH = re.compile(" ".join([_ABOVE_ZERO] * 4)).fullmatch
_ZEROS = frozenset({"0", "0.0", "0.00", "0.000"})
"""How most venues spell that a level is gone; there are other ways."""
_FLOATS = msgspec.json.Decoder(list[float]).decode
_NONE: tuple[None, None] = (None, None)
_PRICE, _SIZE = itemgetter(0), itemgetter(1)


def are_levels(*sides: Sequence[tuple[str, str]]) -> bool:
    """Return whether every level plainly has a price above zero and a size of zero or more; if not, they may need a closer look."""
    numbers = [*chain.from_iterable(chain.from_iterable(sides))]
    text = " ".join(numbers)
    # The count tells a space inside a number from one between two.
    return not numbers or (text.count(" ") == len(numbers) - 1 and _LEVELS(text) is not None)


def check_levels(*sides: Sequence[tuple[str, str]]) -> None:
    """Return if every level has a price above zero and a size of zero or more.

    Raises:
        MarketError: a price or size that no book can have; names it.
    """
    if are_levels(*sides):
        return
    for price, size in chain.from_iterable(sides):
        positive(price)
        if Decimal(decimal_text(size)) < 0:
            msg = f"Expected a size of zero or more at price {price}, was {size!r}"
            raise MarketError(msg)


def check_level(price: str, size: str) -> None:
    """Return if a level has a price above zero and a size of zero or more.

    Raises:
        MarketError: a price or size that no book can have; names it.
    """
    if not _LEVEL(f"{price} {size}"):
        check_levels(((price, size),))


def is_touch(bid: str | None, bid_size: str | None, ask: str | None, ask_size: str | None) -> bool:
    """Return whether these plainly are a best bid below a best ask, with sizes above zero; if not, they may need a closer look."""
    # Rounding to floats keeps order, so a difference between floats is one between the numbers.
    return (
        bid is not None
        and ask is not None
        and _TOUCH(f"{bid} {bid_size} {ask} {ask_size}") is not None
        and nearest_float(bid) < nearest_float(ask)
    )


def check_touch(bid: str, bid_size: str, ask: str, ask_size: str) -> None:
    """Return if these are a best bid below a best ask, with sizes above zero.

    Raises:
        MarketError: not numbers above zero, or crossed or locked (an exchange matches these, so it is no state of a market).
    """
    if is_touch(bid, bid_size, ask, ask_size):
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


def _floats(numbers: Sequence[str]) -> Sequence[float]:
    try:
        return _FLOATS(f"[{','.join(numbers)}]")
    except msgspec.DecodeError:  # spelled as no JSON has it: 007
        return [*map(float, numbers)]


def _keys(levels: Sequence[Level], to_key: type[float | Decimal]) -> Sequence[float | Decimal]:
    prices = [*map(_PRICE, levels)]
    if to_key is Decimal:
        return [*map(Decimal, prices)]
    if max(map(len, prices), default=0) > _FLOAT_DIGITS and any(_significant_digits(price) > _FLOAT_DIGITS for price in prices):
        raise _TooFine
    return _floats(prices)


class _Side:
    """One side: levels by key, and the keys in ascending order."""

    __slots__ = ("keys", "levels")

    def __init__(self) -> None:
        self.levels: dict[float | Decimal, Level] = {}
        self.keys: list[float | Decimal] = []

    def apply(self, levels: Sequence[Level], to_key: type[float | Decimal]) -> None:
        held, keys, coarse = self.levels, self.keys, to_key is float
        count = len(held)
        for level in levels:
            price, size = level
            if coarse and len(price) > _FLOAT_DIGITS and _significant_digits(price) > _FLOAT_DIGITS:
                raise _TooFine
            key = nearest_float(price) if coarse else Decimal(price)
            # A number that begins with 1 to 9 is none of zero's spellings.
            if size >= "1" or (size not in _ZEROS and nearest_float(size)):
                held[key] = level
                if len(held) > count:  # asked afterwards, it takes no look-up of its own
                    insort(keys, key)
                    count += 1
            elif key in held:
                del held[key]
                del keys[bisect_left(keys, key)]
                count -= 1

    def fill(self, levels: Sequence[Level], to_key: type[float | Decimal]) -> None:
        their_keys = _keys(levels, to_key)
        newest = dict(zip(their_keys, levels, strict=True))
        sizes = [*map(_SIZE, levels)]
        if min(sizes, default="1") < "1" and not all(_floats(sizes)):
            newest = {key: level for key, level in newest.items() if float(level[1])}
        # To sort what is nearly sorted costs less than to walk a dictionary.
        self.levels, self.keys = newest, sorted(their_keys if len(newest) == len(their_keys) else newest)


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

    def apply(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Set the given levels; size zero deletes one, and deleting a level that is not there changes nothing."""
        try:
            self._change(bids, asks)
        except _TooFine:
            self._to_key = Decimal
            for side in (self._bids, self._asks):
                side.fill(tuple(side.levels.values()), Decimal)
            # Sizes are absolute: what was set before the fine price is set once more.
            self._change(bids, asks)

    def _change(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        if bids:
            self._bids.apply(bids, self._to_key)
        if asks:
            self._asks.apply(asks, self._to_key)

    def replace(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Forget every level and hold the given ones, in whatever order they come."""
        self._to_key = float
        try:
            self._fill(bids, asks)
        except _TooFine:
            self._to_key = Decimal
            self._fill(bids, asks)

    def _fill(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        self._bids.fill(bids, self._to_key)
        self._asks.fill(asks, self._to_key)

    def clear(self) -> None:
        """Forget every level."""
        self.replace((), ())

    def top(
        self, instrument: InstrumentId, sequence: int | None, venue_time_ns: int | None, received_ns: int, *, snapshot: bool
    ) -> BookTop | None:
        """Return the best levels and how many there are, of the message that told them; None if `suspicion` has something to say."""
        bids, asks = self._bids, self._asks
        bid_keys, ask_keys = bids.keys, asks.keys
        bid_count, ask_count = len(bid_keys), len(ask_keys)
        if bid_count > self._max_levels or ask_count > self._max_levels:
            return None
        if bid_count and ask_count and bid_keys[-1] >= ask_keys[0]:
            return None
        bid, bid_size = bids.levels[bid_keys[-1]] if bid_count else _NONE
        ask, ask_size = asks.levels[ask_keys[0]] if ask_count else _NONE
        return BookTop(instrument, snapshot, bid, bid_size, ask, ask_size, bid_count, ask_count, sequence, venue_time_ns, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks, best first."""
        bids, asks = self._bids, self._asks
        return [bids.levels[key] for key in bids.keys[: -levels - 1 : -1]], [asks.levels[key] for key in asks.keys[:levels]]

    def suspicion(self) -> str | None:
        """Return why this book cannot be right (crossed, locked, too many levels), or None."""
        bids, asks = self._bids.keys, self._asks.keys
        if bids and asks and bids[-1] >= asks[0]:
            return f"crossed: bid {self._bids.levels[bids[-1]][0]} at or above ask {self._asks.levels[asks[0]][0]}"
        if len(bids) > self._max_levels or len(asks) > self._max_levels:
            return f"more than {self._max_levels} levels on a side"
        return None
