"""Kraken Futures' REST answers from the venue's side. Opens nothing, reads no clock.

Source: docs.kraken.com (futures REST, guides on rate limits), read 2026-10: `/derivatives` takes 500 requests in ten seconds from an
address. Errors are `{"result": "error", "error": <name>}`. Symbols are told in upper case and asked for in any. An answer that cannot be
known yet is `Unavailable` with status 503, never an empty one. A ticker's funding is money a contract, not a rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.venue_contract import (
    Depth,
    MarketView,
    RestAnswer,
    RestAnswers,
    json_number,
    listed_as,
    span_of,
)
from perps_actors.simulator.venues.kraken_futures.stream import money_of
from perps_actors.venues.kraken_futures.rest import CHARTS, FUNDINGS
from perps_actors.venues.kraken_futures.schema import SECONDS
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

# merged docstring:
# """Kraken Futures's candles and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: docs.kraken.com (futures charts, historical funding rates), read 2026-10: candles of a path of their own, oldest first, between
# seconds that both belong to the span; all fundings in one answer. Money a contract is not made up: it is zero.
# """

REQUESTS_PER_WINDOW: Final = 500
WINDOW_NS: Final = 10 * NS_PER_S

_ROOT: Final = "/derivatives/api/v3/"

_encode: Final = msgspec.json.Encoder().encode


class _Refusal(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def too_many(retry_after_s: int, status: int = 429) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (429) or of a venue that is down (503)."""
    return RestAnswer(
        status,
        _encode(
            {"result": "error", "error": "Unavailable" if status == 503 else "apiLimitExceeded"}
        ),
        retry_after_s,
    )


class KrakenFuturesRequests:
    """How many requests one address has made, ten seconds at a time."""

    def __init__(self) -> None:
        self._window = 0
        self._made = 0

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002 - all requests cost the same
        """Count a request; return the refusal where it goes beyond the limit of the window."""
        window, into = divmod(now_ns, WINDOW_NS)
        self._made = 1 + (self._made if window == self._window else 0)
        self._window = window
        return (
            None
            if self._made <= REQUESTS_PER_WINDOW
            else too_many(1 + (WINDOW_NS - into) // NS_PER_S)
        )

    def headers(self) -> dict[str, str]:
        """Return no headers: the venue does not say how many requests are left."""
        return {}


class KrakenFuturesRestSide(RestAnswers):
    """The venue's REST answers as it gives them."""

    WeightAccount = KrakenFuturesRequests
    too_many = staticmethod(too_many)

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return what makes two requests the same one: path and parameters, in one spelling."""
        return (
            unquote(path).lower().rstrip("/"),
            *sorted(f"{name}={value}".lower() for name, value in parse_qsl(query)),
        )

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Raise `msgspec.ValidationError`: no answer is a book."""
        msg = f"Expected no answer with a book of {symbol}, was {body[:60]!r}"
        raise msgspec.ValidationError(msg)

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; an error answer if it asks for what is not there."""
        stamp = {
            "serverTime": f"{datetime.fromtimestamp(now_ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%S}.{now_ns // 1_000_000 % 1000:03d}Z"
        }
        try:
            if path.startswith(CHARTS) or path == FUNDINGS:
                return RestAnswer(
                    200, _encode(_past(unquote(path), dict(parse_qsl(query)), market, now_ns))
                )
            method, _, symbol = unquote(path).removeprefix(_ROOT).partition("/")
            symbol = symbol or dict(parse_qsl(query)).get("symbol", "")
            body = _body(method if path.startswith(_ROOT) else "", symbol.upper(), market)
        except _Refusal as refusal:
            return RestAnswer(
                refusal.status, _encode({"result": "error", "error": refusal.error, **stamp})
            )
        return RestAnswer(200, _encode({"result": "success", **body, **stamp}))


def _past(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> dict[str, Any]:
    if path == FUNDINGS:
        rates = fundings(
            _listed(params.get("symbol", "").upper(), market).id.symbol, market, now_ns
        )
        told = {"rates": rates} if rates is not None else None
    else:
        symbol, _, name = path.removeprefix(CHARTS).partition("/")
        told = candles(_listed(symbol.upper(), market).id.symbol, name, params, market, now_ns)
    if told is None:
        raise _Refusal(503, "Unavailable")
    return told


def _body(method: str, symbol: str, market: MarketView) -> dict[str, Any]:
    listed = market.instruments()
    match method, symbol:
        case "instruments", "":
            return {"instruments": [_instrument(instrument) for instrument in listed]}
        case "tickers", "":
            rows = [_ticker(instrument, market) for instrument in listed]
            return {"tickers": [row for row in rows if row is not None]}
        case "tickers", _:
            return {"ticker": _one(symbol, market)}
        case "orderbook", _:
            return {"orderBook": _order_book(symbol, market)}
        case _:
            raise _Refusal(404, "notFound")


def _one(symbol: str, market: MarketView) -> dict[str, Any]:
    row = _ticker(_listed(symbol, market), market)
    if row is None:
        raise _Refusal(503, "Unavailable")
    return row


def _order_book(symbol: str, market: MarketView) -> dict[str, Any]:
    book = market.depth(_listed(symbol, market).id.symbol)
    if book is None:
        raise _Refusal(503, "Unavailable")
    return {
        name: [(json_number(price), json_number(size)) for price, size in side]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }


def _listed(symbol: str, market: MarketView) -> Instrument:
    listed = listed_as(symbol, market)
    if listed is None:
        raise _Refusal(404, "contractUnavailable")
    return listed


def _ticker(instrument: Instrument, market: MarketView) -> dict[str, Any] | None:
    symbol = instrument.id.symbol
    touch, known = market.touch(symbol), market.venue_mark(symbol)
    if touch is None:
        return None
    mark, index = (known[0].mark, known[0].index) if known is not None else (None, None)
    numbers: dict[str, str | None] = {
        "last": touch.last,
        "bid": touch.bid,
        "bidSize": touch.bid_size,
        "ask": touch.ask,
        "askSize": touch.ask_size,
        "markPrice": mark,
        "indexPrice": index,
        "fundingRate": money_of(symbol, *known) if known is not None else None,
        "openInterest": market.open_interest(symbol),
    }
    return {
        "symbol": symbol,
        "tag": "perpetual" if instrument.perpetual else "month",
        "pair": f"{instrument.base}:{instrument.quote}",
        **{name: json_number(number) for name, number in numbers.items() if number is not None},
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
) -> dict[str, Any] | None:
    """Return the candles of an interval of that name; None where there are none to tell."""
    span = span_of(params, ("from", "to", ""), NS_PER_S, now_ns, usual=_MOST, most=_MOST)
    found = span.candles(market, symbol, SECONDS.get(name))
    if found is None:
        return None
    rows = [
        {
            "time": candle.open_time_ns // NS_PER_MS,
            **{name: getattr(candle, name) for name in ("open", "high", "low", "close")},
            "volume": json_number(candle.volume),
        }
        for candle in span.cut(found, oldest=True)
    ]
    return {"candles": rows, "more_candles": len(found) > len(rows)}


def fundings(symbol: str, market: MarketView, now_ns: int) -> list[dict[str, Any]] | None:
    """Return all fundings of the past; None where there are none to tell."""
    found = market.fundings(symbol, 0, now_ns + 1)
    if found is None:
        return None
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
