"""HTX's streams of swaps from the server's side.

Sources: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (WebSocket
heartbeat, subscription, order push, error codes), read 2026-11; measurements of 2026-09-23
(github.com/nemanull/arbitrage-observatory, docs/profiles/htx/websocket.md); captures of 2026-09.
Everything that is sent is gzip in binary frames. Each margin type has a path for market data and
one for notifications; one more path has marks and indices of both. A topic is refused on any other
path.
The first ping comes at once and then one every 5 s; a client that left four unanswered is
disconnected, and a client's ping is not answered. Symbols may have any case.

A stream is a kind of topic of a symbol, `depth:BTC-USDT`: books have 150 levels and deltas, marks
and indices are candles of a minute whose only price is the present one. A recorded frame is sent
unchanged for any subscribed depth or period.

Where this differs from HTX: answers have no time, because this module reads no clock; every symbol
is accepted, because listings are not known here; topics that no adapter reads, and those of all
contracts (`public.*`), are refused; a second subscription to a market topic is accepted, but its
book does not begin again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.simulator.venue_contract import (
    Channel,
    Depth,
    Framed,
    Levels,
    SeparateStreams,
    StreamSession,
    encode,
    json_number,
    millis,
    paired,
    read_object,
)
from perps_actors.venues.htx_swap.parse import (
    parts_of_channel,
    time_of,
)
from perps_actors.venues.htx_swap.schema import (
    LINEAR,
    MARGIN_TYPES,
    ChangedBook,
    Frame,
    FullBook,
    Rows,
    beginning,
    margin_type_of,
    packed,
    unpacked,
)
from perps_actors.venues.htx_swap.stream import BOOK, ROUTES, topic_reader
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

MAX_UNANSWERED: Final = 4

_ROUTE_OF: Final = {
    suffix.partition(".")[0]: route
    for route in ROUTES.values()
    for suffixes in route.topics.values()
    for suffix in suffixes
}
_NOTIFICATION_PATHS: Final = frozenset(margin_type.notification for margin_type in MARGIN_TYPES)
_PATHS: Final = frozenset(
    route.path(margin_type) for route in ROUTES.values() for margin_type in MARGIN_TYPES
)
_TOPIC_ERROR, _NOT_SUBSCRIBED, _REPEATED, _MISSING = 2010, 2012, 2014, 2040

_HEAD_BYTES: Final = 200
_NAMED: Final = re.compile(
    rb'"ch"\s*:\s*"(market\.[^"]+)"|"op"\s*:\s*"notify"\s*,\s*"topic"\s*:\s*"(public\.[^"]+)"'
)
_MINUTE_S: Final = 60

_push = msgspec.json.Decoder(Frame).decode
_full = msgspec.json.Decoder(FullBook).decode
_changed = msgspec.json.Decoder(ChangedBook).decode


def stream_name(topic: str) -> str | None:
    """Return the stream of a topic, without depth or period; None if it is not served."""
    first, (symbol, suffix) = topic.partition(".")[0], parts_of_channel(topic)
    kind = suffix.partition(".")[0]
    route = _ROUTE_OF.get(kind)
    if route is None or first != route.kind or symbol in ("", "*"):
        return None
    known = suffix == kind if first == "public" else topic_reader(suffix) is not None
    return f"{kind}:{symbol}" if known else None


def path_of(stream: str) -> str:
    """Return the path on which a stream is sent."""
    kind, _, symbol = stream.partition(":")
    return _ROUTE_OF[kind].path(margin_type_of(symbol))


class HtxSession(StreamSession):
    """One client connection; its path names the topics that it may carry."""

    paths = tuple(sorted(_PATHS))
    ping_every_s = 5.0

    def __init__(self, path: str, query: str = "") -> None:
        super().__init__(path, query)
        self._path = path
        self._notifies = path in _NOTIFICATION_PATHS
        self._unanswered: list[int | str] = []

    def compressed(self, text: bytes) -> bytes:
        """Return a text as a gzip file."""
        return packed(text)

    def ping(self, now_ns: int) -> str:
        """Return the next ping, numbered with the time in milliseconds.

        Raises:
            VenueError: the client did not answer the last `MAX_UNANSWERED` pings.
        """
        if len(self._unanswered) == MAX_UNANSWERED:
            msg = "ping check expired"
            raise VenueError(msg)
        number = now_ns // NS_PER_MS
        self._unanswered.append(str(number) if self._notifies else number)
        return _answer(op="ping", ts=str(number)) if self._notifies else _answer(ping=number)

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answer to a client's text frame, none to a pong; a refusal if malformed."""
        request = read_object(text)
        if request is None:
            return (_refused("", "not json, is not json string"),)
        if self._notifies:
            return self._notify(request)
        if "ping" in request or "pong" in request:
            return self._take_pong(request.get("pong"))
        return (self._serve(request),)

    def _take_pong(self, number: Any) -> tuple[str, ...]:
        """Take a pong: it answers the ping with its number and the pings before it."""
        if number in self._unanswered:
            del self._unanswered[: self._unanswered.index(number) + 1]
        return ()

    def _serve(self, request: dict[str, Any]) -> str:
        """Answer a request on a connection of market data."""
        named = _short(request.get("id"))
        verb = "sub" if "sub" in request else "unsub"
        topic = _spelled(request.get(verb))
        stream = self._stream_of(topic)
        if stream is None:
            return _refused(named, f"invalid topic {topic[:100]}")
        if verb == "unsub" and topic not in self._topics:
            return _refused(named, f"unsub with not subbed topic {topic}")
        self._change({topic: stream}, subscribe=verb == "sub")
        return _answer(id=named, status="ok", **{f"{verb}bed": topic})

    def _notify(self, request: dict[str, Any]) -> tuple[str, ...]:
        """Answer a request on a connection of notifications."""
        op = request.get("op")
        if op == "pong":
            return self._take_pong(request.get("ts"))
        if op not in ("sub", "unsub"):
            return (_answer(op="error"),)
        named = {"cid": _short(request["cid"])} if "cid" in request else {}
        topic = _spelled(request.get("topic"))
        code, why = self._subscribe(op, topic)
        return (
            _answer(
                op=op,
                **named,
                topic=topic[:100],
                **{"err-code": code},
                **({"err-msg": why} if why else {}),
            ),
        )

    def _subscribe(self, op: str, topic: str) -> tuple[int, str]:
        """Subscribe or unsubscribe; return the code of the answer, and the error if it failed."""
        if not topic:
            return _MISSING, "Missing required parameter."
        stream = self._stream_of(topic)
        if stream is None:
            return _TOPIC_ERROR, "Topic error."
        if op == "sub" and topic in self._topics:
            return _REPEATED, "Repeated subscription."
        if op == "unsub" and topic not in self._topics:
            return _NOT_SUBSCRIBED, "Topic not subscribed."
        self._change({topic: stream}, subscribe=op == "sub")
        return 0, ""

    def _stream_of(self, topic: str) -> str | None:
        stream = stream_name(topic)
        return stream if stream is not None and path_of(stream) == self._path else None


def _spelled(topic: Any) -> str:
    """Return a topic with its symbol in upper case; an empty text if it is not a topic."""
    first, _, rest = topic.partition(".") if isinstance(topic, str) else ("", "", "")
    symbol, dot, suffix = rest.partition(".")
    return f"{first}.{symbol.upper()}{dot}{suffix}" if rest else first


def _short(named: Any) -> str:
    """Return the id that a client gave its request, shortened."""
    return named[:64] if isinstance(named, str) else ""


def _refused(named: str, why: str) -> str:
    return _answer(status="error", id=named, **{"err-code": "bad-request", "err-msg": why})


def _answer(**answer: Any) -> str:
    return encode(answer).decode()


class HtxStreams(SeparateStreams):
    """The streams of HTX, uncompressed; recorded frames may be compressed."""

    session_class = HtxSession
    channels: ClassVar[Mapping[str, Channel]] = {
        "depth": "book",
        "bbo": "touch",
        "trade": "trades",
        "mark_price": "mark",
    }

    def route_of(self, stream: str) -> str:
        """Return the path on which a stream is sent."""
        return path_of(stream)

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a frame; None for answers and pings."""
        named = _NAMED.search(beginning(frame, _HEAD_BYTES))
        return (
            stream_name((named[1] or named[2]).decode(errors="replace"))
            if named is not None
            else None
        )

    def snapshot_frame(self, book: Depth) -> Framed:
        """Return the snapshot with which a subscription begins."""
        return _book_frame(book, "snapshot")

    def depth_frames(self, change: Depth) -> tuple[Framed]:
        """Return the frame of a delta."""
        return (_book_frame(change, "update"),)

    def touch_frame(self, touch: Touch, update: int) -> Framed:
        """Return the frame of a best bid and ask."""
        at = touch.venue_time_ns
        tick = {"mrid": update, "id": millis(at) // 1000, **touch_fields(touch), "version": update}
        return _frame(f"market.{touch.instrument.symbol}.bbo", tick, at)

    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""
        at, number = trade.venue_time_ns, int(trade.trade_id)
        row = {
            "amount": json_number(trade.amount),
            "ts": millis(at),
            "id": number,
            "price": json_number(trade.price),
        }
        tick = {"id": number, "ts": millis(at), "data": [{**row, "direction": trade.side}]}
        return _frame(f"market.{trade.instrument.symbol}.trade.detail", tick, at)

    def mark_frames(self, mark: VenueMark, funding: Funding) -> tuple[Framed, ...]:
        """Return the frames of index, mark and funding, as far as they are known."""
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
                "funding_time": millis_text(computed),
                "settlement_time": millis_text(funding.next_time_ns),
            }
            topic = f"public.{symbol}.funding_rate"
            frames.append(
                _named(
                    topic, {"op": "notify", "topic": topic, "ts": millis(computed), "data": [row]}
                )
            )
        return tuple(frames)

    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a frame."""
        pushed = _pushed(frame)
        symbol, topic = parts_of_channel(pushed.channel or "")
        if topic.startswith("depth.step"):
            return whole_book(symbol, pushed.tick, time_of(pushed.time))
        tick, at = _changed(pushed.tick), time_of(pushed.time) or 0
        if tick.event == "snapshot":
            return Depth(symbol, tick.version, *_sides(tick), at, whole=True)
        bids, asks = _levels(tick.bids), _levels(tick.asks)
        return Depth(symbol, tick.version, bids, asks, at, previous=tick.version - 1)


def whole_book(symbol: str, tick: msgspec.Raw, time_ns: int | None) -> Depth:
    """Return the book in a tick without a number: its time replaces the number."""
    at = time_ns or 0
    return Depth(symbol, at // NS_PER_MS, *_sides(_full(tick)), at, whole=True)


def book_tick(book: Depth, channel: str, version: int) -> dict[str, Any]:
    """Return sides, numbers and time of a book or delta."""
    ms = millis(book.venue_time_ns)
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
    """Return price and size of both sides, and their time; an unknown side is null."""
    sides = {"bid": (touch.bid, touch.bid_size), "ask": (touch.ask, touch.ask_size)}
    spelled = {
        name: [json_number(price), json_number(size)]
        if price is not None and size is not None
        else None
        for name, (price, size) in sides.items()
    }
    return {**spelled, "ts": millis(touch.venue_time_ns)}


def kline(price: str, time_ns: int | None) -> dict[str, Any]:
    """Return the candle of a minute whose only price is this one."""
    minute = (time_ns or 0) // NS_PER_S // _MINUTE_S * _MINUTE_S
    prices = dict.fromkeys(("open", "close", "high", "low"), price)
    return {"id": minute, **prices, "amount": "0", "vol": "0", "count": "0", "trade_turnover": "0"}


def funding_fields(funding: Funding) -> dict[str, Any]:
    """Return the fields of a funding rate that streams and REST share, without a prediction."""
    symbol = funding.instrument.symbol
    base, quote, *_ = (*symbol.split("-"), "")
    asset = quote if margin_type_of(symbol) is LINEAR else base
    return {
        "symbol": base,
        "contract_code": symbol,
        "fee_asset": asset,
        "funding_rate": funding.rate,
        "estimated_rate": None,
    }


def millis_text(ns: int | None) -> str | None:
    """Return a time as a text of milliseconds."""
    return str(millis(ns)) if ns is not None else None


def _book_frame(book: Depth, event: str) -> Framed:
    channel = f"market.{book.symbol}.{BOOK}"
    return _frame(
        channel, {"event": event, **book_tick(book, channel, book.last)}, book.venue_time_ns
    )


def _frame(channel: str, tick: dict[str, Any], time_ns: int | None) -> Framed:
    return _named(channel, {"ch": channel, "ts": millis(time_ns), "tick": tick})


def _named(topic: str, said: dict[str, Any]) -> Framed:
    return stream_name(topic) or topic, encode(said)


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
