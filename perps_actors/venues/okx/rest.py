"""OKX over REST: tickers, venue marks, funding, open interest, depth snapshots and the list of instruments.

Source: www.okx.com/docs-v5/en (market and public data), read 2026-11. Limits are an endpoint's and address's, 10 to 40 requests in 2 s.
One budget for all has to hold the tightest of them: 20 requests in 2 s, where one to mark prices (10 in 2 s) counts twice.
Refusals have status 200 and a `code` other than 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import check_levels
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.fields import ns_if_any
from perps_actors.venues.okx.followed import levels_of
from perps_actors.venues.okx.instruments import instruments_of
from perps_actors.venues.okx.messages import Answer, BookRecord, FundingRow, MarkRow, OpenInterestRow, TickerRow
from perps_actors.venues.okx.readings import funding_of, mark_of, open_interest_of, touch_of
from perps_actors.venues.pushed_book import PushedBook
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble
from perps_actors.venues.symbols import check_symbol

VENUE: Final = "okx"
LIVE: Final = Endpoints(stream="wss://ws.okx.com:8443", rest="https://www.okx.com")
WEIGHT_PER_MINUTE: Final = 600

_PATHS: Final = {
    "/api/v5/market/tickers": "quotes",
    "/api/v5/market/ticker": "quotes",
    "/api/v5/public/mark-price": "venue_marks",
    "/api/v5/public/funding-rate": "funding",
    "/api/v5/public/open-interest": "open_interest",
    "/api/v5/market/books": "depth",
    "/api/v5/public/instruments": "instruments",
}


class _Reader(NamedTuple):
    decode: Callable[[msgspec.Raw], Any]
    events: Callable[[InstrumentId, Any, int], Sequence[Outcome]]


_ROWS: Final = {
    "quotes": _Reader(msgspec.json.Decoder(TickerRow).decode, touch_of),
    "venue_marks": _Reader(msgspec.json.Decoder(MarkRow).decode, lambda instrument, row, at: [mark_of(instrument, row, at)]),
    "funding": _Reader(msgspec.json.Decoder(FundingRow).decode, funding_of),
    "open_interest": _Reader(msgspec.json.Decoder(OpenInterestRow).decode, open_interest_of),
}
_ANSWER: Final = msgspec.json.Decoder(Answer).decode
_BOOK: Final = msgspec.json.Decoder(BookRecord).decode


class OkxRest:
    """A `RestAdapter` for OKX.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all perpetuals (and one more for dated futures, where there are some)."""
        wanted = tuple(dict.fromkeys(symbols))
        if len(wanted) == 1:
            return (self._request(f"/api/v5/market/ticker?instId={quote(wanted[0], safe='')}"),)
        kinds = dict.fromkeys("SWAP" if symbol.endswith("-SWAP") else "FUTURES" for symbol in wanted)
        return tuple(self._request(f"/api/v5/market/tickers?instType={kind}") for kind in kinds)

    def venue_marks(self) -> HttpRequest:
        """Return the request for the mark prices of all perpetuals."""
        return self._request("/api/v5/public/mark-price?instType=SWAP")

    def open_interest(self) -> HttpRequest:
        """Return the request for the open interest of all perpetuals."""
        return self._request("/api/v5/public/open-interest?instType=SWAP")

    def funding(self, symbol: str) -> HttpRequest:
        """Return the request for the funding rate of a perpetual."""
        return self._request(f"/api/v5/public/funding-rate?instId={quote(symbol, safe='')}")

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 400 best levels a side."""
        return self._request(f"/api/v5/market/books?instId={quote(symbol, safe='')}&sz=400")

    def instruments(self) -> HttpRequest:
        """Return the request for the list of perpetuals."""
        return self._request("/api/v5/public/instruments?instType=SWAP")

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        purpose = _PATHS.get(parts.path, "unknown")
        symbol = parse_qs(parts.query).get("instId", [None])[0]
        return HttpRequest(url=url, weight=2 if purpose == "venue_marks" else 1, purpose=purpose, symbol=symbol)

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        reader = _ROWS.get(request.purpose)
        if reader is None and request.purpose != "depth":
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            rows = _rows_of(body)
            if reader is None:
                return _book_in(rows, request.symbol or "", received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        return read_rows(VENUE, rows, reader.decode, lambda instrument, row: reader.events(instrument, row, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        try:
            rows = _rows_of(body)
        except Exception as error:
            msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
            raise VenueError(msg) from error
        return instruments_of(VENUE, rows)

    def _request(self, path: str) -> HttpRequest:
        return self.request_for(self._base + path)


def _rows_of(body: bytes) -> list[msgspec.Raw]:
    answer = _ANSWER(body)
    if answer.code != "0":
        msg = f"refused with {answer.code[:10]}: {answer.message[:60]}"
        raise VenueError(msg)
    return answer.data


def _book_in(rows: Sequence[msgspec.Raw], symbol: str, received_ns: int) -> Sequence[Outcome]:
    (row,) = rows
    record = _BOOK(row)
    bids, asks, time_ns = levels_of(record.bids), levels_of(record.asks), ns_if_any(record.time)
    check_levels(bids, asks)
    book = PushedBook(InstrumentId(VENUE, check_symbol(symbol)))
    return book.snapshot(bids, asks, sequence=record.sequence, venue_time_ns=time_ns, received_ns=received_ns)
