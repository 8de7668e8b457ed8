"""OKX's REST answers from the venue's side. Opens nothing, reads no clock.

Source: www.okx.com/docs-v5/en (market and public data, error codes), read 2026-11. Limits are an endpoint's and address's, in 2 s; beyond
them status 429 and code 50011. Other refusals: 51001 for an instrument that is not listed, 50014 (status 400) for a parameter that is
missing, 50001 (status 503) for what the venue cannot say (yet).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.candle import Candle
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.venue_contract import (
    Depth,
    MarketView,
    RestAnswer,
    RestAnswers,
    Span,
    listed_as,
    span_of,
)
from perps_actors.simulator.venues.okx.stream import (
    book_row,
    depth_of,
    funding_row,
    inst_type,
    mark_row,
    ticker_row,
)
from perps_actors.venues.okx.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

# merged docstring:
# """OKX's candles and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: www.okx.com/docs-v5/en (candlesticks history, funding rate history), read 2026-11: the newest first, between `before` and
# `after`, neither of which belongs to the span.
# """

WINDOW_S: Final = 2
LIMITS: Final = {"/api/v5/public/mark-price": 10, "/api/v5/market/books": 40}
"""Requests in a window by path; 20 of all others."""

_ALL_SWAPS: Final = "ANY"
_USUAL_LIMIT: Final = 20
_MOST_LEVELS: Final = 400

_encode = msgspec.json.Encoder().encode


class _Refusal(Exception):
    def __init__(self, status: int, code: str, msg: str) -> None:
        super().__init__(msg)
        self.answer = RestAnswer(status, _encode({"code": code, "msg": msg, "data": []}))


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw]


def too_many(retry_after_s: int, status: int = 429) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (429), or of a venue that is down (503)."""
    code, msg = (
        ("50011", "Too Many Requests")
        if status != 503
        else ("50001", "Service temporarily unavailable. Try again later.")
    )
    return RestAnswer(status, _encode({"code": code, "msg": msg, "data": []}), retry_after_s)


class OkxRequests:
    """What one address has asked of each endpoint, 2 s at a time."""

    def __init__(self) -> None:
        self._window = 0
        self._asked: Counter[str] = Counter()

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002 - an endpoint's requests count alike
        """Count a request; return the refusal where it goes beyond its endpoint's limit."""
        window, into_ns = divmod(now_ns, WINDOW_S * NS_PER_S)
        if window != self._window:
            self._window, self._asked = window, Counter()
        self._asked[path] += 1
        if self._asked[path] <= LIMITS.get(path, _USUAL_LIMIT):
            return None
        return too_many(1 + (WINDOW_S * NS_PER_S - into_ns) // NS_PER_S)

    def headers(self) -> dict[str, str]:
        """Return no headers: public answers carry none of the limits."""
        return {}


class OkxRestSide(RestAnswers):
    """The venue's REST answers as it gives them."""

    WeightAccount = OkxRequests
    too_many = staticmethod(too_many)
    beside_the_point = ("sz",)

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an answer; `msgspec.DecodeError` if it is none."""
        rows = msgspec.json.decode(body, type=_Answer).data
        return depth_of(symbol, rows[0] if rows else msgspec.Raw(b"null"), whole=True)

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; a refusal if it asks for what is not there."""
        try:
            return RestAnswer(
                200,
                _encode(
                    {
                        "code": "0",
                        "msg": "",
                        "data": _rows(path, dict(parse_qsl(query)), market, now_ns),
                    }
                ),
            )
        except _Refusal as refusal:
            return refusal.answer


def _rows(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> list[Any]:
    kind, _, name = path.removeprefix("/api/v5/").partition("/")
    if name in _PAST:
        return _past(name, _listed(params, market), params, market, now_ns)
    rows = _market_rows(name, params, market) if kind == "market" else None
    rows = _public_rows(name, params, market, now_ns) if kind == "public" else rows
    if rows is None:
        raise _Refusal(404, "404", "Not Found")
    return rows


def _past(
    name: str, symbol: str, params: dict[str, str], market: MarketView, now_ns: int
) -> list[Any]:
    rows = _PAST[name](symbol, params, market, now_ns)
    if rows is None:
        raise _Refusal(503, "50001", "Service temporarily unavailable. Try again later.")
    return rows


def _market_rows(
    name: str, params: dict[str, str], market: MarketView
) -> list[dict[str, Any]] | None:
    match name:
        case "tickers":
            return _known(_ticker(listed.id.symbol, market) for listed in _of_type(params, market))
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
            return _known(_mark(listed.id.symbol, market) for listed in _of_type(params, market))
        case "open-interest":
            return _known(
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
        raise _Refusal(400, "50014", "Parameter instType can not be empty.")
    symbol = params.get("instId")
    return [
        listed
        for listed in market.instruments()
        if inst_type(listed.id.symbol) == kind and symbol in (None, listed.id.symbol)
    ]


def _listed(params: dict[str, str], market: MarketView) -> str:
    symbol = params.get("instId")
    if not symbol:
        raise _Refusal(400, "50014", "Parameter instId can not be empty.")
    if listed_as(symbol, market) is None:
        raise _Refusal(200, "51001", "Instrument ID doesn't exist.")
    return symbol


def _known(rows: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [row for row in rows if row is not None]


def _one(row: dict[str, Any] | None) -> list[dict[str, Any]]:
    if row is None:
        raise _Refusal(503, "50001", "Service temporarily unavailable. Try again later.")
    return [row]


def _ticker(symbol: str, market: MarketView) -> dict[str, Any] | None:
    touch = market.touch(symbol)
    return ticker_row(symbol, touch) if touch is not None else None


def _book(symbol: str, size: str, market: MarketView) -> dict[str, Any] | None:
    if not size.isdecimal() or not 1 <= int(size) <= _MOST_LEVELS:
        raise _Refusal(400, "51000", "Parameter sz error")
    book = market.depth(symbol)
    return book_row(book, int(size)) if book is not None else None


def _mark(symbol: str, market: MarketView) -> dict[str, Any] | None:
    known = market.venue_mark(symbol)
    return mark_row(symbol, known[0]) if known is not None and known[0].mark is not None else None


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
        return _known(
            _funding(listed.id.symbol, market) for listed in _of_type({"instType": "SWAP"}, market)
        )
    return _one(_funding(_listed(params, market), market))


def _funding(symbol: str, market: MarketView) -> dict[str, Any] | None:
    known = market.venue_mark(symbol)
    return (
        funding_row(symbol, known[1]) if known is not None and known[1].rate is not None else None
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
) -> list[list[str]] | None:
    """Return the rows of a candlesticks answer; None where there are none to tell."""
    span = _span(params, now_ns, _MOST_CANDLES)
    found = span.candles(market, symbol, SECONDS.get(params.get("bar", "1m")))
    return (
        [_row(candle) for candle in reversed(span.cut(found, oldest=False))]
        if found is not None
        else None
    )


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = _span(params, now_ns, _MOST_FUNDINGS)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    named = {"instType": inst_type(symbol), "instId": symbol}
    return [
        {
            **named,
            "fundingRate": paid.rate,
            "realizedRate": paid.rate,
            "fundingTime": str(paid.time_ns // NS_PER_MS),
        }
        for paid in reversed(span.cut(found, oldest=False))
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


_PAST: Final[dict[str, Callable[[str, dict[str, str], MarketView, int], list[Any] | None]]] = {
    "candles": candles,
    "history-candles": candles,
    "funding-rate-history": fundings,
}
