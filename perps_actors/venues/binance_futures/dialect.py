"""What differs between Binance's futures venues: USD-M (`binance_futures`) and COIN-M (`binance_delivery`).

Sources: developers.binance.com/docs/derivatives/usds-margined-futures and .../coin-margined-futures, read 2026-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import attrs

from perps_actors.market.mark import Source
from perps_actors.venues.contract import Endpoints


class RestPath(NamedTuple):
    """An address and its weights."""

    name: str
    """Below the prefix."""
    weight_one: int
    """With a symbol."""
    weight_all: int


@attrs.frozen(kw_only=True)
class Route:
    """A kind of connection: its path, and the streams that it carries by channel."""

    path: str
    """Between host and `/stream`."""
    streams: Mapping[str, str]
    sources: tuple[Source, ...]
    also: frozenset[str] = frozenset()
    """Streams that it carries too, and we do not ask for."""


@attrs.frozen(kw_only=True)
class Dialect:
    """One of Binance's futures venues."""

    venue: str
    live: Endpoints
    routes: Mapping[str, Route]
    """By the name of the connection."""
    prefix: str
    """Of all REST paths."""
    rest: Mapping[str, RestPath]
    """By purpose."""
    linear: bool
    longest_candles_s: int | None = None
    """The longest span of time that one request for candles may name, in seconds."""


USD_M = Dialect(
    venue="binance_futures",
    live=Endpoints(stream="wss://fstream.binance.com", rest="https://fapi.binance.com"),
    routes={
        "public": Route(
            path="/public",
            streams={"book": "depth@100ms", "touch": "bookTicker"},
            sources=("book", "touch"),
            also=frozenset({"trade"}),
        ),
        "market": Route(
            path="/market",
            streams={
                "trades": "aggTrade",
                "marks": "markPrice@1s",
                "liquidations": "forceOrder",
                "candles": "kline_1m",
            },
            sources=("trades",),
        ),
    },
    prefix="/fapi/v1",
    rest={
        "quotes": RestPath("/ticker/bookTicker", 2, 5),
        "venue_marks": RestPath("/premiumIndex", 1, 10),
        "open_interest": RestPath("/openInterest", 1, 1),
        "depth": RestPath("/depth", 20, 20),
        "candles": RestPath("/klines", 5, 5),
        "funding_history": RestPath("/fundingRate", 1, 1),
        "instruments": RestPath("/exchangeInfo", 1, 1),
    },
    linear=True,
)
"""Margined in a stablecoin; amounts in base asset. Two paths since 2026-04-23; on the wrong one a stream is mute."""

COIN_M = Dialect(
    venue="binance_delivery",
    live=Endpoints(stream="wss://dstream.binance.com", rest="https://dapi.binance.com"),
    routes={
        "stream": Route(
            path="",
            streams={
                "book": "depth@100ms",
                "touch": "bookTicker",
                "trades": "aggTrade",
                "marks": "markPrice@1s",
                "liquidations": "forceOrder",
                "candles": "kline_1m",
            },
            sources=("book", "touch", "trades"),
        )
    },
    prefix="/dapi/v1",
    rest={
        "quotes": RestPath("/ticker/bookTicker", 2, 5),
        "venue_marks": RestPath("/premiumIndex", 10, 10),
        "open_interest": RestPath("/openInterest", 1, 1),
        "depth": RestPath("/depth", 20, 20),
        "candles": RestPath("/klines", 5, 5),
        "funding_history": RestPath("/fundingRate", 1, 1),
        "instruments": RestPath("/exchangeInfo", 1, 1),
    },
    linear=False,
    longest_candles_s=200 * 86_400,
)
"""Margined in the base coin; amounts in contracts of so many USD. One path carries all streams; marks bring no index by stream."""
