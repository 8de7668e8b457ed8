"""Kraken Futures' streams from the server's side.

Sources: docs.kraken.com (exchange/api-reference/futures-websocket), read 2026-10, and a capture of
2021. A stream is a kind of feed of a product, `book:PI_XBTUSD`; `ticker` and `ticker_lite` are one
kind, so a subscription to either gets the available frames. Requests may spell products in any
case. Each book delta has one level.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.events import Funding, Trade, VenueMark
from perps_actors.market.numbers import plain
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
from perps_actors.venues.kraken_futures.schema import BookDelta, BookSnapshot
from perps_actors.venues.toolkit.fields import NS_PER_MS

_KINDS: Final = {
    "book": "book",
    "book_snapshot": "book",
    "ticker": "ticker",
    "ticker_lite": "ticker",
    "trade": "trade",
    "trade_snapshot": "trade",
}
_ASKED_FOR: Final = ("book", "ticker", "ticker_lite", "trade")
_INVERSE: Final = ("PI_", "FI_")
_MONEY_STEP: Final = Decimal(1).scaleb(-18)
_HEAD: Final = re.compile(rb'\s*\{"feed":"(\w+)","product_id":"(\w+)"')


class _Named(msgspec.Struct):
    feed: str
    product_id: str


_named: Final = msgspec.json.Decoder(_Named).decode
_book: Final = msgspec.json.Decoder(BookSnapshot | BookDelta).decode


class KrakenFuturesSession(StreamSession):
    """One client connection; it may subscribe to both kinds of tickers of a product."""

    paths = ("/ws/v1", "/ws/v1/")

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a client's text frame, one per product; an error if malformed."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return (_answer("error", message="Json Error"),)
        event = request.get("event") if isinstance(request, dict) else None
        if event == "ping":
            return (_answer("pong"),)
        if event not in ("subscribe", "unsubscribe"):
            return (_answer("alert", message="Bad request"),)
        return self._serve(event, request.get("feed"), request.get("product_ids"))

    def _serve(self, event: str, feed: Any, products: Any) -> tuple[str, ...]:
        if feed not in _ASKED_FOR:
            return (_answer("error", message="Invalid feed"),)
        if not are_texts(products) or not all(products):
            return (_answer("error", message="Invalid product id"),)
        named = [(feed, product.upper()) for product in products]
        self._change({each: _stream(*each) for each in named}, subscribe=event == "subscribe")
        return tuple(_answer(f"{event}d", feed=feed, product_ids=[product]) for _, product in named)


class KrakenFuturesStreams(TickerStreams):
    """The streams of Kraken Futures."""

    session_class = KrakenFuturesSession
    channels: ClassVar[Mapping[str, Channel]] = {
        "book": "book",
        "ticker": "ticker",
        "trade": "trades",
    }

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a frame; None for answers."""
        try:
            named = _named(frame)
            return _stream(named.feed, named.product_id)
        except (msgspec.DecodeError, UnicodeDecodeError):
            head = _HEAD.match(frame)
            return _stream(head[1].decode(), head[2].decode()) if head is not None else None

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the frame of a snapshot."""
        ms, bids, asks = book.venue_time_ns // NS_PER_MS, _rows(book.bids), _rows(book.asks)
        return _frame(
            "book_snapshot",
            book.symbol,
            {"timestamp": ms, "seq": book.last, "tickSize": None, "bids": bids, "asks": asks},
        )

    def depth_frames(self, change: Depth) -> Sequence[Framed]:
        """Return the frames of a delta, one per level, numbered up to the delta's number.

        Deleted levels come first, so that the book never crosses in between.
        """
        levels = [("buy", *level) for level in change.bids] + [
            ("sell", *level) for level in change.asks
        ]
        levels.sort(key=lambda level: bool(level[2].strip("0.")))
        ms, first = change.venue_time_ns // NS_PER_MS, change.last - len(levels) + 1
        return [
            _frame(
                "book",
                change.symbol,
                {
                    "side": side,
                    "seq": seq,
                    "price": json_number(price),
                    "qty": json_number(qty),
                    "timestamp": ms,
                },
            )
            for seq, (side, price, qty) in enumerate(levels, first)
        ]

    def ticker_frame(self, ticker: WholeTicker, *, marked: bool) -> Framed:  # noqa: ARG002
        """Return the frame of a whole ticker."""
        touch, mark, funding = ticker.touch, ticker.mark, ticker.funding
        symbol, next_ns = touch.instrument.symbol, funding.next_time_ns
        numbers = {
            "bid": touch.bid,
            "ask": touch.ask,
            "bid_size": touch.bid_size,
            "ask_size": touch.ask_size,
            "last": touch.last,
            "markPrice": mark.mark,
            "index": mark.index,
            "funding_rate": money_of(symbol, mark, funding),
            "relative_funding_rate": funding.rate,
            "openInterest": ticker.open_interest,
        }
        fields = json_numbers(numbers)
        next_ms = {} if next_ns is None else {"next_funding_rate_time": next_ns // NS_PER_MS}
        return _frame("ticker", symbol, {"time": millis(touch.venue_time_ns), **fields, **next_ms})

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""
        data = {
            "uid": trade.trade_id,
            "side": trade.side,
            "type": "fill",
            "time": millis(trade.venue_time_ns),
        }
        return _frame(
            "trade",
            trade.instrument.symbol,
            {**data, "qty": json_number(trade.amount), "price": json_number(trade.price)},
        )

    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a frame."""
        book = _book(frame)
        at = book.timestamp * NS_PER_MS
        if isinstance(book, BookSnapshot):
            return Depth(
                book.product_id,
                book.seq,
                paired(levels_of(book.bids)),
                paired(levels_of(book.asks)),
                at,
                whole=True,
            )
        level = paired(levels_of((book,)))
        bids, asks = (level, ()) if book.side == "buy" else ((), level)
        return Depth(book.product_id, book.seq, bids, asks, at, book.seq, book.seq - 1)


def money_of(symbol: str, mark: VenueMark, funding: Funding) -> str | None:
    """Return a funding rate as money per contract.

    In the quote asset for linear contracts, in the base asset for inverse ones of 1 USD.
    """
    if funding.rate is None or mark.index is None:
        return None
    rate, index = Decimal(funding.rate), Decimal(mark.index)
    return plain(
        (rate / index if symbol.startswith(_INVERSE) else rate * index).quantize(_MONEY_STEP)
    )


def _stream(feed: str, product: str) -> str:
    return f"{_KINDS.get(feed, feed)}:{product}"


def _answer(event: str, **rest: Any) -> str:
    return encode({"event": event, **rest}).decode()


def _frame(feed: str, product: str, data: dict[str, Any]) -> Framed:
    return _stream(feed, product), encode({"feed": feed, "product_id": product, **data})


def _rows(levels: Levels) -> list[dict[str, msgspec.Raw]]:
    return [{"price": json_number(price), "qty": json_number(qty)} for price, qty in levels]
