"""Deribit's streams: books, touch, trades, liquidations, venue marks, funding and candles.

Source: docs.deribit.com (JSON-RPC overview, public/subscribe, subscriptions, session-management,
articles/rate-limits), read 2026-10, and captures of 2021 to 2026. A request has a number, which its
answer repeats. The answer to a subscription lists the channels that were granted; the others are
missing without an error. Channels are grouped by 100 ms: `raw` needs a login. After
`public/set_heartbeat` the venue sends `test_request`, and ends a connection that does not answer
`public/test` at once. Its gateways end a connection whose client sends no message for 30 s; pings
of WebSocket do not count. An address may have 32 connections; a subscription costs 3,000 credits of
30,000.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome, SendFrame
from perps_actors.venues.deribit.parse import SymbolState, candle_in, trade_of
from perps_actors.venues.deribit.rest import LIVE, NAME
from perps_actors.venues.deribit.schema import (
    SECONDS,
    BookChange,
    Candle,
    Frame,
    GroupedBook,
    Params,
    Push,
    Ticker,
    TradeRow,
)
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
    "book": "book",
    "ticker": "ticker",
    "trades": "trades",
    "candles": "chart.trades",
}
"""What can be subscribed, and the first part of its channel.

Touch, marks, funding and open interest come with the ticker.
"""
INTERVAL: Final = "100ms"
SYMBOLS_PER_CONNECTION: Final = 100
CHANNELS_PER_REQUEST: Final = 100
HEARTBEAT_S: Final = 15
MAX_AWAITED: Final = 1_000
"""Requests whose answer is still expected; beyond that the oldest is forgotten."""

_SOURCES: Final[dict[str, Source]] = {"book": "book", "ticker": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame).decode
_GROUPED: Final = msgspec.json.Decoder(GroupedBook).decode
_DATA: Final[dict[str, Callable[[msgspec.Raw], Any]]] = {
    "book": msgspec.json.Decoder(BookChange).decode,
    "ticker": msgspec.json.Decoder(Ticker).decode,
    "quote": msgspec.json.Decoder(Ticker).decode,
    "trades": msgspec.json.Decoder(list[TradeRow]).decode,
    "chart": msgspec.json.Decoder(Candle).decode,
}
_BEGINNING: Final = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
_KIND: Final = slice(len(_BEGINNING), len(_BEGINNING) + 4)
# All notifications begin alike. So the kind of channel is found by its place, and the frame is
# decoded in one pass.
_PUSHES: Final[dict[bytes, Callable[[bytes], Push[Any]]]] = {
    b"book": msgspec.json.Decoder(Push[BookChange]).decode,
    b"tick": msgspec.json.Decoder(Push[Ticker]).decode,
}
_STATE_READERS: Final[
    dict[type, Callable[[SymbolState, Any, str, str, int], Sequence[Outcome]]]
] = {
    BookChange: SymbolState.read_change,
    GroupedBook: SymbolState.read_grouped,
    Ticker: SymbolState.read_ticker,
}
_GRANTED: Final = msgspec.json.Decoder(list[str]).decode


def _request(number: int, method: str, params: Mapping[str, Any]) -> str:
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    ).decode()


KEEP_ALIVE: Final = (_request(0, "public/test", {}), 15.0)


def _channel(kind: str, symbol: str) -> str:
    return f"{CHANNELS[kind]}.{symbol}.{'1' if kind == 'candles' else INTERVAL}"


class DeribitStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for Deribit and its gateways.

    After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses.
        channels: which of `CHANNELS` to subscribe.
        venue: name of the venue.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self,
        endpoints: Endpoints = LIVE,
        channels: frozenset[str] = frozenset(CHANNELS) - UNASKED,
        venue: str = NAME,
    ) -> None:
        self._channels = chosen(channels, CHANNELS, venue)
        sources = tuple(_SOURCES[channel] for channel in self._channels if channel in _SOURCES)
        super().__init__(
            SymbolStates(venue, lambda instrument: SymbolState(instrument, self._resubscribe)),
            sharded(
                ConnectionPlan(
                    name="public",
                    url=f"{endpoints.stream}/ws/api/v2",
                    sources=sources,
                    keep_alive=KEEP_ALIVE,
                ),
                SYMBOLS_PER_CONNECTION,
            ),
            Subscriptions(self._topics, self._subscribe, CHANNELS_PER_REQUEST),
        )
        self._number = 0
        self._awaited: dict[int, tuple[str, ...]] = {}
        """The channels of each request to subscribe that was not answered yet."""
        self._readers: dict[type, Callable[[Any, str, str, int], Sequence[Outcome]]] = {
            **dict.fromkeys(_STATE_READERS, self._read_record),
            list: self._read_trades,
            Candle: self._read_candle,
        }

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the frames that request heartbeats and subscribe the connection's channels."""
        heartbeat = self._make("public/set_heartbeat", {"interval": HEARTBEAT_S})
        return [SendFrame(connection, heartbeat), *super().opened(connection, received_ns)]

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of a frame."""
        decode = _PUSHES.get(data[_KIND])
        if decode is None:
            return self._read_any(connection, data, received_ns)
        try:
            push = decode(data).params
            return self._readers[type(push.data)](push.data, push.channel, connection, received_ns)
        except Exception:  # noqa: BLE001 - `_read_any` reports the cause
            return self._read_any(connection, data, received_ns)

    def _read_any(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        try:
            frame = _FRAME(data)
            if frame.method == "subscription" and frame.params is not None:
                return self._read_push(frame.params, connection, received_ns)
            if frame.method == "heartbeat" and frame.params is not None:
                if frame.params.type != "test_request":
                    return ()
                return (SendFrame(connection, self._make("public/test", {})),)
            return self._read_answer(frame, data)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return (InvalidInput(f"{error}: in frame {data[:80]!r}"),)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [_channel(kind, symbol) for symbol in plan.symbols for kind in self._channels]

    def _make(self, method: str, params: Mapping[str, Any]) -> str:
        """Return a request with a number of its own."""
        self._number += 1
        return _request(self._number, method, params)

    def _subscribe(self, op: Op, channels: Sequence[str]) -> str:
        text = self._make(f"public/{op}", {"channels": channels})
        if op == "subscribe":
            self._awaited[self._number] = tuple(channels)
            if len(self._awaited) > MAX_AWAITED:
                del self._awaited[next(iter(self._awaited))]
        return text

    def _resubscribe(self, symbol: str) -> list[str]:
        channels = [_channel("book", symbol)]
        return [self._subscribe("unsubscribe", channels), self._subscribe("subscribe", channels)]

    def _read_answer(self, frame: Frame, data: bytes) -> Sequence[Outcome]:
        if bytes(frame.error) not in (b"", b"null"):
            return refused(data)
        if frame.method:
            return ()
        if frame.id is None:
            return (InvalidInput(f"Expected a notification or an answer, was {data[:80]!r}"),)
        result = bytes(frame.result)
        granted = _GRANTED(result) if result[:1] == b"[" else ()
        asked = self._awaited.pop(frame.id, ()) if isinstance(frame.id, int) else ()
        missing = ", ".join(channel for channel in asked if channel not in granted)
        if not missing:
            return ()
        return (InvalidInput(f"Expected to be subscribed to all channels, was not to {missing}"),)

    def _read_push(self, params: Params, connection: str, received_ns: int) -> Sequence[Outcome]:
        kind, _, rest = params.channel.partition(".")
        decode = _DATA.get(kind)
        if decode is None:
            return ()
        # book.<instrument>.<interval>, or book.<instrument>.<group>.<depth>.<interval>
        if kind == "book" and rest.count(".") > 1:
            decode = _GROUPED
        try:
            record = decode(params.data)
            return self._readers[type(record)](record, params.channel, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            what = f"{error}: in {kind} {bytes(params.data)[:80]!r}"
            return (InvalidInput(what, rest.partition(".")[0][:50]),)

    def _read_record(
        self, record: Any, channel: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        state, read = self._symbols[record.symbol], _STATE_READERS[type(record)]
        return read(state, record, channel, connection, received_ns) if state is not None else ()

    def _read_trades(
        self, rows: list[TradeRow], _: str, __: str, received_ns: int
    ) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for row in rows:
            state = self._symbols[row.symbol]
            if state is not None:
                outcomes += trade_of(state.instrument, row, received_ns)
        return outcomes

    def _read_candle(
        self, row: Candle, channel: str, _: str, received_ns: int
    ) -> Sequence[Outcome]:
        # chart.trades.<instrument>.<resolution>
        symbol, _, resolution = channel.removeprefix("chart.trades.").rpartition(".")
        interval_s = SECONDS.get(resolution)
        state = self._symbols[symbol] if interval_s is not None else None
        if interval_s is None or state is None:
            return ()
        return (candle_in(state.instrument, row, interval_s, received_ns),)
