"""HTX's streams of swaps.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (WebSocket), read
2026-11.

- Every 5 s the venue sends a ping, on market streams as `{"ping": n}` and on notification streams
  as `{"op": "ping", "ts": "n"}`. It closes a connection that did not answer the last four or five
  with the same number. It answers no pings.
- A frame subscribes one topic, and a connection may send at most 40 subscriptions a second.
- Mark and index prices come as candles, on a stream of their own.
- A refusal is an answer with `err-code`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome, SendFrame
from perps_actors.venues.htx_swap.parse import (
    SymbolState,
    funding_of,
    liquidation_of,
    parts_of_channel,
    time_of,
)
from perps_actors.venues.htx_swap.rest import LIVE, NAME
from perps_actors.venues.htx_swap.schema import (
    INDEX,
    Frame,
    FundingRow,
    LiquidationRow,
    MarginType,
    by_margin_type,
    unpacked,
)
from perps_actors.venues.toolkit.rest import read_rows
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    SymbolStream,
    batches,
    chosen,
    refused,
)

MAX_TOPICS: Final = 40
"""Topics of a connection, all of which are subscribed when it opens."""
BOOK: Final = "depth.size_150.high_freq"


@attrs.frozen(kw_only=True)
class Route:
    """A kind of connection: its path, and the topics that it carries by channel."""

    path: Callable[[MarginType], str]
    kind: str
    """First part of its topics."""
    topics: Mapping[str, tuple[str, ...]]
    """The part of its topics after the symbol, by channel."""
    sources: Mapping[str, Source]
    """The source of marks that a channel is."""


ROUTES: Final[Mapping[str, Route]] = {
    "market": Route(
        path=lambda margin_type: margin_type.market,
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
        path=lambda margin_type: margin_type.notification,
        kind="public",
        topics={"funding": ("funding_rate",), "liquidations": ("liquidation_orders",)},
        sources={},
    ),
}
"""By the first part of the connection's name."""
CHANNELS: Final = frozenset(channel for route in ROUTES.values() for channel in route.topics)

_VERBS: Final[dict[Op, str]] = {"subscribe": "sub", "unsubscribe": "unsub"}
_GRANTED: Final = frozenset({b"", b"null", b"0"})
_FRAME: Final = msgspec.json.Decoder(Frame).decode
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOTIFICATIONS: Final[
    dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[..., Sequence[Outcome]]]]
] = {
    "funding_rate": (msgspec.json.Decoder(FundingRow).decode, funding_of),
    "liquidation_orders": (msgspec.json.Decoder(LiquidationRow).decode, liquidation_of),
}


Reader = Callable[[SymbolState, Frame, str, str, int], Sequence[Outcome]]

_CHANGED_BOOKS: Final = ("depth.size_20.high_freq", "depth.size_150.high_freq")

_READERS: Final[dict[str, Reader]] = {
    "depth.step0": SymbolState.read_full_book,
    "depth.step6": SymbolState.read_full_book,
    **dict.fromkeys(_CHANGED_BOOKS, SymbolState.read_changed_book),
    "bbo": SymbolState.read_touch,
    "trade.detail": SymbolState.read_trades,
}
# A period follows these.
_KLINES: Final[dict[str, Reader]] = {
    "mark_price": SymbolState.read_mark,
    "index": SymbolState.read_index,
    "kline": SymbolState.read_candle,
}


def topic_reader(topic: str) -> Reader | None:
    """Return the reader of a topic; None if we do not read it."""
    return _READERS.get(topic) or _KLINES.get(topic.partition(".")[0])


def _request(op: Op, topics: Sequence[str]) -> str:
    (topic,) = topics
    verb = _VERBS[op]
    request = {"op": verb, "topic": topic} if topic.startswith("public.") else {verb: topic}
    if topic.endswith(".high_freq"):
        request["data_type"] = "incremental"
    return msgspec.json.encode(request).decode()


def _resubscribe(symbol: str, topic: str) -> Sequence[str]:
    """Return the requests that bring a snapshot; a topic of whole books brings one anyway."""
    if topic not in _CHANGED_BOOKS:
        return ()
    topics = [f"market.{symbol}.{topic}"]
    return _request("unsubscribe", topics), _request("subscribe", topics)


class HtxSwapStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for HTX swaps. After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = CHANNELS - UNASKED
    ) -> None:
        super().__init__(
            SymbolStates(NAME, lambda instrument: SymbolState(instrument, _resubscribe)),
            self._shard,
            Subscriptions(self._topics, _request, per_request=1),
        )
        self._base = endpoints.stream
        self._channels = chosen(channels, CHANNELS, NAME)

    def _shard(self, symbols: Sequence[str]) -> Iterable[ConnectionPlan]:
        """Return the connections that carry the channels of `symbols`."""
        margin_types = by_margin_type(symbols)
        return (
            plan
            for name in ROUTES
            for margin_type, members in margin_types
            for plan in self._plans(name, margin_type, members)
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the events in a frame, which is gzip or, in recordings, plain text."""
        symbol = ""
        try:
            data = unpacked(data)
            frame = _FRAME(data)
            if frame.channel is None:
                return self._read_other(frame, data, connection, received_ns)
            symbol, topic = parts_of_channel(frame.channel)
            read = topic_reader(topic)
            state = self._symbols[symbol] if read is not None else None
            if read is None or state is None:
                return ()
            return read(state, frame, topic, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - hostile bytes
            return (InvalidInput(f"{error}: in frame {data[:80]!r}", symbol[:50] or None),)

    def _plans(
        self, name: str, margin_type: MarginType, symbols: Sequence[str]
    ) -> list[ConnectionPlan]:
        route = ROUTES[name]
        suffixes = self._suffixes(route)
        shards = batches(symbols, MAX_TOPICS // len(suffixes)) if suffixes else []
        return [
            ConnectionPlan(
                name=f"{name}-{margin_type.name}-{number}",
                url=self._base + route.path(margin_type),
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

    def _read_other(
        self, frame: Frame, data: bytes, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of a frame without channel: ping, notification, answer or refusal."""
        if frame.ping is not None:
            return (SendFrame(connection, f'{{"pong":{frame.ping}}}'),)
        if frame.op == "ping" and time_of(frame.time) is not None:
            pong = msgspec.json.encode({"op": "pong", "ts": frame.time}).decode()
            return (SendFrame(connection, pong),)
        if frame.op == "notify":
            return self._notified(frame, received_ns)
        failed = frame.status == "error" or frame.op in ("close", "error")
        if failed or bytes(frame.error) not in _GRANTED:
            return refused(data)
        known = frame.status is not None or frame.op is not None
        return () if known else (InvalidInput(f"Expected a push or an answer, was {data[:80]!r}"),)

    def _notified(self, frame: Frame, received_ns: int) -> Sequence[Outcome]:
        # The topic is public.<symbol>.funding_rate, or public.*.funding_rate for all symbols.
        reader = _NOTIFICATIONS.get((frame.topic or "").rpartition(".")[2])
        if reader is None:
            return ()
        (decode, events_of), time_ns = reader, time_of(frame.time)

        def events(instrument: InstrumentId, row: Any) -> Sequence[Outcome]:
            followed = self._symbols[instrument.symbol] is not None
            return events_of(instrument, row, time_ns, received_ns) if followed else ()

        return read_rows(NAME, _ROWS(frame.data), decode, events)
