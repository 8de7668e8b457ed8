"""HTX's REST answers for its swaps, from the venue's side. Opens nothing, reads no clock.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (reference, market data, error codes), read 2026-11, and
what others measured on 2026-09-23 (github.com/nemanull/arbitrage-observatory, docs/profiles/htx/rest.md): 240 requests in 3 s and address
of what is no market data, with headers that count them, and 800 in a second of what is. A refusal has status 200; market data say
`err-code` with a word, the others `err_code` with a number. Nobody has shown the refusal of one request too many: it is taken to be
status 429 with the documented code 1032. What cannot be known (yet) is 1004 with status 503; open interest is not made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from perps_actors.market.candle import Candle
from perps_actors.market.events import Funding, VenueMark
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import plain
from perps_actors.simulator.venue_contract import (
    Depth,
    MarketView,
    RestAnswer,
    RestAnswers,
    json_number,
    span_of,
)
from perps_actors.simulator.venues.htx_swap.stream import (
    book_tick,
    funding_fields,
    kline,
    millis,
    touch_fields,
    whole_book,
)
from perps_actors.venues.htx_swap.parse import time_of
from perps_actors.venues.htx_swap.schema import FAMILIES, SECONDS, Answer, Family, family_of
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S

# merged docstring:
# """HTX's candles and past funding from the venue's side. Opens nothing, reads no clock.
#
# Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (K-line data, historical funding rates), read 2026-11:
# candles oldest first between seconds that both belong to the span, or the newest; fundings in pages, the newest first.
# """

LIMIT: Final = 240
"""Requests of no market data in a window of three seconds."""
MARKET_LIMIT: Final = 800
"""Requests of market data in a second."""

_WINDOW_MS, _MARKET_WINDOW_MS = 3_000, 1_000
_LEVELS: Final = {"step0": 150, "step6": 30}
_LISTED, _SUSPENDED = 1, 3

_encode = msgspec.json.Encoder().encode
_answer = msgspec.json.Decoder(Answer).decode


_BUSY: Final = {"err_code": 1004, "err_msg": "System busy. Please try again later."}
_NO_CONTRACT: Final = {"err_code": 1014, "err_msg": "This contract doesnt exist."}


class _Refusal(Exception):
    def __init__(self, said: Mapping[str, Any], status: int = 200) -> None:
        super().__init__()
        self.said = said
        self.status = status


def too_many(retry_after_s: int, status: int = 429) -> RestAnswer:
    """Return the refusal of a request beyond the rate limit (429), or of a venue that is down (503)."""
    said = (
        _BUSY
        if status == 503
        else {"err_code": 1032, "err_msg": "The number of access exceeded the limit."}
    )
    return RestAnswer(status, _encode({"status": "error", **said}), retry_after_s)


class HtxRequests:
    """What one address has asked of market data, and of all else."""

    def __init__(self) -> None:
        self._windows: dict[bool, int] = {}
        self._asked: Counter[bool] = Counter()
        self._of_market = True

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:  # noqa: ARG002 - parameters weigh nothing
        """Count a request; return the refusal where it goes beyond the limit of its kind."""
        market = self._of_market = not any(path.startswith(family.api) for family in FAMILIES)
        limit, length_ms = (MARKET_LIMIT, _MARKET_WINDOW_MS) if market else (LIMIT, _WINDOW_MS)
        window, into_ms = divmod(now_ns // NS_PER_MS, length_ms)
        if window != self._windows.get(market):
            self._windows[market], self._asked[market] = window, 0
        self._asked[market] += 1
        return None if self._asked[market] <= limit else too_many(-(-(length_ms - into_ms) // 1000))

    def headers(self) -> dict[str, str]:
        """Return the headers that an answer carries: none with market data."""
        if self._of_market:
            return {}
        left, resets_ms = (
            max(0, LIMIT - self._asked[False]),
            (self._windows[False] + 1) * _WINDOW_MS,
        )
        counted = {"limit": LIMIT, "interval": _WINDOW_MS, "remaining": left, "reset": resets_ms}
        return {f"ratelimit-{name}": str(value) for name, value in counted.items()}


class HtxRestSide(RestAnswers):
    """The venue's REST answers as it gives them."""

    WeightAccount = HtxRequests
    too_many = staticmethod(too_many)
    beside_the_point = ("business_type", "size")

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an answer; `msgspec.DecodeError` if it is none."""
        answer = _answer(body)
        return whole_book(symbol, answer.tick, time_of(answer.time))

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a GET request; a refusal if it asks for what is not there."""
        if path not in _ANSWERS:
            return RestAnswer(
                404, _encode({"status": 404, "error": "Not Found", "path": path[:80]})
            )
        (family, answer), ts = _ANSWERS[path], now_ns // NS_PER_MS
        try:
            said = answer(_Asked(family, dict(parse_qsl(query)), market, now_ns))
        except _Refusal as refusal:
            return RestAnswer(
                refusal.status, _encode({"status": "error", **refusal.said, "ts": ts})
            )
        return RestAnswer(200, _encode({"status": "ok", **said, "ts": ts}))


class _Asked(NamedTuple):
    """A request: whom of a family it asks for, in which market."""

    family: Family
    params: Mapping[str, str]
    market: MarketView
    now_ns: int

    def listed(self, refusal: Mapping[str, Any]) -> list[Instrument]:
        """Return the contract that is named, or all of the family."""
        named = self.params.get("contract_code")
        found = [
            listed
            for listed in self.market.instruments()
            if family_of(listed.id.symbol) is self.family
        ]
        found = [listed for listed in found if named in (None, listed.id.symbol)]
        if named is not None and not found:
            raise _Refusal(refusal)
        return found

    def one(self, refusal: Mapping[str, Any]) -> str:
        """Return the symbol of the contract that has to be named."""
        if "contract_code" not in self.params:
            raise _Refusal(refusal)
        return self.listed(refusal)[0].id.symbol

    def known(self, rows: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
        """Return the rows that there are; of the one contract that is named there has to be one."""
        found = [row for row in rows if row is not None]
        if "contract_code" in self.params and not found:
            raise _Refusal(_BUSY, 503)
        return found


def _quotes(asked: _Asked) -> dict[str, Any]:
    symbols = [
        listed.id.symbol
        for listed in asked.listed(_market_refusal("contract_code data error or empty"))
    ]
    touches = {symbol: asked.market.touch(symbol) for symbol in symbols}
    rows = [
        {"contract_code": symbol, **touch_fields(touch)} if touch is not None else None
        for symbol, touch in touches.items()
    ]
    return {"ticks": asked.known(rows)}


def _depth(asked: _Asked) -> dict[str, Any]:
    symbol, kind = (
        asked.one(_market_refusal("contract_code data error or empty")),
        asked.params.get("type", ""),
    )
    if kind not in _LEVELS:
        raise _Refusal(_market_refusal(f"invalid type:{kind[:20]}"))
    book, channel = asked.market.depth(symbol), f"market.{symbol}.depth.{kind}"
    if book is None:
        raise _Refusal(_BUSY, 503)
    best = msgspec.structs.replace(
        book, bids=book.bids[: _LEVELS[kind]], asks=book.asks[: _LEVELS[kind]]
    )
    return {"ch": channel, "tick": book_tick(best, channel, book.venue_time_ns // NS_PER_S)}


def _marks(asked: _Asked) -> dict[str, Any]:
    symbol = asked.one(_market_refusal("invalid  symbol"))
    mark, _ = asked.market.venue_mark(symbol) or (None, None)
    row = (
        kline(mark.mark, mark.venue_time_ns) if mark is not None and mark.mark is not None else None
    )
    return {"ch": f"market.{symbol}.mark_price.1min", "data": asked.known([row])}


def _indices(asked: _Asked) -> dict[str, Any]:
    known = (asked.market.venue_mark(listed.id.symbol) for listed in asked.listed(_NO_CONTRACT))
    return {"data": asked.known(_index(*each) if each is not None else None for each in known)}


def _index(mark: VenueMark, _: Funding) -> dict[str, Any] | None:
    if mark.index is None:
        return None
    at = (mark.venue_time_ns or 0) // NS_PER_MS
    return {
        "contract_code": mark.instrument.symbol,
        "index_price": json_number(mark.index),
        "index_ts": at,
    }


def _rates(asked: _Asked) -> dict[str, Any]:
    known = (asked.market.venue_mark(listed.id.symbol) for listed in asked.listed(_NO_CONTRACT))
    return {"data": asked.known(_rate(*each) if each is not None else None for each in known)}


def _one_rate(asked: _Asked) -> dict[str, Any]:
    asked.one(_NO_CONTRACT)
    return {"data": _rates(asked)["data"][0]}


def _rate(_: VenueMark, funding: Funding) -> dict[str, Any] | None:
    if funding.rate is None:
        return None
    return {
        **funding_fields(funding),
        "funding_time": millis(funding.next_time_ns),
        "next_funding_time": None,
    }


def _candles(asked: _Asked) -> dict[str, Any]:
    symbol = asked.one(_market_refusal("invalid  symbol"))
    rows = candles(symbol, asked.params, asked.market, asked.now_ns)
    if rows is None:
        raise _Refusal(_BUSY, 503)
    return {"ch": f"market.{symbol}.kline.{asked.params.get('period', '')}", "data": rows}


def _fundings(asked: _Asked) -> dict[str, Any]:
    page = fundings(asked.one(_NO_CONTRACT), asked.params, asked.market, asked.now_ns)
    if page is None:
        raise _Refusal(_BUSY, 503)
    return {"data": page}


def _contracts(asked: _Asked) -> dict[str, Any]:
    return {"data": [_contract(listed) for listed in asked.listed(_NO_CONTRACT)]}


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


_ANSWERS: Final[dict[str, tuple[Family, Callable[[_Asked], dict[str, Any]]]]] = {
    path: (family, answer)
    for family in FAMILIES
    for path, answer in (
        (f"{family.quotes}/bbo", _quotes),
        (f"{family.quotes}/depth", _depth),
        (f"{family.quotes}/history/kline", _candles),
        (f"{family.api}/swap_historical_funding_rate", _fundings),
        (family.mark_klines, _marks),
        (f"{family.api}/swap_index", _indices),
        (f"{family.api}/swap_batch_funding_rate", _rates),
        (f"{family.api}/swap_funding_rate", _one_rate),
        (f"{family.api}/swap_contract_info", _contracts),
    )
}


_MOST: Final = 2_000
_PAGE: Final = 50


def candles(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> list[dict[str, Any]] | None:
    """Return the rows of a kline answer; None where there are none to tell."""
    spanned = "from" in params
    span = span_of(
        params,
        ("from", "to", "size"),
        NS_PER_S,
        now_ns,
        usual=_MOST if spanned else 150,
        most=_MOST,
    )
    found = span.candles(market, symbol, SECONDS.get(params.get("period", "")))
    return (
        [_row(candle) for candle in span.cut(found, oldest=spanned)] if found is not None else None
    )


def fundings(
    symbol: str, params: Mapping[str, str], market: MarketView, now_ns: int
) -> dict[str, Any] | None:
    """Return a page of the history of funding; None where there is none to tell."""
    found = market.fundings(symbol, 0, now_ns + 1)
    if found is None:
        return None
    size = min(_whole(params.get("page_size", ""), 20), _PAGE)
    page, newest = _whole(params.get("page_index", ""), 1), list(reversed(found))
    rows = [
        {
            "contract_code": symbol,
            "funding_rate": paid.rate,
            "realized_rate": paid.rate,
            "funding_time": millis(paid.time_ns),
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
