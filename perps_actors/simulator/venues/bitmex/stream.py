"""BitMEX's streams from the server's side.

Source: bitmex.com/app/wsAPI, read 2026-10. One address carries all tables; a topic is
`table:symbol`. `op` is `subscribe` or `unsubscribe`, `args` one topic or several; each topic is
acknowledged or refused separately. The text `ping` is answered with `pong`. A subscription of
`orderBookL2` or `instrument` begins with a partial; deltas follow, one action per message. Ids of
book rows are arbitrary: here they are the digits of the price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Framed,
    SeparateStreams,
    StreamSession,
    are_texts,
    encode,
    json_number,
)
from perps_actors.venues.bitmex.schema import TABLES, Action, BookFrame
from perps_actors.venues.toolkit.fields import nanoseconds

_BOOK: Final = "orderBookL2"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATA: Final = b'"data":['
_OPS: Final = ("subscribe", "unsubscribe")


class _Symbol(msgspec.Struct):
    symbol: str


class _Head(msgspec.Struct):
    table: str
    data: list[_Symbol] = []
    filter: _Symbol | None = None


_head = msgspec.json.Decoder(_Head).decode
_book_frame = msgspec.json.Decoder(BookFrame, float_hook=str).decode


def number(text: str | None) -> msgspec.Raw | None:
    """Return a JSON number with all its digits; null for None."""
    return None if text is None else json_number(text)


def moment(time_ns: int | None) -> str:
    """Return a time in the venue's format, in milliseconds."""
    at = _EPOCH + timedelta(milliseconds=(time_ns or 0) // 1_000_000)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def mark_fields(mark: VenueMark, funding: Funding) -> dict[str, Any]:
    """Return the fields of mark and funding in a row of `instrument`."""
    return {
        "markPrice": number(mark.mark),
        "indicativeSettlePrice": number(mark.index),
        "fundingRate": number(funding.rate),
        "fundingTimestamp": moment(funding.next_time_ns),
        "timestamp": moment(mark.venue_time_ns),
    }


class BitmexSession(StreamSession):
    """One client connection; its query may name topics."""

    paths = ("/realtime",)

    def __init__(self, path: str, query: str = "") -> None:
        super().__init__(path, query)
        named = dict(parse_qsl(query)).get("subscribe", "").split(",")
        self._follow({topic: topic for topic in named if topic})

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a client's text frame, one per topic."""
        if text == "ping":
            return ("pong",)
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            return (_refusal(f"Invalid JSON: {error}", None),)
        op = request.get("op") if isinstance(request, dict) else None
        if op not in _OPS:
            return (_refusal(f"Unknown operation: {str(op)[:40]}", request),)
        args = request.get("args")
        topics = [args] if isinstance(args, str) else args
        if not are_texts(topics):
            return (_refusal("Expected args to be a topic or a list of topics", request),)
        return tuple(self._serve(op, topic, request) for topic in topics)

    def _serve(self, op: str, topic: str, request: Any) -> str:
        (table, _, symbol), subscribed = topic.partition(":"), topic in self._topics
        if op == "unsubscribe" and not subscribed:
            return _refusal(f"Not subscribed to this topic: {topic[:80]}", request)
        if op == "subscribe" and table not in TABLES:
            return _refusal(f"Unknown table: {table[:40]}", request)
        if op == "subscribe" and not symbol:
            return _refusal(f"Expected a topic like {table}:XBTUSD, was {topic}", request)
        if op == "subscribe" and subscribed:
            return _refusal(f"You are already subscribed to this topic: {topic[:80]}", request)
        self._change({topic: topic}, subscribe=op == "subscribe")
        return _text({"success": True, op: topic, "request": request})


def _text(answer: dict[str, Any]) -> str:
    return encode(answer).decode()


def _refusal(error: str, request: Any) -> str:
    return _text({"status": 400, "error": error, "meta": {}, "request": request})


class BitmexStreams(SeparateStreams):
    """The streams of BitMEX; their names are the topics."""

    session_class = BitmexSession
    channels: ClassVar[Mapping[str, Channel]] = {
        _BOOK: "book",
        "quote": "touch",
        "trade": "trades",
        "instrument": "mark",
    }

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a table's message; None for answers.

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

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the partial of a book."""
        return _frame(_BOOK, "partial", book.symbol, list(book_rows(book)))

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> Framed:
        """Return the partial of a contract's row: clients drop messages before it."""
        return _frame("instrument", "partial", mark.instrument.symbol, [mark_fields(mark, funding)])

    def depth_frames(self, change: Depth) -> tuple[Framed, ...]:
        """Return a delta, one message per action: delete, update, insert."""
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

    # Quotes have no update number.
    def touch_frame(self, touch: Touch, update: int) -> Framed:  # noqa: ARG002
        """Return the frame of a best bid and ask."""
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

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""
        row = {
            "timestamp": moment(trade.venue_time_ns),
            "side": "Buy" if trade.side == "buy" else "Sell",
            "size": number(trade.amount),
            "price": number(trade.price),
            "trdMatchID": trade.trade_id,
        }
        return _frame("trade", "insert", trade.instrument.symbol, [row])

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[Framed]:
        """Return the frame of mark and funding."""
        return (
            _frame("instrument", "update", mark.instrument.symbol, [mark_fields(mark, funding)]),
        )

    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a message whose rows have prices (since 2023)."""
        message = _book_frame(frame)
        levels: dict[str, list[tuple[str, str]]] = {"Buy": [], "Sell": []}
        for row in message.data:
            if row.price is None or (row.size is None and message.action != "delete"):
                msg = f"Expected price and size of level {row.id}, was {row.price} and {row.size}"
                raise msgspec.ValidationError(msg)
            levels[row.side].append(
                (str(row.price), "0" if message.action == "delete" else str(row.size))
            )
        symbol, latest = (
            self.symbol_of(self.stream_of(frame) or ""),
            message.data[-1].timestamp if message.data else None,
        )
        time_ns = nanoseconds(latest) if latest is not None else 0
        return Depth(
            symbol,
            0,
            tuple(levels["Buy"]),
            tuple(levels["Sell"]),
            time_ns,
            whole=message.action == "partial",
        )


def _frame(table: str, action: Action, symbol: str, rows: Sequence[dict[str, Any]]) -> Framed:
    fields: dict[str, Any] = {
        "table": table,
        "action": action,
        "data": [{"symbol": symbol, **row} for row in rows],
    }
    if action == "partial":
        fields["filter"] = {"symbol": symbol}
    return f"{table}:{symbol}", encode(fields)


def book_rows(book: Depth) -> Iterator[dict[str, Any]]:
    """Yield the rows of a book or delta, bids first."""
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
