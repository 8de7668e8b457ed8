"""OKX's REST answers from the server's side.

Source: www.okx.com/docs-v5/en (market data, public data, error codes, candlesticks history, funding
rate history), read 2026-11. Limits hold per endpoint and address in 2 s; beyond them the answer has
status 429 and code 50011. Other refusals: 51001 for an instrument that is not listed, 50014
(status 400) for a missing parameter, 50001 (status 503) for market data that is not known yet.
History is newest first, between `before` and `after`, both exclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from perps_actors.market.candle import Candle
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    RateLimit,
    RestRefusal,
    RestSide,
    Span,
    known,
    present,
    required,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView
from perps_actors.simulator.venues.okx.stream import (
    book_row,
    funding_row,
    inst_type,
    mark_row,
    ticker_row,
)
from perps_actors.venues.okx.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS

LIMITS: Final = {"/api/v5/public/mark-price": 10, "/api/v5/market/books": 40}
"""Requests in a window by path; 20 for all other paths."""

_ALL_SWAPS: Final = "ANY"
_UNAVAILABLE: Final = "Service temporarily unavailable. Try again later."
_MOST_LEVELS: Final = 400


def _refusal(status: int, code: str, msg: str) -> RestRefusal:
    return RestRefusal(status, {"code": code, "msg": msg, "data": []})


class OkxRequests(RateLimit):
    """Requests of one address to each endpoint in the current 2 s."""

    limit = 20
    window_s = 2

    def _limit_of(self, path: str) -> tuple[str, int]:
        return path, LIMITS.get(path, self.limit)


class OkxRestSide(RestSide):
    """REST answers of OKX."""

    rate_limit = OkxRequests
    ignored_parameters = ("sz",)
    unknown = (503, {"code": "50001", "msg": _UNAVAILABLE, "data": []})
    exceeded = (429, {"code": "50011", "msg": "Too Many Requests", "data": []})

    def _body(
        self, path: str, params: dict[str, str], market: MarketView, now_ns: int
    ) -> dict[str, Any]:
        return {"code": "0", "msg": "", "data": _rows(path, params, market, now_ns)}


def _rows(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> list[Any]:
    rows_of = _ROWS.get(path.removeprefix("/api/v5/"))
    if rows_of is None:
        raise _refusal(404, "404", "Not Found")
    return rows_of(params, market, now_ns)


def _of_type(params: dict[str, str], market: MarketView) -> list[Instrument]:
    kind = params.get("instType")
    if not kind:
        raise _refusal(400, "50014", "Parameter instType can not be empty.")
    symbol = params.get("instId")
    return [
        listed
        for listed in market.instruments()
        if inst_type(listed.id.symbol) == kind and symbol in (None, listed.id.symbol)
    ]


def _listed(params: dict[str, str], market: MarketView) -> str:
    symbol = params.get("instId")
    if not symbol:
        raise _refusal(400, "50014", "Parameter instId can not be empty.")
    return required(
        symbol, market, _refusal(200, "51001", "Instrument ID doesn't exist.")
    ).id.symbol


def _ticker(symbol: str, market: MarketView, _now_ns: int) -> dict[str, Any] | None:
    touch = market.touch(symbol)
    return ticker_row(symbol, touch) if touch is not None else None


def _book(symbol: str, size: str, market: MarketView) -> dict[str, Any] | None:
    if not size.isdecimal() or not 1 <= int(size) <= _MOST_LEVELS:
        raise _refusal(400, "51000", "Parameter sz error")
    book = market.depth(symbol)
    return book_row(book, int(size)) if book is not None else None


def _mark(symbol: str, market: MarketView, _now_ns: int) -> dict[str, Any] | None:
    mark, _ = market.venue_mark(symbol) or (None, None)
    return mark_row(symbol, mark) if mark is not None and mark.mark is not None else None


def _open_interest(symbol: str, market: MarketView, now_ns: int) -> dict[str, Any] | None:
    held = market.open_interest(symbol)
    return (
        {
            "instType": inst_type(symbol),
            "instId": symbol,
            "oi": held,
            "ts": str(now_ns // NS_PER_MS),
        }
        if held is not None
        else None
    )


def _latest_fundings(
    params: dict[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    if params.get("instId") == _ALL_SWAPS:
        return _of_all(_funding)({"instType": "SWAP"}, market, now_ns)
    return _of_one(_funding)(params, market, now_ns)


def _funding(symbol: str, market: MarketView, _now_ns: int) -> dict[str, Any] | None:
    _, funding = market.venue_mark(symbol) or (None, None)
    return (
        funding_row(symbol, funding) if funding is not None and funding.rate is not None else None
    )


def _instrument(listed: Instrument) -> dict[str, Any]:
    return {
        "instType": inst_type(listed.id.symbol),
        "instId": listed.id.symbol,
        "uly": f"{listed.base}-{listed.quote}",
        "instFamily": f"{listed.base}-{listed.quote}",
        "ctType": "linear" if listed.linear else "inverse",
        "ctVal": plain(listed.contract_size),
        "ctMult": "1",
        "ctValCcy": listed.base if listed.linear else listed.quote,
        "settleCcy": listed.margin,
        "tickSz": plain(listed.tick),
        "lotSz": plain(listed.lot),
        "minSz": plain(listed.lot),
        "expTime": "",
        "state": "live" if listed.trading else "suspend",
    }


_MOST_CANDLES: Final = 300
_MOST_FUNDINGS: Final = 400


def candles(params: dict[str, str], market: MarketView, now_ns: int) -> list[list[str]]:
    """Return the rows of a candlesticks answer."""
    symbol, span = _listed(params, market), _span(params, now_ns, _MOST_CANDLES)
    interval_s = SECONDS.get(params.get("bar", "1m"))
    return [
        _row(candle) for candle in reversed(span.candles(market, symbol, interval_s, oldest=False))
    ]


def fundings(params: dict[str, str], market: MarketView, now_ns: int) -> list[dict[str, Any]]:
    """Return the rows of a funding history."""
    symbol, span = _listed(params, market), _span(params, now_ns, _MOST_FUNDINGS)
    named = {"instType": inst_type(symbol), "instId": symbol}
    return [
        {
            **named,
            "fundingRate": paid.rate,
            "realizedRate": paid.rate,
            "fundingTime": str(paid.time_ns // NS_PER_MS),
        }
        for paid in reversed(span.fundings(market, symbol, oldest=False))
    ]


def _span(params: Mapping[str, str], now_ns: int, most: int) -> Span:
    span = span_of(params, ("before", "after", "limit"), NS_PER_MS, now_ns, usual=100, most=most)
    since_ns = span.since_ns + NS_PER_MS if "before" in params else 0
    return span._replace(
        since_ns=since_ns,
        until_ns=span.until_ns - NS_PER_MS if "after" in params else span.until_ns,
    )


def _row(candle: Candle) -> list[str]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [
        str(candle.open_time_ns // NS_PER_MS),
        *prices,
        candle.volume,
        "0",
        "0",
        "1" if candle.closed else "0",
    ]


_Row = dict[str, Any]
_Rows = Callable[[dict[str, str], MarketView, int], list[Any]]


def _of_all(row_of: Callable[[str, MarketView, int], _Row | None]) -> _Rows:
    """Return the rows of all requested instruments, as far as they are known."""
    return lambda params, market, now_ns: present(
        row_of(listed.id.symbol, market, now_ns) for listed in _of_type(params, market)
    )


def _of_one(row_of: Callable[[str, MarketView, int], _Row | None]) -> _Rows:
    """Return the row of the requested instrument."""
    return lambda params, market, now_ns: [known(row_of(_listed(params, market), market, now_ns))]


_ROWS: Final[dict[str, _Rows]] = {
    "market/tickers": _of_all(_ticker),
    "market/ticker": _of_one(_ticker),
    "market/books": lambda params, market, _: [
        known(_book(_listed(params, market), params.get("sz", "1"), market))
    ],
    "market/candles": candles,
    "market/history-candles": candles,
    "public/time": lambda _, __, now_ns: [{"ts": str(now_ns // NS_PER_MS)}],
    "public/instruments": lambda params, market, _: [
        _instrument(listed) for listed in _of_type(params, market)
    ],
    "public/mark-price": _of_all(_mark),
    "public/open-interest": _of_all(_open_interest),
    "public/funding-rate": _latest_fundings,
    "public/funding-rate-history": fundings,
}
"""The rows of an answer, by path."""
