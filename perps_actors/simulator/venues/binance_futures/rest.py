"""Binance's REST answers for futures from the server's side.

Sources: developers.binance.com/docs/derivatives, read 2026-10: `/fapi/v1` and `/dapi/v1` allow a
weight of 2400 per minute and address; error codes -1003, -1102, -1121, -4021, -5000. Market data
that is not known yet gives -1001 with status 503, never an empty answer. History (kline data,
funding rate history) is oldest first: from the first moment on if there is one, else the newest
rows. Quote volumes and taker volumes are zero, because the simulator has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

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
from perps_actors.simulator.venue_contract import Depth, MarketView, encode, paired
from perps_actors.venues.binance_futures.schema import SECONDS, DepthAnswer, Dialect
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

WEIGHT_LIMIT: Final = 2400

_DEPTH_WEIGHTS: Final = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
_INTERNAL_ERROR: Final = "Internal error; unable to process your request. Please try again."
_IGNORED: Final = ("limit", "timestamp", "recvWindow", "signature")
_PERPETUAL_DELIVERY_MS: Final = 4_133_404_800_000


_RowOf = Callable[[str, MarketView], dict[str, Any] | None]


def _refusal(status: int, code: int, msg: str) -> RestRefusal:
    return RestRefusal(status, {"code": code, "msg": msg})


class BinanceWeights(RateLimit):
    """Weight that one address used in the current minute.

    Args:
        dialect: the venue.
        too_many: makes the refusal from the seconds to wait.
    """

    limit = WEIGHT_LIMIT
    window_s = 60

    def __init__(self, dialect: Dialect, too_many: Callable[[int], RestAnswer]) -> None:
        super().__init__(too_many)
        self._purposes = {dialect.prefix + path.name: path for path in dialect.rest.values()}
        self._depth = dialect.prefix + dialect.rest["depth"].name

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer."""
        return {"X-MBX-USED-WEIGHT-1M": str(self._window.used())}

    def _weight_of(self, path: str, query: str) -> int:
        params = dict(parse_qsl(query))
        if path == self._depth:
            limit = params.get("limit", "500")
            return _DEPTH_WEIGHTS.get(int(limit) if limit.isdecimal() else 0, 1)
        purpose = self._purposes.get(path)
        if purpose is None:
            return 1
        return purpose.weight_one if "symbol" in params else purpose.weight_all


class BinanceRestSide(RestSide):
    """REST answers of a Binance venue.

    Args:
        dialect: the venue.
    """

    unknown = (503, {"code": -1001, "msg": _INTERNAL_ERROR})

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def new_rate_limit(self) -> BinanceWeights:
        """Return the account of one address."""
        return BinanceWeights(self._dialect, self.too_many)

    def too_many(self, retry_after_s: int, status: int | None = None) -> RestAnswer:
        """Return the refusal beyond the limit (429), of a ban (418) or of an outage (503)."""
        code, msg = (
            (-1003, "Too many requests.")
            if status != 503
            else (-1008, "Server is currently overloaded. Please try again later.")
        )
        return RestAnswer(status or 429, encode({"code": code, "msg": msg}), retry_after_s)

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return path and parameters without those that only shape or sign the answer."""
        params = sorted((name, value) for name, value in parse_qsl(query) if name not in _IGNORED)
        return (path, *(f"{name}={value.upper()}" for name, value in params))

    def snapshot_symbol(self, path: str, query: str) -> str | None:
        """Return the symbol whose book is requested; None for other requests."""
        return (
            dict(parse_qsl(query)).get("symbol", "").upper() or None
            if path == f"{self._dialect.prefix}/depth"
            else None
        )

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in a depth answer."""
        book = msgspec.json.decode(body, type=DepthAnswer)
        at = (book.time or 0) * NS_PER_MS
        return Depth(symbol, book.last_id, paired(book.bids), paired(book.asks), at)

    def _body(self, path: str, params: dict[str, str], market: MarketView, now_ns: int) -> Any:
        below = (
            path.removeprefix(self._dialect.prefix) if path.startswith(self._dialect.prefix) else ""
        )
        match below:
            case "/ping":
                return {}
            case "/time":
                return {"serverTime": now_ns // NS_PER_MS}
            case "/exchangeInfo":
                return _exchange_info(self._dialect, market.instruments(), now_ns)
            case _ if below in _OF_ONE:
                return _OF_ONE[below](_listed(params, market), params, market, now_ns)
            case _ if below in _OF_EACH:
                return self._rows(params, market, _OF_EACH[below])
            case _:
                raise _refusal(404, -5000, f"Path {path[:80]}, Method GET is invalid")

    def _rows(self, params: dict[str, str], market: MarketView, row_of: _RowOf) -> Any:
        """Return the row of the requested symbol (in a list on COIN-M), or of all symbols."""
        if "symbol" in params:
            row = known(row_of(_listed(params, market), market))
            return row if self._dialect.linear else [row]
        return present(row_of(listed.id.symbol, market) for listed in market.instruments())


def _listed(params: dict[str, str], market: MarketView) -> str:
    symbol = params.get("symbol", "").upper()
    if not symbol:
        raise _refusal(
            400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        )
    return required(symbol, market, _refusal(400, -1121, "Invalid symbol.")).id.symbol


def _depth(symbol: str, params: Mapping[str, str], market: MarketView, _: int) -> dict[str, Any]:
    limit = params.get("limit", "500")
    if not limit.isdecimal() or int(limit) not in _DEPTH_WEIGHTS:
        raise _refusal(400, -4021, f"{limit[:20]} is not valid depth limit")
    book, most = known(market.depth(symbol)), int(limit)
    ms = book.venue_time_ns // NS_PER_MS
    return {
        "lastUpdateId": book.last,
        "E": ms,
        "T": ms,
        "bids": book.bids[:most],
        "asks": book.asks[:most],
    }


def _open_interest(
    symbol: str, _: Mapping[str, str], market: MarketView, now_ns: int
) -> dict[str, Any]:
    held = known(market.open_interest(symbol))
    return {"symbol": symbol, "openInterest": held, "time": now_ns // NS_PER_MS}


def _book_ticker(symbol: str, market: MarketView) -> dict[str, Any] | None:
    touch = market.touch(symbol)
    if touch is None:
        return None
    return {
        "symbol": symbol,
        "bidPrice": touch.bid,
        "bidQty": touch.bid_size,
        "askPrice": touch.ask,
        "askQty": touch.ask_size,
        "time": (touch.venue_time_ns or 0) // NS_PER_MS,
    }


def _premium_index(symbol: str, market: MarketView) -> dict[str, Any] | None:
    mark_and_funding = market.venue_mark(symbol)
    if mark_and_funding is None:
        return None
    mark, funding = mark_and_funding
    return {
        "symbol": symbol,
        "markPrice": mark.mark,
        "indexPrice": mark.index,
        "estimatedSettlePrice": mark.index,
        "lastFundingRate": funding.rate,
        "interestRate": "0.00010000",
        "nextFundingTime": (funding.next_time_ns or 0) // NS_PER_MS,
        "time": (mark.venue_time_ns or 0) // NS_PER_MS,
    }


def _exchange_info(
    dialect: Dialect, instruments: Sequence[Instrument], now_ns: int
) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": now_ns // NS_PER_MS,
        "futuresType": "U_MARGINED" if dialect.linear else "COIN_MARGINED",
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": WEIGHT_LIMIT,
            }
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": margin, "marginAvailable": True}
            for margin in sorted({listed.margin for listed in instruments})
        ],
        "symbols": [_symbol(dialect, instrument) for instrument in instruments],
    }


def _symbol(dialect: Dialect, listed: Instrument) -> dict[str, Any]:
    tick, lot = plain(listed.tick), plain(listed.lot)
    return {
        "symbol": listed.id.symbol,
        "pair": f"{listed.base}{listed.quote}",
        "contractType": "PERPETUAL" if listed.perpetual else "CURRENT_QUARTER",
        "deliveryDate": _PERPETUAL_DELIVERY_MS,
        "onboardDate": 0,
        "status" if dialect.linear else "contractStatus": "TRADING"
        if listed.trading
        else "SETTLING",
        **({} if dialect.linear else {"contractSize": int(listed.contract_size)}),
        "baseAsset": listed.base,
        "quoteAsset": listed.quote,
        "marginAsset": listed.margin,
        "pricePrecision": len(tick.partition(".")[2]),
        "quantityPrecision": len(lot.partition(".")[2]),
        "underlyingType": "COIN",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": "1000000",
                "tickSize": tick,
            },
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "1000000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "1000000", "stepSize": lot},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


_DAY_NS: Final = 86_400 * NS_PER_S
_NAMES: Final = ("startTime", "endTime", "limit")


def klines(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[list[Any]]:
    """Return the rows of a klines answer."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=500, most=1_500)
    interval_s = SECONDS.get(params.get("interval", ""))
    found = span.candles(market, symbol, interval_s, oldest="startTime" in params)
    rest = ["0", 0, "0", "0", "0"]
    return [
        [
            candle.open_time_ns // NS_PER_MS,
            *(candle.open, candle.high, candle.low, candle.close, candle.volume),
            (candle.open_time_ns + candle.interval_s * NS_PER_S) // NS_PER_MS - 1,
            *rest,
        ]
        for candle in found
    ]


def day(symbol: str, market: MarketView) -> dict[str, Any] | None:
    """Return the row of a symbol in a 24 h ticker; None if it is not known."""
    touch = market.touch(symbol)
    until_ns = touch.venue_time_ns if touch is not None else None
    minutes = (
        market.candles(symbol, 60, until_ns - _DAY_NS, until_ns + 1)
        if until_ns is not None
        else None
    )
    if touch is None or until_ns is None or not minutes:
        return None
    first, last = minutes[0].open, touch.last or minutes[-1].close
    change = Decimal(last) - Decimal(first)
    return {
        "symbol": symbol,
        "priceChange": plain(change),
        "priceChangePercent": f"{change / Decimal(first) * 100:.3f}",
        "lastPrice": last,
        "openPrice": first,
        "highPrice": max((minute.high for minute in minutes), key=Decimal),
        "lowPrice": min((minute.low for minute in minutes), key=Decimal),
        "volume": plain(sum(Decimal(minute.volume) for minute in minutes) or Decimal(0)),
        "openTime": minutes[0].open_time_ns // NS_PER_MS,
        "closeTime": until_ns // NS_PER_MS,
    }


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a funding rate history."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=100, most=1_000)
    return [
        {
            "symbol": symbol,
            "fundingRate": paid.rate,
            "fundingTime": paid.time_ns // NS_PER_MS,
            "markPrice": "",
        }
        for paid in span.fundings(market, symbol, oldest="startTime" in params)
    ]


_OF_ONE: Final[dict[str, Callable[[str, Mapping[str, str], MarketView, int], Any]]] = {
    "/depth": _depth,
    "/openInterest": _open_interest,
    "/klines": klines,
    "/fundingRate": fundings,
}
_OF_EACH: Final[dict[str, _RowOf]] = {
    "/ticker/bookTicker": _book_ticker,
    "/premiumIndex": _premium_index,
    "/ticker/24hr": day,
}
"""The row of each symbol, by path."""
