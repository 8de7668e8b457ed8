"""Gate.io's futures streams from the server's side.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11; frames of 2026-09. A book is on two
channels: a subscription to `futures.obu` begins with a snapshot, and its first message has no `U`;
the snapshot of `futures.order_book_update` is fetched by REST. Sizes are texts. A request names one
channel; a contract that does not exist is acknowledged like any other. Answers carry time and
number of their request, because this module reads no clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Framed,
    Levels,
    SeparateStreams,
    StreamSession,
    encode,
    paired,
)
from perps_actors.venues.gateio_futures.schema import (
    BookChange,
    BookUpdate,
    Frame,
    decode_change,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS

BOOKS_PUSHED: Final = "futures.obu"
BOOKS_CHANGED: Final = "futures.order_book_update"

_NAMED: Final = (
    BOOKS_PUSHED,
    BOOKS_CHANGED,
    "futures.book_ticker",
    "futures.trades",
    "futures.tickers",
    "futures.public_liquidates",
)
_BAD_REQUEST, _BAD_ARGUMENT = 1, 2
_PUSHED_LEVELS: Final = ("50", "400")
_PACES: Final = ("20ms", "100ms")
_LEVELS: Final = 50
_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"(futures\.[a-z_]+)"')
_UPDATE: Final = re.compile(rb'"event"\s*:\s*"update"')
_CONTRACT: Final = re.compile(rb'"(?:s|contract)"\s*:\s*"(?:ob\.)?([A-Z0-9]+_[A-Z]+)(?:\.\d+)?"')

_frame_of = msgspec.json.Decoder(Frame).decode


class _Request(msgspec.Struct):
    channel: str
    time: int = 0
    event: str = ""
    payload: list[str] = []
    id: int | None = None


_request = msgspec.json.Decoder(_Request).decode


class GateioSession(StreamSession):
    """One client connection. Levels and pace of a subscription do not matter."""

    paths = ("/v4/ws/usdt", "/v4/ws/usdt/")

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a client's text frame; an error answer if it is malformed."""
        try:
            request = _request(text)
        except (msgspec.DecodeError, RecursionError) as error:
            return (
                _answer(
                    _Request(""),
                    error={"code": _BAD_REQUEST, "message": f"Invalid request body: {error}"},
                ),
            )
        if request.channel == "futures.ping":
            request.channel = "futures.pong"
            return (_answer(request),)
        streams, problem = _subscriptions_of(request)
        if problem:
            return (
                _answer(
                    request,
                    error={"code": _BAD_ARGUMENT, "message": problem},
                    result={"status": "fail"},
                ),
            )
        self._change({stream: stream for stream in streams}, subscribe=request.event == "subscribe")
        return (_answer(request, result={"status": "success"}),)


def _subscriptions_of(request: _Request) -> tuple[list[str], str]:
    """Return the streams of a request, and the reason of its refusal."""
    channel, payload = request.channel, request.payload
    if channel not in _NAMED:
        return [], f"unknown channel {channel[:40]}"
    if request.event not in ("subscribe", "unsubscribe"):
        return [], f"unknown event {request.event[:40]}"
    if channel == BOOKS_PUSHED:
        named = [name.split(".") for name in payload]
        wrong = any(
            len(parts) != len("ocl") or parts[0] != "ob" or parts[2] not in _PUSHED_LEVELS
            for parts in named
        )
        contracts = [] if wrong else [parts[1] for parts in named]
    elif channel == BOOKS_CHANGED:
        contracts = payload[:1] if payload[1:2] and payload[1] in _PACES else []
    else:
        contracts = payload
    return [
        f"{channel}:{contract}" for contract in contracts
    ], "" if contracts else f"invalid payload {str(payload)[:80]}"


def _answer(request: _Request, error: Any = None, result: Any = None) -> str:
    fields: dict[str, Any] = {
        "time": request.time,
        "time_ms": request.time * 1000,
        "channel": request.channel,
        "event": request.event,
    }
    fields |= {"id": request.id} if request.id is not None else {}
    return encode({**fields, "payload": request.payload, "error": error, "result": result}).decode()


class GateioStreams(SeparateStreams):
    """The futures streams of Gate.io; their names are channel and contract."""

    session_class = GateioSession
    channels: ClassVar[Mapping[str, Channel]] = {
        BOOKS_PUSHED: "book",
        BOOKS_CHANGED: "book",
        "futures.book_ticker": "touch",
        "futures.trades": "trades",
        "futures.tickers": "mark",
    }

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a message; None for answers."""
        channel, contract = _CHANNEL.search(frame), _CONTRACT.search(frame)
        if channel is None or contract is None or _UPDATE.search(frame) is None:
            return None
        return f"{channel[1].decode()}:{contract[1].decode()}"

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the snapshot with which a subscription to `futures.obu` begins."""
        fields = {
            "t": book.venue_time_ns // NS_PER_MS,
            "full": True,
            "s": f"ob.{book.symbol}.{_LEVELS}",
            "u": book.last,
        }
        return _frame(
            BOOKS_PUSHED,
            book.symbol,
            book.venue_time_ns,
            {**fields, "b": book.bids, "a": book.asks},
        )

    def depth_frames(self, change: Depth) -> tuple[Framed, ...]:
        """Return the frames of a delta, one for each channel of books."""
        symbol, at = change.symbol, change.venue_time_ns
        numbers = {"t": at // NS_PER_MS, "U": change.first, "u": change.last}
        pushed = {**numbers, "s": f"ob.{symbol}.{_LEVELS}", "b": change.bids, "a": change.asks}
        changed = {
            **numbers,
            "s": symbol,
            "b": priced(change.bids),
            "a": priced(change.asks),
            "l": "100",
        }
        return _frame(BOOKS_PUSHED, symbol, at, pushed), _frame(BOOKS_CHANGED, symbol, at, changed)

    def touch_frame(self, touch: Touch, update: int) -> Framed:
        """Return the frame of a best bid and ask; `update` is the number of the book's update."""
        symbol, at = touch.instrument.symbol, touch.venue_time_ns or 0
        fields = {"t": at // NS_PER_MS, "u": update, "s": symbol}
        sides = {
            "b": touch.bid or "",
            "B": touch.bid_size or "0",
            "a": touch.ask or "",
            "A": touch.ask_size or "0",
        }
        return _frame("futures.book_ticker", symbol, at, {**fields, **sides})

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame; the size is negative if the taker sells."""
        symbol, at = trade.instrument.symbol, trade.venue_time_ns or 0
        size = f"-{trade.amount}" if trade.side == "sell" else trade.amount
        times = {"create_time": at // 1_000_000_000, "create_time_ms": at // NS_PER_MS}
        fields = {"contract": symbol, "id": int(trade.trade_id), "price": trade.price, "size": size}
        return _frame("futures.trades", symbol, at, [{**fields, **times}])

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[Framed]:
        """Return the frame of mark and funding."""
        symbol = mark.instrument.symbol
        fields = {"contract": symbol, **mark_fields(mark, funding)}
        return (_frame("futures.tickers", symbol, mark.venue_time_ns or 0, [fields]),)

    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a message of either channel of books."""
        outer = _frame_of(frame)
        record: BookChange | BookUpdate
        if outer.channel == BOOKS_CHANGED:
            record = change = decode_change(outer.result)
            symbol, bids, asks = (
                change.symbol,
                paired(levels_of(change.bids)),
                paired(levels_of(change.asks)),
            )
        else:
            record = update = msgspec.json.decode(outer.result, type=BookUpdate)
            symbol, bids, asks = (
                update.symbol,
                paired(update.bids),
                paired(update.asks),
            )
        first = record.first_id or 0
        return Depth(
            symbol,
            record.last_id,
            bids,
            asks,
            record.time * NS_PER_MS,
            first,
            max(0, first - 1),
            whole=record.full,
        )


def mark_fields(mark: VenueMark, funding: Funding) -> dict[str, Any]:
    """Return the fields of mark and funding that tickers and listed contracts share."""
    return {"mark_price": mark.mark, "index_price": mark.index, "funding_rate": funding.rate}


def priced(levels: Levels) -> list[dict[str, str]]:
    """Return levels in the format of REST and `futures.order_book_update`."""
    return [{"p": price, "s": size} for price, size in levels]


def _frame(channel: str, contract: str, time_ns: int, result: Any) -> Framed:
    ms = time_ns // NS_PER_MS
    return f"{channel}:{contract}", encode(
        {"time": ms // 1000, "time_ms": ms, "channel": channel, "event": "update", "result": result}
    )
