"""Kraken Futures's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: docs.kraken.com (futures charts, historical funding rates), read 2026-10: candles of a path of their own, oldest first, between
seconds that both belong to the span; all fundings in one answer. Money a contract is not made up: it is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from perps_actors.venues.fields import NS_PER_MS, NS_PER_S
from perps_actors.venues.kraken_futures.messages import SECONDS
from perps_actors.venues.serving import MarketView, json_number, span_of

_MOST: Final = 2_000


def candles(symbol: str, name: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> dict[str, Any] | None:
    """Return the candles of an interval of that name; None where there are none to tell."""
    span = span_of(params, ("from", "to", ""), NS_PER_S, now_ns, usual=_MOST, most=_MOST)
    found = span.candles(market, symbol, SECONDS.get(name))
    if found is None:
        return None
    rows = [
        {
            "time": candle.open_time_ns // NS_PER_MS,
            **{name: getattr(candle, name) for name in ("open", "high", "low", "close")},
            "volume": json_number(candle.volume),
        }
        for candle in span.cut(found, oldest=True)
    ]
    return {"candles": rows, "more_candles": len(found) > len(rows)}


def fundings(symbol: str, market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return all fundings of the past; None where there are none to tell."""
    found = market.fundings(symbol, 0, now_ns + 1)
    if found is None:
        return None
    return [{"timestamp": _date(paid.time_ns), "fundingRate": 0, "relativeFundingRate": json_number(paid.rate)} for paid in found]


def _date(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%S}Z"
