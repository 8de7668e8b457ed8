"""Bybit's streams: books, touch, trades, venue marks, funding, liquidations and candles.

Source: bybit-exchange.github.io/docs/v5 (ws/connect, websocket/public), read 2026-11. A connection
carries one category, and the topics subscribed on it may have 21,000 characters. Answers to
requests can come after dozens of pushes. A ping is due every 20 s. Bybit does not publish the
funding rate after the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.bybit.parse import READERS, SymbolState, request
from perps_actors.venues.bybit.rest import LIVE, NAME
from perps_actors.venues.bybit.schema import Frame, by_category
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.toolkit.symbol_stream import (
    Subscriptions,
    SymbolStates,
    SymbolStream,
    batches,
    chosen,
    refused,
)

CHANNELS: Final = {
    "book": "orderbook.50",
    "marks": "tickers",
    "trades": "publicTrade",
    "liquidations": "allLiquidation",
    "candles": "kline.1",
}
"""The channels, and the topic of each without the symbol.

Touch, funding and open interest come with the marks. Candles are of a minute.
"""
SYMBOLS_PER_CONNECTION: Final = 80
"""80 symbols of 40 characters make 18,000 characters of topics."""
TOPICS_PER_REQUEST: Final = 40
PING: Final = ('{"op":"ping"}', 20.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "marks": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame).decode


class BybitStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for Bybit. After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        super().__init__(
            SymbolStates(NAME, SymbolState),
            self._shard,
            Subscriptions(self._topics, request, TOPICS_PER_REQUEST),
        )
        self._base = endpoints.stream
        self._channels = chosen(channels, CHANNELS, NAME)

    def _shard(self, symbols: Sequence[str]) -> Iterable[ConnectionPlan]:
        """Return a connection for each `SYMBOLS_PER_CONNECTION` symbols of a category."""
        return (
            ConnectionPlan(
                name=f"{category}-{number}",
                url=f"{self._base}/v5/public/{category}",
                symbols=tuple(shard),
                sources=tuple(
                    _SOURCES[channel] for channel in self._channels if channel in _SOURCES
                ),
                keep_alive=PING,
            )
            for category, members in by_category(symbols).items()
            for number, shard in enumerate(batches(members, SYMBOLS_PER_CONNECTION))
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of a frame."""
        symbol = ""
        try:
            frame = _FRAME(data)
            channel, _, rest = (frame.topic or "").partition(".")
            middle, _, symbol = rest.rpartition(".")
            read = READERS.get(channel)
            if read is None:
                return _not_read(frame, data)
            state = self._symbols[symbol]
            return read(state, frame, middle, connection, received_ns) if state is not None else ()
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoders
            return (InvalidInput(f"{error}: in frame {data[:80]!r}", symbol[:50] or None),)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [
            f"{CHANNELS[channel]}.{symbol}" for symbol in plan.symbols for channel in self._channels
        ]


def _not_read(frame: Frame, data: bytes) -> Sequence[Outcome]:
    """Return the outcomes of answers to requests and pings, and of topics that are not read."""
    if frame.success is False:
        return refused(data)
    known = frame.topic is not None or frame.op is not None
    return () if known else (InvalidInput(f"Expected a topic or an answer, was {data[:80]!r}"),)
