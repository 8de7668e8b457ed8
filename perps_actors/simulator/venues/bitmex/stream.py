"""BitMEX's streams from the venue's side: what a simulator needs to speak like them. Opens nothing, reads no clock.

Source: bitmex.com/app/wsAPI, read 2026-10. One address carries all tables; a topic is `table:symbol`, and each topic of a request is
acknowledged by itself. A subscription of `orderBookL2` or `instrument` begins with a partial; what follows are changes, one action
a message. Ids of book rows are arbitrary: here they are the digits of the price.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.simulator.venue_contract import Channel, Depth, json_number
from perps_actors.simulator.venues.bitmex.session import BitmexSession
from perps_actors.venues.bitmex.rest import NAME
from perps_actors.venues.bitmex.schema import Action, BookFrame, QuoteFrame
from perps_actors.venues.toolkit.fields import Moment, nanoseconds, text_of

Row = TypeVar("Row")

PATH: Final = "/realtime"

_BOOK: Final = "orderBookL2"
_CHANNELS: Final[dict[str, Channel]] = {
    _BOOK: "book",
    "quote": "touch",
    "trade": "trades",
    "instrument": "mark",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATA: Final = b'"data":['


class _Symbol(msgspec.Struct):
    symbol: str


class _Head(msgspec.Struct):
    table: str
    data: list[_Symbol] = []
    filter: _Symbol | None = None


class _MarkRow(msgspec.Struct, rename="camel"):
    symbol: str
    timestamp: Moment
    mark_price: msgspec.Raw
    indicative_settle_price: msgspec.Raw
    funding_rate: msgspec.Raw
    funding_timestamp: Moment


class _MarkFrame(msgspec.Struct):
    table: str
    data: list[_MarkRow]


_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(_Head).decode
_book_frame = msgspec.json.Decoder(BookFrame, float_hook=str).decode
_quote_frame = msgspec.json.Decoder(QuoteFrame).decode
_mark_frame = msgspec.json.Decoder(_MarkFrame).decode


def number(text: str | None) -> msgspec.Raw | None:
    """Return a number as JSON has it here: as a number, spelled as it was; null for None."""
    return None if text is None else json_number(text)


def moment(time_ns: int | None) -> str:
    """Return a time in nanoseconds since 1970 as the venue spells it: in milliseconds."""
    at = _EPOCH + timedelta(milliseconds=(time_ns or 0) // 1_000_000)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def mark_fields(mark: VenueMark, funding: Funding) -> dict[str, Any]:
    """Return what a row of `instrument` says of mark and funding."""
    return {
        "markPrice": number(mark.mark),
        "indicativeSettlePrice": number(mark.index),
        "fundingRate": number(funding.rate),
        "fundingTimestamp": moment(funding.next_time_ns),
        "timestamp": moment(mark.venue_time_ns),
    }


class BitmexStreams:
    """BitMEX's streams as it sends them; a stream is named by its topic."""

    def StreamSession(self, path: str, query: str = "") -> BitmexSession:  # noqa: N802 - makes one, as every venue's side does
        """Return the session of a client; `VenueError` for another path than `/realtime`."""
        if path != PATH:
            msg = f"Expected the path {PATH}, was {path[:80]!r}"
            raise VenueError(msg)
        return BitmexSession(
            topic for topic in dict(parse_qsl(query)).get("subscribe", "").split(",") if topic
        )

    def channel_of(self, stream: str) -> Channel:
        """Return what a stream carries."""
        return _CHANNELS.get(stream.partition(":")[0], "other")

    def symbol_of(self, stream: str) -> str:
        """Return the symbol a stream is about."""
        return stream.partition(":")[2]

    def route_of(self, stream: str) -> str:  # noqa: ARG002 - as every venue's side has it
        """Return the kind of connection that carries a stream: there is one."""
        return PATH

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream a message belongs to; None for acknowledgements and whatever else is no change of a table.

        A message that is damaged behind the symbol of its first row still belongs to its stream.
        """
        try:
            head = _head(frame)
        except (msgspec.DecodeError, UnicodeDecodeError):
            table, symbol = (
                _text_behind(frame, b'"table":"'),
                _text_behind(frame.partition(_DATA)[2], b'"symbol":"'),
            )
            return f"{table}:{symbol}" if table and symbol else None
        named = head.data[0] if head.data else head.filter
        return f"{head.table}:{named.symbol}" if named is not None else None

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes]:
        """Return the partial of a book as (stream, frame)."""
        return _frame(_BOOK, "partial", book.symbol, list(book_rows(book)))

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> tuple[str, bytes]:
        """Return the partial of a contract's row as (stream, frame): clients drop what comes before it."""
        return _frame("instrument", "partial", mark.instrument.symbol, [mark_fields(mark, funding)])

    def depth_frames(self, change: Depth) -> tuple[tuple[str, bytes], ...]:
        """Return a change of a book as (stream, frame), one message an action: what is gone, what changed, what is new."""
        actions: dict[Action, list[dict[str, Any]]] = {"delete": [], "update": [], "insert": []}
        for row, (price, size) in zip(book_rows(change), (*change.bids, *change.asks), strict=True):
            gone = not Decimal(size)
            if gone:
                del row["size"]
            actions["delete" if gone else "insert" if price in change.added else "update"].append(
                row
            )
        return tuple(
            _frame(_BOOK, action, change.symbol, rows) for action, rows in actions.items() if rows
        )

    def touch_frame(self, touch: Touch, update: int) -> tuple[str, bytes]:  # noqa: ARG002 - quotes have no number
        """Return a best bid and ask as (stream, frame)."""
        sides = {
            "bidSize": touch.bid_size,
            "bidPrice": touch.bid,
            "askPrice": touch.ask,
            "askSize": touch.ask_size,
        }
        row = {
            "timestamp": moment(touch.venue_time_ns),
            **{name: number(text) for name, text in sides.items()},
        }
        return _frame("quote", "insert", touch.instrument.symbol, [row])

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""
        row = {
            "timestamp": moment(trade.venue_time_ns),
            "side": "Buy" if trade.side == "buy" else "Sell",
            "size": number(trade.amount),
            "price": number(trade.price),
            "trdMatchID": trade.trade_id,
        }
        return _frame("trade", "insert", trade.instrument.symbol, [row])

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[tuple[str, bytes]]:
        """Return the venue's mark with its funding as (stream, frame)."""
        return (
            _frame("instrument", "update", mark.instrument.symbol, [mark_fields(mark, funding)]),
        )

    def read_depth(self, frame: bytes) -> Depth:
        """Return what a message of `orderBookL2` says; `msgspec.DecodeError` if it is none, or has rows without a price (until 2023)."""
        message = _book_frame(frame)
        levels: dict[str, list[tuple[str, str]]] = {"Buy": [], "Sell": []}
        for row in message.data:
            if row.price is None or (row.size is None and message.action != "delete"):
                msg = f"Expected price and size of level {row.id}, was {row.price} and {row.size}"
                raise msgspec.ValidationError(msg)
            levels[row.side].append(
                (str(row.price), "0" if message.action == "delete" else str(row.size))
            )
        symbol, told = (
            self.symbol_of(self.stream_of(frame) or ""),
            message.data[-1].timestamp if message.data else None,
        )
        time_ns = nanoseconds(told) if told is not None else 0
        return Depth(
            symbol,
            0,
            tuple(levels["Buy"]),
            tuple(levels["Sell"]),
            time_ns,
            whole=message.action == "partial",
        )

    def read_touch(self, frame: bytes) -> Touch:
        """Return the latest best bid and ask in a message of `quote`; `msgspec.DecodeError` if it is none."""
        row = _last(_quote_frame(frame).data)
        at, sides = (
            nanoseconds(row.timestamp),
            (row.bid_price, row.bid_size, row.ask_price, row.ask_size),
        )
        bid, bid_size, ask, ask_size = (text_of(raw) for raw in sides)
        return Touch(InstrumentId(NAME, row.symbol), bid, bid_size, ask, ask_size, None, at, at)

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return mark and funding in a message of `instrument` that has all of them; `msgspec.DecodeError` if it is none."""
        row = _last(_mark_frame(frame).data)
        instrument, at = InstrumentId(NAME, row.symbol), nanoseconds(row.timestamp)
        mark = VenueMark(
            instrument, text_of(row.mark_price), text_of(row.indicative_settle_price), at, at
        )
        return mark, Funding(
            instrument,
            text_of(row.funding_rate),
            None,
            nanoseconds(row.funding_timestamp),
            mark.mark,
            at,
            at,
        )


def _frame(
    table: str, action: Action, symbol: str, rows: Sequence[dict[str, Any]]
) -> tuple[str, bytes]:
    told: dict[str, Any] = {
        "table": table,
        "action": action,
        "data": [{"symbol": symbol, **row} for row in rows],
    }
    if action == "partial":
        told["filter"] = {"symbol": symbol}
    return f"{table}:{symbol}", _encode(told)


def book_rows(book: Depth) -> Iterator[dict[str, Any]]:
    """Yield the rows of a book or a change of one, bids first."""
    at = moment(book.venue_time_ns)
    for side, levels in (("Buy", book.bids), ("Sell", book.asks)):
        for price, size in levels:
            digits = int(price.replace(".", ""))
            yield {
                "id": digits,
                "side": side,
                "size": number(size),
                "price": number(price),
                "timestamp": at,
                "transactTime": at,
            }


def _text_behind(frame: bytes, name: bytes) -> str:
    return frame.partition(name)[2].partition(b'"')[0].decode(errors="replace")


def _last(rows: Sequence[Row]) -> Row:
    if rows:
        return rows[-1]
    msg = "Expected a row, was none"
    raise msgspec.ValidationError(msg)
