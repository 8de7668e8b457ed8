"""BitMEX's REST answers from the venue's side. Opens nothing, reads no clock.

Source: bitmex.com API explorer and app/restAPI, read 2026-10: 30 requests a minute without a key, 429 beyond, errors as
`{"error": {"message", "name"}}`. A contract's row has its quote, mark and funding; what is not known yet is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
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
    Row,
    Span,
    json_number,
    listed_as,
    span_of,
)
from perps_actors.simulator.venues.bitmex.stream import book_rows, mark_fields, moment, number
from perps_actors.venues.bitmex.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S, nanoseconds

# merged docstring:
# """BitMEX's candles and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: bitmex.com API explorer, read 2026-10: oldest first unless `reverse` is true, between moments that both belong to the span; a
# candle is named by the end of its interval.
# """

LIMIT: Final = 30
"""Requests a minute."""

_MINUTE_NS: Final = 60_000_000_000
_ACTIVE: Final = ("/api/v1/instrument/active", "/api/v1/instrument/activeAndIndices")
"""There is no index among the instruments here."""
_ONE: Final = "/api/v1/instrument"
_BOOK: Final = "/api/v1/orderBook/L2"
_USUAL_LEVELS: Final = "25"
_BAD_REQUEST, _TOO_MANY, _DOWN, _NOT_FOUND = 400, 429, 503, 404
_SETTLE: Final = Decimal(1_000_000)
"""USDt, the settlement currency of linear contracts, is counted in millionths."""
_VENUE_NAMES: Final = {"BTC": "XBT"}

_encode = msgspec.json.Encoder().encode


def too_many(retry_after_s: int, status: int = _TOO_MANY) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (429), or of a venue that is down (503)."""
    if status == _DOWN:
        return _error(
            status,
            "The system is currently overloaded. Please try again later.",
            "HTTPError",
            retry_after_s,
        )
    return _error(
        status,
        f"Rate limit exceeded, retry in {retry_after_s} seconds.",
        "RateLimitError",
        retry_after_s,
    )


def _error(status: int, message: str, name: str, retry_after_s: int | None = None) -> RestAnswer:
    return RestAnswer(status, _encode({"error": {"message": message, "name": name}}), retry_after_s)


class BitmexRequests:
    """What one address has asked for, a minute at a time."""

    def __init__(self) -> None:
        self._minute = 0
        self._asked = 0

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002 - all requests weigh the same
        """Count a request; return the refusal where it goes beyond the limit of the minute."""
        minute, into = divmod(now_ns, _MINUTE_NS)
        self._asked = 1 + (self._asked if minute == self._minute else 0)
        self._minute = minute
        return None if self._asked <= LIMIT else too_many(1 + (_MINUTE_NS - into) // 1_000_000_000)

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer carries."""
        left, resets_s = max(0, LIMIT - self._asked), (self._minute + 1) * 60
        return {
            "x-ratelimit-limit": str(LIMIT),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str(resets_s),
        }


class BitmexRestSide(RestAnswers):
    """BitMEX's REST answers as it gives them."""

    WeightAccount = BitmexRequests
    too_many = staticmethod(too_many)
    beside_the_point = ("count", "start", "reverse", "columns", "depth")

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Raise `msgspec.DecodeError`: no answer is the snapshot of a stream."""
        msg = f"Expected no snapshot of {symbol}, was {body[:60]!r}"
        raise msgspec.DecodeError(msg)

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; an error answer if it asks for what is not there."""
        params = dict(parse_qsl(query))
        if path == _BOOK:
            return _book(params, market)
        if path in _PAST:
            return _past(path, params, market, now_ns)
        if path not in (*_ACTIVE, _ONE):
            return _error(_NOT_FOUND, "Not Found", "HTTPError")
        listed = [
            each
            for each in market.instruments()
            if path != _ONE or params.get("symbol") in (None, each.id.symbol)
        ]
        return RestAnswer(200, _encode([_row(instrument, market) for instrument in listed]))


def _book(params: dict[str, str], market: MarketView) -> RestAnswer:
    symbol, depth = params.get("symbol", ""), params.get("depth", _USUAL_LEVELS)
    if not depth.isdecimal() or not symbol:
        return _error(
            _BAD_REQUEST, f"'{'depth' if symbol else 'symbol'}' is a required arg.", "HTTPError"
        )
    if listed_as(symbol, market) is None:
        return RestAnswer(200, b"[]")
    book, most = market.depth(symbol), int(depth) or None
    if book is None:
        return _overloaded()
    best = msgspec.structs.replace(book, bids=book.bids[:most], asks=book.asks[:most])
    return RestAnswer(200, _encode([{"symbol": symbol, **row} for row in book_rows(best)]))


def _past(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> RestAnswer:
    symbol = params.get("symbol", "")
    if listed_as(symbol, market) is None:
        return RestAnswer(200, b"[]")
    rows = _PAST[path](symbol, params, market, now_ns)
    return RestAnswer(200, _encode(rows)) if rows is not None else _overloaded()


def _overloaded() -> RestAnswer:
    return _error(_DOWN, "The system is currently overloaded. Please try again later.", "HTTPError")


def _row(listed: Instrument, market: MarketView) -> dict[str, Any]:
    touch, known = market.touch(listed.id.symbol), market.venue_mark(listed.id.symbol)
    row = (
        _terms(listed)
        | {"openInterest": number(market.open_interest(listed.id.symbol))}
        | (mark_fields(*known) if known is not None else {})
    )
    if touch is not None:
        row |= {
            "bidPrice": number(touch.bid),
            "askPrice": number(touch.ask),
            "lastPrice": number(touch.last),
        }
    times = [event.venue_time_ns or 0 for event in (touch, known and known[0]) if event is not None]
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
) -> list[dict[str, Any]] | None:
    """Return the rows of a bucketed answer, of intervals that are over; None where there are none to tell."""
    span, interval_s = _span(params, now_ns, 1_000), SECONDS.get(params.get("binSize", "1m"))
    if interval_s is None:
        return None
    step_ns = interval_s * NS_PER_S
    found = market.candles(symbol, interval_s, span.since_ns - step_ns, span.until_ns - step_ns)
    if found is None:
        return None
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
) -> list[dict[str, Any]] | None:
    """Return the rows of the table of fundings; None where there are none to tell."""
    span = _span(params, now_ns, 500)
    found = span.fundings(market, symbol)
    if found is None:
        return None
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
    told = span.cut(rows, oldest=not newest)
    return reversed(told) if newest else told


_PAST: Final = {"/api/v1/trade/bucketed": bins, "/api/v1/funding": fundings}
