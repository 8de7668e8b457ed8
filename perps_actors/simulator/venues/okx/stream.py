"""OKX's streams from the server's side.

Source: www.okx.com/docs-v5/en (overview, order book trading, public data, WebSocket), read 2026-11.
Each channel of a request is acknowledged or refused separately: 60018 if it does not exist, 60012
if the request cannot be read. The text `ping` is answered with `pong`. Mark, index and funding are
separate channels; one index serves several instruments. Frames recorded before 2022-09 have no
sequence numbers, so their time replaces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

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
    read_object,
)
from perps_actors.venues.okx.schema import CHANNELS, LIQUIDATIONS, BookRecord, index_name
from perps_actors.venues.toolkit.fields import NS_PER_MS, ns_if_any

_KEY_OF: Final = {channel: "instId" for channels in CHANNELS.values() for channel in channels} | {
    LIQUIDATIONS[0]: LIQUIDATIONS[1]
}


class _Arg(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""
    inst_type: str = ""


class _Push(msgspec.Struct):
    arg: _Arg
    data: list[msgspec.Raw] = []
    action: str | None = None
    event: str | None = None


_arg = msgspec.json.Decoder(_Arg).decode
_push = msgspec.json.Decoder(_Push).decode
_book = msgspec.json.Decoder(BookRecord).decode


class OkxSession(StreamSession):
    """One client connection."""

    paths = ("/ws/v5/public",)

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a client's text frame, one per channel."""
        if text == "ping":
            return ("pong",)
        request = read_object(text)
        op, args = (request.get("op"), request.get("args")) if request else (None, None)
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list) or not args:
            return (_error("60012", f"Invalid request: {text[:80]}"),)
        return tuple(self._serve(op, arg) for arg in args)

    def _serve(self, op: str, arg: Any) -> str:
        channel = arg.get("channel") if isinstance(arg, dict) else None
        name = (
            arg.get(_KEY_OF[channel]) if isinstance(channel, str) and channel in _KEY_OF else None
        )
        if not isinstance(channel, str) or not isinstance(name, str) or not name:
            what = encode(arg).decode()[:80]
            hint = "Please use the correct URL, channel and parameters."
            return _error("60018", f"Wrong URL or channel:{what} doesn't exist. {hint}")
        stream = stream_name(channel, name)
        self._change({stream: stream}, subscribe=op == "subscribe")
        return encode({"event": op, "arg": arg, "connId": "simulated"}).decode()


def stream_name(channel: str, name: str) -> str:
    """Return the name of the stream of a channel and its argument, usually an instrument."""
    return f"{channel}.{name}"


def _error(code: str, msg: str) -> str:
    return encode({"event": "error", "code": code, "msg": msg, "connId": "simulated"}).decode()


class OkxStreams(SeparateStreams):
    """The streams of OKX."""

    session_class = OkxSession
    channels: ClassVar[Mapping[str, Channel]] = {
        "books": "book",
        "tickers": "touch",
        "trades": "trades",
        "mark-price": "mark",
    }
    separator = "."

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a frame; None for answers."""
        head = frame[:300].lstrip()
        try:
            if head.startswith(b'{"arg":'):
                arg = _arg(head[7:].partition(b"}")[0] + b"}")
            else:
                push = _push(frame)
                if push.event is not None:
                    return None
                arg = push.arg
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return stream_name(arg.channel, arg.inst_id or arg.inst_type)

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the snapshot with which a subscription begins."""
        return _book_frame("snapshot", book, previous=-1)

    def depth_frames(self, change: Depth) -> tuple[Framed]:
        """Return the frame of a book's delta."""
        return (_book_frame("update", change, previous=change.previous),)

    # A ticker has no update number.
    def touch_frame(self, touch: Touch, update: int) -> Framed:  # noqa: ARG002
        """Return the frame of a best bid and ask."""
        symbol = touch.instrument.symbol
        return _frame("tickers", symbol, ticker_row(symbol, touch))

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""
        symbol = trade.instrument.symbol
        row = {
            "instId": symbol,
            "tradeId": trade.trade_id,
            "px": trade.price,
            "sz": trade.amount,
            "side": trade.side,
        }
        return _frame("trades", symbol, {**row, "ts": _ms(trade.venue_time_ns), "count": "1"})

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[Framed, ...]:
        """Return the frames of index, mark and funding, as far as they are known."""
        symbol, at = mark.instrument.symbol, _ms(mark.venue_time_ns)
        index = index_name(symbol) or symbol
        frames = (
            [_frame("index-tickers", index, {"instId": index, "idxPx": mark.index, "ts": at})]
            if mark.index is not None
            else []
        )
        if mark.mark is not None:
            frames.append(_frame("mark-price", symbol, mark_row(symbol, mark)))
        if funding.rate is not None:
            frames.append(_frame("funding-rate", symbol, funding_row(symbol, funding)))
        return tuple(frames)

    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a frame."""
        push, row = _only_row(frame)
        record = _book(row)
        at = ns_if_any(record.time) or 0
        last = record.sequence if record.sequence is not None else at // NS_PER_MS
        return Depth(
            push.arg.inst_id,
            last,
            paired(record.bids),
            paired(record.asks),
            at,
            previous=record.previous or 0,
            whole=push.action == "snapshot",
        )


def book_row(book: Depth, most: int | None = None) -> dict[str, Any]:
    """Return sides and time of a book or delta, at most `most` levels a side, one order each."""
    sides = {
        name: [(price, size, "0", "1") for price, size in levels[:most]]
        for name, levels in (("asks", book.asks), ("bids", book.bids))
    }
    return {**sides, "ts": _ms(book.venue_time_ns), "seqId": book.last}


def ticker_row(symbol: str, touch: Touch) -> dict[str, Any]:
    """Return a ticker's row; unknown fields are empty texts."""
    sides = {
        "askPx": touch.ask,
        "askSz": touch.ask_size,
        "bidPx": touch.bid,
        "bidSz": touch.bid_size,
    }
    texts = {name: value or "" for name, value in {"last": touch.last, **sides}.items()}
    return {
        "instType": inst_type(symbol),
        "instId": symbol,
        **texts,
        "ts": _ms(touch.venue_time_ns),
    }


def mark_row(symbol: str, mark: VenueMark) -> dict[str, Any]:
    """Return a mark price's row."""
    return {
        "instType": inst_type(symbol),
        "instId": symbol,
        "markPx": mark.mark,
        "ts": _ms(mark.venue_time_ns),
    }


def funding_row(symbol: str, funding: Funding) -> dict[str, Any]:
    """Return a funding rate's row, without the rate after the next one."""
    next_time = _ms(funding.next_time_ns) if funding.next_time_ns is not None else ""
    row = {
        "instType": inst_type(symbol),
        "instId": symbol,
        "fundingRate": funding.rate,
        "nextFundingRate": "",
    }
    return {**row, "fundingTime": next_time, "ts": _ms(funding.venue_time_ns)}


def inst_type(symbol: str) -> str:
    """Return the instrument type of a symbol."""
    return "SWAP" if symbol.endswith("-SWAP") else "FUTURES"


def _book_frame(action: str, book: Depth, *, previous: int) -> Framed:
    row = {**book_row(book), "checksum": 0, "prevSeqId": previous}
    stream, arg = stream_name("books", book.symbol), {"channel": "books", "instId": book.symbol}
    return stream, encode({"arg": arg, "action": action, "data": [row]})


def _frame(channel: str, name: str, row: dict[str, Any]) -> Framed:
    return stream_name(channel, name), encode(
        {"arg": {"channel": channel, "instId": name}, "data": [row]}
    )


def _only_row(frame: bytes) -> tuple[_Push, msgspec.Raw]:
    push = _push(frame)
    if len(push.data) != 1:
        msg = f"Expected one row, was {len(push.data)}"
        raise msgspec.DecodeError(msg)
    return push, push.data[0]


def _ms(ns: int | None) -> str:
    return str(millis(ns))
