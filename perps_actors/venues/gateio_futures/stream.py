"""Gate.io's futures streams.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11. One address carries all channels. A
request names one channel and several contracts, but one contract for `futures.order_book_update`
and `futures.candlesticks`. The venue sends WebSocket pings; `futures.ping` checks that it listens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import msgspec

from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.gateio_futures.parse import (
    SymbolState,
    liquidation_of,
    streamed_candle_of,
    ticker_of,
    touch_of,
    trade_of,
)
from perps_actors.venues.gateio_futures.rest import LIVE, NAME, GateioFuturesRest, book_of
from perps_actors.venues.gateio_futures.schema import (
    BookTicker,
    BookUpdate,
    CandleRow,
    Frame,
    LiquidationRow,
    TickerRow,
    TradeRow,
    decode_change,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.rest_snapshot_book import read_snapshot
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    SymbolStream,
    chosen,
    sharded,
)

CHANNELS: Final = {
    "book": "futures.obu",
    "touch": "futures.book_ticker",
    "trades": "futures.trades",
    "marks": "futures.tickers",
    "liquidations": "futures.public_liquidates",
    "candles": "futures.candlesticks",
}
"""The data that can be subscribed, and the venue's channel of it."""
BookFeed = Literal["futures.obu", "futures.order_book_update"]
"""50 levels every 20 ms with a snapshot first, or 100 levels every 100 ms on a REST snapshot."""
SYMBOLS_PER_CONNECTION: Final = 100
SYMBOLS_PER_REQUEST: Final = 50

# The documentation's own examples send this time: only requests with a key are checked.
_TIME: Final = 123_456
PING: Final = (f'{{"time":{_TIME},"channel":"futures.ping"}}', 15.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "touch": "touch", "trades": "trades"}
_ACKNOWLEDGEMENTS: Final = frozenset({"subscribe", "unsubscribe"})
"""Events of answers to requests. Data has `update`, or none in the examples of `futures.obu`."""
_FRAME: Final = msgspec.json.Decoder(Frame).decode
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def _request(channel: str, op: Op, payload: Sequence[str]) -> str:
    request = {"time": _TIME, "channel": channel, "event": op, "payload": payload}
    return msgspec.json.encode(request).decode()


def _request_obu(op: Op, symbols: Sequence[str]) -> str:
    return _request("futures.obu", op, [f"ob.{symbol}.50" for symbol in symbols])


def _resubscribe(symbol: str) -> tuple[str, str]:
    return _request_obu("unsubscribe", [symbol]), _request_obu("subscribe", [symbol])


def _subscriptions(channel: str) -> Subscriptions[str]:
    per_request, request = {
        "futures.obu": (SYMBOLS_PER_REQUEST, _request_obu),
        "futures.order_book_update": (
            1,
            lambda op, symbols: _request(channel, op, [*symbols, "100ms", "100"]),
        ),
        "futures.candlesticks": (1, lambda op, symbols: _request(channel, op, ["1m", *symbols])),
    }.get(channel, (SYMBOLS_PER_REQUEST, partial(_request, channel)))
    return Subscriptions(lambda plan: plan.symbols, request, per_request)


class _Reader(NamedTuple):
    """How the messages of a channel are read."""

    decode: Callable[[msgspec.Raw], Any]
    read: Callable[[SymbolState, Any, int | None, str, int], Sequence[Outcome]]
    """Takes a state, a record, the message's time, the connection and the time of receipt."""
    rows: bool = True
    """Whether a message has a list of records."""


def _decoder(record: Any) -> Callable[[msgspec.Raw], Any]:
    return msgspec.json.Decoder(record).decode


_READERS: Final = {
    "futures.obu": _Reader(
        _decoder(BookUpdate),
        lambda state, row, _, connection, at_ns: state.read_update(row, connection, at_ns),
        rows=False,
    ),
    "futures.order_book_update": _Reader(
        decode_change,
        lambda state, row, _, connection, at_ns: state.read_change(row, connection, at_ns),
        rows=False,
    ),
    "futures.book_ticker": _Reader(
        _decoder(BookTicker),
        lambda state, row, _, __, at_ns: (touch_of(state.instrument, row, at_ns),),
        rows=False,
    ),
    "futures.trades": _Reader(
        _decoder(TradeRow), lambda state, row, _, __, at_ns: trade_of(state.instrument, row, at_ns)
    ),
    "futures.tickers": _Reader(
        _decoder(TickerRow),
        lambda state, row, time_ns, _, at_ns: ticker_of(state.instrument, row, time_ns, at_ns),
    ),
    "futures.public_liquidates": _Reader(
        _decoder(LiquidationRow),
        lambda state, row, _, __, at_ns: (liquidation_of(state.instrument, row, at_ns),),
    ),
    "futures.candlesticks": _Reader(
        _decoder(CandleRow),
        lambda state, row, time_ns, _, at_ns: streamed_candle_of(
            state.instrument, row, time_ns, at_ns
        ),
    ),
}
"""By channel. Other channels and answers to pings have no market data."""


class GateioFuturesStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for Gate.io's futures. After `plan`, data of other symbols is invalid.

    Args:
        endpoints: the venue's addresses.
        channels: which of `CHANNELS` to subscribe.
        book: the channel that feeds the books.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self,
        endpoints: Endpoints = LIVE,
        channels: frozenset[str] = frozenset(CHANNELS) - UNASKED,
        *,
        book: BookFeed = "futures.obu",
    ) -> None:
        wanted, carried = chosen(channels, CHANNELS, NAME), CHANNELS | {"book": book}
        rest = GateioFuturesRest(endpoints)
        super().__init__(
            SymbolStates(
                NAME,
                lambda instrument: SymbolState(
                    instrument, _resubscribe, rest.depth(instrument.symbol)
                ),
            ),
            sharded(
                ConnectionPlan(
                    name="usdt",
                    url=f"{endpoints.stream}/v4/ws/usdt",
                    sources=tuple(_SOURCES[channel] for channel in wanted if channel in _SOURCES),
                    keep_alive=PING,
                ),
                SYMBOLS_PER_CONNECTION,
            ),
            *(_subscriptions(carried[channel]) for channel in wanted),
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the events in a frame; each record that cannot be read is one invalid input."""
        try:
            frame = _FRAME(data)
            reader = _READERS.get(frame.channel)
            if frame.error is not None:
                code, why = frame.error.code, frame.error.message
                what = f"The venue refused {frame.channel[:40]} {frame.event[:20]}: {code}, {why}"
                return (InvalidInput(what),)
            if reader is None or frame.event in _ACKNOWLEDGEMENTS:
                return ()
            records = _ROWS(frame.result) if reader.rows else (frame.result,)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return (InvalidInput(f"{error}: in frame {data[:80]!r}"),)
        time_ns = frame.time_ms * NS_PER_MS if frame.time_ms is not None else None
        outcomes: list[Outcome] = []
        for raw in records:
            symbol = None
            try:
                record = reader.decode(raw)
                symbol = record.symbol
                state = self._symbols[symbol]
                if state is not None:
                    outcomes += reader.read(state, record, time_ns, connection, received_ns)
            except Exception as error:  # noqa: BLE001 - a bad record must not cost its neighbours
                what = f"{error}: in record {bytes(raw)[:80]!r}"
                outcomes.append(InvalidInput(what, symbol and symbol[:50]))
        return outcomes

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Take a snapshot of a book, requested or not; other answers are ignored."""
        return read_snapshot(
            self._symbols,
            request,
            status,
            body,
            lambda state: state.read_snapshot(book_of(body), received_ns),
        )
