"""OKX's streams from the venue's side: what a simulator needs to speak like them. Opens nothing, reads no clock.

Source: www.okx.com/docs-v5/en (order book trading and public data, WebSocket), read 2026-11. Mark, index and funding are separate
channels; the index is one of several instruments. Frames recorded before 2022-09 have no sequence numbers: their time takes its place.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Channel, Depth, paired
from perps_actors.simulator.venues.okx.session import OkxSession, stream_name
from perps_actors.venues.okx.rest import NAME
from perps_actors.venues.okx.schema import BookRecord, MarkRow, index_name
from perps_actors.venues.toolkit.fields import NS_PER_MS, ns_if_any

_CHANNELS: Final[dict[str, Channel]] = {
    "books": "book",
    "tickers": "touch",
    "trades": "trades",
    "mark-price": "mark",
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


class _Ticker(msgspec.Struct, rename="camel"):
    inst_id: str
    bid_px: DecimalText
    bid_sz: DecimalText
    ask_px: DecimalText
    ask_sz: DecimalText
    ts: str
    last: DecimalText = DecimalText("")


_encode = msgspec.json.Encoder().encode
_arg = msgspec.json.Decoder(_Arg).decode
_push = msgspec.json.Decoder(_Push).decode
_book = msgspec.json.Decoder(BookRecord).decode
_ticker = msgspec.json.Decoder(_Ticker).decode
_mark = msgspec.json.Decoder(MarkRow).decode


def channel_of(stream: str) -> Channel:
    """Return what a stream carries."""
    return _CHANNELS.get(stream.partition(".")[0], "other")


def symbol_of(stream: str) -> str:
    """Return the symbol a stream is about."""
    return stream.partition(".")[2]


def route_of(stream: str) -> str:  # noqa: ARG001 - as every venue's side has it
    """Return the one kind of connection there is."""
    return "public"


def stream_of(frame: bytes) -> str | None:
    """Return the stream that a frame belongs to; None for acknowledgements and whatever else is no channel's data.

    A frame that is damaged behind the name of its channel still belongs to that stream.
    """
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


class OkxStreams:
    """The venue's streams as it sends them."""

    StreamSession = OkxSession
    channel_of = staticmethod(channel_of)
    symbol_of = staticmethod(symbol_of)
    route_of = staticmethod(route_of)
    stream_of = staticmethod(stream_of)

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes]:
        """Return the book that a subscription begins with as (stream, frame)."""
        return _book_frame("snapshot", book, previous=-1)

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> None:
        """Return None: each mark is complete."""

    def depth_frames(self, change: Depth) -> tuple[tuple[str, bytes]]:
        """Return a change of a book as one (stream, frame)."""
        return (_book_frame("update", change, previous=change.previous),)

    def touch_frame(self, touch: Touch, update: int) -> tuple[str, bytes]:  # noqa: ARG002 - as every venue's side has it
        """Return a best bid and ask as (stream, frame)."""
        symbol = touch.instrument.symbol
        return _frame("tickers", symbol, ticker_row(symbol, touch))

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""
        symbol = trade.instrument.symbol
        row = {
            "instId": symbol,
            "tradeId": trade.trade_id,
            "px": trade.price,
            "sz": trade.amount,
            "side": trade.side,
        }
        return _frame("trades", symbol, {**row, "ts": _ms(trade.venue_time_ns), "count": "1"})

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[tuple[str, bytes], ...]:
        """Return index, mark and funding, as far as they are known, each as (stream, frame)."""
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
        """Return the book or its change in a frame; `msgspec.DecodeError` if it is none."""
        push, row = _only_row(frame)
        return depth_of(push.arg.inst_id, row, whole=push.action == "snapshot")

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a ticker; `msgspec.DecodeError` if it is none."""
        row = _ticker(_only_row(frame)[1])
        instrument, at = InstrumentId(NAME, row.inst_id), ns_if_any(row.ts) or 0
        return Touch(
            instrument, row.bid_px, row.bid_sz, row.ask_px, row.ask_sz, row.last or None, at, at
        )

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return the mark in a frame, whose index and funding are in others; `msgspec.DecodeError` if it is none."""
        row = _mark(_only_row(frame)[1])
        instrument, at, mark = (
            InstrumentId(NAME, row.symbol),
            ns_if_any(row.time) or 0,
            DecimalText(row.mark),
        )
        return VenueMark(instrument, mark, None, at, at), Funding(
            instrument, None, None, None, mark, at, at
        )


def depth_of(symbol: str, row: msgspec.Raw, *, whole: bool) -> Depth:
    """Return the book, or its change, in a row of a frame or an answer; `msgspec.DecodeError` if it is none."""
    record = _book(row)
    at = ns_if_any(record.time) or 0
    last = record.sequence if record.sequence is not None else at // NS_PER_MS
    return Depth(
        symbol,
        last,
        paired(record.bids),
        paired(record.asks),
        at,
        previous=record.previous or 0,
        whole=whole,
    )


def book_row(book: Depth, most: int | None = None) -> dict[str, Any]:
    """Return the sides and the time of a book or a change, at most so many levels a side; each level is said to be one order."""
    sides = {
        name: [(price, size, "0", "1") for price, size in levels[:most]]
        for name, levels in (("asks", book.asks), ("bids", book.bids))
    }
    return {**sides, "ts": _ms(book.venue_time_ns), "seqId": book.last}


def ticker_row(symbol: str, touch: Touch) -> dict[str, Any]:
    """Return a ticker's row; what is not known is an empty text."""
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
    """Return a funding rate's row; the rate after the next one is never known."""
    next_time = _ms(funding.next_time_ns) if funding.next_time_ns is not None else ""
    row = {
        "instType": inst_type(symbol),
        "instId": symbol,
        "fundingRate": funding.rate,
        "nextFundingRate": "",
    }
    return {**row, "fundingTime": next_time, "ts": _ms(funding.venue_time_ns)}


def inst_type(symbol: str) -> str:
    """Return what kind of contract a symbol is of."""
    return "SWAP" if symbol.endswith("-SWAP") else "FUTURES"


def _book_frame(action: str, book: Depth, *, previous: int) -> tuple[str, bytes]:
    row = {**book_row(book), "checksum": 0, "prevSeqId": previous}
    stream, arg = stream_name("books", book.symbol), {"channel": "books", "instId": book.symbol}
    return stream, _encode({"arg": arg, "action": action, "data": [row]})


def _frame(channel: str, name: str, row: dict[str, Any]) -> tuple[str, bytes]:
    return stream_name(channel, name), _encode(
        {"arg": {"channel": channel, "instId": name}, "data": [row]}
    )


def _only_row(frame: bytes) -> tuple[_Push, msgspec.Raw]:
    push = _push(frame)
    if len(push.data) != 1:
        msg = f"Expected one row, was {len(push.data)}"
        raise msgspec.DecodeError(msg)
    return push, push.data[0]


def _ms(ns: int | None) -> str:
    return str((ns or 0) // NS_PER_MS)
