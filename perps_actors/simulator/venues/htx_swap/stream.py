"""HTX's streams of swaps from the venue's side: what a simulator needs to speak like them. Opens nothing, reads no clock.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (WebSocket), read 2026-11, and captures of 2026-09. A
stream is a kind of topic of a symbol, `depth:BTC-USDT`: a book is told with 150 levels and incrementally, marks and indices as candles of
a minute that know no price but the present one. A recorded frame goes out as it was recorded, whatever depth or period was asked for.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.simulator.venue_contract import Channel, Depth, Levels, json_number, paired
from perps_actors.simulator.venues.htx_swap.session import (
    HtxSession,
    path_of,
    stream_name,
    symbol_of,
)
from perps_actors.venues.htx_swap.parse import best_of, mark_of, parts_of_channel, time_of
from perps_actors.venues.htx_swap.rest import NAME
from perps_actors.venues.htx_swap.schema import (
    LINEAR,
    Best,
    ChangedBook,
    Frame,
    FullBook,
    Kline,
    Rows,
    beginning,
    family_of,
    unpacked,
)
from perps_actors.venues.htx_swap.stream import BOOK
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

_CHANNELS: Final[dict[str, Channel]] = {
    "depth": "book",
    "bbo": "touch",
    "trade": "trades",
    "mark_price": "mark",
}
_HEAD_BYTES: Final = 200
_NAMED: Final = re.compile(
    rb'"ch"\s*:\s*"(market\.[^"]+)"|"op"\s*:\s*"notify"\s*,\s*"topic"\s*:\s*"(public\.[^"]+)"'
)
_MINUTE_S: Final = 60

_encode = msgspec.json.Encoder().encode
_push = msgspec.json.Decoder(Frame).decode
_full = msgspec.json.Decoder(FullBook).decode
_changed = msgspec.json.Decoder(ChangedBook).decode
_best = msgspec.json.Decoder(Best).decode
_kline = msgspec.json.Decoder(Kline).decode


class HtxStreams:
    """The venue's streams as it sends them; here frames are not packed yet, and recorded ones may be."""

    StreamSession = HtxSession
    symbol_of = staticmethod(symbol_of)
    route_of = staticmethod(path_of)

    def channel_of(self, stream: str) -> Channel:
        """Return what a stream carries."""
        return _CHANNELS.get(stream.partition(":")[0], "other")

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream that a frame belongs to, of which the damaged end is not looked at; None for answers and pings."""
        named = _NAMED.search(beginning(frame, _HEAD_BYTES))
        return (
            stream_name((named[1] or named[2]).decode(errors="replace"))
            if named is not None
            else None
        )

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes]:
        """Return the book that a subscription begins with as (stream, frame)."""
        return _book_frame(book, "snapshot")

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> None:
        """Return None: each mark is complete."""

    def depth_frames(self, change: Depth) -> tuple[tuple[str, bytes]]:
        """Return a change of a book as one (stream, frame)."""
        return (_book_frame(change, "update"),)

    def touch_frame(self, touch: Touch, update: int) -> tuple[str, bytes]:
        """Return a best bid and ask as (stream, frame)."""
        at = touch.venue_time_ns
        tick = {"mrid": update, "id": _ms(at) // 1000, **touch_fields(touch), "version": update}
        return _frame(f"market.{touch.instrument.symbol}.bbo", tick, at)

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""
        at, number = trade.venue_time_ns, int(trade.trade_id)
        row = {
            "amount": json_number(trade.amount),
            "ts": _ms(at),
            "id": number,
            "price": json_number(trade.price),
        }
        tick = {"id": number, "ts": _ms(at), "data": [{**row, "direction": trade.side}]}
        return _frame(f"market.{trade.instrument.symbol}.trade.detail", tick, at)

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[tuple[str, bytes], ...]:
        """Return index, mark and funding, as far as they are known, each as (stream, frame)."""
        symbol, at = mark.instrument.symbol, mark.venue_time_ns
        prices = {"index": mark.index, "mark_price": mark.mark}
        frames = [
            _frame(f"market.{symbol}.{kind}.1min", kline(price, at), at)
            for kind, price in prices.items()
            if price is not None
        ]
        if funding.rate is not None:
            computed = funding.venue_time_ns
            row = {
                **funding_fields(funding),
                "funding_time": millis(computed),
                "settlement_time": millis(funding.next_time_ns),
            }
            topic = f"public.{symbol}.funding_rate"
            frames.append(
                _named(topic, {"op": "notify", "topic": topic, "ts": _ms(computed), "data": [row]})
            )
        return tuple(frames)

    def read_depth(self, frame: bytes) -> Depth:
        """Return the book or its change in a frame; `msgspec.DecodeError` if it is none."""
        pushed = _pushed(frame)
        symbol, topic = parts_of_channel(pushed.channel or "")
        if topic.startswith("depth.step"):
            return whole_book(symbol, pushed.tick, time_of(pushed.time))
        tick, at = _changed(pushed.tick), time_of(pushed.time) or 0
        if tick.event == "snapshot":
            return Depth(symbol, tick.version, *_sides(tick), at, whole=True)
        bids, asks = _levels(tick.bids), _levels(tick.asks)
        return Depth(symbol, tick.version, bids, asks, at, previous=tick.version - 1)

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a frame; `msgspec.DecodeError` if it is none, `MarketError` if there are no such prices."""
        pushed = _pushed(frame)
        at, instrument = (
            time_of(pushed.time) or 0,
            InstrumentId(NAME, parts_of_channel(pushed.channel or "")[0]),
        )
        for touch in best_of(instrument, _best(pushed.tick), at, at):
            if isinstance(touch, Touch):
                return touch
        msg = "Expected a best bid or ask"
        raise msgspec.ValidationError(msg)

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return the mark in a frame, whose index and funding are in others; `msgspec.DecodeError` if it is none."""
        pushed = _pushed(frame)
        at, instrument = (
            time_of(pushed.time) or 0,
            InstrumentId(NAME, parts_of_channel(pushed.channel or "")[0]),
        )
        mark = mark_of(instrument, _kline(pushed.tick), at, at)
        return mark, Funding(instrument, None, None, None, mark.mark, at, at)


def whole_book(symbol: str, tick: msgspec.Raw, time_ns: int | None) -> Depth:
    """Return the book in a tick that has no number: its time takes its place. `msgspec.DecodeError` if it is none."""
    at = time_ns or 0
    return Depth(symbol, at // NS_PER_MS, *_sides(_full(tick)), at, whole=True)


def book_tick(book: Depth, channel: str, version: int) -> dict[str, Any]:
    """Return the sides of a book or a change with its numbers and its time."""
    ms = _ms(book.venue_time_ns)
    bids, asks = (
        [[json_number(price), json_number(size)] for price, size in side]
        for side in (book.bids, book.asks)
    )
    return {
        "mrid": book.last,
        "id": ms // 1000,
        "bids": bids,
        "asks": asks,
        "ts": ms,
        "version": version,
        "ch": channel,
    }


def touch_fields(touch: Touch) -> dict[str, Any]:
    """Return both sides, each as price and size, and their time; a side that is not known is null."""
    sides = {"bid": (touch.bid, touch.bid_size), "ask": (touch.ask, touch.ask_size)}
    spelled = {
        name: [json_number(price), json_number(size)]
        if price is not None and size is not None
        else None
        for name, (price, size) in sides.items()
    }
    return {**spelled, "ts": _ms(touch.venue_time_ns)}


def kline(price: str, time_ns: int | None) -> dict[str, Any]:
    """Return the candle of a minute that knows no price but this one."""
    minute = (time_ns or 0) // NS_PER_S // _MINUTE_S * _MINUTE_S
    prices = dict.fromkeys(("open", "close", "high", "low"), price)
    return {"id": minute, **prices, "amount": "0", "vol": "0", "count": "0", "trade_turnover": "0"}


def funding_fields(funding: Funding) -> dict[str, Any]:
    """Return what stream and REST say alike of a funding rate; the next one is not predicted."""
    symbol = funding.instrument.symbol
    base, quote, *_ = (*symbol.split("-"), "")
    asset = quote if family_of(symbol) is LINEAR else base
    return {
        "symbol": base,
        "contract_code": symbol,
        "fee_asset": asset,
        "funding_rate": funding.rate,
        "estimated_rate": None,
    }


def millis(ns: int | None) -> str | None:
    """Return a time as rows spell it."""
    return str(_ms(ns)) if ns is not None else None


def _book_frame(book: Depth, event: str) -> tuple[str, bytes]:
    channel = f"market.{book.symbol}.{BOOK}"
    return _frame(
        channel, {"event": event, **book_tick(book, channel, book.last)}, book.venue_time_ns
    )


def _frame(channel: str, tick: dict[str, Any], time_ns: int | None) -> tuple[str, bytes]:
    return _named(channel, {"ch": channel, "ts": _ms(time_ns), "tick": tick})


def _named(topic: str, said: dict[str, Any]) -> tuple[str, bytes]:
    return stream_name(topic) or topic, _encode(said)


def _pushed(frame: bytes) -> Frame:
    try:
        return _push(unpacked(frame))
    except VenueError as error:
        raise msgspec.DecodeError(str(error)) from error


def _sides(book: FullBook | ChangedBook) -> tuple[Levels, Levels]:
    if book.bids is None or book.asks is None:
        msg = "Expected a book with both sides"
        raise msgspec.ValidationError(msg)
    return _levels(book.bids), _levels(book.asks)


def _levels(rows: Rows | None) -> Levels:
    return paired(levels_of(rows or ()))


def _ms(ns: int | None) -> int:
    return (ns or 0) // NS_PER_MS
