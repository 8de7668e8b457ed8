"""Kraken Futures over REST: quotes with mark, index and open interest, books, candles, past funding and the list of instruments.

Source: docs.kraken.com (futures REST; guides on rate limits), read 2026-10: `/derivatives` takes 500 requests in ten seconds. The tickers
have no funding as a rate, only as money a contract, which cannot be turned into one exactly: none is told. The history of funding comes
whole in one answer; its v4 path works where the documented v3 answers 404. Candles come from another address, in milliseconds where one
asks in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome, Polled
from perps_actors.venues.kraken_futures.parse import (
    funding_paid_of,
    instrument_of,
    past_candle_of,
    polled_of,
    rows_of_listing,
)
from perps_actors.venues.kraken_futures.schema import (
    INTERVALS,
    SECONDS,
    BookAnswer,
    CandleRow,
    CandlesAnswer,
    PaidAnswer,
    PaidRow,
    TickerRow,
    TickersAnswer,
)
from perps_actors.venues.toolkit.fields import NS_PER_S, nanoseconds
from perps_actors.venues.toolkit.rest import (
    Answers,
    book_reader,
    history_reader,
    moments,
    pages,
    parts_of,
    read_rows,
    spelled_interval,
)

NAME: Final = "kraken_futures"
LIVE: Final = Endpoints(stream="wss://futures.kraken.com", rest="https://futures.kraken.com")
WEIGHT_PER_MINUTE: Final = 3_000
MOST_CANDLES: Final = 1_000

_ROOT: Final = "/derivatives/api/v3/"
FUNDINGS: Final = "/derivatives/api/v4/historicalfundingrates"
CHARTS: Final = "/api/charts/v1/trade/"
_ANSWER: Final = msgspec.json.Decoder(TickersAnswer)
_ROW: Final = msgspec.json.Decoder(TickerRow)
_BOOK: Final = msgspec.json.Decoder(BookAnswer).decode
_CANDLES: Final = msgspec.json.Decoder(CandlesAnswer)
_PAID: Final = msgspec.json.Decoder(PaidAnswer)


class KrakenFuturesRest(Answers):
    """A `RestAdapter` for Kraken Futures.

    Args:
        endpoints: where the venue lives.
    """

    intervals = INTERVALS.keys()

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            readers=_READERS,
            book=_book,
            listing=rows_of_listing,
            instrument=lambda row: instrument_of(NAME, row),
        )
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all that the venue lists."""
        if not symbols:
            return ()
        one = f"/{quote(symbols[0], safe='')}" if len(set(symbols)) == 1 else ""
        return (self.request_for(f"{self._base}{_ROOT}tickers{one}"),)

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the request for quotes, which bring mark, index and open interest along; none for funding."""
        return self.quotes(symbols) if what != "funding" else ()

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the whole book."""
        return self.request_for(f"{self._base}{_ROOT}orderbook?symbol={quote(symbol, safe='')}")

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_CANDLES` candles.

        Raises:
            SettingsError: no such interval.
        """
        what = f"{CHARTS}{quote(symbol, safe='')}/{spelled_interval(INTERVALS, interval_s, NAME)}"
        return tuple(
            self.request_for(f"{self._base}{what}?from={first}&to={last}")
            for first, last in (
                moments(page, NS_PER_S)
                for page in pages(since_ns, until_ns, interval_s, MOST_CANDLES)
            )
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:  # noqa: ARG002 - takes no span
        """Return the request for all fundings that there were."""
        return (self.request_for(f"{self._base}{FUNDINGS}?symbol={quote(symbol, safe='')}"),)

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the request for the list of instruments."""
        return (self.request_for(f"{self._base}{_ROOT}instruments"),)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        path, query = parts_of(url)
        if path.startswith(CHARTS):
            symbol, _, name = path.removeprefix(CHARTS).partition("/")
            return HttpRequest(
                url=url,
                purpose="candles",
                symbol=unquote(symbol) or None,
                interval_s=SECONDS.get(name),
            )
        if path == FUNDINGS:
            return HttpRequest(url=url, purpose="funding_history", symbol=query.get("symbol"))
        method, _, symbol = path.removeprefix(_ROOT).partition("/")
        if method == "tickers":
            return HttpRequest(url=url, purpose="quotes", symbol=unquote(symbol) or None)
        if method == "orderbook" and not symbol:
            return HttpRequest(url=url, purpose="depth", symbol=query.get("symbol"))
        return HttpRequest(
            url=url, purpose="instruments" if method == "instruments" and not symbol else "unknown"
        )


def _row(raw: msgspec.Raw) -> TickerRow:
    row = _ROW.decode(raw)
    row.symbol = row.symbol.upper()
    return row


def _quotes(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
    answer = _ANSWER.decode(body)
    if answer.result != "success":
        msg = f"The venue refused: {answer.error or answer.result}"
        raise VenueError(msg)
    rows = answer.tickers if answer.tickers is not None else [answer.ticker]
    time_ns = nanoseconds(answer.server_time) if answer.server_time is not None else None
    return read_rows(
        NAME, rows, _row, lambda instrument, row: polled_of(instrument, row, time_ns, received_ns)
    )


def _book(body: bytes) -> BookSnapshot:
    answer = _BOOK(body)
    if answer.order_book is None:
        msg = f"The venue refused: {answer.error or answer.result}"
        raise VenueError(msg)
    bids, asks = levels_of(answer.order_book.bids), levels_of(answer.order_book.asks)
    return BookSnapshot(
        bids,
        asks,
        None,
        nanoseconds(answer.server_time) if answer.server_time is not None else None,
    )


_READERS: Final = {
    "quotes": _quotes,
    "depth": book_reader(NAME, _book),
    "candles": history_reader(
        NAME, lambda body: _CANDLES.decode(body).candles, CandleRow, past_candle_of
    ),
    "funding_history": history_reader(
        NAME, lambda body: _PAID.decode(body).rates, PaidRow, funding_paid_of
    ),
}
