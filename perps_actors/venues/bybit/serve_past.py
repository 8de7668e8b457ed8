"""Bybit's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: bybit-exchange.github.io/docs/v5/market (kline, history-fund-rate), read 2026-11: the newest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.venues.bybit.messages import SECONDS
from perps_actors.venues.fields import NS_PER_MS
from perps_actors.venues.serving import MarketView, span_of

_NAMES: Final = ("startTime", "endTime", "limit")


def klines(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[list[str]] | None:
    """Return the rows of a kline answer; None where there are none to tell."""
    span = span_of(params, ("start", "end", "limit"), NS_PER_MS, now_ns, usual=200, most=1_000)
    found = span.candles(market, symbol, SECONDS.get(params.get("interval", "")))
    if found is None:
        return None
    return [
        [str(candle.open_time_ns // NS_PER_MS), candle.open, candle.high, candle.low, candle.close, candle.volume, "0"]
        for candle in reversed(span.cut(found, oldest=False))
    ]


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=200, most=200)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    newest_first = reversed(span.cut(found, oldest=False))
    return [{"symbol": symbol, "fundingRate": paid.rate, "fundingRateTimestamp": str(paid.time_ns // NS_PER_MS)} for paid in newest_first]
