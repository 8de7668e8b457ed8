"""The streams of Deribit and its gateways from the venue's side. Opens nothing, reads no clock.

Source: docs.deribit.com (subscriptions, session-management), read 2026-10, and captures of 2021 to 2026. A stream is a channel without
its interval, `book.BTC-PERPETUAL`: whoever asks for it at whatever interval is sent what there is, under the name that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, spelled
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Levels,
    WholeTicker,
    json_number,
    paired,
)
from perps_actors.simulator.venues.deribit.session import (
    KINDS,
    DeribitSession,
    Named,
    stream_of_channel,
)
from perps_actors.venues.deribit.parse import changed_levels
from perps_actors.venues.deribit.schema import BookChange, Ticker
from perps_actors.venues.deribit.stream import INTERVAL
from perps_actors.venues.toolkit.fields import NS_PER_MS

_HEAD: Final = re.compile(rb'.{0,80}?"channel":"([^"]+)"', re.DOTALL)

_encode: Final = msgspec.json.Encoder().encode
_named: Final = msgspec.json.Decoder(Named).decode
_change: Final = msgspec.json.Decoder(BookChange).decode
_ticker: Final = msgspec.json.Decoder(Ticker).decode


class DeribitStreams:
    """A venue's streams as it sends them.

    Args:
        venue: its name.
    """

    StreamSession = DeribitSession

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def channel_of(self, stream: str) -> Channel:
        """Return what a stream carries."""
        return KINDS.get(stream.partition(".")[0], "other")

    def symbol_of(self, stream: str) -> str:
        """Return the instrument a stream is about."""
        return stream.partition(".")[2]

    def route_of(self, stream: str) -> str:  # noqa: ARG002 - as every venue's side has it
        """Return the kind of connection that carries a stream: there is but one."""
        return "public"

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a notification; None for answers, heartbeats and whatever else is of no channel.

        A frame that is damaged behind the name of its channel still belongs to that stream.
        """
        try:
            return stream_of_channel(_named(frame).params.channel)
        except (msgspec.DecodeError, UnicodeDecodeError):
            head = _HEAD.match(frame)
            return stream_of_channel(head[1].decode(errors="replace")) if head is not None else None

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes]:
        """Return a whole book as (stream, frame)."""
        bids, asks = (
            _rows(levels, dict.fromkeys((price for price, _ in levels), "new"))
            for levels in (book.bids, book.asks)
        )
        return _book_frame(book, {"type": "snapshot", "bids": bids, "asks": asks})

    def depth_frames(self, change: Depth) -> Sequence[tuple[str, bytes]]:
        """Return a change of a book as one (stream, frame)."""
        actions = dict.fromkeys(change.added, "new")
        bids, asks = _rows(change.bids, actions), _rows(change.asks, actions)
        return (
            _book_frame(
                change,
                {"type": "change", "prev_change_id": change.previous, "bids": bids, "asks": asks},
            ),
        )

    def first_ticker_frame(self, ticker: WholeTicker) -> tuple[str, bytes]:
        """Return a whole ticker as (stream, frame)."""
        return self.ticker_frame(ticker, marked=True)

    def ticker_frame(self, ticker: WholeTicker, *, marked: bool) -> tuple[str, bytes]:  # noqa: ARG002 - a ticker has all of it each time
        """Return a whole ticker as (stream, frame)."""
        symbol = ticker.touch.instrument.symbol
        return _frame(
            "ticker",
            symbol,
            ticker_row(symbol, ticker.touch, (ticker.mark, ticker.funding), ticker.open_interest),
        )

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""
        symbol = trade.instrument.symbol
        row = {
            "trade_id": trade.trade_id,
            "timestamp": _ms(trade.venue_time_ns),
            "instrument_name": symbol,
            "direction": trade.side,
        }
        return _frame(
            "trades",
            symbol,
            [{**row, "price": json_number(trade.price), "amount": json_number(trade.amount)}],
        )

    def read_depth(self, frame: bytes) -> Depth:
        """Return the book or the change of one in a notification; `msgspec.DecodeError` if it is none."""
        book = _change(_named(frame).params.data)
        bids, asks = paired(changed_levels(book.bids)), paired(changed_levels(book.asks))
        at, previous = book.timestamp * NS_PER_MS, book.prev_change_id
        if book.type == "snapshot" or previous is None:
            return Depth(book.symbol, book.change_id, bids, asks, at, whole=True)
        added = frozenset(
            spelled(row.price) for row in (*book.bids, *book.asks) if row.action == "new"
        )
        return Depth(book.symbol, book.change_id, bids, asks, at, previous + 1, previous, added)

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a ticker; `msgspec.DecodeError` if it has none."""
        row = _ticker(_named(frame).params.data)
        bid, ask = _text(row.best_bid_price), _text(row.best_ask_price)
        if bid is None and ask is None:
            msg = "Expected a ticker with best prices"
            raise msgspec.ValidationError(msg)
        at = row.timestamp * NS_PER_MS
        sizes = _text(row.best_bid_amount), _text(row.best_ask_amount)
        return Touch(
            InstrumentId(self._venue, row.symbol), bid, sizes[0], ask, sizes[1], None, at, at
        )

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return mark and funding in a ticker; `msgspec.DecodeError` if it has none."""
        row = _ticker(_named(frame).params.data)
        mark, instrument, at = (
            _text(row.mark_price),
            InstrumentId(self._venue, row.symbol),
            row.timestamp * NS_PER_MS,
        )
        if mark is None:
            msg = "Expected a ticker with a mark"
            raise msgspec.ValidationError(msg)
        funding = Funding(instrument, _text(row.current_funding), None, None, mark, at, at)
        return VenueMark(instrument, mark, _text(row.index_price), at, at), funding


def ticker_row(
    symbol: str,
    touch: Touch,
    known: tuple[VenueMark, Funding] | None,
    open_interest: DecimalText | None,
) -> dict[str, Any]:
    """Return what a ticker says, which the answer to a request for one says as well; what is not known is left out.

    Funding is paid continuously: `current_funding` has no next time.
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
    told = {name: json_number(number) for name, number in numbers.items() if number is not None}
    return {
        "timestamp": _ms(touch.venue_time_ns),
        "state": "open",
        "instrument_name": symbol,
        **told,
    }


def _frame(kind: str, symbol: str, data: Any) -> tuple[str, bytes]:
    stream = f"{kind}.{symbol}"
    params = {"channel": f"{stream}.{INTERVAL}", "data": data}
    return stream, _encode({"jsonrpc": "2.0", "method": "subscription", "params": params})


def _book_frame(book: Depth, data: dict[str, Any]) -> tuple[str, bytes]:
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
    """Return price and amount of levels, as the answer to a request for a book has them."""
    return [(json_number(price), json_number(size)) for price, size in levels]


def _text(number: msgspec.Raw) -> DecimalText | None:
    text = spelled(number)
    return text if text not in ("", "null") else None


def _ms(ns: int | None) -> int:
    return (ns or 0) // NS_PER_MS
