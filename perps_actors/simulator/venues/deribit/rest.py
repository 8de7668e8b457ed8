"""REST answers of Deribit and its gateways from the server's side.

Source: docs.deribit.com (JSON-RPC overview, api-reference/market-data, errors,
articles/rate-limits), read 2026-10. An address has 50,000 credits, of which 10,000 return per
second; a request costs 500, `get_instruments` 10,000; beyond that it is refused (10028). Errors are
JSON-RPC errors with status 400. Market data that is not known yet gives 11051 with status 503,
never an empty answer. Candles are columns, oldest first. A settled funding is reported with the
rate of its last hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
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
    required,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView, json_number, json_numbers
from perps_actors.simulator.venues.deribit.stream import plain_rows, ticker_row
from perps_actors.venues.deribit.rest import currency_of
from perps_actors.venues.deribit.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

CREDITS: Final = 50_000
CREDITS_PER_S: Final = 10_000

_ROOT: Final = "/api/v2/public/"
_COSTS: Final = {"get_instruments": 10_000}
_COST: Final = 500
_YEAR_3000_MS: Final = 32_503_708_800_000
_DEPTHS: Final = ("1", "5", "10", "20", "50", "100", "1000", "10000")
_OPTION: Final = re.compile(r".+-[CP]", re.ASCII)
_DAY: Final = re.compile(r".+?-(\d{1,2})([A-Z]{3})(\d\d)(-.*)?", re.ASCII)
_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)


def _error(code: int, message: str, **data: str) -> dict[str, Any]:
    error = {"code": code, "message": message, **({"data": data} if data else {})}
    return {"jsonrpc": "2.0", "error": error, "testnet": False}


def _refusal(status: int, code: int, message: str, **data: str) -> RestRefusal:
    return RestRefusal(status, _error(code, message, **data))


class DeribitCredits(RateLimit):
    """The credits that one address has left."""

    limit = CREDITS
    window_s = 1
    _left = CREDITS * NS_PER_S
    _at_ns = 0

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002
        """Take a request's credits; return its refusal if they do not suffice."""
        cost = _COSTS.get(path.removeprefix(_ROOT), _COST) * NS_PER_S
        self._left = min(
            CREDITS * NS_PER_S, self._left + max(0, now_ns - self._at_ns) * CREDITS_PER_S
        )
        self._at_ns = now_ns
        if cost > self._left:
            return self._too_many(1)
        self._left -= cost
        return None


class DeribitRestSide(RestSide):
    """REST answers of Deribit or one of its gateways."""

    rate_limit = DeribitCredits
    unknown = (503, _error(11051, "system_maintenance"))
    exceeded = (429, _error(10028, "too_many_requests"))

    def _body(
        self, path: str, params: dict[str, str], market: MarketView, now_ns: int
    ) -> dict[str, Any]:
        method, micros = path.removeprefix(_ROOT) if path.startswith(_ROOT) else "", now_ns // 1_000
        return {
            "jsonrpc": "2.0",
            "result": _result(method, params, market, now_ns),
            "usIn": micros,
            "usOut": micros,
            "usDiff": 0,
            "testnet": False,
        }


def _result(method: str, params: dict[str, str], market: MarketView, now_ns: int) -> Any:
    match method:
        case "test":
            return {"version": "1.2.26"}
        case "get_time":
            return now_ns // NS_PER_MS
        case "get_instruments":
            return [_instrument(listed) for listed in _of(market, params, ("any", ""))]
        case "get_book_summary_by_currency":
            return present(_summary(each, market, now_ns) for each in _of(market, params, ()))
        case "get_tradingview_chart_data" | "get_funding_rate_history":
            history = chart if method == "get_tradingview_chart_data" else fundings
            return history(_listed(params, market).id.symbol, params, market, now_ns)
        case "get_book_summary_by_instrument" | "ticker" | "get_order_book":
            return _of_one(method, _listed(params, market), params, market, now_ns)
        case _:
            raise _refusal(400, -32601, "Method not found")


def _of_one(
    method: str, listed: Instrument, params: dict[str, str], market: MarketView, now_ns: int
) -> Any:
    if method == "ticker":
        return _ticker(listed, market)
    if method == "get_order_book":
        return _order_book(listed, params.get("depth", "5"), market)
    row = _summary(listed, market, now_ns)
    return [row] if row is not None else []


def _of(
    market: MarketView, params: dict[str, str], all_of: tuple[str, ...]
) -> Iterable[Instrument]:
    currency, kind = params.get("currency", ""), params.get("kind")
    if not currency and "" not in all_of:
        raise _refusal(400, -32602, "Invalid params", reason="must be given", param="currency")
    of_kind = [listed for listed in market.instruments() if kind in (None, _kind_of(listed))]
    return [
        listed
        for listed in of_kind
        if currency in all_of or currency_of(listed.id.symbol) == currency
    ]


def _kind_of(listed: Instrument) -> str:
    return "option" if _OPTION.fullmatch(listed.id.symbol) else "future"


def _listed(params: dict[str, str], market: MarketView) -> Instrument:
    refusal = _refusal(
        400, -32602, "Invalid params", reason="wrong format", param="instrument_name"
    )
    return required(params.get("instrument_name", ""), market, refusal)


def _ticker(listed: Instrument, market: MarketView) -> dict[str, Any]:
    symbol = listed.id.symbol
    touch = known(market.touch(symbol))
    return ticker_row(symbol, touch, market.venue_mark(symbol), market.open_interest(symbol))


def _order_book(listed: Instrument, depth: str, market: MarketView) -> dict[str, Any]:
    if depth not in _DEPTHS:
        raise _refusal(400, -32602, "Invalid params", reason="value not allowed", param="depth")
    book, most = known(market.depth(listed.id.symbol)), int(depth)
    sides = {"bids": plain_rows(book.bids[:most]), "asks": plain_rows(book.asks[:most])}
    return {
        **_ticker(listed, market),
        "timestamp": book.venue_time_ns // NS_PER_MS,
        "change_id": book.last,
        **sides,
    }


def _summary(listed: Instrument, market: MarketView, now_ns: int) -> dict[str, Any] | None:
    touch = market.touch(listed.id.symbol)
    if touch is None:
        return None
    stamp = {
        "instrument_name": listed.id.symbol,
        "base_currency": listed.base,
        "quote_currency": listed.quote,
    }
    mark, funding = market.venue_mark(listed.id.symbol) or (None, None)
    numbers = {
        "bid_price": touch.bid,
        "ask_price": touch.ask,
        "last": touch.last,
        "mark_price": mark.mark if mark is not None else None,
        "current_funding": funding.rate if funding is not None else None,
        "open_interest": market.open_interest(listed.id.symbol),
    }
    return {**stamp, "creation_timestamp": now_ns // NS_PER_MS, **json_numbers(numbers)}


def _instrument(listed: Instrument) -> dict[str, Any]:
    return {
        "instrument_name": listed.id.symbol,
        "kind": _kind_of(listed),
        "instrument_type": "linear" if listed.linear else "reversed",
        "is_active": listed.trading,
        "settlement_period": "perpetual" if listed.perpetual else "month",
        "expiration_timestamp": _YEAR_3000_MS
        if listed.perpetual
        else _expiration_ms(listed.id.symbol),
        "base_currency": listed.base,
        "quote_currency": listed.quote,
        "counter_currency": listed.quote,
        "settlement_currency": listed.margin,
        **json_numbers(
            {
                "tick_size": plain(listed.tick),
                "min_trade_amount": plain(listed.lot),
                "contract_size": plain(listed.contract_size),
            }
        ),
    }


def _expiration_ms(symbol: str) -> int:
    # BTC-24SEP21 and BTC-24SEP21-40000-P end at 08:00 UTC of that day.
    found = _DAY.fullmatch(symbol)
    if found is None or found[2] not in _MONTHS:
        return 0
    return (
        int(
            datetime(
                2000 + int(found[3]), 1 + _MONTHS.index(found[2]), int(found[1]), 8, tzinfo=UTC
            ).timestamp()
        )
        * 1_000
    )


_NAMES: Final = ("start_timestamp", "end_timestamp", "")
_MOST: Final = 5_000


def chart(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> dict[str, Any]:
    """Return the columns of a chart."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=_MOST, most=_MOST)
    found = span.candles(market, symbol, SECONDS.get(params.get("resolution", "")), oldest=True)
    linear = "_" in symbol.partition("-")[0]
    volumes, none = [json_number(candle.volume) for candle in found], [0] * len(found)
    return {
        "status": "ok" if found else "no_data",
        "ticks": [candle.open_time_ns // NS_PER_MS for candle in found],
        **{
            name: [json_number(getattr(candle, name)) for candle in found]
            for name in ("open", "high", "low", "close")
        },
        "volume": volumes if linear else none,
        "cost": none if linear else volumes,
    }


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a funding history."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=744, most=744)
    found = span.fundings(market, symbol, oldest=True)
    rows = [(paid.time_ns // NS_PER_MS, json_number(paid.rate)) for paid in found]
    return [{"timestamp": at, "interest_1h": rate, "interest_8h": rate} for at, rate in rows]
