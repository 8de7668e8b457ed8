"""BitMEX's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: bitmex.com API explorer, read 2026-10: oldest first unless `reverse` is true, between moments that both belong to the span; a
candle is named by the end of its interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from perps_actors.venues.bitmex.messages import SECONDS
from perps_actors.venues.bitmex.serve import moment
from perps_actors.venues.fields import NS_PER_MS, NS_PER_S
from perps_actors.venues.moments import nanoseconds
from perps_actors.venues.serving import MarketView, Row, Span, json_number, span_of


def bins(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a bucketed answer, of intervals that are over; None where there are none to tell."""
    span, interval_s = _span(params, now_ns, 1_000), SECONDS.get(params.get("binSize", "1m"))
    if interval_s is None:
        return None
    step_ns = interval_s * NS_PER_S
    found = market.candles(symbol, interval_s, span.since_ns - step_ns, span.until_ns - step_ns)
    if found is None:
        return None
    return [
        {
            "timestamp": moment(candle.open_time_ns + step_ns),
            "symbol": symbol,
            **{name: json_number(getattr(candle, name)) for name in ("open", "high", "low", "close", "volume")},
        }
        for candle in _ordered(params, span, [candle for candle in found if candle.closed])
    ]


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of the table of fundings; None where there are none to tell."""
    span = _span(params, now_ns, 500)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    return [
        {
            "timestamp": moment(paid.time_ns),
            "symbol": symbol,
            "fundingInterval": "2000-01-01T08:00:00.000Z",
            "fundingRate": json_number(paid.rate),
        }
        for paid in _ordered(params, span, found)
    ]


def _span(params: Mapping[str, str], now_ns: int, most: int) -> Span:
    moments = {name: _millis(params[name]) for name in ("startTime", "endTime") if name in params}
    return span_of({**params, **moments}, ("startTime", "endTime", "count"), NS_PER_MS, now_ns, usual=100, most=most)


def _millis(date: str) -> str:
    try:
        return str(nanoseconds(datetime.fromisoformat(date)) // NS_PER_MS)
    except (ValueError, TypeError):
        return ""


def _ordered(params: Mapping[str, str], span: Span, rows: Sequence[Row]) -> Iterable[Row]:
    newest = params.get("reverse") == "true"
    told = span.cut(rows, oldest=not newest)
    return reversed(told) if newest else told
