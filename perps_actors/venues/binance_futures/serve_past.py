"""Binance's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: developers.binance.com/docs/derivatives (kline data, funding rate history), read 2026-10: oldest first; with a first
moment what follows it, else the newest. What was quoted and who took is not made up: it is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.venues.binance_futures.messages import SECONDS
from perps_actors.venues.fields import NS_PER_MS, NS_PER_S
from perps_actors.venues.serving import MarketView, span_of

_NAMES: Final = ("startTime", "endTime", "limit")


def klines(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[list[Any]] | None:
    """Return the rows of a klines answer; None where there are none to tell."""
    span, interval_s = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=500, most=1_500), SECONDS.get(params.get("interval", ""))
    found = market.candles(symbol, interval_s, span.since_ns, span.until_ns) if interval_s is not None else None
    if found is None or interval_s is None:
        return None
    rest = ["0", 0, "0", "0", "0"]
    return [
        [
            candle.open_time_ns // NS_PER_MS,
            *(candle.open, candle.high, candle.low, candle.close, candle.volume),
            (candle.open_time_ns + interval_s * NS_PER_S) // NS_PER_MS - 1,
            *rest,
        ]
        for candle in span.cut(found, oldest="startTime" in params)
    ]


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a funding rate history; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=100, most=1_000)
    found = market.fundings(symbol, span.since_ns, span.until_ns)
    if found is None:
        return None
    told = span.cut(found, oldest="startTime" in params)
    return [{"symbol": symbol, "fundingRate": paid.rate, "fundingTime": paid.time_ns // NS_PER_MS, "markPrice": ""} for paid in told]
