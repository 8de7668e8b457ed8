"""Kraken Futures over REST: quotes with mark, index and open interest, and the list of instruments.

Source: docs.kraken.com (futures REST; guides on rate limits), read 2026-10: `/derivatives` takes 500 requests in ten seconds. The tickers
have no funding as a rate, only as money a contract, which cannot be turned into one exactly: none is told. Depth, candles and the
history of funding (whose v4 path works where the documented v3 answers 404) are offered and not read here: books come by the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from perps_actors.market.instrument import Instrument
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.kraken_futures.instruments import read_instruments
from perps_actors.venues.kraken_futures.messages import TickerRow, TickersAnswer
from perps_actors.venues.kraken_futures.readings import polled_of
from perps_actors.venues.moments import nanoseconds
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble

VENUE: Final = "kraken_futures"
LIVE: Final = Endpoints(stream="wss://futures.kraken.com", rest="https://futures.kraken.com")
WEIGHT_PER_MINUTE: Final = 3_000

_ROOT: Final = "/derivatives/api/v3/"
_ANSWER: Final = msgspec.json.Decoder(TickersAnswer)
_ROW: Final = msgspec.json.Decoder(TickerRow)


class KrakenFuturesRest:
    """A `RestAdapter` for Kraken Futures.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._base = endpoints.rest + _ROOT

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all that the venue lists."""
        if not symbols:
            return ()
        one = f"/{quote(symbols[0], safe='')}" if len(set(symbols)) == 1 else ""
        return (self.request_for(f"{self._base}tickers{one}"),)

    def instruments(self) -> HttpRequest:
        """Return the request for the list of instruments."""
        return self.request_for(f"{self._base}instruments")

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            path = urlsplit(url).path
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        method, _, symbol = path.removeprefix(_ROOT).partition("/")
        if method == "tickers":
            return HttpRequest(url=url, purpose="quotes", symbol=unquote(symbol) or None)
        return HttpRequest(url=url, purpose="instruments" if method == "instruments" and not symbol else "unknown")

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        if request.purpose != "quotes":
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            answer = _ANSWER.decode(body)
            if answer.result != "success":
                return (Complaint(f"The venue refused: {answer.error or answer.result}", request.symbol),)
            rows = answer.tickers if answer.tickers is not None else [answer.ticker]
            time_ns = nanoseconds(answer.server_time) if answer.server_time is not None else None
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        return read_rows(VENUE, rows, _row, lambda instrument, row: polled_of(instrument, row, time_ns, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        return read_instruments(VENUE, body)


def _row(raw: msgspec.Raw) -> TickerRow:
    row = _ROW.decode(raw)
    row.symbol = row.symbol.upper()
    return row
