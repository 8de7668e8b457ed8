"""Gate.io's futures streams from the venue's side: what a simulator needs to speak like them. Opens nothing, reads no clock.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11; frames of 2026-09. A book is told on two channels: on `futures.obu`, whose
subscription begins with the whole of it and whose first message has no `U`, and on `futures.order_book_update`, whose snapshot is
fetched by REST. Sizes are strings.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText
from perps_actors.simulator.venue_contract import Channel, Depth, Levels, paired
from perps_actors.simulator.venues.gateio_futures.session import (
    BOOKS_CHANGED,
    BOOKS_PUSHED,
    PATH,
    GateioSession,
)
from perps_actors.venues.gateio_futures.rest import NAME
from perps_actors.venues.gateio_futures.schema import (
    BookChange,
    BookTicker,
    BookUpdate,
    Frame,
    TickerRow,
    decode_change,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS, text_of

_CHANNELS: Final[dict[str, Channel]] = {
    BOOKS_PUSHED: "book",
    BOOKS_CHANGED: "book",
    "futures.book_ticker": "touch",
    "futures.trades": "trades",
    "futures.tickers": "mark",
}
_LEVELS: Final = 50
_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"(futures\.[a-z_]+)"')
_UPDATE: Final = re.compile(rb'"event"\s*:\s*"update"')
_CONTRACT: Final = re.compile(rb'"(?:s|contract)"\s*:\s*"(?:ob\.)?([A-Z0-9]+_[A-Z]+)(?:\.\d+)?"')

_encode = msgspec.json.Encoder().encode
_frame_of = msgspec.json.Decoder(Frame).decode


class GateioStreams:
    """Gate.io's futures streams as it sends them; a stream is named by channel and contract."""

    StreamSession = GateioSession

    def channel_of(self, stream: str) -> Channel:
        """Return what a stream carries."""
        return _CHANNELS.get(stream.partition(":")[0], "other")

    def symbol_of(self, stream: str) -> str:
        """Return the contract a stream is about."""
        return stream.partition(":")[2]

    def route_of(self, stream: str) -> str:  # noqa: ARG002 - as every venue's side has it
        """Return the kind of connection that carries a stream: there is one."""
        return PATH

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream a message belongs to, of which the damaged end is not looked at; None for answers."""
        channel, contract = _CHANNEL.search(frame), _CONTRACT.search(frame)
        if channel is None or contract is None or _UPDATE.search(frame) is None:
            return None
        return f"{channel[1].decode()}:{contract[1].decode()}"

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes]:
        """Return the whole book as `futures.obu` begins with it, as (stream, frame)."""
        told = {
            "t": book.venue_time_ns // NS_PER_MS,
            "full": True,
            "s": f"ob.{book.symbol}.{_LEVELS}",
            "u": book.last,
        }
        return _frame(
            BOOKS_PUSHED, book.symbol, book.venue_time_ns, {**told, "b": book.bids, "a": book.asks}
        )

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> tuple[str, bytes] | None:  # noqa: ARG002 - as every venue's side has it
        """Return None: every ticker is whole."""
        return None

    def depth_frames(self, change: Depth) -> tuple[tuple[str, bytes], ...]:
        """Return a change of a book as (stream, frame), one of each channel that tells it."""
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

    def touch_frame(self, touch: Touch, update: int) -> tuple[str, bytes]:
        """Return a best bid and ask as (stream, frame); `update` is the book's update number."""
        symbol, at = touch.instrument.symbol, touch.venue_time_ns or 0
        told = {"t": at // NS_PER_MS, "u": update, "s": symbol}
        sides = {
            "b": touch.bid or "",
            "B": touch.bid_size or "0",
            "a": touch.ask or "",
            "A": touch.ask_size or "0",
        }
        return _frame("futures.book_ticker", symbol, at, {**told, **sides})

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame): the size of a taker that sells is below zero."""
        symbol, at = trade.instrument.symbol, trade.venue_time_ns or 0
        size = f"-{trade.amount}" if trade.side == "sell" else trade.amount
        times = {"create_time": at // 1_000_000_000, "create_time_ms": at // NS_PER_MS}
        told = {"contract": symbol, "id": int(trade.trade_id), "price": trade.price, "size": size}
        return _frame("futures.trades", symbol, at, [{**told, **times}])

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[tuple[str, bytes]]:
        """Return the venue's mark with its funding as (stream, frame)."""
        symbol = mark.instrument.symbol
        told = {"contract": symbol, **mark_fields(mark, funding)}
        return (_frame("futures.tickers", symbol, mark.venue_time_ns or 0, [told]),)

    def read_depth(self, frame: bytes) -> Depth:
        """Return what a message of either book channel says; `msgspec.DecodeError` if it is none."""
        outer = _frame_of(frame)
        told: BookChange | BookUpdate
        if outer.channel == BOOKS_CHANGED:
            told = change = decode_change(outer.result)
            symbol, bids, asks = (
                change.symbol,
                paired(levels_of(change.bids)),
                paired(levels_of(change.asks)),
            )
        else:
            told = update = msgspec.json.decode(outer.result, type=BookUpdate)
            symbol, bids, asks = (
                update.symbol,
                paired(update.bids),
                paired(update.asks),
            )
        first = told.first_id or 0
        return Depth(
            symbol,
            told.last_id,
            bids,
            asks,
            told.time * NS_PER_MS,
            first,
            max(0, first - 1),
            whole=told.full,
        )

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a message of `futures.book_ticker`; `msgspec.DecodeError` if it is none."""
        row = msgspec.json.decode(_frame_of(frame).result, type=BookTicker)
        at, instrument = row.time * NS_PER_MS, InstrumentId(NAME, row.symbol)
        bid, ask = (DecimalText(price) if price else None for price in (row.bid, row.ask))
        return Touch(
            instrument, bid, text_of(row.bid_size), ask, text_of(row.ask_size), None, at, at
        )

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return mark and funding in a message of `futures.tickers`; `msgspec.DecodeError` if it is none."""
        outer = _frame_of(frame)
        rows = msgspec.json.decode(outer.result, type=list[TickerRow])
        if not rows:
            msg = "Expected a ticker, was none"
            raise msgspec.ValidationError(msg)
        row, at = rows[-1], (outer.time_ms or 0) * NS_PER_MS
        instrument = InstrumentId(NAME, row.symbol)
        mark, index, rate = (
            DecimalText(text) if text else None
            for text in (row.mark_price, row.index_price, row.funding_rate)
        )
        return VenueMark(instrument, mark, index, at, at), Funding(
            instrument, rate, None, None, mark, at, at
        )


def mark_fields(mark: VenueMark, funding: Funding) -> dict[str, Any]:
    """Return what a ticker or a listed contract says of mark and funding; only the latter says when it is next paid."""
    return {"mark_price": mark.mark, "index_price": mark.index, "funding_rate": funding.rate}


def priced(levels: Levels) -> list[dict[str, str]]:
    """Return levels as REST answers and `futures.order_book_update` spell them."""
    return [{"p": price, "s": size} for price, size in levels]


def _frame(channel: str, contract: str, time_ns: int, result: Any) -> tuple[str, bytes]:
    ms = time_ns // NS_PER_MS
    return f"{channel}:{contract}", _encode(
        {"time": ms // 1000, "time_ms": ms, "channel": channel, "event": "update", "result": result}
    )
