"""Binance's futures streams from the server's side.

Sources: developers.binance.com, "Important WebSocket Change Notice" of 2026-03-06, in force since
2026-04-23. USD-M sends depth, bookTicker and trade on `/public`, all other streams on `/market`. A
stream that is subscribed on the other path is acknowledged and sends nothing. A connection with
neither path is served like `/public`. COIN-M has one path. Below the path, `stream?streams=a/b`
gives combined frames (`{"stream": ..., "data": ...}`) and `ws/a/b` only the data. This module works
with combined frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Framed,
    SeparateStreams,
    StreamSession,
    encode,
    millis,
    paired,
)
from perps_actors.venues.binance_futures.schema import DepthUpdate, Dialect
from perps_actors.venues.toolkit.fields import NS_PER_MS

MAX_STREAMS: Final = 1024

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")
_CHANNELS: Final[dict[str, Channel]] = {
    "depth": "book",
    "bookTicker": "touch",
    "aggTrade": "trades",
    "markPrice": "mark",
}


class _Envelope(msgspec.Struct):
    stream: str
    data: msgspec.Raw


_envelope = msgspec.json.Decoder(_Envelope).decode
_depth_event = msgspec.json.Decoder(DepthUpdate).decode


def _kind_of(stream: str) -> str:
    return stream.partition("@")[2].partition("@")[0]


def _route_of(dialect: Dialect, stream: str) -> str:
    kind = _kind_of(stream)
    for name, route in dialect.routes.items():
        listed = {each.partition("@")[0] for each in route.streams.values()}
        if kind in route.also or kind in listed:
            return name
    return list(dialect.routes)[-1]


class BinanceSession(StreamSession):
    """One client connection. Streams of a route other than the path's send nothing.

    Args:
        dialect: the venue.
        path: path of the client's request; names the route.
        query: query of the client's request; may name streams.

    Raises:
        VenueError: there are no streams at this path.
    """

    def __init__(self, dialect: Dialect, path: str, query: str = "") -> None:
        parts = [part for part in path.split("/") if part]
        routes = {route.path.strip("/"): name for name, route in dialect.routes.items()}
        self._dialect = dialect
        self._route = (
            routes[parts.pop(0)] if parts and parts[0] in routes else next(iter(dialect.routes))
        )
        if not parts or parts[0] not in ("stream", "ws"):
            expected = f"{dialect.routes[self._route].path}/stream"
            msg = f"Expected a path like {expected} or /ws, was {path[:80]!r}"
            raise VenueError(msg)
        self._combined = parts[0] == "stream"
        named = (
            dict(parse_qsl(query)).get("streams", "").split("/") if self._combined else parts[1:]
        )
        self._follow(self._routed(name for name in named[:MAX_STREAMS] if name))

    def formatted(self, frame: bytes) -> bytes:
        """Return a combined frame, or its data alone; other frames stay unchanged."""
        try:
            return frame if self._combined else bytes(_envelope(frame).data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return frame

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a client's text frame; an error answer if it is malformed."""
        return (self._answer(text),)

    def _answer(self, text: str) -> str:
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            return _error(3, f"Invalid JSON: {error}")
        number = request.get("id") if isinstance(request, dict) else None
        if type(number) is not int or number < 0:
            return _error(2, "Invalid request: request ID must be an unsigned integer")
        method = request.get("method")
        if method not in _METHODS:
            choice = ", ".join(f"`{name}`" for name in _METHODS)
            unknown = f"unknown variant `{str(method)[:40]}`"
            return _error(2, f"Invalid request: {unknown}, expected one of {choice}", number)
        if method == "LIST_SUBSCRIPTIONS":
            return encode({"result": list(self._topics), "id": number}).decode()
        return self._subscribe(method, request.get("params"), number)

    def _routed(self, names: Iterable[str]) -> dict[str, str | None]:
        return {
            name: name if _route_of(self._dialect, name) == self._route else None for name in names
        }

    def _subscribe(self, method: str, params: Any, number: int) -> str:
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            return _error(2, "Invalid request: property name must be a string", number)
        if method == "SUBSCRIBE" and len({*self._topics, *params}) > MAX_STREAMS:
            return _error(2, "Invalid request: too many parameters", number)
        self._change(self._routed(params), subscribe=method == "SUBSCRIBE")
        return encode({"result": None, "id": number}).decode()


def _error(code: int, msg: str, number: int | None = None) -> str:
    answer = {"code": code, "msg": msg}
    return encode(answer if number is None else {**answer, "id": number}).decode()


class BinanceStreams(SeparateStreams):
    """A Binance venue's streams; clients fetch the snapshot of a book by REST.

    Args:
        dialect: the venue.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def session(self, path: str, query: str = "") -> BinanceSession:
        """Return the session of a new connection.

        Raises:
            VenueError: there are no streams at this path.
        """
        return BinanceSession(self._dialect, path, query)

    def channel_of(self, stream: str) -> Channel:
        """Return the content of a stream."""
        return _CHANNELS.get(_kind_of(stream), "other")

    def symbol_of(self, stream: str) -> str:
        """Return the symbol of a stream as REST spells it."""
        return stream.partition("@")[0].upper()

    def route_of(self, stream: str) -> str:
        """Return the route that carries a stream; the last one for streams that are not listed."""
        return _route_of(self._dialect, stream)

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a combined frame; None for answers."""
        head = frame[:200].lstrip()
        if head.startswith(b'{"stream":"'):
            return head[11:].partition(b'"')[0].decode(errors="replace")
        try:
            return _envelope(frame).stream
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def depth_frames(self, change: Depth) -> tuple[Framed]:
        """Return the frame of a book's delta."""
        ms, symbol = change.venue_time_ns // NS_PER_MS, change.symbol
        data = {
            "e": "depthUpdate",
            "E": ms,
            "T": ms,
            "s": symbol,
            "ps": symbol.partition("_")[0],
            "st": 1,
        }
        data |= {
            "U": change.first,
            "u": change.last,
            "pu": change.previous,
            "b": change.bids,
            "a": change.asks,
        }
        return (_frame(f"{symbol.lower()}@depth@100ms", data),)

    def touch_frame(self, touch: Touch, update: int) -> Framed:
        """Return the frame of a best bid and ask; `update` is the number of the book's update."""
        ms, symbol = millis(touch.venue_time_ns), touch.instrument.symbol
        data = {
            "e": "bookTicker",
            "u": update,
            "s": symbol,
            "b": touch.bid,
            "B": touch.bid_size,
            "a": touch.ask,
            "A": touch.ask_size,
        }
        return _frame(
            f"{symbol.lower()}@bookTicker",
            {**data, "ps": symbol.partition("_")[0], "T": ms, "E": ms},
        )

    def trade_frame(self, trade: Trade) -> Framed:
        """Return the frame of an aggregate trade. `m`: the buyer is the maker."""
        ms, number, symbol = (
            millis(trade.venue_time_ns),
            int(trade.trade_id),
            trade.instrument.symbol,
        )
        data = {
            "e": "aggTrade",
            "E": ms,
            "a": number,
            "s": symbol,
            "p": trade.price,
            "q": trade.amount,
            "f": number,
            "l": number,
        }
        return _frame(
            f"{symbol.lower()}@aggTrade", {**data, "T": ms, "m": trade.side == "sell", "st": 1}
        )

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[Framed]:
        """Return the frame of mark and funding; `P`, the settlement price, is the index."""
        symbol = mark.instrument.symbol
        data = {
            "e": "markPriceUpdate",
            "E": millis(mark.venue_time_ns),
            "s": symbol,
            "p": mark.mark,
            "P": mark.index,
        }
        if self._dialect.linear:
            data |= {"ap": mark.mark, "i": mark.index, "st": 1}
        data |= {"r": funding.rate, "T": millis(funding.next_time_ns)}
        return (_frame(f"{symbol.lower()}@markPrice@1s", data),)

    def read_depth(self, frame: bytes) -> Depth:
        """Return the delta in a combined depth frame."""
        event = _depth_event(_envelope(frame).data)
        return Depth(
            event.symbol,
            event.last_id,
            paired(event.bids),
            paired(event.asks),
            event.time * NS_PER_MS,
            event.first_id,
            event.previous_id,
        )


def _frame(stream: str, data: dict[str, Any]) -> Framed:
    return stream, encode({"stream": stream, "data": data})
