"""HTX swaps over REST: quotes, marks, index, funding, open interest, books and the lists of instruments.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en (reference and market data), read 2026-11; that these
addresses still answer, 240 times in 3 s, was measured by others on 2026-09-23 (github.com/nemanull/arbitrage-observatory,
docs/profiles/htx/rest.md). A refusal has status 200 and `status` "error". A mark comes as the close of a candle, one contract a request.
Candles, trades and the history of funding are offered and not read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.htx_swap.families import FAMILIES, LINEAR, LIVE, VENUE, Family, by_family, family_of
from perps_actors.venues.htx_swap.followed import Followed, parts_of, reading_of
from perps_actors.venues.htx_swap.instruments import instruments_of
from perps_actors.venues.htx_swap.messages import Answer, Frame, FundingRow, IndexRow, OpenInterestRow, QuoteRow
from perps_actors.venues.htx_swap.readings import funding_of, listed_best_of, listed_index_of, open_interest_of, time_of
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble
from perps_actors.venues.symbols import check_symbol

WEIGHT_PER_MINUTE: Final = 4_800

_ANSWER: Final = msgspec.json.Decoder(Answer).decode
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Path(NamedTuple):
    of: Callable[[Family], str]
    more: str = ""
    """Query beside the contract."""


_PATHS: Final = {
    "quotes": _Path(lambda family: f"{family.quotes}/bbo"),
    "depth": _Path(lambda family: f"{family.quotes}/depth", "&type=step0"),
    "marks": _Path(lambda family: family.mark_klines, "&period=1min&size=1"),
    "index": _Path(lambda family: f"{family.api}/swap_index"),
    "funding": _Path(lambda family: f"{family.api}/swap_batch_funding_rate"),
    "open_interest": _Path(lambda family: f"{family.api}/swap_open_interest"),
    "instruments": _Path(lambda family: f"{family.api}/swap_contract_info"),
}
_PURPOSES: Final = {path.of(family): purpose for purpose, path in _PATHS.items() for family in FAMILIES} | {
    f"{family.api}/swap_funding_rate": "funding" for family in FAMILIES
}


class HtxSwapRest:
    """A `RestAdapter` for HTX swaps.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request a family: for the one symbol, or for all that the venue lists."""
        return self._one_or_all("quotes", symbols)

    def index(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for index prices, one a family."""
        return self._one_or_all("index", symbols)

    def funding(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for funding rates, one a family."""
        return self._one_or_all("funding", symbols)

    def open_interest(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for open interest, one a family."""
        return self._one_or_all("open_interest", symbols)

    def mark(self, symbol: str) -> HttpRequest:
        """Return the request for the mark of a symbol; there is no bulk form."""
        return self._request("marks", family_of(symbol), symbol)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 150 best levels a side."""
        return self._request("depth", family_of(symbol), symbol)

    def instruments(self, family: Family = LINEAR) -> HttpRequest:
        """Return the request for the swaps of a family; the other family takes another request."""
        return self._request("instruments", family)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        symbol = parse_qs(parts.query).get("contract_code", [None])[0]
        return HttpRequest(url=url, purpose=_PURPOSES.get(parts.path, "unknown"), symbol=symbol)

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        if request.purpose not in _READERS and request.purpose not in _LIKE_PUSHES:
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            answer = _accepted(body)
            if request.purpose in _LIKE_PUSHES:
                return _pushed(answer, _LIKE_PUSHES[request.purpose](answer), received_ns)
            reader, time_ns = _READERS[request.purpose], time_of(answer.time)
            rows = reader.rows(answer)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"{error}: in answer for {request.purpose} {body[:60]!r}", request.symbol),)
        return read_rows(VENUE, rows, reader.decode, lambda instrument, row: reader.events(instrument, row, time_ns, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed swaps; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        try:
            rows = _data(_accepted(body))
        except Exception as error:
            msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
            raise VenueError(msg) from error
        return instruments_of(rows)

    def _one_or_all(self, purpose: str, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        families = by_family(tuple(dict.fromkeys(symbols)))
        return tuple(self._request(purpose, family, members[0] if len(members) == 1 else None) for family, members in families)

    def _request(self, purpose: str, family: Family, symbol: str | None = None) -> HttpRequest:
        path = _PATHS[purpose]
        named = f"?contract_code={quote(symbol, safe='')}{path.more}" if symbol is not None else ""
        return HttpRequest(url=f"{self._base}{path.of(family)}{named}", purpose=purpose, symbol=symbol)


def _accepted(body: bytes) -> Answer:
    answer = _ANSWER(body)
    if answer.status == "ok":
        return answer
    msg = f"The venue refused: {body[:150].decode(errors='replace')}"
    raise VenueError(msg)


def _data(answer: Answer) -> list[msgspec.Raw]:
    """Return the rows of an answer; that to a request for one contract may be the row itself."""
    return [answer.data] if bytes(answer.data)[:1] == b"{" else _LIST(answer.data)


def _pushed(answer: Answer, tick: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
    """Return what an answer says that has the channel and the tick of a push."""
    symbol, topic = parts_of(answer.channel or "")
    reading = reading_of(topic)
    if reading is None:
        msg = f"Expected a channel, was {str(answer.channel)[:60]!r}"
        raise VenueError(msg)
    frame = Frame(channel=answer.channel, time=answer.time, tick=tick)
    return reading(Followed(InstrumentId(VENUE, check_symbol(symbol))), frame, topic, "", received_ns)


_LIKE_PUSHES: Final[dict[str, Callable[[Answer], msgspec.Raw]]] = {
    "depth": lambda answer: answer.tick,
    "marks": lambda answer: _data(answer)[-1],
}


class _Reader(NamedTuple):
    rows: Callable[[Answer], list[msgspec.Raw]]
    decode: Callable[[msgspec.Raw], Any]
    events: Callable[[InstrumentId, Any, int | None, int], Sequence[Outcome]]


_READERS: Final = {
    "quotes": _Reader(lambda answer: _LIST(answer.ticks), msgspec.json.Decoder(QuoteRow).decode, listed_best_of),
    "index": _Reader(_data, msgspec.json.Decoder(IndexRow).decode, listed_index_of),
    "funding": _Reader(_data, msgspec.json.Decoder(FundingRow).decode, funding_of),
    "open_interest": _Reader(_data, msgspec.json.Decoder(OpenInterestRow).decode, open_interest_of),
}
