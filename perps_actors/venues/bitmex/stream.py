"""BitMEX's rule for a book that is right: rows of a table known by id and side, changed one message after the other.

Source: bitmex.com/app/wsAPI, read 2026-10: whatever comes before the partial is dropped; a row is known by symbol, id and side;
quantities are absolute. There are no sequence numbers, so what betrays a lost message is a change of a row that is not there.
Until 2023 updates and deletes had no price: it is remembered by id. A price that comes along moves the level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import MAX_LEVELS
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.market.texts import DecimalText, Level
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.bitmex.parse import (
    Contract,
    candle_in,
    funding_of,
    liquidation_of,
    quote_of,
    trade_of,
)
from perps_actors.venues.bitmex.rest import LIVE, NAME
from perps_actors.venues.bitmex.schema import (
    TABLES,
    Action,
    BinFrame,
    BookFrame,
    BookRow,
    Frame,
    FundingFrame,
    InstrumentFrame,
    LiquidationFrame,
    LiquidationRow,
    QuoteFrame,
    Side,
    TradeFrame,
    Unused,
)
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.toolkit.fields import JsonNumber, nanoseconds
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.subscriptions import Following, Op, Subscriptions, batches, chosen
from perps_actors.venues.toolkit.symbols import SymbolStates

# merged docstring:
# """What a message says: changes to rows of one of BitMEX's tables, each row read by itself."""
# merged docstring:
# """BitMEX's streams: books, touch, trades, venue marks, funding, open interest, liquidations and candles.
#
# Source: bitmex.com/app/wsAPI; blog.bitmex.com, "Rate Limiting on WebSocket Connections" (20 connections an hour); both read
# 2026-10. One address carries all tables; `table:symbol` names a topic, and a request names several. Whoever hears nothing is to
# send the bare text `ping`, and hears `pong`. Messages of `quote` are held back for up to a second.
# """

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


CHANNELS: Final = {
    "book": "orderBookL2",
    "touch": "quote",
    "trades": "trade",
    "marks": "instrument",
    "liquidations": "liquidation",
    "candles": "tradeBin1m",
}
"""What can be subscribed, and its table."""
SYMBOLS_PER_CONNECTION: Final = 100
TOPICS_PER_REQUEST: Final = 50
PING: Final = ("ping", 5.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "touch": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame, float_hook=str).decode
_UNUSED: Final = msgspec.json.Decoder(Unused).decode
_BOOK_TABLE: Final = b'"orderBookL2"'
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"\\]{1,40})"')


def _request(op: Op, topics: Sequence[str]) -> str:
    return msgspec.json.encode({"op": op, "args": topics}).decode()


def _book_renewal(symbol: str) -> tuple[str, str]:
    topic = f"{CHANNELS['book']}:{symbol}"
    return _request("unsubscribe", [topic]), _request("subscribe", [topic])


class BitmexStream(Following[SymbolState, str]):
    """A `StreamAdapter` for BitMEX. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        followed = SymbolStates(NAME, lambda instrument: SymbolState(instrument, _book_renewal))
        super().__init__(followed, Subscriptions(self._topics, _request, TOPICS_PER_REQUEST))
        self._url = f"{endpoints.stream}/realtime"
        self._channels = chosen(channels, CHANNELS, NAME)

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the channels of `symbols`.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        return self._subscriptions.planned(
            ConnectionPlan(
                name=f"realtime-{number}",
                url=self._url,
                symbols=tuple(shard),
                sources=tuple(
                    _SOURCES[channel] for channel in self._channels if channel in _SOURCES
                ),
                keep_alive=PING,
            )
            for number, shard in enumerate(
                batches(self._followed.plan(symbols), SYMBOLS_PER_CONNECTION)
            )
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says."""
        try:
            return outcomes_of(_FRAME(data), self._followed.current, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoders is a complaint
            return self._not_read(connection, data, received_ns, error)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [
            f"{CHANNELS[channel]}:{symbol}" for symbol in plan.symbols for channel in self._channels
        ]

    def _not_read(
        self, connection: str, data: bytes, received_ns: int, error: Exception
    ) -> Sequence[Outcome]:
        invalid_input = InvalidInput(f"{error}: in frame {data[:80]!r}")
        if data.strip() == b"pong":
            return ()
        try:
            frame = _UNUSED(data)
        except Exception:  # noqa: BLE001 - the first error says it
            return invalid_input, *self._doubted(connection, data, received_ns)
        if bytes(frame.error) not in (b"", b"null"):
            return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
        if (
            frame.success is not None
            or frame.info is not None
            or (frame.table is not None and frame.table not in TABLES)
        ):
            return ()
        return invalid_input, *self._doubted(connection, data, received_ns)

    def _doubted(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the books that a frame which cannot be read may have changed: no sequence number would tell that it is missing."""
        if _BOOK_TABLE not in data:
            return ()
        named = {name.decode(errors="replace") for name in _SYMBOL.findall(data)}
        fed = [
            followed.book
            for followed in self._followed.all()
            if followed.book.connection == connection
        ]
        doubted = [book for book in fed if book.instrument.symbol in named] or fed
        return [
            outcome
            for book in doubted
            for outcome in book.invalidate("a message could not be read", received_ns)
        ]
