"""What a message says: changes to rows of one of BitMEX's tables, each row read by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bitmex.contract import Contract
from perps_actors.venues.bitmex.keyed_book import KeyedBook
from perps_actors.venues.bitmex.parse import (
    candle_in,
    funding_of,
    liquidation_of,
    quote_of,
    trade_of,
)
from perps_actors.venues.bitmex.schema import (
    BinFrame,
    BookFrame,
    BookRow,
    Frame,
    FundingFrame,
    InstrumentFrame,
    LiquidationFrame,
    LiquidationRow,
    QuoteFrame,
    TradeFrame,
)
from perps_actors.venues.contract import InvalidInput, Outcome

_MINUTE_S: Final = 60
_LIQUIDATION: Final = msgspec.json.Decoder(LiquidationRow).decode


class SymbolState:
    """What is kept for an instrument.

    Args:
        instrument: whose it is.
        renewal: gives the frames that end its book's subscription and begin it anew.
    """

    def __init__(self, instrument: InstrumentId, renewal: Callable[[str], Sequence[str]]) -> None:
        self.instrument = instrument
        self.book = KeyedBook(instrument, renewal)
        self.contract = Contract(instrument)
        self.contract_connection: str | None = None
        """The connection that told its row of `instrument` last."""

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: withdraw the book and drop the row that it fed."""
        if self.contract_connection == connection:
            self.contract.closed()
        fed = self.book.connection == connection
        return self.book.closed(f"connection {connection} ended", received_ns) if fed else ()

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book and begin it anew."""
        return self.book.invalidate(cause, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self.book.depth(levels)


Find = Callable[[str], SymbolState | None]
"""Returns what is kept for a symbol; None where it was unsubscribed and this was on its way. Raises `VenueError` where none is followed."""


def outcomes_of(frame: Frame, find: Find, connection: str, received_ns: int) -> Sequence[Outcome]:
    """Return what a message says; a row that cannot be read is a complaint of its own."""
    return _READINGS[type(frame)](frame, find, connection, received_ns)


def _each(
    rows: Iterable[Any], find: Find, read: Callable[[SymbolState, Any], Sequence[Outcome]]
) -> Sequence[Outcome]:
    outcomes: list[Outcome] = []
    for row in rows:
        try:
            followed = find(row.symbol)
            if followed is not None:
                outcomes += read(followed, row)
        except (MarketError, VenueError, msgspec.MsgspecError, OverflowError) as error:
            outcomes.append(InvalidInput(str(error), row.symbol[:50]))
    return outcomes


def _book(frame: BookFrame, find: Find, connection: str, received_ns: int) -> Sequence[Outcome]:
    rows = frame.data
    if len(rows) != 1 and len({row.symbol for row in rows}) > 1:
        return [
            outcome
            for part in _by_symbol(frame)
            for outcome in _book(part, find, connection, received_ns)
        ]
    symbol = rows[0].symbol if rows else frame.filter.symbol if frame.filter is not None else None
    if symbol is None:
        return ()
    try:
        followed = find(symbol)
    except VenueError as error:
        return (InvalidInput(str(error), symbol[:50]),)
    return (
        followed.book.take(connection, frame.action, rows, received_ns)
        if followed is not None
        else ()
    )


def _by_symbol(frame: BookFrame) -> list[BookFrame]:
    by_symbol: dict[str, list[BookRow]] = {}
    for row in frame.data:
        by_symbol.setdefault(row.symbol, []).append(row)
    return [BookFrame(frame.action, rows) for rows in by_symbol.values()]


def _quotes(frame: QuoteFrame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    return _each(
        frame.data, find, lambda followed, row: quote_of(followed.instrument, row, received_ns)
    )


def _trades(frame: TradeFrame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    # The partial is the latest trade before the subscription.
    backlog = frame.action == "partial"
    return _each(
        frame.data,
        find,
        lambda followed, row: trade_of(followed.instrument, row, received_ns, backlog=backlog),
    )


def _contracts(
    frame: InstrumentFrame, find: Find, connection: str, received_ns: int
) -> Sequence[Outcome]:
    def read(followed: SymbolState, row: Any) -> Sequence[Outcome]:
        followed.contract_connection = connection
        return followed.contract.take(frame.action, row, received_ns)

    return _each(frame.data, find, read)


def _liquidations(
    frame: LiquidationFrame, find: Find, _: str, received_ns: int
) -> Sequence[Outcome]:
    # A partial repeats orders told before, and what follows an insert is how far the order got.
    if frame.action != "insert":
        return ()
    return _each(
        map(_LIQUIDATION, frame.data),
        find,
        lambda followed, row: liquidation_of(followed.instrument, row, received_ns),
    )


def _fundings(frame: FundingFrame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    return _each(
        frame.data, find, lambda followed, row: funding_of(followed.instrument, row, received_ns)
    )


def _bins(frame: BinFrame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    return _each(
        frame.data,
        find,
        lambda followed, row: [candle_in(followed.instrument, row, _MINUTE_S, received_ns)],
    )


_READINGS: Final[dict[type, Callable[[Any, Find, str, int], Sequence[Outcome]]]] = {
    BookFrame: _book,
    QuoteFrame: _quotes,
    TradeFrame: _trades,
    InstrumentFrame: _contracts,
    LiquidationFrame: _liquidations,
    FundingFrame: _fundings,
    BinFrame: _bins,
}
