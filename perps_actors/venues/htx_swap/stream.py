"""HTX's streams of swaps: books, touch, trades, marks, funding, liquidations and candles.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (WebSocket), read 2026-11. Every 5 s the venue sends a
ping, on market streams as `{"ping": n}` and on notification streams as `{"op": "ping", "ts": "n"}`, and ends the connection of those who
did not answer the last four or five with the same number. It answers no pings. A refusal is an answer with `err-code`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome, SendFrame
from perps_actors.venues.htx_swap.families import LIVE, NAME, Family, by_family
from perps_actors.venues.htx_swap.followed import SymbolState, parts_of_channel, reading_of
from perps_actors.venues.htx_swap.frames import unpacked
from perps_actors.venues.htx_swap.parse import funding_of, liquidation_of, time_of
from perps_actors.venues.htx_swap.schema import Frame, FundingRow, LiquidationRow
from perps_actors.venues.htx_swap.topics import CHANNELS, MAX_TOPICS, ROUTES, Route, request
from perps_actors.venues.toolkit.rest import read_rows
from perps_actors.venues.toolkit.subscriptions import Following, Subscriptions, batches, chosen
from perps_actors.venues.toolkit.symbols import SymbolStates

_FRAME: Final = msgspec.json.Decoder(Frame).decode
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOTIFICATIONS: Final[
    dict[str, tuple[Callable[[msgspec.Raw], Any], Callable[..., Sequence[Outcome]]]]
] = {
    "funding_rate": (msgspec.json.Decoder(FundingRow).decode, funding_of),
    "liquidation_orders": (msgspec.json.Decoder(LiquidationRow).decode, liquidation_of),
}
_GRANTED: Final = frozenset({b"", b"null", b"0"})


class HtxSwapStream(Following[SymbolState, str]):
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
        families = by_family(self._followed.plan(symbols))
        plans = [
            plan
            for name in ROUTES
            for family, members in families
            for plan in self._plans(name, family, members)
        ]
        return self._subscriptions.planned(plans)

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
            if reading is None or self._followed.former(symbol):
                return ()  # a former symbol's was on its way when it was unsubscribed
            return reading(self._followed.of(symbol), frame, topic, connection, received_ns)
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
            if self._followed.former(instrument.symbol):
                return ()
            return events(
                self._followed.of(instrument.symbol).instrument, row, time_ns, received_ns
            )

        return read_rows(NAME, _ROWS(frame.data), decode, said)
