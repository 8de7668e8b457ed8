"""Binance futures over REST: quotes, venue marks, open interest, depth snapshots and the list of instruments.

Source: developers.binance.com/docs/derivatives/usds-margined-futures (market data endpoints), read 2026-10: addresses and
weights. 2,400 weight a minute and address; beyond that 429, and 418 for those who go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.binance_futures.dialect import USD_M, Dialect
from perps_actors.venues.binance_futures.instruments import read_instruments
from perps_actors.venues.binance_futures.messages import OpenInterestAnswer, PremiumRow, QuoteRow
from perps_actors.venues.binance_futures.readings import marks_of, open_interest_of, touch_of
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.statuses import status_trouble
from perps_actors.venues.symbols import check_symbol

VENUE = USD_M.venue
LIVE = USD_M.live
MAX_ROWS = 5_000
"""Rows read of one answer."""

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class BinanceFuturesRest:
    """A `RestAdapter` for Binance's futures venues.

    Args:
        endpoints: where the venue lives; None: the live one.
        dialect: which of them it is.
    """

    def __init__(self, endpoints: Endpoints | None = None, dialect: Dialect = USD_M) -> None:
        self._base = (endpoints if endpoints is not None else dialect.live).rest + dialect.prefix
        self._dialect = dialect
        self._purposes = {dialect.prefix + path.name: purpose for purpose, path in dialect.rest.items()}

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all that the venue lists, which costs as much as any three symbols."""
        return (self._one_or_all("quotes", symbols),) if symbols else ()

    def venue_marks(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request for mark, index and funding of the one symbol, or of all that the venue lists."""
        return (self._one_or_all("venue_marks", symbols),) if symbols else ()

    def open_interest(self, symbol: str) -> HttpRequest:
        """Return the request for the open interest of a symbol; there is no bulk form."""
        return self._request("open_interest", symbol)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 1,000 best levels a side."""
        return self._request("depth", symbol, "&limit=1000")

    def instruments(self) -> HttpRequest:
        """Return the request for the list of instruments."""
        return self._request("instruments", None)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        purpose = self._purposes.get(parts.path)
        if purpose is None:
            return HttpRequest(url=url, purpose="unknown")
        symbol = parse_qs(parts.query).get("symbol", [None])[0]
        _, weight_one, weight_all = self._dialect.rest[purpose]
        return HttpRequest(url=url, weight=weight_one if symbol else weight_all, purpose=purpose, symbol=symbol)

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        reader = _READERS.get(request.purpose)
        if reader is None:
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            rows = _ROWS.decode(body) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        outcomes: list[Outcome] = []
        for row in rows[:MAX_ROWS]:
            outcomes += _read_row(reader, self._dialect.venue, row, received_ns)
        if len(rows) > MAX_ROWS:
            outcomes.append(Complaint(f"Expected at most {MAX_ROWS} rows for {request.purpose}, was {len(rows)}"))
        return outcomes

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        return read_instruments(self._dialect, body)

    def _one_or_all(self, purpose: str, symbols: Sequence[str]) -> HttpRequest:
        return self._request(purpose, symbols[0] if len(set(symbols)) == 1 else None)

    def _request(self, purpose: str, symbol: str | None, more: str = "") -> HttpRequest:
        path, weight_one, weight_all = self._dialect.rest[purpose]
        if symbol is None:
            return HttpRequest(url=f"{self._base}{path}", weight=weight_all, purpose=purpose)
        url = f"{self._base}{path}?symbol={quote(symbol, safe='')}{more}"
        return HttpRequest(url=url, weight=weight_one, purpose=purpose, symbol=symbol)


class _Reader(NamedTuple):
    decode: Callable[[msgspec.Raw], Any]
    events: Callable[[InstrumentId, Any, int], Sequence[Outcome]]


_READERS = {
    "quotes": _Reader(msgspec.json.Decoder(QuoteRow).decode, touch_of),
    "venue_marks": _Reader(msgspec.json.Decoder(PremiumRow).decode, marks_of),
    "open_interest": _Reader(msgspec.json.Decoder(OpenInterestAnswer).decode, open_interest_of),
}


def _read_row(reader: _Reader, venue: str, raw: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
    symbol = None
    try:
        row = reader.decode(raw)
        symbol = row.symbol
        return reader.events(InstrumentId(venue, check_symbol(symbol)), row, received_ns)
    except Exception as error:  # noqa: BLE001 - one bad row is a complaint, and its neighbours are read
        return (Complaint(f"{error}: in row {bytes(raw)[:80]!r}", symbol),)
