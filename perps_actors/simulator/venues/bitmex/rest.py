"""BitMEX's REST answers from the server's side.

Source: bitmex.com API explorer and app/restAPI, read 2026-10: 30 requests a minute without a key,
429 beyond, errors as `{"error": {"message", "name"}}`. A contract's row has its quote, mark and
funding; unknown fields are null. History is oldest first unless `reverse` is true, between two
inclusive moments; the time of a candle is the end of its interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    RateLimit,
    RestAnswer,
    RestRefusal,
    RestSide,
    Row,
    Span,
    known,
    listed_as,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView, encode, json_number
from perps_actors.simulator.venues.bitmex.stream import book_rows, mark_fields, moment, number
from perps_actors.venues.bitmex.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S, nanoseconds

_ACTIVE: Final = ("/api/v1/instrument/active", "/api/v1/instrument/activeAndIndices")
"""Equal here, because no index is listed."""
_ONE: Final = "/api/v1/instrument"
_BOOK: Final = "/api/v1/orderBook/L2"
_USUAL_LEVELS: Final = "25"
_OVERLOADED: Final = "The system is currently overloaded. Please try again later."
_SETTLE: Final = Decimal(1_000_000)
"""Amounts of USDt, the settlement currency of linear contracts, are in millionths."""
_VENUE_NAMES: Final = {"BTC": "XBT"}


def _error(message: str, name: str = "HTTPError") -> dict[str, Any]:
    return {"error": {"message": message, "name": name}}


class BitmexRequests(RateLimit):
    """Requests of one address in the current minute."""

    limit = 30
    window_s = 60

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(max(0, self.limit - self._window.used())),
            "x-ratelimit-reset": str(self._window.ends_s),
        }


class BitmexRestSide(RestSide):
    """REST answers of BitMEX."""

    rate_limit = BitmexRequests
    ignored_parameters = ("count", "start", "reverse", "columns", "depth")
    unknown = (503, _error(_OVERLOADED))

    def too_many(self, retry_after_s: int, status: int | None = None) -> RestAnswer:
        """Return the refusal beyond the rate limit (429), or (503) of a venue that is down."""
        exceeded = f"Rate limit exceeded, retry in {retry_after_s} seconds."
        said = _error(_OVERLOADED) if status == 503 else _error(exceeded, "RateLimitError")
        return RestAnswer(status or 429, encode(said), retry_after_s)

    def _body(self, path: str, params: dict[str, str], market: MarketView, now_ns: int) -> Any:
        if path == _BOOK:
            return _book(params, market)
        if path in _HISTORY:
            symbol = params.get("symbol", "")
            is_listed = listed_as(symbol, market) is not None
            return _HISTORY[path](symbol, params, market, now_ns) if is_listed else []
        if path not in (*_ACTIVE, _ONE):
            raise RestRefusal(404, _error("Not Found"))
        return [
            _row(each, market)
            for each in market.instruments()
            if path != _ONE or params.get("symbol") in (None, each.id.symbol)
        ]


def _book(params: dict[str, str], market: MarketView) -> list[dict[str, Any]]:
    symbol, depth = params.get("symbol", ""), params.get("depth", _USUAL_LEVELS)
    if not depth.isdecimal() or not symbol:
        missing = "depth" if symbol else "symbol"
        raise RestRefusal(400, _error(f"'{missing}' is a required arg."))
    if listed_as(symbol, market) is None:
        return []
    book, most = known(market.depth(symbol)), int(depth) or None
    best = msgspec.structs.replace(book, bids=book.bids[:most], asks=book.asks[:most])
    return [{"symbol": symbol, **row} for row in book_rows(best)]


def _row(listed: Instrument, market: MarketView) -> dict[str, Any]:
    symbol = listed.id.symbol
    touch, marked = market.touch(symbol), market.venue_mark(symbol)
    row = (
        _terms(listed)
        | {"openInterest": number(market.open_interest(symbol))}
        | (mark_fields(*marked) if marked is not None else {})
    )
    if touch is not None:
        row |= {
            "bidPrice": number(touch.bid),
            "askPrice": number(touch.ask),
            "lastPrice": number(touch.last),
        }
    times = [
        event.venue_time_ns or 0 for event in (touch, marked and marked[0]) if event is not None
    ]
    return {**row, "timestamp": moment(max(times)) if times else None}


def _terms(listed: Instrument) -> dict[str, Any]:
    base = _VENUE_NAMES.get(listed.base, listed.base)
    return {
        "symbol": listed.id.symbol,
        "rootSymbol": base,
        "state": "Open" if listed.trading else "Unlisted",
        "typ": "FFWCSX" if listed.perpetual else "FFCCSX",
        "expiry": None,
        "underlying": base,
        "quoteCurrency": listed.quote,
        "settlCurrency": "USDt",
        "tickSize": number(plain(listed.tick)),
        "lotSize": number(plain(listed.lot)),
        "multiplier": number(plain(listed.contract_size * _SETTLE)),
        "underlyingToPositionMultiplier": number(plain(1 / listed.contract_size)),
        "quoteToSettleMultiplier": number(plain(_SETTLE)),
        "isQuanto": False,
        "isInverse": False,
        "fundingInterval": "2000-01-01T08:00:00.000Z" if listed.perpetual else None,
    }


def bins(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a bucketed answer, of intervals that are over."""
    span, interval_s = _span(params, now_ns, 1_000), known(SECONDS.get(params.get("binSize", "1m")))
    step_ns = interval_s * NS_PER_S
    since_ns, until_ns = span.since_ns - step_ns, span.until_ns - step_ns
    found = known(market.candles(symbol, interval_s, since_ns, until_ns))
    return [
        {
            "timestamp": moment(candle.open_time_ns + step_ns),
            "symbol": symbol,
            **{
                name: json_number(getattr(candle, name))
                for name in ("open", "high", "low", "close", "volume")
            },
        }
        for candle in _ordered(params, span, [candle for candle in found if candle.closed])
    ]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of the table of fundings."""
    span = _span(params, now_ns, 500)
    found = known(market.fundings(symbol, span.since_ns, span.until_ns))
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
    return span_of(
        {**params, **moments},
        ("startTime", "endTime", "count"),
        NS_PER_MS,
        now_ns,
        usual=100,
        most=most,
    )


def _millis(date: str) -> str:
    try:
        return str(nanoseconds(datetime.fromisoformat(date)) // NS_PER_MS)
    except (ValueError, TypeError):
        return ""


def _ordered(params: Mapping[str, str], span: Span, rows: Sequence[Row]) -> Iterable[Row]:
    newest = params.get("reverse") == "true"
    chosen = span.cut(rows, oldest=not newest)
    return reversed(chosen) if newest else chosen


_HISTORY: Final = {"/api/v1/trade/bucketed": bins, "/api/v1/funding": fundings}
