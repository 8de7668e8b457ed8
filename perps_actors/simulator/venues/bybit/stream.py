"""Bybit's streams from the server's side.

Source: bybit-exchange.github.io/docs/v5 (ws/connect, websocket/public), read 2026-11. The path of a
connection names the one category that it carries. A request is refused as a whole if one of its
topics does not exist or is already subscribed.

A book is one stream here for all depths. Its frames keep the topic under which they were made or
recorded. A client that subscribed to a deeper book gets the simulated depth under its own topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.market.numbers import DecimalText, plain
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Framed,
    StreamSession,
    TickerStreams,
    WholeTicker,
    are_texts,
    encode,
    millis,
    paired,
    read_object,
)
from perps_actors.venues.bybit.parse import DEPTHS, READERS
from perps_actors.venues.bybit.schema import CATEGORIES, BookData, Category, Frame, category_of
from perps_actors.venues.bybit.stream import CHANNELS
from perps_actors.venues.toolkit.fields import NS_PER_MS

MAX_TOPIC_CHARACTERS: Final = 21_000
"""Of all topics of a connection together."""

_KINDS: Final = frozenset(READERS)
_DEEPER: Final = DEPTHS[DEPTHS.index(CHANNELS["book"].partition(".")[2]) + 1 :]
_HEAD: Final = b'{"topic":"'
_HEAD_BYTES: Final = 200


_push = msgspec.json.Decoder(Frame).decode
_book = msgspec.json.Decoder(BookData).decode


def stream_name(topic: str) -> str:
    """Return the stream of a topic: its kind and symbol, without the depth of a book."""
    return f"{topic.partition('.')[0]}.{symbol_of(topic)}"


def symbol_of(topic: str) -> str:
    """Return the symbol of a topic or a stream."""
    return topic.rpartition(".")[2]


class BybitSession(StreamSession):
    """One client connection; its path names the category."""

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - as in all venues
        category = path.removeprefix("/v5/public/")
        if path == category or category not in CATEGORIES:
            msg = f"Expected a path like /v5/public/linear, was {path[:80]!r}"
            raise VenueError(msg)
        self._category = category
        self._follow({})

    def formatted(self, frame: bytes) -> bytes:
        """Return a frame with the topic under which this connection subscribed to a book."""
        topic = frame[:_HEAD_BYTES].removeprefix(_HEAD).partition(b'"')[0] if self._renamed else b""
        return frame.replace(topic, self._renamed[topic], 1) if topic in self._renamed else frame

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a client's text frame; a refusal if it is malformed."""
        request = read_object(text)
        if request is None:
            return (_answer(success=False, ret_msg="Json parse error"),)
        named = {key: str(request[key])[:64] for key in ("req_id", "op") if key in request}
        if named.get("op") == "ping":
            return (_answer(success=True, ret_msg="pong", **named),)
        refusal = self._serve(request.get("op"), request.get("args"))
        return (_answer(success=refusal is None, ret_msg=refusal or "", **named),)

    def _serve(self, op: Any, topics: Any) -> str | None:
        """Subscribe or unsubscribe; return the reason of a refusal."""
        if op not in ("subscribe", "unsubscribe"):
            return f"error:unknown op,op:{str(op)[:40]}"
        if not are_texts(topics):
            return "error:request args is empty"
        if op == "unsubscribe":
            left = {stream_name(topic) for topic in topics}
            self._follow({topic: of for topic, of in self._topics.items() if of not in left})
            return None
        refusals = [refusal for topic in topics if (refusal := self._refusal(topic)) is not None]
        wanted = self._topics | {topic: stream_name(topic) for topic in topics}
        if sum(map(len, wanted)) > MAX_TOPIC_CHARACTERS:
            refusals.append("error:args size is too large")
        if not refusals:
            self._follow(wanted)
        return refusals[0] if refusals else None

    def _follow(self, topics: Mapping[str, str | None]) -> None:
        super()._follow(topics)
        deeper = {
            f"{CHANNELS['book']}.{symbol_of(topic)}": topic
            for topic in topics
            if topic.split(".")[1] in _DEEPER
        }
        self._renamed = {
            made.encode(): wanted.encode() for made, wanted in deeper.items() if made not in topics
        }

    def _refusal(self, topic: str) -> str | None:
        if not self._has(topic):
            return f"error:handler not found,topic:{topic[:80]}"
        return f"error:already subscribed,topic:{topic}" if topic in self._topics else None

    def _has(self, topic: str) -> bool:
        kind, _, rest = topic.partition(".")
        depth, _, symbol = rest.rpartition(".")
        known = kind in _KINDS and (depth in DEPTHS if kind == "orderbook" else not depth)
        return known and bool(symbol) and category_of(symbol) == self._category


def _answer(**answer: Any) -> str:
    return encode({**answer, "conn_id": "simulated"}).decode()


class BybitStreams(TickerStreams):
    """The streams of Bybit."""

    session_class = BybitSession
    channels: ClassVar[Mapping[str, Channel]] = {
        "orderbook": "book",
        "tickers": "ticker",
        "publicTrade": "trades",
        "allLiquidation": "other",
    }
    separator = "."

    def route_of(self, stream: str) -> Category:
        """Return the category whose connections carry a stream."""
        return category_of(symbol_of(stream))

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a frame; None for answers, which have no topic."""
        head = frame[:_HEAD_BYTES].lstrip()
        if head.startswith(_HEAD):
            return stream_name(head[len(_HEAD) :].partition(b'"')[0].decode(errors="replace"))
        try:
            topic = _push(frame).topic
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return stream_name(topic) if topic is not None else None

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the snapshot with which a subscription begins."""
        return _book_frame("snapshot", book)

    def first_ticker_frame(self, ticker: WholeTicker) -> Framed:
        """Return the whole ticker with which a subscription begins."""
        return _ticker_frame("snapshot", ticker, marked=True)

    def depth_frames(self, change: Depth) -> tuple[Framed]:
        """Return the frame of a book's delta."""
        return (_book_frame("delta", change),)

    def ticker_frame(self, ticker: WholeTicker, *, marked: bool) -> Framed:
        """Return the frame of a ticker's changed fields."""
        return _ticker_frame("delta", ticker, marked=marked)

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""
        ms, symbol, side = (
            millis(trade.venue_time_ns),
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
        """Return the snapshot or delta in a frame."""
        push = _push(frame)
        book = _book(push.data)
        return Depth(
            book.symbol,
            book.update_id,
            paired(book.bids),
            paired(book.asks),
            (push.time or 0) * NS_PER_MS,
            whole=push.type == "snapshot" or book.update_id == 1,
        )


def _book_frame(kind: str, book: Depth) -> Framed:
    ms = book.venue_time_ns // NS_PER_MS
    data = {"s": book.symbol, "b": book.bids, "a": book.asks, "u": book.last, "seq": book.last}
    return _frame(CHANNELS["book"], book.symbol, {"type": kind, "ts": ms, "data": data, "cts": ms})


def _ticker_frame(kind: str, ticker: WholeTicker, *, marked: bool) -> Framed:
    symbol, known = (
        ticker.touch.instrument.symbol,
        (ticker.mark, ticker.funding) if marked else None,
    )
    fields = ticker_fields(ticker.touch, known, ticker.open_interest)
    known_fields = {"symbol": symbol} | {
        name: value for name, value in fields.items() if value is not None
    }
    return _frame(
        CHANNELS["marks"],
        symbol,
        {"type": kind, "data": known_fields, "ts": millis(ticker.touch.venue_time_ns)},
    )


def ticker_fields(
    touch: Touch, known: tuple[VenueMark, Funding] | None, open_interest: DecimalText | None
) -> dict[str, DecimalText | str | None]:
    """Return the fields of a ticker; None for unknown ones."""
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
        "nextFundingTime": str(millis(next_ns)) if next_ns is not None else None,
        "bid1Price": touch.bid,
        "bid1Size": touch.bid_size,
        "ask1Price": touch.ask,
        "ask1Size": touch.ask_size,
    }


def _frame(channel: str, symbol: str, rest: dict[str, Any]) -> Framed:
    topic = f"{channel}.{symbol}"
    return stream_name(topic), encode({"topic": topic, **rest})
