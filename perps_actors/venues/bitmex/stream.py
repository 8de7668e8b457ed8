"""BitMEX's streams.

Source: bitmex.com/app/wsAPI; blog.bitmex.com, "Rate Limiting on WebSocket Connections" (20
connections an hour); both read 2026-10. One address carries all tables; `table:symbol` names a
topic, and a request names several. A client that receives nothing is to send the bare text `ping`
and receives `pong`. Messages of `quote` are held back for up to a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.bitmex.parse import (
    SymbolState,
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
    TradeFrame,
    Unused,
)
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    SymbolStream,
    chosen,
    refused,
    sharded,
)

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
_MINUTE_S: Final = 60
_BOOK_TABLE: Final = b'"orderBookL2"'
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"\\]{1,40})"')


def _request(op: Op, topics: Sequence[str]) -> str:
    return msgspec.json.encode({"op": op, "args": topics}).decode()


def _resubscribe(symbol: str) -> tuple[str, str]:
    topics = [f"{CHANNELS['book']}:{symbol}"]
    return _request("unsubscribe", topics), _request("subscribe", topics)


def _liquidations(
    state: SymbolState, row: LiquidationRow, action: Action, received_ns: int
) -> Sequence[Outcome]:
    # A partial repeats earlier orders; an update reports how far an order was filled.
    if action != "insert":
        return ()
    return (liquidation_of(state.instrument, row, received_ns),)


_READERS: Final[dict[type, Callable[[SymbolState, Any, Action, str, int], Sequence[Outcome]]]] = {
    QuoteFrame: lambda state, row, _, __, at_ns: (quote_of(state.instrument, row, at_ns),),
    # The partial of `trade` is the latest trade before the subscription.
    TradeFrame: lambda state, row, action, _, at_ns: (
        trade_of(state.instrument, row, at_ns, backlog=action == "partial"),
    ),
    InstrumentFrame: SymbolState.read_row,
    LiquidationFrame: lambda state, row, action, _, at_ns: _liquidations(state, row, action, at_ns),
    FundingFrame: lambda state, row, _, __, at_ns: (funding_of(state.instrument, row, at_ns),),
    BinFrame: lambda state, row, _, __, at_ns: (
        candle_in(state.instrument, row, _MINUTE_S, at_ns),
    ),
}
"""The reader of a row of each table, the book's apart."""


class BitmexStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for BitMEX. After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        self._channels = chosen(channels, CHANNELS, NAME)
        sources = tuple(_SOURCES[channel] for channel in self._channels if channel in _SOURCES)
        super().__init__(
            SymbolStates(NAME, lambda instrument: SymbolState(instrument, _resubscribe)),
            sharded(
                ConnectionPlan(
                    name="realtime",
                    url=f"{endpoints.stream}/realtime",
                    sources=sources,
                    keep_alive=PING,
                ),
                SYMBOLS_PER_CONNECTION,
            ),
            Subscriptions(self._topics, _request, TOPICS_PER_REQUEST),
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the events in a frame; each row that cannot be read is one invalid input."""
        try:
            frame = _FRAME(data)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return self._not_decoded(connection, data, received_ns, error)
        if type(frame) is BookFrame:
            return self._read_book(frame, connection, received_ns)
        read, action = _READERS[type(frame)], frame.action
        outcomes: list[Outcome] = []
        for row in frame.data:
            try:
                state = self._symbols[row.symbol]
                if state is not None:
                    outcomes += read(state, row, action, connection, received_ns)
            except Exception as error:  # noqa: BLE001 - a bad row must not cost its neighbours
                outcomes.append(InvalidInput(str(error), row.symbol[:50]))
        return outcomes

    def _read_book(self, frame: BookFrame, connection: str, received_ns: int) -> Sequence[Outcome]:
        rows, action = frame.data, frame.action
        if len(rows) == 1 or len({row.symbol for row in rows}) == 1:  # as in nearly all frames
            return self._change_book(rows[0].symbol, action, rows, connection, received_ns)
        by_symbol: dict[str, list[BookRow]] = {}
        for row in rows:
            by_symbol.setdefault(row.symbol, []).append(row)
        if not rows and frame.filter is not None and frame.filter.symbol is not None:
            by_symbol[frame.filter.symbol] = []  # the partial of an empty book
        return [
            outcome
            for symbol, part in by_symbol.items()
            for outcome in self._change_book(symbol, action, part, connection, received_ns)
        ]

    def _change_book(
        self,
        symbol: str,
        action: Action,
        rows: Sequence[BookRow],
        connection: str,
        received_ns: int,
    ) -> Sequence[Outcome]:
        try:
            state = self._symbols[symbol]
        except VenueError as error:
            return (InvalidInput(str(error), symbol[:50]),)
        if state is None:
            return ()
        return state.book.read(action, rows, connection, received_ns)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [
            f"{CHANNELS[channel]}:{symbol}" for symbol in plan.symbols for channel in self._channels
        ]

    def _not_decoded(
        self, connection: str, data: bytes, received_ns: int, error: Exception
    ) -> Sequence[Outcome]:
        if data.strip() == b"pong":
            return ()
        try:
            frame = _UNUSED(data)
        except Exception:  # noqa: BLE001 - the first error is reported
            frame = Unused()
        if bytes(frame.error) not in (b"", b"null"):
            return refused(data)
        if (
            frame.success is not None
            or frame.info is not None
            or (frame.table is not None and frame.table not in TABLES)
        ):
            return ()
        invalid = InvalidInput(f"{error}: in frame {data[:80]!r}")
        return invalid, *self._withdraw_books(connection, data, received_ns)

    def _withdraw_books(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the books that an unreadable frame may have changed.

        No sequence number would show later that the frame is missing.
        """
        if _BOOK_TABLE not in data:
            return ()
        fed = [
            state.book for state in self._symbols.followed() if state.book.connection == connection
        ]
        named = {name.decode(errors="replace") for name in _SYMBOL.findall(data)}
        suspect = [book for book in fed if book.instrument.symbol in named] or fed
        return [
            outcome
            for book in suspect
            for outcome in book.invalidate("a message could not be read", received_ns)
        ]
