"""BitMEX's rule for a book that is right: rows of a table known by id and side, changed one message after the other.

Source: bitmex.com/app/wsAPI, read 2026-10: whatever comes before the partial is dropped; a row is known by symbol, id and side;
quantities are absolute. There are no sequence numbers, so what betrays a lost message is a change of a row that is not there.
Until 2023 updates and deletes had no price: it is remembered by id. A price that comes along moves the level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import MAX_LEVELS, Level, check_levels
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.venues.bitmex.messages import Action, BookRow, Side
from perps_actors.venues.contract import Complaint, Outcome
from perps_actors.venues.moments import nanoseconds
from perps_actors.venues.renewed_book import RenewedBook
from perps_actors.venues.spelling import text_of

_GONE: Final = DecimalText("0")


class KeyedBook:
    """One instrument's book.

    Args:
        instrument: whose book it is.
        renewal: gives the frames that end its subscription and begin it anew.
    """

    def __init__(self, instrument: InstrumentId, renewal: Callable[[str], Sequence[str]]) -> None:
        self.instrument = instrument
        self._book = RenewedBook(instrument, renewal)
        self._prices: dict[tuple[int, Side], DecimalText] = {}

    def take(self, connection: str, action: Action, rows: Sequence[BookRow], received_ns: int) -> Sequence[Outcome]:
        """Take the rows of one message: begin with a partial, change a good book, or withdraw it."""
        begins = action == "partial"
        if not begins and not self._book.good:
            return self._book.doubt("no partial came", received_ns)
        if begins:
            self._prices.clear()
        self._book.pushed.connection = connection
        try:
            bids, asks = self._levels(action, rows)
            moment = rows[-1].timestamp if rows else None
            time_ns = nanoseconds(moment) if moment is not None else None
        except (MarketError, VenueError) as error:
            return Complaint(str(error), self.instrument.symbol), *self._book.doubt(str(error), received_ns)
        told = self._book.snapshot if begins else self._book.update
        return told(bids, asks, connection, sequence=None, venue_time_ns=time_ns, received_ns=received_ns)

    @property
    def connection(self) -> str | None:
        """The connection that fed it last."""
        return self._book.pushed.connection

    def doubt(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book, for a message of it may have been lost, and ask for a partial."""
        return self._book.doubt(cause, received_ns)

    def closed(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book: its connection ended."""
        return self._book.closed(cause, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self._book.depth(levels)

    def _levels(self, action: Action, rows: Sequence[BookRow]) -> tuple[list[Level], list[Level]]:
        levels: dict[Side, list[Level]] = {"Buy": [], "Sell": []}
        change = self._removed if action == "delete" else self._set
        for row in rows:
            levels[row.side] += change(action, row)
        if len(self._prices) > 2 * MAX_LEVELS:
            msg = f"Expected at most {2 * MAX_LEVELS} levels, was {len(self._prices)}"
            raise VenueError(msg)
        bids, asks = levels["Buy"], levels["Sell"]
        check_levels(bids)
        check_levels(asks)
        return bids, asks

    def _removed(self, action: Action, row: BookRow) -> tuple[Level, ...]:
        held = self._prices.pop((row.id, row.side), None)
        if held is None:
            raise _unknown(action, row)
        return ((held, _GONE),)

    def _set(self, action: Action, row: BookRow) -> tuple[Level, ...]:
        key = row.id, row.side
        held = self._prices.get(key)
        if held is None and action == "update":
            raise _unknown(action, row)
        price, size = text_of(row.price) or held, text_of(row.size)
        if price is None or size is None:
            msg = f"Expected price and size of level {row.id}, was {price} and {size}"
            raise VenueError(msg)
        self._prices[key] = price
        return ((price, size),) if held is None or held == price else ((held, _GONE), (price, size))


def _unknown(action: Action, row: BookRow) -> VenueError:
    return VenueError(f"{action} of level {row.id} ({row.side}), which is not in the book: a message was lost")
