"""Bybit over REST: tickers with venue marks, funding and open interest, depth snapshots and the list of instruments.

Source: bybit-exchange.github.io/docs/v5 (market, rate-limit), read 2026-11: 600 requests in 5 s and address, whatever they ask;
beyond that status 403, and none may be made for 10 minutes. Refusals have status 200 and a `retCode` other than 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import check_levels
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bybit.categories import Category, by_category, category_of
from perps_actors.venues.bybit.instruments import instruments_of
from perps_actors.venues.bybit.messages import DepthData, ListAnswer, Listing, TickerData
from perps_actors.venues.bybit.readings import quotes_of
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.fields import NS_PER_MS
from perps_actors.venues.pushed_book import PushedBook
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble
from perps_actors.venues.symbols import check_symbol

VENUE: Final = "bybit"
LIVE: Final = Endpoints(stream="wss://stream.bybit.com", rest="https://api.bybit.com")
WEIGHT_PER_MINUTE: Final = 7_200
DEPTH: Final = 500
"""Levels a side of a depth snapshot, the most there are."""

_PATHS: Final = {"quotes": "/v5/market/tickers", "depth": "/v5/market/orderbook", "instruments": "/v5/market/instruments-info"}
_PURPOSES: Final = {path: purpose for purpose, path in _PATHS.items()}
_ANSWER: Final = msgspec.json.Decoder(ListAnswer).decode
_LISTING: Final = msgspec.json.Decoder(Listing).decode
_TICKER: Final = msgspec.json.Decoder(TickerData).decode
_DEPTH: Final = msgspec.json.Decoder(DepthData).decode


class BybitRest:
    """A `RestAdapter` for Bybit.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request a category: for the one symbol, or for all that the venue lists."""
        return tuple(
            self._request("quotes", category, symbol=members[0] if len(members) == 1 else None)
            for category, members in by_category(tuple(dict.fromkeys(symbols))).items()
        )

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the `DEPTH` best levels a side."""
        return self._request("depth", category_of(symbol), f"&limit={DEPTH}", symbol=symbol)

    def instruments(self, category: Category = "linear") -> HttpRequest:
        """Return the request for the instruments of a category, at most 1,000; the other category takes another request."""
        return self._request("instruments", category, "&limit=1000")

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        symbol = parse_qs(parts.query).get("symbol", [None])[0]
        return HttpRequest(url=url, purpose=_PURPOSES.get(parts.path, "unknown"), symbol=symbol)

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        if request.purpose not in ("quotes", "depth"):
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            result, time_ns = _result_of(body)
            if request.purpose == "depth":
                return _book_in(result, received_ns)
            rows = _LISTING(result).rows
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        return read_rows(VENUE, rows, _TICKER, lambda instrument, row: quotes_of(instrument, row, time_ns, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        try:
            rows = _LISTING(_result_of(body)[0]).rows
        except Exception as error:
            msg = f"Expected a list of instruments, was {body[:60]!r}: {error}"
            raise VenueError(msg) from error
        return instruments_of(VENUE, rows)

    def _request(self, purpose: str, category: Category, more: str = "", *, symbol: str | None = None) -> HttpRequest:
        named = f"&symbol={quote(symbol, safe='')}" if symbol is not None else ""
        return HttpRequest(url=f"{self._base}{_PATHS[purpose]}?category={category}{named}{more}", purpose=purpose, symbol=symbol)


def _result_of(body: bytes) -> tuple[msgspec.Raw, int | None]:
    """Return the result of an answer, and its time."""
    answer = _ANSWER(body)
    if answer.code != 0:
        msg = f"refused with {answer.code}: {answer.message[:60]}"
        raise VenueError(msg)
    return answer.result, answer.time * NS_PER_MS if answer.time is not None else None


def _book_in(result: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
    data = _DEPTH(result)
    check_levels(data.bids)
    check_levels(data.asks)
    book = PushedBook(InstrumentId(VENUE, check_symbol(data.symbol)))
    return book.snapshot(data.bids, data.asks, sequence=None, venue_time_ns=data.time * NS_PER_MS, received_ns=received_ns)
