"""Deribit's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: docs.deribit.com (get_tradingview_chart_data, get_funding_rate_history), read 2026-10: candles as columns, oldest first. Funding
is told here as it is settled, with the rate of its last hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.market.candle import Candle
from perps_actors.venues.deribit.messages import SECONDS
from perps_actors.venues.fields import NS_PER_MS
from perps_actors.venues.serving import MarketView, json_number, span_of

_NAMES: Final = ("start_timestamp", "end_timestamp", "")
_MOST: Final = 5_000


def chart(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> dict[str, Any] | None:
    """Return the columns of a chart; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=_MOST, most=_MOST)
    found = span.candles(market, symbol, SECONDS.get(params.get("resolution", "")))
    if found is None:
        return None
    told: list[Candle] = list(span.cut(found, oldest=True))
    linear = "_" in symbol.partition("-")[0]
    volumes, none = [json_number(candle.volume) for candle in told], [0] * len(told)
    return {
        "status": "ok" if told else "no_data",
        "ticks": [candle.open_time_ns // NS_PER_MS for candle in told],
        **{name: [json_number(getattr(candle, name)) for candle in told] for name in ("open", "high", "low", "close")},
        "volume": volumes if linear else none,
        "cost": none if linear else volumes,
    }


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=744, most=744)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    rows = [(paid.time_ns // NS_PER_MS, json_number(paid.rate)) for paid in span.cut(found, oldest=True)]
    return [{"timestamp": at, "interest_1h": rate, "interest_8h": rate} for at, rate in rows]
