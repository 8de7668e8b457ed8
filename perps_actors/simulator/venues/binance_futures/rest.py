"""The REST answers of Binance's futures venues from the venue's side. Opens nothing, reads no clock.

Weights, limits and error codes as documented for `/fapi/v1` and `/dapi/v1` in 2026 (2400 of weight a minute an address; codes -1003,
-1102, -1121, -4021, -5000). An answer that cannot be known yet is -1001 with status 503, never an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.venue_contract import Depth, MarketView, RestAnswer, listed_as, span_of
from perps_actors.venues.binance_futures.schema import SECONDS, Dialect
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

# merged docstring:
# """Binance's candles, days and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: developers.binance.com/docs/derivatives (kline data, funding rate history), read 2026-10: oldest first; with a first
# moment what follows it, else the newest. What was quoted and who took is not made up: it is zero.
# """

WEIGHT_LIMIT: Final = 2400

_MINUTE: Final = 60_000_000_000
_DEPTH_WEIGHTS: Final = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
_BESIDE_THE_POINT: Final = ("limit", "timestamp", "recvWindow", "signature")
_PERPETUAL_DELIVERY_MS: Final = 4_133_404_800_000

_encode = msgspec.json.Encoder().encode


class _Refusal(Exception):
    def __init__(self, status: int, code: int, msg: str) -> None:
        super().__init__(msg)
        self.answer = RestAnswer(status, _encode({"code": code, "msg": msg}))


class _Snapshot(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 - the venue's own spelling
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]
    T: int = 0


def too_many(retry_after_s: int, status: int = 429) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (429), of a banned address (418) or of a venue that is down (503)."""
    code, msg = (
        (-1003, "Too many requests.")
        if status != 503
        else (-1008, "Server is currently overloaded. Please try again later.")
    )
    return RestAnswer(status, _encode({"code": code, "msg": msg}), retry_after_s)


class BinanceWeights:
    """What one address has used of its weight, a minute at a time.

    Args:
        dialect: the venue.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._purposes = {dialect.prefix + path.name: path for path in dialect.rest.values()}
        self._depth = dialect.prefix + dialect.rest["depth"].name
        self._minute = 0
        self._used = 0

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:
        """Charge a request's weight; return the refusal where it goes beyond the limit of the minute."""
        minute, into = divmod(now_ns, _MINUTE)
        self._used = self._weight(path, dict(parse_qsl(query))) + (
            self._used if minute == self._minute else 0
        )
        self._minute = minute
        if self._used <= WEIGHT_LIMIT:
            return None
        return too_many(1 + (_MINUTE - into) // 1_000_000_000)

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer carries."""
        return {"X-MBX-USED-WEIGHT-1M": str(self._used)}

    def _weight(self, path: str, params: dict[str, str]) -> int:
        if path == self._depth:
            limit = params.get("limit", "500")
            return _DEPTH_WEIGHTS.get(int(limit) if limit.isdecimal() else 0, 1)
        known = self._purposes.get(path)
        if known is None:
            return 1
        return known.weight_one if "symbol" in params else known.weight_all


class BinanceRestSide:
    """A venue's REST answers as it gives them.

    Args:
        dialect: the venue.
    """

    too_many = staticmethod(too_many)

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.WeightAccount = partial(BinanceWeights, dialect)

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return what makes two requests the same one: path and parameters, but for those that only shape or sign the answer."""
        params = sorted(
            (name, value) for name, value in parse_qsl(query) if name not in _BESIDE_THE_POINT
        )
        return (path, *(f"{name}={value.upper()}" for name, value in params))

    def snapshot_symbol(self, path: str, query: str) -> str | None:
        """Return the symbol whose book a request asks for; None if it asks for something else."""
        return (
            dict(parse_qsl(query)).get("symbol", "").upper() or None
            if path == f"{self._dialect.prefix}/depth"
            else None
        )

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in a depth answer; `msgspec.DecodeError` if it is none."""
        book = msgspec.json.decode(body, type=_Snapshot)
        return Depth(symbol, book.lastUpdateId, book.bids, book.asks, book.T * NS_PER_MS)

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; an error answer if it asks for what is not there."""
        try:
            return RestAnswer(
                200, _encode(self._body(path, dict(parse_qsl(query)), market, now_ns))
            )
        except _Refusal as refusal:
            return refusal.answer

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
            case "/depth" | "/openInterest" | "/klines" | "/fundingRate":
                return _of_one(below, _listed(params, market), params, market, now_ns)
            case "/ticker/bookTicker":
                return self._rows(params, market, _book_ticker)
            case "/premiumIndex" | "/ticker/24hr":
                return self._rows(
                    params, market, day if below == "/ticker/24hr" else _premium_index
                )
            case _:
                raise _Refusal(404, -5000, f"Path {path[:80]}, Method GET is invalid")

    def _rows(self, params: dict[str, str], market: MarketView, row_of: _RowMaker) -> Any:
        """Return the row of the symbol that is asked for, in a list on COIN-M, or those of all."""
        if "symbol" in params:
            row = row_of(_listed(params, market), market)
            if row is None:
                raise _unknown()
            return row if self._dialect.linear else [row]
        rows = (row_of(instrument.id.symbol, market) for instrument in market.instruments())
        return [row for row in rows if row is not None]


def _listed(params: dict[str, str], market: MarketView) -> str:
    symbol = params.get("symbol", "").upper()
    if not symbol:
        raise _Refusal(
            400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        )
    if listed_as(symbol, market) is None:
        raise _Refusal(400, -1121, "Invalid symbol.")
    return symbol


class _RowMaker(Protocol):
    def __call__(self, symbol: str, market: MarketView) -> dict[str, Any] | None: ...


def _unknown() -> _Refusal:
    return _Refusal(503, -1001, "Internal error; unable to process your request. Please try again.")


def _of_one(
    below: str, symbol: str, params: dict[str, str], market: MarketView, now_ns: int
) -> Any:
    if below == "/depth":
        return _depth(symbol, params.get("limit", "500"), market)
    if below == "/openInterest":
        return _open_interest(symbol, market, now_ns)
    told = (klines if below == "/klines" else fundings)(symbol, params, market, now_ns)
    if told is None:
        raise _unknown()
    return told


def _depth(symbol: str, limit: str, market: MarketView) -> dict[str, Any]:
    if not limit.isdecimal() or int(limit) not in _DEPTH_WEIGHTS:
        raise _Refusal(400, -4021, f"{limit[:20]} is not valid depth limit")
    book, most = market.depth(symbol), int(limit)
    if book is None:
        raise _unknown()
    ms = book.venue_time_ns // NS_PER_MS
    return {
        "lastUpdateId": book.last,
        "E": ms,
        "T": ms,
        "bids": book.bids[:most],
        "asks": book.asks[:most],
    }


def _open_interest(symbol: str, market: MarketView, now_ns: int) -> dict[str, Any]:
    held = market.open_interest(symbol)
    if held is None:
        raise _unknown()
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
    known = market.venue_mark(symbol)
    if known is None:
        return None
    mark, funding = known
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
) -> list[list[Any]] | None:
    """Return the rows of a klines answer; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=500, most=1_500)
    found = span.candles(market, symbol, SECONDS.get(params.get("interval", "")))
    if found is None:
        return None
    rest = ["0", 0, "0", "0", "0"]
    return [
        [
            candle.open_time_ns // NS_PER_MS,
            *(candle.open, candle.high, candle.low, candle.close, candle.volume),
            (candle.open_time_ns + candle.interval_s * NS_PER_S) // NS_PER_MS - 1,
            *rest,
        ]
        for candle in span.cut(found, oldest="startTime" in params)
    ]


def day(symbol: str, market: MarketView) -> dict[str, Any] | None:
    """Return the row of a symbol in a 24 h ticker; None where there is none to tell."""
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
) -> list[dict[str, Any]] | None:
    """Return the rows of a funding rate history; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_MS, now_ns, usual=100, most=1_000)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    told = span.cut(found, oldest="startTime" in params)
    return [
        {
            "symbol": symbol,
            "fundingRate": paid.rate,
            "fundingTime": paid.time_ns // NS_PER_MS,
            "markPrice": "",
        }
        for paid in told
    ]
