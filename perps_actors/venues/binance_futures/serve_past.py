"""Binance's candles, days and past funding from the venue's side. Opens nothing, reads no clock.

Source: developers.binance.com/docs/derivatives (kline data, funding rate history), read 2026-10: oldest first; with a first
moment what follows it, else the newest. What was quoted and who took is not made up: it is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from perps_actors.market.numbers import plain
from perps_actors.venues.binance_futures.messages import SECONDS
from perps_actors.venues.fields import NS_PER_MS, NS_PER_S
from perps_actors.venues.serving import MarketView, span_of

_DAY_NS: Final = 86_400 * NS_PER_S
_NAMES: Final = ("startTime", "endTime", "limit")


def klines(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[list[Any]] | None:
    """Return the rows of a klines answer; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=500, most=1_500)
    found = span.candles(market, symbol, SECONDS.get(params.get("interval", "")))
    if found is None:
        return None
    rest = ["0", 0, "0", "0", "0"]
    return [
        [
            candle.open_time_ns // NS_PER_MS,
            *(candle.open, candle.high, candle.low, candle.close, candle.volume),
            (candle.open_time_ns + candle.interval_s * NS_PER_S) // NS_PER_MS - 1,
            *rest,
        ]
        for candle in span.cut(found, oldest="startTime" in params)
    ]


def day(symbol: str, market: MarketView) -> dict[str, Any] | None:
    """Return the row of a symbol in a 24 h ticker; None where there is none to tell."""
    touch = market.touch(symbol)
    until_ns = touch.venue_time_ns if touch is not None else None
    minutes = market.candles(symbol, 60, until_ns - _DAY_NS, until_ns + 1) if until_ns is not None else None
    if touch is None or until_ns is None or not minutes:
        return None
    first, last = minutes[0].open, touch.last or minutes[-1].close
    change = Decimal(last) - Decimal(first)
    return {
        "symbol": symbol,
        "priceChange": plain(change),
        "priceChangePercent": f"{change / Decimal(first) * 100:.3f}",
        "lastPrice": last,
        "openPrice": first,
        "highPrice": max((minute.high for minute in minutes), key=Decimal),
        "lowPrice": min((minute.low for minute in minutes), key=Decimal),
        "volume": plain(sum(Decimal(minute.volume) for minute in minutes) or Decimal(0)),
        "openTime": minutes[0].open_time_ns // NS_PER_MS,
        "closeTime": until_ns // NS_PER_MS,
    }


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a funding rate history; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=100, most=1_000)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    told = span.cut(found, oldest="startTime" in params)
    return [{"symbol": symbol, "fundingRate": paid.rate, "fundingTime": paid.time_ns // NS_PER_MS, "markPrice": ""} for paid in told]
