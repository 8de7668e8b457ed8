"""Kraken Futures' REST answers from the server's side.

Source: docs.kraken.com (futures REST, charts, historical funding rates, guides on rate limits),
read 2026-10: `/derivatives` accepts 500 requests in 10 s per address. Errors are
`{"result": "error", "error": <name>}`. Symbols are sent in upper case and accepted in any. Market
data that is not known yet gives `Unavailable` with status 503, never an empty answer. A ticker's
funding is money per contract, not a rate. Candles have a path of their own, oldest first, between
two inclusive seconds; all fundings are in one answer, with zero as money per contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    RateLimit,
    RestRefusal,
    RestSide,
    known,
    present,
    required,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView, json_number, json_numbers
from perps_actors.simulator.venues.kraken_futures.stream import money_of
from perps_actors.venues.kraken_futures.rest import CHARTS, FUNDINGS
from perps_actors.venues.kraken_futures.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

_ROOT: Final = "/derivatives/api/v3/"


class KrakenFuturesRequests(RateLimit):
    """Requests of one address in the current 10 s."""

    limit = 500
    window_s = 10


class KrakenFuturesRestSide(RestSide):
    """REST answers of Kraken Futures."""

    rate_limit = KrakenFuturesRequests
    unknown = (503, {"result": "error", "error": "Unavailable"})
    exceeded = (429, {"result": "error", "error": "apiLimitExceeded"})

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return path and parameters in one spelling."""
        return (
            unquote(path).lower().rstrip("/"),
            *sorted(f"{name}={value}".lower() for name, value in parse_qsl(query)),
        )

    def _body(
        self, path: str, params: dict[str, str], market: MarketView, now_ns: int
    ) -> Mapping[str, Any]:
        if path.startswith(CHARTS) or path == FUNDINGS:
            return _history(unquote(path), params, market, now_ns)
        method, _, symbol = unquote(path).removeprefix(_ROOT).partition("/")
        symbol = (symbol or params.get("symbol", "")).upper()
        body = _result(method if path.startswith(_ROOT) else "", symbol, market)
        return {"result": "success", **body, **_stamp(now_ns)}

    def _refusal_body(self, said: Mapping[str, Any], now_ns: int) -> Mapping[str, Any]:
        return {**said, **_stamp(now_ns)}


def _stamp(now_ns: int) -> dict[str, str]:
    at = datetime.fromtimestamp(now_ns // NS_PER_S, UTC)
    return {"serverTime": f"{at:%Y-%m-%dT%H:%M:%S}.{now_ns // 1_000_000 % 1000:03d}Z"}


def _refusal(status: int, error: str) -> RestRefusal:
    return RestRefusal(status, {"result": "error", "error": error})


def _history(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> dict[str, Any]:
    if path == FUNDINGS:
        symbol = _listed(params.get("symbol", "").upper(), market).id.symbol
        return {"rates": fundings(symbol, market, now_ns)}
    symbol, _, name = path.removeprefix(CHARTS).partition("/")
    return candles(_listed(symbol.upper(), market).id.symbol, name, params, market, now_ns)


def _result(method: str, symbol: str, market: MarketView) -> dict[str, Any]:
    listed = market.instruments()
    match method, symbol:
        case "instruments", "":
            return {"instruments": [_instrument(instrument) for instrument in listed]}
        case "tickers", "":
            return {"tickers": present(_ticker(instrument, market) for instrument in listed)}
        case "tickers", _:
            return {"ticker": known(_ticker(_listed(symbol, market), market))}
        case "orderbook", _:
            return {"orderBook": _order_book(symbol, market)}
        case _:
            raise _refusal(404, "notFound")


def _order_book(symbol: str, market: MarketView) -> dict[str, Any]:
    book = known(market.depth(_listed(symbol, market).id.symbol))
    return {
        name: [(json_number(price), json_number(size)) for price, size in side]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }


def _listed(symbol: str, market: MarketView) -> Instrument:
    return required(symbol, market, _refusal(404, "contractUnavailable"))


def _ticker(instrument: Instrument, market: MarketView) -> dict[str, Any] | None:
    symbol = instrument.id.symbol
    touch, marked = market.touch(symbol), market.venue_mark(symbol)
    if touch is None:
        return None
    mark, index = (marked[0].mark, marked[0].index) if marked is not None else (None, None)
    numbers: dict[str, str | None] = {
        "last": touch.last,
        "bid": touch.bid,
        "bidSize": touch.bid_size,
        "ask": touch.ask,
        "askSize": touch.ask_size,
        "markPrice": mark,
        "indexPrice": index,
        "fundingRate": money_of(symbol, *marked) if marked is not None else None,
        "openInterest": market.open_interest(symbol),
    }
    return {
        "symbol": symbol,
        "tag": "perpetual" if instrument.perpetual else "month",
        "pair": f"{instrument.base}:{instrument.quote}",
        **json_numbers(numbers),
        "suspended": not instrument.trading,
        "postOnly": False,
    }


def _instrument(listed: Instrument) -> dict[str, Any]:
    dated = {} if listed.perpetual else {"lastTradingTime": _last_trading_time(listed.id.symbol)}
    return {
        "symbol": listed.id.symbol,
        "type": "flexible_futures" if listed.linear else "futures_inverse",
        "tickSize": json_number(plain(listed.tick)),
        "contractSize": json_number(plain(listed.contract_size)),
        "tradeable": listed.trading,
        "contractValueTradePrecision": -listed.lot.adjusted(),
        **dated,
        "postOnly": False,
        "base": listed.base,
        "quote": listed.quote,
        "pair": f"{listed.base}:{listed.quote}",
    }


def _last_trading_time(symbol: str) -> str:
    # Dated contracts are named FI_XBTUSD_210924 and end in the afternoon of that day.
    day = symbol.rpartition("_")[2]
    return f"20{day[:2]}-{day[2:4]}-{day[4:6]}T15:00:00.000Z"


_MOST: Final = 2_000


def candles(
    symbol: str, name: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> dict[str, Any]:
    """Return the candles of an interval of that name."""
    span = span_of(params, ("from", "to", ""), NS_PER_S, now_ns, usual=_MOST, most=_MOST)
    interval_s = known(SECONDS.get(name))
    found = known(market.candles(symbol, interval_s, span.since_ns, span.until_ns))
    rows = [
        {
            "time": candle.open_time_ns // NS_PER_MS,
            **{name: getattr(candle, name) for name in ("open", "high", "low", "close")},
            "volume": json_number(candle.volume),
        }
        for candle in span.cut(found, oldest=True)
    ]
    return {"candles": rows, "more_candles": len(found) > len(rows)}


def fundings(symbol: str, market: MarketView, now_ns: int) -> list[dict[str, Any]]:
    """Return all past fundings."""
    found = known(market.fundings(symbol, 0, now_ns + 1))
    return [
        {
            "timestamp": _date(paid.time_ns),
            "fundingRate": 0,
            "relativeFundingRate": json_number(paid.rate),
        }
        for paid in found
    ]


def _date(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%S}Z"
