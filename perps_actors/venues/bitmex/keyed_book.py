"""BitMEX's rule for a book that is right: rows of a table known by id and side, changed one message after the other.

Source: bitmex.com/app/wsAPI, read 2026-10: whatever comes before the partial is dropped; a row is known by symbol, id and side;
quantities are absolute. There are no sequence numbers, so what betrays a lost message is a change of a row that is not there.
Until 2023 updates and deletes had no price: it is remembered by id. A price that comes along moves the level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import MAX_LEVELS
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.texts import DecimalText, Level
from perps_actors.venues.bitmex.schema import Action, BookRow, Side
from perps_actors.venues.contract import InvalidInput, Outcome
from perps_actors.venues.toolkit.fields import JsonNumber, nanoseconds
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_Level = BookRow | Level
_GONE: Final = DecimalText("0")


class KeyedBook(ResubscribingBook):
    """One instrument's book.

    Args:
        instrument: whose book it is.
        renewal: gives the frames that end its subscription and begin it anew.
    """

    def __init__(self, instrument: InstrumentId, renewal: Callable[[str], Sequence[str]]) -> None:
        super().__init__(instrument, renewal)
        self._known: dict[Side, dict[int, _Level]] = {"Buy": {}, "Sell": {}}

    def take(
        self, connection: str, action: Action, rows: Sequence[BookRow], received_ns: int
    ) -> Sequence[Outcome]:
        """Take the rows of one message: begin with a partial, change a good book, or withdraw it."""
        begins = action == "partial"
        if not begins and not self.good:
            return self.invalidate("no partial came", received_ns)
        self.connection = connection
        try:
            bids, asks = self._begun(rows) if begins else self._changed(action, rows)
            moment = rows[-1].timestamp if rows else None
            time_ns = nanoseconds(moment) if moment is not None else None
            told = self.snapshot if begins else self.update
            return told(
                bids,
                asks,
                connection,
                sequence=None,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        except (MarketError, VenueError) as error:
            return InvalidInput(str(error), self.instrument.symbol), *self.invalidate(
                str(error), received_ns
            )

    def _begun(self, rows: Sequence[BookRow]) -> tuple[Sequence[_Level], Sequence[_Level]]:
        bids: dict[int, _Level] = {row.id: row for row in rows if row.side == "Buy"}
        asks: dict[int, _Level] = {row.id: row for row in rows if row.side == "Sell"}
        _check_count(len(bids) + len(asks))
        self._known = {"Buy": bids, "Sell": asks}
        return [*bids.values()], [*asks.values()]

    def _changed(
        self, action: Action, rows: Sequence[BookRow]
    ) -> tuple[Sequence[_Level], Sequence[_Level]]:
        change = self._removed if action == "delete" else self._set
        if len(rows) == 1:  # as most messages
            levels = change(action, rows[0])
            return (levels, ()) if rows[0].side == "Buy" else ((), levels)
        sides: dict[Side, list[_Level]] = {"Buy": [], "Sell": []}
        for row in rows:
            sides[row.side] += change(action, row)
        return sides["Buy"], sides["Sell"]

    def _removed(self, action: Action, row: BookRow) -> Sequence[_Level]:
        held = self._known[row.side].pop(row.id, None)
        if held is None:
            raise _unknown(action, row)
        return (_gone(held),)

    def _set(self, action: Action, row: BookRow) -> Sequence[_Level]:
        known = self._known[row.side]
        held = known.get(row.id)
        if held is None:
            if action == "update":
                raise _unknown(action, row)
            _check_count(len(known))
        if row.size is None or (row.price is None and held is None):
            msg = f"Expected price and size of level {row.id}, was {row.price} and {row.size}"
            raise VenueError(msg)
        if held is None:
            known[row.id] = row
            return (row,)
        level = known[row.id] = (
            row if row.price is not None else Level(_text(held.price), _text(row.size))
        )
        return (level,) if _text(held.price) == _text(level.price) else (_gone(held), level)


def _text(number: JsonNumber) -> DecimalText:
    return DecimalText(str(number))


def _gone(level: _Level) -> Level:
    return Level(_text(level.price), _GONE)


def _check_count(levels: int) -> None:
    if levels > 2 * MAX_LEVELS:
        msg = f"Expected at most {2 * MAX_LEVELS} levels, was {levels}"
        raise VenueError(msg)


def _unknown(action: Action, row: BookRow) -> VenueError:
    return VenueError(
        f"{action} of level {row.id} ({row.side}), which is not in the book: a message was lost"
    )
