"""HTX's topics: which carry what, on which stream, and the frames that subscribe and unsubscribe them.

Source: huobiapi.github.io/docs/usdt_swap/v1/en (WebSocket), read 2026-11: one topic a frame, and at most 40 subscriptions a second.
Mark and index prices come as candles, on a stream of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from perps_actors.market.book import Level, levels_of
from perps_actors.market.events import VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome, SendFrame
from perps_actors.venues.htx_swap.parse import (
    best_of,
    candle_in,
    funding_of,
    index_of,
    liquidation_of,
    mark_of,
    time_of,
    trade_of,
)
from perps_actors.venues.htx_swap.schema import (
    INDEX,
    LIVE,
    NAME,
    SECONDS,
    Best,
    CandleRow,
    ChangedBook,
    Family,
    Frame,
    FullBook,
    FundingRow,
    Kline,
    LiquidationRow,
    Trades,
    by_family,
    unpacked,
)
from perps_actors.venues.toolkit.fields import completed
from perps_actors.venues.toolkit.rest import read_rows
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    SymbolStream,
    batches,
    chosen,
)

# merged docstring:
# """What HTX's topics say of one instrument: its books, touch, trades, mark and index, funding and liquidations.
#
# Source: huobiapi.github.io/docs/usdt_swap/v1/en (market depth, incremental market depth), read 2026-11, and what others measured on
# 2026-09-23 (github.com/nemanull/arbitrage-observatory, docs/profiles/htx/websocket.md). A `depth.step<k>` frame is a whole book; only
# step0 and step6 are of prices that nobody merged. A `high_freq` book begins with a snapshot, and a later one replaces it; from there
# `version` counts by one, also in updates that change nothing, and counts anew on another connection. A subscription to a suspended
# contract is granted and stays silent.
# """
# merged docstring:
# """HTX's streams of swaps: books, touch, trades, marks, funding, liquidations and candles.
#
# Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (WebSocket), read 2026-11. Every 5 s the venue sends a
# ping, on market streams as `{"ping": n}` and on notification streams as `{"op": "ping", "ts": "n"}`, and ends the connection of those who
# did not answer the last four or five with the same number. It answers no pings. A refusal is an answer with `err-code`.
# """

MAX_TOPICS: Final = 40
"""Topics of a connection: they are subscribed all at once."""
BOOK: Final = "depth.size_150.high_freq"

_VERBS: Final[dict[Op, str]] = {"subscribe": "sub", "unsubscribe": "unsub"}


def request(op: Op, topics: Sequence[str]) -> str:
    """Return the frame that subscribes or unsubscribes one topic: notifications (`public`) are asked for in another way."""
    (topic,) = topics
    asked = (
        {"op": _VERBS[op], "topic": topic} if topic.startswith("public.") else {_VERBS[op]: topic}
    )
    if topic.endswith(".high_freq"):
        asked["data_type"] = "incremental"
    return msgspec.json.encode(asked).decode()


@attrs.frozen(kw_only=True)
class Route:
    """A kind of connection: its path, and the topics that it carries by channel."""

    path: Callable[[Family], str]
    kind: str
    """First part of its topics."""
    topics: Mapping[str, tuple[str, ...]]
    """What follows the symbol in them, by channel."""
    sources: Mapping[str, Source]
    """Which channels marks are made of, and as what."""


ROUTES: Final[Mapping[str, Route]] = {
    "market": Route(
        path=lambda family: family.market,
        kind="market",
        topics={
            "book": (BOOK,),
            "touch": ("bbo",),
            "trades": ("trade.detail",),
            "candles": ("kline.1min",),
        },
        sources={"book": "book", "touch": "touch", "trades": "trades"},
    ),
    "index": Route(
        path=lambda _: INDEX,
        kind="market",
        topics={"marks": ("mark_price.1min", "index.1min")},
        sources={},
    ),
    "notification": Route(
        path=lambda family: family.notification,
        kind="public",
        topics={"funding": ("funding_rate",), "liquidations": ("liquidation_orders",)},
        sources={},
    ),
}
"""By a part of the name of the connection."""
CHANNELS: Final = frozenset(channel for route in ROUTES.values() for channel in route.topics)


_NO_SIDES: Final = "the venue sent a book without its sides"
_FULL: Final = msgspec.json.Decoder(FullBook).decode
_CHANGED: Final = msgspec.json.Decoder(ChangedBook).decode
_BEST: Final = msgspec.json.Decoder(Best).decode
_TRADES: Final = msgspec.json.Decoder(Trades).decode
_CANDLE: Final = msgspec.json.Decoder(CandleRow).decode
_KLINE: Final = msgspec.json.Decoder(Kline).decode


class SymbolState:
    """One instrument's books (one, unless a recording has several depths) and its mark.

    Its readings take a frame, the topic behind the symbol, the connection and the time of receipt. They raise `VenueError`,
    `MarketError` or msgspec's errors on what cannot be read, and then have changed nothing.

    Args:
        instrument: which one.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self.instrument = instrument
        self._books: dict[str, ResubscribingBook] = {}
        self._told_last: ResubscribingBook | None = None
        self._mark: VenueMark | None = None
        self._mark_connection: str | None = None

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side of the book that was told of last; none unless it is good."""
        return self._told_last.depth(levels) if self._told_last is not None else ([], [])

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book that was told of last, if it is good, and begin it anew."""
        return self._told_last.invalidate(cause, received_ns) if self._told_last is not None else ()

    def closed(self, connection: str, received_ns: int) -> list[Outcome]:
        """Withdraw what this connection fed, which ended."""
        if self._mark_connection == connection:
            self._mark = None
        return [
            outcome
            for book in self._books.values()
            for outcome in book.closed(connection, received_ns)
        ]

    def full_book(
        self, frame: Frame, topic: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return what a whole book says; one older than the book before withdraws it."""
        tick, time_ns = _FULL(frame.tick), time_of(frame.time)
        bids, asks = _sides(tick)
        book = self._book_of(topic)
        invalidate = book.ran_back(time_ns)
        if invalidate is not None:
            return book.invalidate(invalidate, received_ns)
        if bids is None or asks is None:
            return book.invalidate(_NO_SIDES, received_ns)
        return book.snapshot(
            bids, asks, connection, sequence=None, venue_time_ns=time_ns, received_ns=received_ns
        )

    def changed_book(
        self, frame: Frame, topic: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return what a snapshot or an update of it says."""
        tick, time_ns = _CHANGED(frame.tick), time_of(frame.time)
        bids, asks = _sides(tick)
        book, version = self._book_of(topic), tick.version
        if tick.event == "update":
            last = book.sequence
            gap = (
                None
                if last is None or version == last + 1
                else f"gap: version {last} was followed by {version}"
            )
            return book.update(
                bids or (),
                asks or (),
                connection,
                sequence=version,
                venue_time_ns=time_ns,
                received_ns=received_ns,
                gap=gap,
            )
        if bids is None or asks is None:
            return book.invalidate(_NO_SIDES, received_ns)
        return book.snapshot(
            bids, asks, connection, sequence=version, venue_time_ns=time_ns, received_ns=received_ns
        )

    def touch(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return best bid and ask."""
        return best_of(self.instrument, _BEST(frame.tick), time_of(frame.time), received_ns)

    def trades(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return the trades in a message."""
        return [trade_of(self.instrument, row, received_ns) for row in _TRADES(frame.tick).data]

    def candle(self, frame: Frame, topic: str, _: str, received_ns: int) -> Sequence[Outcome]:
        """Return the candle in a message; lengths that are not known are none of ours."""
        interval_s = SECONDS.get(topic.partition(".")[2])
        if interval_s is None:
            return ()
        return (
            candle_in(
                self.instrument, _CANDLE(frame.tick), interval_s, time_of(frame.time), received_ns
            ),
        )

    def mark(self, frame: Frame, _: str, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the mark, beside the index of before."""
        return self._priced(
            mark_of(self.instrument, _KLINE(frame.tick), time_of(frame.time), received_ns),
            "index",
            connection,
        )

    def index(self, frame: Frame, _: str, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the index, beside the mark of before."""
        return self._priced(
            index_of(self.instrument, _KLINE(frame.tick), time_of(frame.time), received_ns),
            "mark",
            connection,
        )

    def _priced(self, said: VenueMark, left_alone: str, connection: str) -> Sequence[Outcome]:
        self._mark, self._mark_connection = completed(said, self._mark, (left_alone,)), connection
        return (self._mark,)

    def _book_of(self, topic: str) -> ResubscribingBook:
        book = self._books.get(topic)
        if book is None:
            book = self._books[topic] = ResubscribingBook(
                self.instrument, lambda symbol: _renewal(symbol, topic)
            )
        self._told_last = book
        return book


def _sides(tick: FullBook | ChangedBook) -> tuple[list[Level] | None, list[Level] | None]:
    bids, asks = (levels_of(side) if side is not None else None for side in (tick.bids, tick.asks))
    return bids, asks


def _renewal(symbol: str, topic: str) -> Sequence[str]:
    """Return the requests that bring a snapshot; a topic of whole books brings one anyway."""
    if topic not in _CHANGED_BOOKS:
        return ()
    topics = [f"market.{symbol}.{topic}"]
    return request("unsubscribe", topics), request("subscribe", topics)


Reading = Callable[[SymbolState, Frame, str, str, int], Sequence[Outcome]]

_CHANGED_BOOKS: Final = ("depth.size_20.high_freq", "depth.size_150.high_freq")

_READINGS: Final[dict[str, Reading]] = {
    "depth.step0": SymbolState.full_book,
    "depth.step6": SymbolState.full_book,
    **dict.fromkeys(_CHANGED_BOOKS, SymbolState.changed_book),
    "bbo": SymbolState.touch,
    "trade.detail": SymbolState.trades,
}
# A period follows.
_KLINES: Final[dict[str, Reading]] = {
    "mark_price": SymbolState.mark,
    "index": SymbolState.index,
    "kline": SymbolState.candle,
}


def parts_of_channel(channel: str) -> tuple[str, str]:
    """Return the symbol and the topic of a channel (`market.<symbol>.<topic>`); empty strings where it is none."""
    _, symbol, topic = (*channel.split(".", 2), "", "")[:3]
    return symbol, topic


def reading_of(topic: str) -> Reading | None:
    """Return what reads a topic; None where it is not read."""
    return _READINGS.get(topic) or _KLINES.get(topic.partition(".")[0])


_FRAME: Final = msgspec.json.Decoder(Frame).decode
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOTIFICATIONS: Final[
    dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[..., Sequence[Outcome]]]]
] = {
    "funding_rate": (msgspec.json.Decoder(FundingRow).decode, funding_of),
    "liquidation_orders": (msgspec.json.Decoder(LiquidationRow).decode, liquidation_of),
}
_GRANTED: Final = frozenset({b"", b"null", b"0"})


class HtxSwapStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for HTX swaps. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = CHANNELS - UNASKED
    ) -> None:
        super().__init__(
            SymbolStates(NAME, SymbolState), Subscriptions(self._topics, request, per_request=1)
        )
        self._base = endpoints.stream
        self._channels = chosen(channels, CHANNELS, NAME)

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the channels of `symbols`, at most `MAX_TOPICS` topics on each.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        families = by_family(self._symbols.plan(symbols))
        plans = [
            plan
            for name in ROUTES
            for family, members in families
            for plan in self._plans(name, family, members)
        ]
        return self._put_in_force(plans)

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says, packed or not."""
        symbol = ""
        try:
            data = unpacked(data)
            frame = _FRAME(data)
            if frame.channel is None:
                return self._not_pushed(frame, data, connection, received_ns)
            symbol, topic = parts_of_channel(frame.channel)
            reading = reading_of(topic)
            state = self._symbols[symbol] if reading is not None else None
            if reading is None or state is None:
                return ()
            return reading(state, frame, topic, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile bytes do to the decoders is a complaint
            return (InvalidInput(f"{error}: in frame {data[:80]!r}", symbol[:50] or None),)

    def _plans(self, name: str, family: Family, symbols: Sequence[str]) -> list[ConnectionPlan]:
        route = ROUTES[name]
        suffixes = self._suffixes(route)
        shards = batches(symbols, MAX_TOPICS // len(suffixes)) if suffixes else []
        return [
            ConnectionPlan(
                name=f"{name}-{family.name}-{number}",
                url=self._base + route.path(family),
                symbols=tuple(shard),
                sources=tuple(
                    source for channel, source in route.sources.items() if channel in self._channels
                ),
            )
            for number, shard in enumerate(shards)
        ]

    def _suffixes(self, route: Route) -> list[str]:
        return [
            topic
            for channel, topics in route.topics.items()
            if channel in self._channels
            for topic in topics
        ]

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        route = ROUTES[plan.name.partition("-")[0]]
        return [
            f"{route.kind}.{symbol}.{suffix}"
            for symbol in plan.symbols
            for suffix in self._suffixes(route)
        ]

    def _not_pushed(
        self, frame: Frame, data: bytes, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        if frame.ping is not None:
            return (SendFrame(connection, f'{{"pong":{frame.ping}}}'),)
        if frame.op == "ping" and time_of(frame.time) is not None:
            return (
                SendFrame(
                    connection, msgspec.json.encode({"op": "pong", "ts": frame.time}).decode()
                ),
            )
        if frame.op == "notify":
            return self._notified(frame, received_ns)
        if (
            frame.status == "error"
            or bytes(frame.error) not in _GRANTED
            or frame.op in ("close", "error")
        ):
            return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
        known = frame.status is not None or frame.op is not None
        return () if known else (InvalidInput(f"Expected a push or an answer, was {data[:80]!r}"),)

    def _notified(self, frame: Frame, received_ns: int) -> Sequence[Outcome]:
        # public.<symbol>.funding_rate, or public.*.funding_rate with rows of all symbols
        read = _NOTIFICATIONS.get((frame.topic or "").rpartition(".")[2])
        if read is None:
            return ()
        (decode, events), time_ns = read, time_of(frame.time)

        def said(instrument: InstrumentId, row: FundingRow | LiquidationRow) -> Sequence[Outcome]:
            state = self._symbols[instrument.symbol]
            return events(instrument, row, time_ns, received_ns) if state is not None else ()

        return read_rows(NAME, _ROWS(frame.data), decode, said)
