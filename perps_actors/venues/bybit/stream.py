"""Bybit's streams: books, touch, trades, venue marks, funding, open interest, liquidations and candles.

Source: bybit-exchange.github.io/docs/v5 (ws/connect, websocket/public), read 2026-11. A connection carries one category, and the
topics named on it may have 21,000 characters. Answers to subscriptions can come after dozens of pushes. A ping is due every 20 s.
Not offered: a prediction of the funding rate after the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.bybit.parse import READINGS, SymbolState, request
from perps_actors.venues.bybit.rest import LIVE, NAME
from perps_actors.venues.bybit.schema import Frame, by_category
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.toolkit.subscriptions import Following, Subscriptions, batches, chosen
from perps_actors.venues.toolkit.symbols import SymbolStates

CHANNELS: Final = {
    "book": "orderbook.50",
    "marks": "tickers",
    "trades": "publicTrade",
    "liquidations": "allLiquidation",
    "candles": "kline.1",
}
"""What can be subscribed, and its topic without the symbol. Touch, funding and open interest come with the marks; candles
are of a minute."""
SYMBOLS_PER_CONNECTION: Final = 80
"""80 symbols of 40 characters make 18,000 characters of topics."""
TOPICS_PER_REQUEST: Final = 40
PING: Final = ('{"op":"ping"}', 20.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "marks": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame).decode


class BybitStream(Following[SymbolState, str]):
    """A `StreamAdapter` for Bybit. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        super().__init__(
            SymbolStates(NAME, SymbolState),
            Subscriptions(self._topics, request, TOPICS_PER_REQUEST),
        )
        self._base = endpoints.stream
        self._channels = chosen(channels, CHANNELS, NAME)

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return one connection for each `SYMBOLS_PER_CONNECTION` symbols of a category, linear or inverse.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        return self._put_in_force(
            ConnectionPlan(
                name=f"{category}-{number}",
                url=f"{self._base}/v5/public/{category}",
                symbols=tuple(shard),
                sources=tuple(
                    _SOURCES[channel] for channel in self._channels if channel in _SOURCES
                ),
                keep_alive=PING,
            )
            for category, members in by_category(self._followed.plan(symbols)).items()
            for number, shard in enumerate(batches(members, SYMBOLS_PER_CONNECTION))
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says."""
        symbol = ""
        try:
            frame = _FRAME(data)
            channel, _, rest = (frame.topic or "").partition(".")
            depth, _, symbol = rest.rpartition(".")
            reading = READINGS.get(channel)
            if reading is None:
                return _no_reading(frame, data)
            followed = self._followed.current(symbol)
            if followed is None:
                return ()  # on its way when it was unsubscribed
            return reading(followed, frame, depth, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoders is a complaint
            return (InvalidInput(f"{error}: in frame {data[:80]!r}", symbol[:50] or None),)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [
            f"{CHANNELS[channel]}.{symbol}" for symbol in plan.symbols for channel in self._channels
        ]


def _no_reading(frame: Frame, data: bytes) -> Sequence[Outcome]:
    """Answers to requests and pings, and topics that we do not subscribe."""
    if frame.success is False:
        return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
    known = frame.topic is not None or frame.op is not None
    return () if known else (InvalidInput(f"Expected a topic or an answer, was {data[:80]!r}"),)
