"""OKX's REST answers from the server's side.

Source: www.okx.com/docs-v5/en (market data, public data, error codes, candlesticks history, funding
rate history), read 2026-11. Limits hold per endpoint and address in 2 s; beyond them the answer has
status 429 and code 50011. Other refusals: 51001 for an instrument that is not listed, 50014
(status 400) for a missing parameter, 50001 (status 503) for market data that is not known yet.
History is newest first, between `before` and `after`, both exclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from perps_actors.market.candle import Candle
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    RateLimit,
    RestAnswer,
    RestRefusal,
    RestSide,
    Span,
    known,
    listed_as,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView, encode
from perps_actors.simulator.venues.okx.stream import (
    book_row,
    funding_row,
    inst_type,
    mark_row,
    ticker_row,
)
from perps_actors.venues.okx.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS

WINDOW_S: Final = 2
LIMITS: Final = {"/api/v5/public/mark-price": 10, "/api/v5/market/books": 40}
"""Requests in a window by path; 20 for all other paths."""

_ALL_SWAPS: Final = "ANY"
_USUAL_LIMIT: Final = 20
_UNAVAILABLE: Final = "Service temporarily unavailable. Try again later."
_MOST_LEVELS: Final = 400


def _refusal(status: int, code: str, msg: str) -> RestRefusal:
    return RestRefusal(status, {"code": code, "msg": msg, "data": []})


class OkxRequests(RateLimit):
    """Requests of one address to each endpoint in the current 2 s."""

    limit = _USUAL_LIMIT
    window_s = WINDOW_S

    def _limit_of(self, path: str) -> tuple[str, int]:
        return path, LIMITS.get(path, self.limit)


class OkxRestSide(RestSide):
    """REST answers of OKX."""

    rate_limit = OkxRequests
    ignored_parameters = ("sz",)
    unknown = (503, {"code": "50001", "msg": _UNAVAILABLE, "data": []})

    def too_many(self, retry_after_s: int, status: int = 429) -> RestAnswer:
        """Return the refusal beyond the rate limit (429), or (503) of a venue that is down."""
        code, msg = ("50011", "Too Many Requests") if status != 503 else ("50001", _UNAVAILABLE)
        return RestAnswer(status, encode({"code": code, "msg": msg, "data": []}), retry_after_s)

    def _body(
        self, path: str, params: dict[str, str], market: MarketView, now_ns: int
    ) -> dict[str, Any]:
        return {"code": "0", "msg": "", "data": _rows(path, params, market, now_ns)}


def _rows(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> list[Any]:
    kind, _, name = path.removeprefix("/api/v5/").partition("/")
    if name in _HISTORY:
        return _HISTORY[name](_listed(params, market), params, market, now_ns)
    rows = _market_rows(name, params, market) if kind == "market" else None
    rows = _public_rows(name, params, market, now_ns) if kind == "public" else rows
    if rows is None:
        raise _refusal(404, "404", "Not Found")
    return rows


def _market_rows(
    name: str, params: dict[str, str], market: MarketView
) -> list[dict[str, Any]] | None:
    match name:
        case "tickers":
            return _present(
                _ticker(listed.id.symbol, market) for listed in _of_type(params, market)
            )
        case "ticker":
            return _one(_ticker(_listed(params, market), market))
        case "books":
            return _one(_book(_listed(params, market), params.get("sz", "1"), market))
        case _:
            return None


def _public_rows(
    name: str, params: dict[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]] | None:
    match name:
        case "time":
            return [{"ts": str(now_ns // NS_PER_MS)}]
        case "instruments":
            return [_instrument(listed) for listed in _of_type(params, market)]
        case "mark-price":
            return _present(_mark(listed.id.symbol, market) for listed in _of_type(params, market))
        case "open-interest":
            return _present(
                _open_interest(listed.id.symbol, market, now_ns)
                for listed in _of_type(params, market)
            )
        case "funding-rate":
            return _fundings(params, market)
        case _:
            return None


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
    if listed_as(symbol, market) is None:
        raise _refusal(200, "51001", "Instrument ID doesn't exist.")
    return symbol


def _present(rows: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [row for row in rows if row is not None]


def _one(row: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [known(row)]


def _ticker(symbol: str, market: MarketView) -> dict[str, Any] | None:
    touch = market.touch(symbol)
    return ticker_row(symbol, touch) if touch is not None else None


def _book(symbol: str, size: str, market: MarketView) -> dict[str, Any] | None:
    if not size.isdecimal() or not 1 <= int(size) <= _MOST_LEVELS:
        raise _refusal(400, "51000", "Parameter sz error")
    book = market.depth(symbol)
    return book_row(book, int(size)) if book is not None else None


def _mark(symbol: str, market: MarketView) -> dict[str, Any] | None:
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


def _fundings(params: dict[str, str], market: MarketView) -> list[dict[str, Any]]:
    if params.get("instId") == _ALL_SWAPS:
        return _present(
            _funding(listed.id.symbol, market) for listed in _of_type({"instType": "SWAP"}, market)
        )
    return _one(_funding(_listed(params, market), market))


def _funding(symbol: str, market: MarketView) -> dict[str, Any] | None:
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


def candles(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[list[str]]:
    """Return the rows of a candlesticks answer."""
    span, interval_s = _span(params, now_ns, _MOST_CANDLES), SECONDS.get(params.get("bar", "1m"))
    return [
        _row(candle) for candle in reversed(span.candles(market, symbol, interval_s, oldest=False))
    ]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a funding history."""
    span = _span(params, now_ns, _MOST_FUNDINGS)
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


_HISTORY: Final[dict[str, Callable[[str, dict[str, str], MarketView, int], list[Any]]]] = {
    "candles": candles,
    "history-candles": candles,
    "funding-rate-history": fundings,
}
