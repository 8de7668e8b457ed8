"""The streams of Deribit and its gateways from the server's side.

Sources: docs.deribit.com (JSON-RPC overview, errors, subscriptions, session-management), read
2026-10, and captures of 2021 to 2026. A stream is a channel without its interval,
`book.BTC-PERPETUAL`: a subscription with any interval gets the available frames under the
subscribed name. The answer to a subscription lists the accepted channels; unknown channels are left
out without an error. `raw` channels need a login (13778). Heartbeats are accepted but not sent,
because a test request needs a clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.numbers import DecimalText, spelled
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Framed,
    Levels,
    StreamSession,
    TickerStreams,
    WholeTicker,
    are_texts,
    encode,
    json_number,
    json_numbers,
    millis,
    paired,
)
from perps_actors.venues.deribit.parse import changed_levels
from perps_actors.venues.deribit.schema import BookChange, Push
from perps_actors.venues.deribit.stream import INTERVAL
from perps_actors.venues.toolkit.fields import NS_PER_MS

KINDS: Final[dict[str, Channel]] = {"book": "book", "ticker": "ticker", "trades": "trades"}
MAX_CHANNELS: Final = 500
"""Channels in one request."""
MIN_HEARTBEAT_S: Final = 10

_INTERVALS: Final = ("100ms", "agg2", "raw")

_HEAD: Final = re.compile(rb'.{0,80}?"channel":"([^"]+)"', re.DOTALL)


_named: Final = msgspec.json.Decoder(Push[msgspec.Raw]).decode
_change: Final = msgspec.json.Decoder(BookChange).decode


class _Refusal(Exception):
    def __init__(self, code: int, message: str, **data: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({"data": data} if data else {})}


def stream_of_channel(channel: str) -> str | None:
    """Return the stream of a channel such as `book.BTC-PERPETUAL.100ms`; None if not served."""
    kind, _, rest = channel.partition(".")
    symbol, _, interval = rest.partition(".")
    return f"{kind}.{symbol}" if kind in KINDS and symbol and interval in _INTERVALS else None


class DeribitSession(StreamSession):
    """One client connection; it keeps the channel under which it subscribed to each stream."""

    paths = ("/ws/api/v2", "/ws/api/v2/")

    def __init__(self, path: str, query: str = "") -> None:
        super().__init__(path, query)
        self._channel_of: dict[str, str] = {}

    def streams(self) -> tuple[str, ...]:
        """Return the streams that are sent on this connection."""
        return tuple(self._channel_of)

    def formatted(self, frame: bytes) -> bytes:
        """Return a notification under the subscribed channel; other frames stay unchanged."""
        try:
            params = _named(frame).params
        except (msgspec.DecodeError, UnicodeDecodeError):
            return frame
        channel = self._channel_of.get(stream_of_channel(params.channel) or "", params.channel)
        if channel == params.channel:
            return frame
        return encode(
            {
                "jsonrpc": "2.0",
                "method": "subscription",
                "params": {"channel": channel, "data": params.data},
            }
        )

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a client's text frame; an error answer if it is malformed."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return (_answer(None, error={"code": -32700, "message": "Parse error"}),)
        if not isinstance(request, dict):
            return (_answer(None, error={"code": -32600, "message": "Invalid Request"}),)
        number = request.get("id")
        try:
            return (
                _answer(number, result=self._result(request.get("method"), request.get("params"))),
            )
        except _Refusal as refusal:
            return (_answer(number, error=refusal.error),)

    def _result(self, method: Any, params: Any) -> Any:
        params = params if isinstance(params, dict) else {}
        match method:
            case "public/subscribe":
                return self._subscribe(_channels(params))
            case "public/unsubscribe":
                return self._unsubscribe(_channels(params))
            case "public/set_heartbeat":
                interval = params.get("interval")
                if type(interval) is not int or interval < MIN_HEARTBEAT_S:
                    raise _Refusal(
                        -32602,
                        "Invalid params",
                        reason=f"must be at least {MIN_HEARTBEAT_S}",
                        param="interval",
                    )
                return "ok"
            case "public/test":
                return {"version": "1.2.26"}
            case _:
                raise _Refusal(-32601, "Method not found")

    def _subscribe(self, channels: Sequence[str]) -> list[str]:
        if any(channel.endswith(".raw") for channel in channels):
            raise _Refusal(13778, "raw_subscriptions_not_available_for_unauthorized")
        taken = {
            channel: stream
            for channel in channels
            if (stream := stream_of_channel(channel)) is not None
        }
        self._channel_of |= {stream: channel for channel, stream in taken.items()}
        return list(taken)

    def _unsubscribe(self, channels: Sequence[str]) -> list[str]:
        left = [channel for channel in self._channel_of.values() if channel in channels]
        self._channel_of = {
            stream: channel for stream, channel in self._channel_of.items() if channel not in left
        }
        return left


def _channels(params: dict[str, Any]) -> list[str]:
    channels: list[str] = params.get("channels", [])
    if not are_texts(channels):
        raise _Refusal(
            -32602, "Invalid params", reason="must be a list of channels", param="channels"
        )
    if len(channels) > MAX_CHANNELS:
        raise _Refusal(
            -32602, "Invalid params", reason=f"at most {MAX_CHANNELS} channels", param="channels"
        )
    return channels


def _answer(number: Any, **said: Any) -> str:
    return encode({"jsonrpc": "2.0", **({} if number is None else {"id": number}), **said}).decode()


class DeribitStreams(TickerStreams):
    """The streams of Deribit or one of its gateways.

    Args:
        venue: name of the venue.
    """

    session_class = DeribitSession
    channels = KINDS
    separator = "."

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a notification; None for answers and heartbeats."""
        try:
            return stream_of_channel(_named(frame).params.channel)
        except (msgspec.DecodeError, UnicodeDecodeError):
            head = _HEAD.match(frame)
            return stream_of_channel(head[1].decode(errors="replace")) if head is not None else None

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the frame of a snapshot."""
        bids, asks = (
            _rows(levels, dict.fromkeys((price for price, _ in levels), "new"))
            for levels in (book.bids, book.asks)
        )
        return _book_frame(book, {"type": "snapshot", "bids": bids, "asks": asks})

    def depth_frames(self, change: Depth) -> tuple[Framed]:
        """Return the frame of a delta."""
        actions = dict.fromkeys(change.added, "new")
        bids, asks = _rows(change.bids, actions), _rows(change.asks, actions)
        return (
            _book_frame(
                change,
                {"type": "change", "prev_change_id": change.previous, "bids": bids, "asks": asks},
            ),
        )

    def ticker_frame(self, ticker: WholeTicker, *, marked: bool) -> Framed:  # noqa: ARG002
        """Return the frame of a whole ticker."""
        symbol = ticker.touch.instrument.symbol
        return _frame(
            "ticker",
            symbol,
            ticker_row(symbol, ticker.touch, (ticker.mark, ticker.funding), ticker.open_interest),
        )

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""
        symbol = trade.instrument.symbol
        row = {
            "trade_id": trade.trade_id,
            "timestamp": millis(trade.venue_time_ns),
            "instrument_name": symbol,
            "direction": trade.side,
        }
        return _frame(
            "trades",
            symbol,
            [{**row, "price": json_number(trade.price), "amount": json_number(trade.amount)}],
        )

    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a notification."""
        book = _change(_named(frame).params.data)
        bids, asks = paired(changed_levels(book.bids)), paired(changed_levels(book.asks))
        at, previous = book.timestamp * NS_PER_MS, book.prev_change_id
        if book.type == "snapshot" or previous is None:
            return Depth(book.symbol, book.change_id, bids, asks, at, whole=True)
        added = frozenset(
            spelled(row.price) for row in (*book.bids, *book.asks) if row.action == "new"
        )
        return Depth(book.symbol, book.change_id, bids, asks, at, previous + 1, previous, added)


def ticker_row(
    symbol: str,
    touch: Touch,
    known: tuple[VenueMark, Funding] | None,
    open_interest: DecimalText | None,
) -> dict[str, Any]:
    """Return a ticker's fields, for streams and REST; unknown fields are left out.

    Funding is paid continuously, so `current_funding` has no next time.
    """
    mark, funding = known if known is not None else (None, None)
    numbers = {
        "best_bid_price": touch.bid,
        "best_bid_amount": touch.bid_size,
        "best_ask_price": touch.ask,
        "best_ask_amount": touch.ask_size,
        "last_price": touch.last,
        "mark_price": mark.mark if mark is not None else None,
        "index_price": mark.index if mark is not None else None,
        "current_funding": funding.rate if funding is not None else None,
        "open_interest": open_interest,
    }
    known_fields = json_numbers(numbers)
    return {
        "timestamp": millis(touch.venue_time_ns),
        "state": "open",
        "instrument_name": symbol,
        **known_fields,
    }


def _frame(kind: str, symbol: str, data: Any) -> Framed:
    stream = f"{kind}.{symbol}"
    params = {"channel": f"{stream}.{INTERVAL}", "data": data}
    return stream, encode({"jsonrpc": "2.0", "method": "subscription", "params": params})


def _book_frame(book: Depth, data: dict[str, Any]) -> Framed:
    stamp = {
        "timestamp": book.venue_time_ns // NS_PER_MS,
        "instrument_name": book.symbol,
        "change_id": book.last,
    }
    return _frame("book", book.symbol, {**stamp, **data})


def _rows(levels: Levels, actions: dict[str, str]) -> list[tuple[str, msgspec.Raw, msgspec.Raw]]:
    return [
        (
            actions.get(price, "change") if size.strip("0.") else "delete",
            json_number(price),
            json_number(size),
        )
        for price, size in levels
    ]


def plain_rows(levels: Levels) -> list[tuple[msgspec.Raw, msgspec.Raw]]:
    """Return price and amount of levels in the format of REST."""
    return [(json_number(price), json_number(size)) for price, size in levels]
