"""Bybit's REST answers from the server's side.

Source: bybit-exchange.github.io/docs/v5 (market, rate-limit, error, kline, history-fund-rate), read
2026-11: 600 requests in 5 s per address, beyond that status 403 for the next ten minutes. Refusals
have status 200 and a `retCode`: 10001 for parameters, 10016 for market data that is not known yet.
Unknown fields of a ticker are empty texts. History is newest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    RateLimit,
    RestAnswer,
    RestRefusal,
    RestSide,
    known,
    present,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView
from perps_actors.simulator.venues.bybit.stream import ticker_fields
from perps_actors.venues.bybit.schema import CATEGORIES, SECONDS, category_of
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

REFUSED_S: Final = 600

_MOST_LEVELS: Final = 500


def _refusal(code: int, msg: str) -> RestRefusal:
    return RestRefusal(200, {"retCode": code, "retMsg": msg, "result": {}, "retExtInfo": {}})


class BybitRequests(RateLimit):
    """Requests of one address in the current 5 s, and its ban of ten minutes."""

    limit = 600
    window_s = 5
    _banned_until_ns = 0

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:
        """Count a request; return its refusal if it exceeds the limit or the address is banned."""
        banned, refused = now_ns < self._banned_until_ns, super().charge(path, query, now_ns)
        if refused is None and not banned:
            return None
        if not banned:
            self._banned_until_ns = now_ns + REFUSED_S * NS_PER_S
        return self._too_many(-(-(self._banned_until_ns - now_ns) // NS_PER_S))


class BybitRestSide(RestSide):
    """REST answers of Bybit."""

    rate_limit = BybitRequests
    ignored_parameters = ("limit",)
    unknown = (
        200,
        {"retCode": 10016, "retMsg": "Internal server error.", "result": {}, "retExtInfo": {}},
    )
    exceeded = (
        403,
        {"retCode": 10018, "retMsg": "Exceeded the IP Rate Limit.", "result": {}},
    )

    def _body(
        self, path: str, params: dict[str, str], market: MarketView, now_ns: int
    ) -> dict[str, Any]:
        result = _result(path, params, market, now_ns)
        ms = now_ns // NS_PER_MS
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": ms}

    def _refusal_body(self, said: Mapping[str, Any], now_ns: int) -> Mapping[str, Any]:
        return {**said, "time": now_ns // NS_PER_MS} if said else said


def _result(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> dict[str, Any]:
    match path:
        case "/v5/market/time":
            return {"timeSecond": str(now_ns // NS_PER_S), "timeNano": str(now_ns)}
        case "/v5/market/tickers":
            listed = _requested(params, market)
            rows = present(_ticker(each.id.symbol, market) for each in listed)
            return {"category": params["category"], "list": rows}
        case "/v5/market/instruments-info":
            rows = [_instrument(listed) for listed in _requested(params, market)]
            return {"category": params["category"], "nextPageCursor": "", "list": rows}
        case "/v5/market/orderbook":
            return _orderbook(params, market)
        case "/v5/market/kline" | "/v5/market/funding/history":
            return _past(path, params, market, now_ns)
        case _:
            raise RestRefusal(404, {})


def _requested(params: dict[str, str], market: MarketView) -> list[Instrument]:
    category, symbol = params.get("category"), params.get("symbol")
    if category not in CATEGORIES:
        raise _refusal(10001, "params error: Category is invalid")
    found = [listed for listed in market.instruments() if category_of(listed.id.symbol) == category]
    found = [listed for listed in found if symbol in (None, listed.id.symbol)]
    if symbol is not None and not found:
        raise _refusal(10001, "params error: symbol invalid")
    return found


def _ticker(symbol: str, market: MarketView) -> dict[str, Any] | None:
    touch = market.touch(symbol)
    if touch is None:
        return None
    fields = ticker_fields(touch, market.venue_mark(symbol), market.open_interest(symbol))
    return {"symbol": symbol} | {name: value or "" for name, value in fields.items()}


def _orderbook(params: dict[str, str], market: MarketView) -> dict[str, Any]:
    limit = params.get("limit", "25")
    if "symbol" not in params:
        raise _refusal(10001, "params error: symbol invalid")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LEVELS:
        raise _refusal(10001, "params error: limit invalid")
    (listed,) = _requested(params, market)
    book, most = known(market.depth(listed.id.symbol)), int(limit)
    ms = book.venue_time_ns // NS_PER_MS
    return {
        "s": book.symbol,
        "b": book.bids[:most],
        "a": book.asks[:most],
        "ts": ms,
        "u": book.last,
        "seq": book.last,
        "cts": ms,
    }


def _past(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> dict[str, Any]:
    if "symbol" not in params:
        raise _refusal(10001, "params error: symbol invalid")
    (listed,) = _requested(params, market)
    symbol = listed.id.symbol
    rows = (klines if path.endswith("kline") else fundings)(symbol, params, market, now_ns)
    return {"category": params["category"], "symbol": symbol, "list": rows}


def _instrument(listed: Instrument) -> dict[str, Any]:
    tick, lot = plain(listed.tick), plain(listed.lot)
    return {
        "symbol": listed.id.symbol,
        "contractType": ("Linear" if listed.linear else "Inverse")
        + ("Perpetual" if listed.perpetual else "Futures"),
        "status": "Trading" if listed.trading else "Closed",
        "baseCoin": listed.base,
        "quoteCoin": listed.quote,
        "settleCoin": listed.margin,
        "launchTime": "0",
        "deliveryTime": "0",
        "priceScale": str(len(tick.partition(".")[2])),
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.8", "tickSize": tick},
        "lotSizeFilter": {
            "minOrderQty": lot,
            "maxOrderQty": "1000000",
            "qtyStep": lot,
            "minNotionalValue": "5",
        },
        "fundingInterval": 480,
    }


_NAMES: Final = ("startTime", "endTime", "limit")


def klines(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[list[str]]:
    """Return the rows of a kline answer."""
    span = span_of(params, ("start", "end", "limit"), NS_PER_MS, now_ns, usual=200, most=1_000)
    interval_s = SECONDS.get(params.get("interval", ""))
    return [
        [
            str(candle.open_time_ns // NS_PER_MS),
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
            "0",
        ]
        for candle in reversed(span.candles(market, symbol, interval_s, oldest=False))
    ]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a funding history."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=200, most=200)
    return [
        {
            "symbol": symbol,
            "fundingRate": paid.rate,
            "fundingRateTimestamp": str(paid.time_ns // NS_PER_MS),
        }
        for paid in reversed(span.fundings(market, symbol, oldest=False))
    ]
