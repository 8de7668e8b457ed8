"""Gate.io's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: gate.com/docs/developers/apiv4 (futures candlesticks, funding rate history), read 2026-11: candles oldest first, fundings newest
first, between seconds that both belong to the span.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.venues.fields import NS_PER_S
from perps_actors.venues.gateio_futures.messages import SECONDS
from perps_actors.venues.serving import MarketView, json_number, span_of

_NAMES: Final = ("from", "to", "limit")


def candles(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a candlesticks answer; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_S, now_ns, usual=2_000 if "from" in params else 100, most=2_000)
    found = span.candles(market, symbol, SECONDS.get(params.get("interval", "5m")))
    if found is None:
        return None
    return [
        {
            "t": candle.open_time_ns // NS_PER_S,
            "v": json_number(candle.volume),
            "c": candle.close,
            "h": candle.high,
            "l": candle.low,
            "o": candle.open,
            "sum": "0",
        }
        for candle in span.cut(found, oldest=False)
    ]


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_S, now_ns, usual=100, most=1_000)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    return [{"t": paid.time_ns // NS_PER_S, "r": paid.rate} for paid in reversed(span.cut(found, oldest=False))]
