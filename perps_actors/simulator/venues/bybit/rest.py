"""Bybit's REST answers from the venue's side. Opens nothing, reads no clock.

Source: bybit-exchange.github.io/docs/v5 (market, rate-limit, error), read 2026-11: 600 requests in 5 s and address, beyond that status
403 for the next ten minutes. Refusals of a request have status 200 and a `retCode`: 10001 for parameters, 10016 for what the venue
cannot say (yet). What it does not know of an instrument is an empty text in a ticker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.venue_contract import (
    Depth,
    MarketView,
    RestAnswer,
    RestAnswers,
    span_of,
)
from perps_actors.simulator.venues.bybit.stream import ticker_fields
from perps_actors.venues.bybit.schema import CATEGORIES, SECONDS, category_of
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

# merged docstring:
# """Bybit's candles and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: bybit-exchange.github.io/docs/v5/market (kline, history-fund-rate), read 2026-11: the newest first.
# """

REQUESTS_PER_WINDOW: Final = 600
WINDOW_S: Final = 5
REFUSED_S: Final = 600

_MOST_LEVELS: Final = 500

_encode = msgspec.json.Encoder().encode


class _Refusal(Exception):
    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code


class _Answer(msgspec.Struct):
    result: _Book


class _Book(msgspec.Struct):
    u: int
    b: tuple[tuple[str, str], ...]
    a: tuple[tuple[str, str], ...]
    ts: int


def too_many(retry_after_s: int, status: int = 403) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (403), or of a venue that is down (503)."""
    code, msg = (
        (10018, "Exceeded the IP Rate Limit.")
        if status != 503
        else (10016, "Internal server error.")
    )
    return RestAnswer(
        status, _encode({"retCode": code, "retMsg": msg, "result": {}}), retry_after_s
    )


class BybitRequests:
    """What one address has asked, 5 s at a time."""

    def __init__(self) -> None:
        self._window = 0
        self._asked = 0
        self._refused_until_ns = 0

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002 - all requests count alike
        """Count a request; return the refusal where it goes beyond the limit, or where one did less than ten minutes ago."""
        window = now_ns // (WINDOW_S * NS_PER_S)
        self._asked = 1 + (self._asked if window == self._window else 0)
        self._window = window
        if now_ns >= self._refused_until_ns and self._asked <= REQUESTS_PER_WINDOW:
            return None
        if now_ns >= self._refused_until_ns:
            self._refused_until_ns = now_ns + REFUSED_S * NS_PER_S
        return too_many(-(-(self._refused_until_ns - now_ns) // NS_PER_S))

    def headers(self) -> dict[str, str]:
        """Return no headers: public answers carry none of the limits."""
        return {}


class BybitRestSide(RestAnswers):
    """The venue's REST answers as it gives them."""

    WeightAccount = BybitRequests
    too_many = staticmethod(too_many)
    beside_the_point = ("limit",)

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an orderbook answer; `msgspec.DecodeError` if it is none."""
        book = msgspec.json.decode(body, type=_Answer).result
        return Depth(symbol, book.u, book.b, book.a, book.ts * NS_PER_MS, whole=True)

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; a refusal if it asks for what is not there."""
        ms = now_ns // NS_PER_MS
        try:
            result = _result(path, dict(parse_qsl(query)), market, now_ns)
        except _Refusal as refusal:
            return RestAnswer(
                200,
                _encode(
                    {
                        "retCode": refusal.code,
                        "retMsg": str(refusal),
                        "result": {},
                        "retExtInfo": {},
                        "time": ms,
                    }
                ),
            )
        if result is None:
            return RestAnswer(404, b"{}")
        return RestAnswer(
            200,
            _encode({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": ms}),
        )


def _result(
    path: str, params: dict[str, str], market: MarketView, now_ns: int
) -> dict[str, Any] | None:
    """Return the result of a request; None for a path that is not there."""
    match path:
        case "/v5/market/time":
            return {"timeSecond": str(now_ns // NS_PER_S), "timeNano": str(now_ns)}
        case "/v5/market/tickers":
            rows = [_ticker(listed.id.symbol, market) for listed in _asked_for(params, market)]
            return {
                "category": params["category"],
                "list": [row for row in rows if row is not None],
            }
        case "/v5/market/instruments-info":
            rows = [_instrument(listed) for listed in _asked_for(params, market)]
            return {"category": params["category"], "nextPageCursor": "", "list": rows}
        case "/v5/market/orderbook":
            return _orderbook(params, market)
        case "/v5/market/kline" | "/v5/market/funding/history":
            return _past(path, params, market, now_ns)
        case _:
            return None


def _asked_for(params: dict[str, str], market: MarketView) -> list[Instrument]:
    category, symbol = params.get("category"), params.get("symbol")
    if category not in CATEGORIES:
        raise _Refusal(10001, "params error: Category is invalid")
    found = [listed for listed in market.instruments() if category_of(listed.id.symbol) == category]
    found = [listed for listed in found if symbol in (None, listed.id.symbol)]
    if symbol is not None and not found:
        raise _Refusal(10001, "params error: symbol invalid")
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
        raise _Refusal(10001, "params error: symbol invalid")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LEVELS:
        raise _Refusal(10001, "params error: limit invalid")
    (listed,) = _asked_for(params, market)
    book, most = market.depth(listed.id.symbol), int(limit)
    if book is None:
        raise _Refusal(10016, "Internal server error.")
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
        raise _Refusal(10001, "params error: symbol invalid")
    (listed,) = _asked_for(params, market)
    symbol = listed.id.symbol
    rows = (klines if path.endswith("kline") else fundings)(symbol, params, market, now_ns)
    if rows is None:
        raise _Refusal(10016, "Internal server error.")
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
) -> list[list[str]] | None:
    """Return the rows of a kline answer; None where there are none to tell."""
    span = span_of(params, ("start", "end", "limit"), NS_PER_MS, now_ns, usual=200, most=1_000)
    found = span.candles(market, symbol, SECONDS.get(params.get("interval", "")))
    if found is None:
        return None
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
        for candle in reversed(span.cut(found, oldest=False))
    ]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=200, most=200)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    newest_first = reversed(span.cut(found, oldest=False))
    return [
        {
            "symbol": symbol,
            "fundingRate": paid.rate,
            "fundingRateTimestamp": str(paid.time_ns // NS_PER_MS),
        }
        for paid in newest_first
    ]
