"""OKX's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: www.okx.com/docs-v5/en (candlesticks history, funding rate history), read 2026-11: the newest first, between `before` and
`after`, neither of which belongs to the span.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.market.candle import Candle
from perps_actors.venues.fields import NS_PER_MS
from perps_actors.venues.okx.messages import SECONDS
from perps_actors.venues.okx.serve import inst_type
from perps_actors.venues.serving import MarketView, Span, span_of

_MOST_CANDLES: Final = 300
_MOST_FUNDINGS: Final = 400


def candles(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[list[str]] | None:
    """Return the rows of a candlesticks answer; None where there are none to tell."""
    span = _span(params, now_ns, _MOST_CANDLES)
    found = span.candles(market, symbol, SECONDS.get(params.get("bar", "1m")))
    return [_row(candle) for candle in reversed(span.cut(found, oldest=False))] if found is not None else None


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = _span(params, now_ns, _MOST_FUNDINGS)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    named = {"instType": inst_type(symbol), "instId": symbol}
    return [
        {**named, "fundingRate": paid.rate, "realizedRate": paid.rate, "fundingTime": str(paid.time_ns // NS_PER_MS)}
        for paid in reversed(span.cut(found, oldest=False))
    ]


def _span(params: Mapping[str, str], now_ns: int, most: int) -> Span:
    span = span_of(params, ("before", "after", "limit"), NS_PER_MS, now_ns, usual=100, most=most)
    since_ns = span.since_ns + NS_PER_MS if "before" in params else 0
    return span._replace(since_ns=since_ns, until_ns=span.until_ns - NS_PER_MS if "after" in params else span.until_ns)


def _row(candle: Candle) -> list[str]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [str(candle.open_time_ns // NS_PER_MS), *prices, candle.volume, "0", "0", "1" if candle.closed else "0"]
