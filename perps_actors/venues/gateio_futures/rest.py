"""Gate.io's futures over REST: quotes, venue marks, funding and open interest, depth snapshots and the list of contracts.

Source: gate.com/docs/developers/apiv4, read 2026-11: 200 requests in 10 s for each address and path, 429 beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.gateio_futures.instruments import read_instruments
from perps_actors.venues.gateio_futures.messages import ContractRow, TickerRow
from perps_actors.venues.gateio_futures.readings import contract_of, quote_of
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble

VENUE: Final = "gateio_futures"
LIVE: Final = Endpoints(stream="wss://fx-ws.gateio.ws", rest="https://api.gateio.ws")

_PREFIX: Final = "/api/v4/futures/usdt"
_PURPOSES: Final = {f"{_PREFIX}/tickers": "quotes", f"{_PREFIX}/contracts": "instruments", f"{_PREFIX}/order_book": "depth"}
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])


class GateioFuturesRest:
    """A `RestAdapter` for Gate.io's futures.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._base = f"{endpoints.rest}{_PREFIX}"

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all contracts, which costs the same."""
        wanted = frozenset(symbols)
        if len(wanted) == 1:
            url = f"{self._base}/tickers?contract={quote(symbols[0], safe='')}"
            return (HttpRequest(url=url, purpose="quotes", symbol=symbols[0]),)
        return (HttpRequest(url=f"{self._base}/tickers", purpose="quotes"),) if wanted else ()

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 100 best levels a side, with their number."""
        url = f"{self._base}/order_book?contract={quote(symbol, safe='')}&limit=100&with_id=true"
        return HttpRequest(url=url, purpose="depth", symbol=symbol)

    def instruments(self) -> HttpRequest:
        """Return the request for the list of contracts."""
        return HttpRequest(url=f"{self._base}/contracts", purpose="instruments")

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        symbol = parse_qs(parts.query).get("contract", [None])[0]
        return HttpRequest(url=url, purpose=_PURPOSES.get(parts.path, "unknown"), symbol=symbol)

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer, each bad row a complaint of its own."""
        reader = _READERS.get(request.purpose)
        if reader is None:
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            rows = _ROWS.decode(body)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        return read_rows(VENUE, rows, reader.decode, lambda instrument, row: reader.outcomes(instrument, row, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed contracts; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        return read_instruments(VENUE, body)


class _Reader(NamedTuple):
    decode: Callable[[msgspec.Raw], Any]
    outcomes: Callable[[InstrumentId, Any, int], Sequence[Outcome]]


_READERS: Final = {
    "quotes": _Reader(msgspec.json.Decoder(TickerRow).decode, quote_of),
    "instruments": _Reader(msgspec.json.Decoder(ContractRow).decode, contract_of),
}
