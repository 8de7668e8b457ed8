"""Gate.io's REST answers for futures from the server's side.

Source: gate.com/docs/developers/apiv4 (futures, candlesticks, funding rate history), read 2026-11:
200 requests in 10 s per address and path, 429 beyond, errors as `{"label", "message"}`. Market data
that is not known yet gives SERVER_ERROR with status 503, never an empty answer. Candles are oldest
first, fundings newest first, between two inclusive seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    RateLimit,
    RestAnswer,
    RestRefusal,
    RestSide,
    known,
    required,
    span_of,
)
from perps_actors.simulator.venue_contract import (
    Depth,
    MarketView,
    json_number,
    paired,
)
from perps_actors.simulator.venues.gateio_futures.stream import mark_fields, priced
from perps_actors.venues.gateio_futures.parse import nanoseconds
from perps_actors.venues.gateio_futures.schema import SECONDS, decode_book_answer
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

_DOWN: Final = {"label": "SERVER_ERROR", "message": "Service is temporarily unavailable"}
_PREFIX: Final = "/api/v4/futures/usdt"
_MOST_LEVELS: Final = 300


def _refusal(status: int, label: str, message: str) -> RestRefusal:
    return RestRefusal(status, {"label": label, "message": message})


class GateioRequests(RateLimit):
    """Requests of one address to each path in the current 10 s."""

    limit = 200
    window_s = 10
    waits_exactly = True
    _latest = ""

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:
        """Count a request; return its refusal if it exceeds the limit of its path."""
        self._latest = path
        return super().charge(path, query, now_ns)

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer, for the path of the latest request."""
        left = max(0, self.limit - self._window.used(self._latest))
        return {
            "X-Gate-RateLimit-Limit": str(self.limit),
            "X-Gate-RateLimit-Requests-Remain": str(left),
            "X-Gate-RateLimit-Reset-Timestamp": str(self._window.ends_s),
        }

    def _limit_of(self, path: str) -> tuple[str, int]:
        return path, self.limit


class GateioRestSide(RestSide):
    """REST answers of Gate.io futures."""

    rate_limit = GateioRequests
    ignored_parameters = ("limit", "with_id", "offset")
    unknown = (503, _DOWN)
    exceeded = (
        429,
        {"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"},
    )

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return path and parameters; a book with all prices has interval 0, or none."""
        return tuple(part for part in super().request_key(path, query) if part != "interval=0")

    def snapshot_symbol(self, path: str, query: str) -> str | None:
        """Return the contract whose book is requested; None for other requests."""
        return dict(parse_qsl(query)).get("contract") if path == f"{_PREFIX}/order_book" else None

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an answer with its id."""
        book = decode_book_answer(body)
        return Depth(
            symbol,
            book.id,
            paired(levels_of(book.bids)),
            paired(levels_of(book.asks)),
            nanoseconds(book.update),
        )

    def _body(self, path: str, params: dict[str, str], market: MarketView, now_ns: int) -> Any:
        below = path.removeprefix(_PREFIX) if path.startswith(_PREFIX) else ""
        match below:
            case "/contracts":
                return [_contract(listed, market) for listed in market.instruments()]
            case _ if below.startswith("/contracts/"):
                return _contract(
                    _listed({"contract": below.removeprefix("/contracts/")}, market), market
                )
            case "/tickers":
                requested = (
                    [_listed(params, market)]
                    if "contract" in params
                    else list(market.instruments())
                )
                return [_ticker(listed, market) for listed in requested]
            case "/candlesticks":
                return candles(_listed(params, market).id.symbol, params, market, now_ns)
            case "/funding_rate":
                return fundings(_listed(params, market).id.symbol, params, market, now_ns)
            case "/order_book":
                return _order_book(_listed(params, market).id.symbol, params, market, now_ns)
            case _:
                raise _refusal(404, "NOT_FOUND", f"no such path: {path[:80]}")


def _listed(params: dict[str, str], market: MarketView) -> Instrument:
    if "contract" not in params:
        raise _refusal(400, "MISSING_REQUIRED_PARAM", "Missing required parameter: contract")
    symbol = params["contract"]
    refusal = _refusal(400, "CONTRACT_NOT_FOUND", f"contract {symbol[:40]} not found")
    return required(symbol, market, refusal)


def _ticker(listed: Instrument, market: MarketView) -> dict[str, Any]:
    touch, marked = market.touch(listed.id.symbol), market.venue_mark(listed.id.symbol)
    row: dict[str, Any] = {
        "contract": listed.id.symbol,
        "quanto_multiplier": plain(listed.contract_size),
    }
    held = market.open_interest(listed.id.symbol)
    if held is not None:
        row["total_size"] = held
    if touch is not None:
        row |= {
            "last": touch.last or "",
            "highest_bid": touch.bid or "",
            "highest_size": touch.bid_size,
            "lowest_ask": touch.ask or "",
            "lowest_size": touch.ask_size,
        }
    return row if marked is None else row | mark_fields(*marked)


def _contract(listed: Instrument, market: MarketView) -> dict[str, Any]:
    marked = market.venue_mark(listed.id.symbol)
    row: dict[str, Any] = {
        "name": listed.id.symbol,
        "type": "direct",
        "quanto_multiplier": plain(listed.contract_size),
        "order_price_round": plain(listed.tick),
        "order_size_min": plain(listed.lot),
        "status": "trading" if listed.trading else "delisting",
        "in_delisting": not listed.trading,
        "funding_interval": 28_800,
    }
    held = market.open_interest(listed.id.symbol)
    if held is not None:
        row["position_size"] = held
    if marked is not None:
        next_ns = marked[1].next_time_ns
        row |= mark_fields(*marked) | {
            "funding_next_apply": next_ns // NS_PER_S if next_ns is not None else None
        }
    return row


def _order_book(
    symbol: str, params: dict[str, str], market: MarketView, now_ns: int
) -> dict[str, Any]:
    limit = params.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LEVELS:
        raise _refusal(400, "INVALID_PARAM_VALUE", f"Invalid limit: {limit[:20]}")
    book, most = known(market.depth(symbol)), int(limit)
    numbered = {"id": book.last} if params.get("with_id") == "true" else {}
    times = {"current": _seconds(now_ns), "update": _seconds(book.venue_time_ns)}
    return {**numbered, **times, "asks": priced(book.asks[:most]), "bids": priced(book.bids[:most])}


def _seconds(time_ns: int) -> msgspec.Raw:
    """Return a time in seconds with three decimals as a JSON number."""
    ms = time_ns // NS_PER_MS
    return msgspec.Raw(f"{ms // 1000}.{ms % 1000:03d}".encode())


_NAMES: Final = ("from", "to", "limit")


def candles(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a candlesticks answer."""
    span = span_of(
        params, _NAMES, NS_PER_S, now_ns, usual=2_000 if "from" in params else 100, most=2_000
    )
    interval_s = SECONDS.get(params.get("interval", "5m"))
    return [
        {
            "t": candle.open_time_ns // NS_PER_S,
            "v": json_number(candle.volume),
            "c": candle.close,
            "h": candle.high,
            "l": candle.low,
            "o": candle.open,
            "sum": "0",
        }
        for candle in span.candles(market, symbol, interval_s, oldest=False)
    ]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a funding history."""
    span = span_of(params, _NAMES, NS_PER_S, now_ns, usual=100, most=1_000)
    return [
        {"t": paid.time_ns // NS_PER_S, "r": paid.rate}
        for paid in reversed(span.fundings(market, symbol, oldest=False))
    ]
