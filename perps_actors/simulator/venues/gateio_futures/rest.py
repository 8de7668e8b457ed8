"""Gate.io's REST answers for its futures, from the venue's side. Opens nothing, reads no clock.

Source: gate.com/docs/developers/apiv4, read 2026-11: 200 requests in 10 s for each address and path, 429 beyond, errors as
`{"label", "message"}`. An answer that cannot be known yet is SERVER_ERROR with status 503, never an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.venue_contract import (
    Depth,
    MarketView,
    RestAnswer,
    RestAnswers,
    json_number,
    listed_as,
    paired,
    span_of,
)
from perps_actors.simulator.venues.gateio_futures.stream import mark_fields, priced
from perps_actors.venues.gateio_futures.parse import nanoseconds
from perps_actors.venues.gateio_futures.schema import SECONDS, decode_book_answer
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

# merged docstring:
# """Gate.io's candles and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: gate.com/docs/developers/apiv4 (futures candlesticks, funding rate history), read 2026-11: candles oldest first, fundings newest
# first, between seconds that both belong to the span.
# """

LIMIT: Final = 200
"""Requests of one path in a window of ten seconds."""

_WINDOW_S: Final = 10
_TOO_MANY, _DOWN = 429, 503
_PREFIX: Final = "/api/v4/futures/usdt"
_MOST_LEVELS: Final = 300

_encode = msgspec.json.Encoder().encode


class _Refusal(Exception):
    def __init__(self, status: int, label: str, message: str) -> None:
        super().__init__(message)
        self.answer = RestAnswer(status, _encode({"label": label, "message": message}))


def too_many(retry_after_s: int, status: int = _TOO_MANY) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (429), or of a venue that is down (503)."""
    refused = {"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"}
    down = {"label": "SERVER_ERROR", "message": "Service is temporarily unavailable"}
    return RestAnswer(status, _encode(down if status == _DOWN else refused), retry_after_s)


class GateioRequests:
    """What one address has asked of each path, ten seconds at a time."""

    def __init__(self) -> None:
        self._window = 0
        self._asked: dict[str, int] = {}
        self._latest = ""

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002 - parameters weigh nothing
        """Count a request; return the refusal where it goes beyond the limit of its path."""
        window, into_ns = divmod(now_ns, _WINDOW_S * NS_PER_S)
        if window != self._window:
            self._window, self._asked = window, {}
        self._latest = path
        self._asked[path] = self._asked.get(path, 0) + 1
        return None if self._asked[path] <= LIMIT else too_many(_WINDOW_S - into_ns // NS_PER_S)

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer carries: of the path that was asked for last."""
        left, resets_s = (
            max(0, LIMIT - self._asked.get(self._latest, 0)),
            (self._window + 1) * _WINDOW_S,
        )
        return {
            "X-Gate-RateLimit-Limit": str(LIMIT),
            "X-Gate-RateLimit-Requests-Remain": str(left),
            "X-Gate-RateLimit-Reset-Timestamp": str(resets_s),
        }


class GateioRestSide(RestAnswers):
    """Gate.io's REST answers as it gives them."""

    WeightAccount = GateioRequests
    too_many = staticmethod(too_many)
    beside_the_point = ("limit", "with_id", "offset")

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return what makes two requests the same one; a book whose prices nobody merged is asked for by an interval of 0, or none."""
        return tuple(part for part in super().request_key(path, query) if part != "interval=0")

    def snapshot_symbol(self, path: str, query: str) -> str | None:
        """Return the contract whose book a request asks for; None if it asks for something else."""
        return dict(parse_qsl(query)).get("contract") if path == f"{_PREFIX}/order_book" else None

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an answer with its id; `msgspec.DecodeError` if it is none."""
        book = decode_book_answer(body)
        return Depth(
            symbol,
            book.id,
            paired(levels_of(book.bids)),
            paired(levels_of(book.asks)),
            nanoseconds(book.update),
        )

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; an error answer if it asks for what is not there."""
        try:
            return RestAnswer(200, _encode(_body(path, dict(parse_qsl(query)), market, now_ns)))
        except _Refusal as refusal:
            return refusal.answer


def _body(path: str, params: dict[str, str], market: MarketView, now_ns: int) -> Any:
    below = path.removeprefix(_PREFIX) if path.startswith(_PREFIX) else ""
    match below:
        case "/contracts":
            return [_contract(listed, market) for listed in market.instruments()]
        case _ if below.startswith("/contracts/"):
            return _contract(
                _listed({"contract": below.removeprefix("/contracts/")}, market), market
            )
        case "/tickers":
            asked = (
                [_listed(params, market)] if "contract" in params else list(market.instruments())
            )
            return [_ticker(listed, market) for listed in asked]
        case "/candlesticks" | "/funding_rate":
            return _past(below, _listed(params, market).id.symbol, params, market, now_ns)
        case "/order_book":
            return _order_book(_listed(params, market).id.symbol, params, market, now_ns)
        case _:
            raise _Refusal(404, "NOT_FOUND", f"no such path: {path[:80]}")


def _past(
    below: str, symbol: str, params: dict[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    rows = (candles if below == "/candlesticks" else fundings)(symbol, params, market, now_ns)
    if rows is None:
        raise _Refusal(_DOWN, "SERVER_ERROR", "There is no history")
    return rows


def _listed(params: dict[str, str], market: MarketView) -> Instrument:
    if "contract" not in params:
        raise _Refusal(400, "MISSING_REQUIRED_PARAM", "Missing required parameter: contract")
    listed = listed_as(params["contract"], market)
    if listed is None:
        raise _Refusal(400, "CONTRACT_NOT_FOUND", f"contract {params['contract'][:40]} not found")
    return listed


def _ticker(listed: Instrument, market: MarketView) -> dict[str, Any]:
    touch, known = market.touch(listed.id.symbol), market.venue_mark(listed.id.symbol)
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
    return row if known is None else row | mark_fields(*known)


def _contract(listed: Instrument, market: MarketView) -> dict[str, Any]:
    known = market.venue_mark(listed.id.symbol)
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
    if known is not None:
        next_ns = known[1].next_time_ns
        row |= mark_fields(*known) | {
            "funding_next_apply": next_ns // NS_PER_S if next_ns is not None else None
        }
    return row


def _order_book(
    symbol: str, params: dict[str, str], market: MarketView, now_ns: int
) -> dict[str, Any]:
    limit = params.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LEVELS:
        raise _Refusal(400, "INVALID_PARAM_VALUE", f"Invalid limit: {limit[:20]}")
    book, most = market.depth(symbol), int(limit)
    if book is None:
        raise _Refusal(_DOWN, "SERVER_ERROR", "The order book is not available")
    numbered = {"id": book.last} if params.get("with_id") == "true" else {}
    times = {"current": _seconds(now_ns), "update": _seconds(book.venue_time_ns)}
    return {**numbered, **times, "asks": priced(book.asks[:most]), "bids": priced(book.bids[:most])}


def _seconds(time_ns: int) -> msgspec.Raw:
    """Return a time in seconds with three decimals, as JSON has it here."""
    ms = time_ns // NS_PER_MS
    return msgspec.Raw(f"{ms // 1000}.{ms % 1000:03d}".encode())


_NAMES: Final = ("from", "to", "limit")


def candles(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]] | None:
    """Return the rows of a candlesticks answer; None where there are none to tell."""
    span = span_of(
        params, _NAMES, NS_PER_S, now_ns, usual=2_000 if "from" in params else 100, most=2_000
    )
    found = span.candles(market, symbol, SECONDS.get(params.get("interval", "5m")))
    if found is None:
        return None
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
        for candle in span.cut(found, oldest=False)
    ]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]] | None:
    """Return the rows of a history of funding; None where there are none to tell."""
    span = span_of(params, _NAMES, NS_PER_S, now_ns, usual=100, most=1_000)
    found = span.fundings(market, symbol)
    if found is None:
        return None
    return [
        {"t": paid.time_ns // NS_PER_S, "r": paid.rate}
        for paid in reversed(span.cut(found, oldest=False))
    ]
