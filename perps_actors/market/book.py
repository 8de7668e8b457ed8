"""The order book: price levels a side, exact, fast at the top, and no work on levels that nobody reads.

A level stays the record that the venue's text was decoded to. It is keyed by the price as a float while every price of the book has at
most 15 significant digits, because decimals that short never share a float (IEEE 754 binary64 carries 15 decimal digits there
and back); the first longer price moves the whole book to exact `Decimal` keys. So `7.6110` and `7.611` are one level, and two
prices that differ in their 20th digit are two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal

from perps_actors.errors import MarketError
from perps_actors.market.events import BookTop
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.market.plain import Row, is_touch
from perps_actors.market.sorted_book import ExactBook, FloatBook
from perps_actors.market.texts import DecimalText, Level

MAX_LEVELS = 20_000
"""Levels a side beyond which a book is no longer believed."""


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


class OrderBook:
    """Bids and asks of one instrument. Pure; levels that no book can have are refused, and then it is as it was.

    Args:
        max_levels: levels a side beyond which the book is suspect.
    """

    __slots__ = ("_levels", "_max_levels")

    def __init__(self, max_levels: int = MAX_LEVELS) -> None:
        self._levels: FloatBook | ExactBook = FloatBook()
        self._max_levels = max_levels

    def apply(self, bids: Sequence[Row], asks: Sequence[Row]) -> None:
        """Set the given levels; size zero deletes one, and deleting a level that is not there changes nothing.

        Raises:
            MarketError: a price or size that no book can have.
        """
        if not self._levels.set(bids, asks):
            bids_held, asks_held = self._levels.depth(sys.maxsize)
            exact = ExactBook(_levels(bids_held), _levels(asks_held))
            exact.set(bids, asks)
            self._levels = exact

    def replace(self, bids: Sequence[Row], asks: Sequence[Row]) -> None:
        """Forget every level and hold the given ones, in whatever order they come.

        Raises:
            MarketError: a price or size that no book can have.
        """
        plain = FloatBook()
        if plain.replace(bids, asks):
            self._levels = plain
        else:
            self._levels = ExactBook(bids, asks)

    def clear(self) -> None:
        """Forget every level."""
        self.replace((), ())

    def top(
        self,
        instrument: InstrumentId,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        *,
        snapshot: bool,
    ) -> BookTop | None:
        """Return the best levels and how many there are, of the message that told them; None if `suspicion` has something to say."""
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
