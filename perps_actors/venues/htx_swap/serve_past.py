"""HTX's candles and past funding from the venue's side. Opens nothing, reads no clock.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (K-line data, historical funding rates), read 2026-11:
candles oldest first between seconds that both belong to the span, or the newest; fundings in pages, the newest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.market.candle import Candle
from perps_actors.venues.fields import NS_PER_S
from perps_actors.venues.htx_swap.messages import SECONDS
from perps_actors.venues.htx_swap.serve import millis
from perps_actors.venues.serving import MarketView, json_number, span_of

_MOST: Final = 2_000
_PAGE: Final = 50


def candles(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return the rows of a kline answer; None where there are none to tell."""
    spanned = "from" in params
    span = span_of(params, ("from", "to", "size"), NS_PER_S, now_ns, usual=_MOST if spanned else 150, most=_MOST)
    found = span.candles(market, symbol, SECONDS.get(params.get("period", "")))
    return [_row(candle) for candle in span.cut(found, oldest=spanned)] if found is not None else None


def fundings(symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int) -> dict[str, Any] | None:
    """Return a page of the history of funding; None where there is none to tell."""
    found = market.fundings(symbol, 0, now_ns + 1)
    if found is None:
        return None
    size = min(_whole(params.get("page_size", ""), 20), _PAGE)
    page, newest = _whole(params.get("page_index", ""), 1), list(reversed(found))
    rows = [
        {"contract_code": symbol, "funding_rate": paid.rate, "realized_rate": paid.rate, "funding_time": millis(paid.time_ns)}
        for paid in newest[(page - 1) * size : page * size]
    ]
    return {"total_page": -(-len(newest) // size), "current_page": page, "total_size": len(newest), "data": rows}


def _whole(text: str, usual: int) -> int:
    return max(1, int(text)) if text[:9].isdecimal() and len(text) < 9 else usual


def _row(candle: Candle) -> dict[str, Any]:
    prices = {name: json_number(getattr(candle, name)) for name in ("open", "close", "high", "low")}
    return {"id": candle.open_time_ns // NS_PER_S, **prices, "amount": 0, "vol": json_number(candle.volume), "count": 0}
