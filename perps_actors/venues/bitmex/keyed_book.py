"""BitMEX's rule for a book that is right: rows of a table known by id and side, changed one message after the other.

Source: bitmex.com/app/wsAPI, read 2026-10: whatever comes before the partial is dropped; a row is known by symbol, id and side;
quantities are absolute. There are no sequence numbers, so what betrays a lost message is a change of a row that is not there.
Until 2023 updates and deletes had no price: it is remembered by id. A price that comes along moves the level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import MAX_LEVELS, Level, are_levels, check_level, check_levels
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.venues.bitmex.messages import Action, BookRow, Side
from perps_actors.venues.contract import Complaint, Outcome
from perps_actors.venues.moments import nanoseconds
from perps_actors.venues.renewed_book import RenewedBook

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
        self._prices: dict[Side, dict[int, DecimalText]] = {"Buy": {}, "Sell": {}}

    def take(self, connection: str, action: Action, rows: Sequence[BookRow], received_ns: int) -> Sequence[Outcome]:
        """Take the rows of one message: begin with a partial, change a good book, or withdraw it."""
        begins = action == "partial"
        if not begins and not self._book.good:
            return self._book.doubt("no partial came", received_ns)
        if begins:
            self._prices = {"Buy": {}, "Sell": {}}
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

    def _levels(self, action: Action, rows: Sequence[BookRow]) -> tuple[Sequence[Level], Sequence[Level]]:
        if action == "partial" and (plain := self._plain_partial(rows)) is not None:
            return plain
        bids, asks = self._changes(self._removed if action == "delete" else self._set, action, rows)
        held = len(self._prices["Buy"]) + len(self._prices["Sell"])
        if held > 2 * MAX_LEVELS:
            msg = f"Expected at most {2 * MAX_LEVELS} levels, was {held}"
            raise VenueError(msg)
        if len(bids) + len(asks) == 1:
            check_level(*(bids or asks)[0])
        else:
            check_levels(bids, asks)
        return bids, asks

    def _changes(
        self, change: Callable[[Action, BookRow], Sequence[Level]], action: Action, rows: Sequence[BookRow]
    ) -> tuple[Sequence[Level], Sequence[Level]]:
        if len(rows) == 1:  # as most messages
            changed = change(action, rows[0])
            return (changed, ()) if rows[0].side == "Buy" else ((), changed)
        levels: dict[Side, list[Level]] = {"Buy": [], "Sell": []}
        for row in rows:
            levels[row.side] += change(action, row)
        return levels["Buy"], levels["Sell"]

    def _plain_partial(self, rows: Sequence[BookRow]) -> tuple[list[Level], list[Level]] | None:
        """Return the levels of a partial as nearly all are: numbers for price and size in every row, and no row twice; None for others."""
        sides: dict[Side, list[BookRow]] = {"Buy": [], "Sell": []}
        for row in rows:
            sides[row.side].append(row)
        levels = {side: _spelled(of_side) for side, of_side in sides.items()}
        prices = {side: {row.id: level[0] for row, level in zip(sides[side], levels[side], strict=True)} for side in sides}
        bids, asks = levels["Buy"], levels["Sell"]
        if len(rows) > 2 * MAX_LEVELS or sum(map(len, prices.values())) < len(rows) or not are_levels(bids, asks):
            return None
        self._prices = prices
        return bids, asks

    def _removed(self, action: Action, row: BookRow) -> tuple[Level, ...]:
        held = self._prices[row.side].pop(row.id, None)
        if held is None:
            raise _unknown(action, row)
        return ((held, _GONE),)

    def _set(self, action: Action, row: BookRow) -> tuple[Level, ...]:
        prices = self._prices[row.side]
        held = prices.get(row.id)
        if held is None and action == "update":
            raise _unknown(action, row)
        price = held if row.price is None else DecimalText(str(row.price))
        if price is None or row.size is None:
            msg = f"Expected price and size of level {row.id}, was {price} and {row.size}"
            raise VenueError(msg)
        prices[row.id], size = price, DecimalText(str(row.size))
        return ((price, size),) if held is None or held == price else ((held, _GONE), (price, size))


def _spelled(rows: Sequence[BookRow]) -> list[Level]:
    return cast("list[Level]", [(str(row.price), str(row.size)) for row in rows])


def _unknown(action: Action, row: BookRow) -> VenueError:
    return VenueError(f"{action} of level {row.id} ({row.side}), which is not in the book: a message was lost")
