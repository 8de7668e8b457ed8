"""Bybit's streams from the venue's side: what a simulator needs to speak like them. Opens nothing, reads no clock.

Source: bybit-exchange.github.io/docs/v5 (ws/connect, websocket/public), read 2026-11. A connection carries one category, which its
path names.

A book is one stream here, whatever depth it is asked for by. Its frames keep the topic that they were written or recorded with; who asked
for a deeper one than is made up here gets that under the topic asked for.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, plain
from perps_actors.simulator.venue_contract import Channel, Depth, Levels, WholeTicker
from perps_actors.simulator.venues.bybit.session import BybitSession, stream_name, symbol_of
from perps_actors.venues.bybit.rest import NAME
from perps_actors.venues.bybit.schema import Category, category_of
from perps_actors.venues.bybit.stream import CHANNELS
from perps_actors.venues.toolkit.fields import NS_PER_MS, ns_if_any

_CHANNELS: Final[dict[str, Channel]] = {
    "orderbook": "book",
    "tickers": "ticker",
    "publicTrade": "trades",
    "allLiquidation": "other",
}


class _Push(msgspec.Struct):
    topic: str
    data: msgspec.Raw
    type: str = ""
    ts: int = 0


class _Book(msgspec.Struct):
    s: str
    u: int
    b: Levels
    a: Levels


class _Sides(msgspec.Struct, rename="camel"):
    symbol: str
    bid1_price: DecimalText
    bid1_size: DecimalText
    ask1_price: DecimalText
    ask1_size: DecimalText


class _Mark(msgspec.Struct, rename="camel"):
    symbol: str
    mark_price: DecimalText
    index_price: DecimalText | None = None
    funding_rate: DecimalText | None = None
    next_funding_time: str | None = None


_encode = msgspec.json.Encoder().encode
_push = msgspec.json.Decoder(_Push).decode
_book = msgspec.json.Decoder(_Book).decode
_sides = msgspec.json.Decoder(_Sides).decode
_mark = msgspec.json.Decoder(_Mark).decode


def channel_of(stream: str) -> Channel:
    """Return what a stream carries."""
    return _CHANNELS.get(stream.partition(".")[0], "other")


def route_of(stream: str) -> Category:
    """Return the kind of connection that carries a stream."""
    return category_of(symbol_of(stream))


def stream_of(frame: bytes) -> str | None:
    """Return the stream that a frame belongs to; None for acknowledgements and whatever else has no topic.

    A frame that is damaged behind its topic still belongs to that stream.
    """
    head = frame[:200].lstrip()
    if head.startswith(b'{"topic":"'):
        return stream_name(head[10:].partition(b'"')[0].decode(errors="replace"))
    try:
        return stream_name(_push(frame).topic)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class BybitStreams:
    """The venue's streams as it sends them."""

    StreamSession = BybitSession
    channel_of = staticmethod(channel_of)
    symbol_of = staticmethod(symbol_of)
    route_of = staticmethod(route_of)
    stream_of = staticmethod(stream_of)

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes]:
        """Return the book that a subscription begins with as (stream, frame)."""
        return _book_frame("snapshot", book)

    def first_ticker_frame(self, ticker: WholeTicker) -> tuple[str, bytes]:
        """Return the whole ticker that a subscription begins with as (stream, frame)."""
        return _ticker_frame("snapshot", ticker, marked=True)

    def depth_frames(self, change: Depth) -> tuple[tuple[str, bytes]]:
        """Return a change of a book as one (stream, frame)."""
        return (_book_frame("delta", change),)

    def ticker_frame(self, ticker: WholeTicker, *, marked: bool) -> tuple[str, bytes]:
        """Return a ticker's changed fields as (stream, frame)."""
        return _ticker_frame("delta", ticker, marked=marked)

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""
        ms, symbol, side = (
            _ms(trade.venue_time_ns),
            trade.instrument.symbol,
            "Buy" if trade.side == "buy" else "Sell",
        )
        row = {
            "T": ms,
            "s": symbol,
            "S": side,
            "v": trade.amount,
            "p": trade.price,
            "i": trade.trade_id,
            "BT": False,
            "RPI": False,
        }
        return _frame(CHANNELS["trades"], symbol, {"type": "snapshot", "ts": ms, "data": [row]})

    def read_depth(self, frame: bytes) -> Depth:
        """Return the book or its change in a frame; `msgspec.DecodeError` if it is none."""
        push = _push(frame)
        book = _book(push.data)
        whole = push.type == "snapshot" or book.u == 1
        return Depth(book.s, book.u, book.b, book.a, push.ts * NS_PER_MS, whole=whole)

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a ticker that has both; `msgspec.DecodeError` if it is none."""
        push = _push(frame)
        sides, at = _sides(push.data), push.ts * NS_PER_MS
        instrument = InstrumentId(NAME, sides.symbol)
        return Touch(
            instrument,
            sides.bid1_price,
            sides.bid1_size,
            sides.ask1_price,
            sides.ask1_size,
            None,
            at,
            at,
        )

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return the mark, and what else of index and funding a ticker with a mark has; `msgspec.DecodeError` if it is none."""
        push = _push(frame)
        row, at = _mark(push.data), push.ts * NS_PER_MS
        instrument = InstrumentId(NAME, row.symbol)
        mark = VenueMark(instrument, row.mark_price, row.index_price, at, at)
        return mark, Funding(
            instrument,
            row.funding_rate,
            None,
            ns_if_any(row.next_funding_time),
            row.mark_price,
            at,
            at,
        )


def _book_frame(kind: str, book: Depth) -> tuple[str, bytes]:
    ms = book.venue_time_ns // NS_PER_MS
    data = {"s": book.symbol, "b": book.bids, "a": book.asks, "u": book.last, "seq": book.last}
    return _frame(CHANNELS["book"], book.symbol, {"type": kind, "ts": ms, "data": data, "cts": ms})


def _ticker_frame(kind: str, ticker: WholeTicker, *, marked: bool) -> tuple[str, bytes]:
    symbol, known = (
        ticker.touch.instrument.symbol,
        (ticker.mark, ticker.funding) if marked else None,
    )
    fields = ticker_fields(ticker.touch, known, ticker.open_interest)
    told = {"symbol": symbol} | {name: value for name, value in fields.items() if value is not None}
    return _frame(
        CHANNELS["marks"],
        symbol,
        {"type": kind, "data": told, "ts": _ms(ticker.touch.venue_time_ns)},
    )


def ticker_fields(
    touch: Touch, known: tuple[VenueMark, Funding] | None, open_interest: DecimalText | None
) -> dict[str, DecimalText | str | None]:
    """Return the fields of a ticker; None for those that are not known."""
    mark, funding = known if known is not None else (None, None)
    next_ns, price = (
        (funding.next_time_ns if funding is not None else None),
        (mark.mark if mark is not None else None),
    )
    return {
        "lastPrice": touch.last,
        "indexPrice": mark.index if mark is not None else None,
        "markPrice": price,
        "openInterest": open_interest,
        "openInterestValue": plain(Decimal(open_interest) * Decimal(price))
        if open_interest and price
        else None,
        "fundingRate": funding.rate if funding is not None else None,
        "nextFundingTime": str(_ms(next_ns)) if next_ns is not None else None,
        "bid1Price": touch.bid,
        "bid1Size": touch.bid_size,
        "ask1Price": touch.ask,
        "ask1Size": touch.ask_size,
    }


def _frame(channel: str, symbol: str, rest: dict[str, Any]) -> tuple[str, bytes]:
    topic = f"{channel}.{symbol}"
    return stream_name(topic), _encode({"topic": topic, **rest})


def _ms(ns: int | None) -> int:
    return (ns or 0) // NS_PER_MS
