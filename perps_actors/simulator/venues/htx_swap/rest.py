"""HTX's REST answers for swaps from the server's side.

Sources: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (reference, market
data, error codes, K-line data, historical funding rates), read 2026-11; measurements of 2026-09-23
(github.com/nemanull/arbitrage-observatory, docs/profiles/htx/rest.md): 240 requests in 3 s per
address to other endpoints, with headers that count them, and 800 requests per second for market
data. A refusal has status 200; market data have an `err-code` with a word, other endpoints an
`err_code` with a number. No source shows the refusal beyond the limit: here it is status 429 with
the documented code 1032. Market data that is not known yet gives 1004 with status 503. Open
interest is not simulated. Candles are oldest first between two inclusive seconds, or the newest;
fundings come in pages, newest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from perps_actors.market.candle import Candle
from perps_actors.market.events import Funding, VenueMark
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.rest_side import (
    NotKnown,
    RateLimit,
    RequestWindow,
    RestAnswer,
    RestRefusal,
    RestSide,
    known,
    present,
    span_of,
)
from perps_actors.simulator.venue_contract import MarketView, json_number
from perps_actors.simulator.venues.htx_swap.stream import (
    book_tick,
    funding_fields,
    kline,
    millis_text,
    touch_fields,
)
from perps_actors.venues.htx_swap.schema import MARGIN_TYPES, SECONDS, MarginType, margin_type_of
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

LIMIT: Final = 240
"""Requests in a window of three seconds that are not for market data."""
MARKET_LIMIT: Final = 800
"""Requests for market data in a second."""

_WINDOW_S: Final = 3
_LEVELS: Final = {"step0": 150, "step6": 30}
_LISTED, _SUSPENDED = 1, 3

_NO_CONTRACT: Final = {"err_code": 1014, "err_msg": "This contract doesnt exist."}


class HtxRequests(RateLimit):
    """Requests of one address for market data in the current second, and others in 3 s."""

    limit = MARKET_LIMIT
    window_s = 1
    waits_exactly = True

    def __init__(self, too_many: Callable[[int], RestAnswer]) -> None:
        super().__init__(too_many)
        self._others = RequestWindow(_WINDOW_S)
        self._counts_others = False

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:
        """Count a request; return its refusal if it exceeds the limit of its kind."""
        self._counts_others = any(path.startswith(margin_type.api) for margin_type in MARGIN_TYPES)
        if not self._counts_others:
            return super().charge(path, query, now_ns)
        return self._refusal(self._others.use(now_ns, LIMIT))

    def headers(self) -> dict[str, str]:
        """Return the headers of the latest answer: none with market data."""
        if not self._counts_others:
            return {}
        counted = {
            "limit": LIMIT,
            "interval": _WINDOW_S * 1_000,
            "remaining": max(0, LIMIT - self._others.used()),
            "reset": self._others.ends_s * 1_000,
        }
        return {f"ratelimit-{name}": str(value) for name, value in counted.items()}


class HtxRestSide(RestSide):
    """REST answers of HTX's swaps."""

    rate_limit = HtxRequests
    ignored_parameters = ("business_type", "size")
    unknown = (
        503,
        {
            "status": "error",
            "err_code": 1004,
            "err_msg": "System busy. Please try again later.",
        },
    )
    exceeded = (
        429,
        {
            "status": "error",
            "err_code": 1032,
            "err_msg": "The number of access exceeded the limit.",
        },
    )

    def _body(
        self, path: str, params: dict[str, str], market: MarketView, now_ns: int
    ) -> dict[str, Any]:
        if path not in _ANSWERS:
            raise RestRefusal(404, {"status": 404, "error": "Not Found", "path": path[:80]})
        margin_type, answer = _ANSWERS[path]
        said = answer(_Request(margin_type, params, market, now_ns))
        return {"status": "ok", **said, "ts": now_ns // NS_PER_MS}

    def _refusal_body(self, said: Mapping[str, Any], now_ns: int) -> Mapping[str, Any]:
        if "error" in said:
            return said
        return {"status": "error", **said, "ts": now_ns // NS_PER_MS}


class _Request(NamedTuple):
    """A request: its contracts of a margin type, in a market."""

    margin_type: MarginType
    params: Mapping[str, str]
    market: MarketView
    now_ns: int

    def listed(self, refusal: Mapping[str, Any]) -> list[Instrument]:
        """Return the requested contract, or all of the margin type."""
        named = self.params.get("contract_code")
        found = [
            listed
            for listed in self.market.instruments()
            if margin_type_of(listed.id.symbol) is self.margin_type
        ]
        found = [listed for listed in found if named in (None, listed.id.symbol)]
        if named is not None and not found:
            raise RestRefusal(200, refusal)
        return found

    def one(self, refusal: Mapping[str, Any]) -> str:
        """Return the symbol of the contract, which the request must have."""
        if "contract_code" not in self.params:
            raise RestRefusal(200, refusal)
        return self.listed(refusal)[0].id.symbol

    def present(self, rows: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
        """Return the rows that are known; a requested contract must have one."""
        found = present(rows)
        if "contract_code" in self.params and not found:
            raise NotKnown
        return found


def _quotes(request: _Request) -> dict[str, Any]:
    symbols = [
        listed.id.symbol
        for listed in request.listed(_market_refusal("contract_code data error or empty"))
    ]
    touches = {symbol: request.market.touch(symbol) for symbol in symbols}
    rows = [
        {"contract_code": symbol, **touch_fields(touch)} if touch is not None else None
        for symbol, touch in touches.items()
    ]
    return {"ticks": request.present(rows)}


def _depth(request: _Request) -> dict[str, Any]:
    symbol, kind = (
        request.one(_market_refusal("contract_code data error or empty")),
        request.params.get("type", ""),
    )
    if kind not in _LEVELS:
        raise RestRefusal(200, _market_refusal(f"invalid type:{kind[:20]}"))
    book, channel = known(request.market.depth(symbol)), f"market.{symbol}.depth.{kind}"
    best = msgspec.structs.replace(
        book, bids=book.bids[: _LEVELS[kind]], asks=book.asks[: _LEVELS[kind]]
    )
    return {"ch": channel, "tick": book_tick(best, channel, book.venue_time_ns // NS_PER_S)}


def _marks(request: _Request) -> dict[str, Any]:
    symbol = request.one(_market_refusal("invalid  symbol"))
    mark, _ = request.market.venue_mark(symbol) or (None, None)
    row = (
        kline(mark.mark, mark.venue_time_ns) if mark is not None and mark.mark is not None else None
    )
    return {"ch": f"market.{symbol}.mark_price.1min", "data": request.present([row])}


def _indices(request: _Request) -> dict[str, Any]:
    marks = (request.market.venue_mark(listed.id.symbol) for listed in request.listed(_NO_CONTRACT))
    return {"data": request.present(_index(*each) if each is not None else None for each in marks)}


def _index(mark: VenueMark, _: Funding) -> dict[str, Any] | None:
    if mark.index is None:
        return None
    at = (mark.venue_time_ns or 0) // NS_PER_MS
    return {
        "contract_code": mark.instrument.symbol,
        "index_price": json_number(mark.index),
        "index_ts": at,
    }


def _rates(request: _Request) -> dict[str, Any]:
    marks = (request.market.venue_mark(listed.id.symbol) for listed in request.listed(_NO_CONTRACT))
    return {"data": request.present(_rate(*each) if each is not None else None for each in marks)}


def _one_rate(request: _Request) -> dict[str, Any]:
    request.one(_NO_CONTRACT)
    return {"data": _rates(request)["data"][0]}


def _rate(_: VenueMark, funding: Funding) -> dict[str, Any] | None:
    if funding.rate is None:
        return None
    return {
        **funding_fields(funding),
        "funding_time": millis_text(funding.next_time_ns),
        "next_funding_time": None,
    }


def _candles(request: _Request) -> dict[str, Any]:
    symbol = request.one(_market_refusal("invalid  symbol"))
    rows = candles(symbol, request.params, request.market, request.now_ns)
    return {"ch": f"market.{symbol}.kline.{request.params.get('period', '')}", "data": rows}


def _fundings(request: _Request) -> dict[str, Any]:
    symbol = request.one(_NO_CONTRACT)
    return {"data": fundings(symbol, request.params, request.market, request.now_ns)}


def _contracts(request: _Request) -> dict[str, Any]:
    return {"data": [_contract(listed) for listed in request.listed(_NO_CONTRACT)]}


def _contract(listed: Instrument) -> dict[str, Any]:
    row = {
        "symbol": listed.base,
        "contract_code": listed.id.symbol,
        "contract_size": json_number(plain(listed.contract_size)),
        "price_tick": json_number(plain(listed.tick)),
        "delivery_date": "",
        "delivery_time": "",
        "contract_status": _LISTED if listed.trading else _SUSPENDED,
    }
    if not listed.linear:
        return row
    pair = f"{listed.base}-{listed.quote}"
    return {
        **row,
        "business_type": "swap",
        "contract_type": "swap",
        "pair": pair,
        "trade_partition": listed.margin,
    }


def _market_refusal(why: str) -> dict[str, Any]:
    return {"err-code": "invalid-parameter", "err-msg": why}


_ANSWERS: Final[dict[str, tuple[MarginType, Callable[[_Request], dict[str, Any]]]]] = {
    path: (margin_type, answer)
    for margin_type in MARGIN_TYPES
    for path, answer in (
        (f"{margin_type.quotes}/bbo", _quotes),
        (f"{margin_type.quotes}/depth", _depth),
        (f"{margin_type.quotes}/history/kline", _candles),
        (f"{margin_type.api}/swap_historical_funding_rate", _fundings),
        (margin_type.mark_klines, _marks),
        (f"{margin_type.api}/swap_index", _indices),
        (f"{margin_type.api}/swap_batch_funding_rate", _rates),
        (f"{margin_type.api}/swap_funding_rate", _one_rate),
        (f"{margin_type.api}/swap_contract_info", _contracts),
    )
}


_MOST: Final = 2_000
_PAGE: Final = 50


def candles(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]]:
    """Return the rows of a kline answer."""
    spanned = "from" in params
    span = span_of(
        params,
        ("from", "to", "size"),
        NS_PER_S,
        now_ns,
        usual=_MOST if spanned else 150,
        most=_MOST,
    )
    found = span.candles(market, symbol, SECONDS.get(params.get("period", "")), oldest=spanned)
    return [_row(candle) for candle in found]


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> dict[str, Any]:
    """Return a page of the funding history."""
    found = known(market.fundings(symbol, 0, now_ns + 1))
    size = min(_whole(params.get("page_size", ""), 20), _PAGE)
    page, newest = _whole(params.get("page_index", ""), 1), list(reversed(found))
    rows = [
        {
            "contract_code": symbol,
            "funding_rate": paid.rate,
            "realized_rate": paid.rate,
            "funding_time": millis_text(paid.time_ns),
        }
        for paid in newest[(page - 1) * size : page * size]
    ]
    return {
        "total_page": -(-len(newest) // size),
        "current_page": page,
        "total_size": len(newest),
        "data": rows,
    }


def _whole(text: str, usual: int) -> int:
    return max(1, int(text)) if text[:9].isdecimal() and len(text) < 9 else usual


def _row(candle: Candle) -> dict[str, Any]:
    prices = {name: json_number(getattr(candle, name)) for name in ("open", "close", "high", "low")}
    return {
        "id": candle.open_time_ns // NS_PER_S,
        **prices,
        "amount": 0,
        "vol": json_number(candle.volume),
        "count": 0,
    }
