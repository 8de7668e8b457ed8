"""BitMEX over REST: all contracts with quote, venue mark, funding and open interest in one answer; past funding and trades.

Source: bitmex.com API explorer and app/restAPI, read 2026-10: 30 requests a minute without a key (120 with one), 429 beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bitmex.contract import Contract
from perps_actors.venues.bitmex.instruments import read_instruments
from perps_actors.venues.bitmex.messages import FundingRow, InstrumentRow, TradeRow
from perps_actors.venues.bitmex.readings import funding_of, trade_of
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble

VENUE: Final = "bitmex"
LIVE: Final = Endpoints(stream="wss://ws.bitmex.com", rest="https://www.bitmex.com")

_ACTIVE: Final = "/api/v1/instrument/active"
_ONE: Final = "/api/v1/instrument"
_FUNDING: Final = "/api/v1/funding"
_PURPOSES: Final = {_ACTIVE: "quotes", _ONE: "quotes", _FUNDING: "funding_history", "/api/v1/trade": "trades"}
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])


class BitmexRest:
    """A `RestAdapter` for BitMEX.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._base = endpoints.rest

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request: for the one symbol, or for all active contracts, which costs the same."""
        wanted = frozenset(symbols)
        if len(wanted) == 1:
            symbol = symbols[0]
            return (HttpRequest(url=f"{self._base}{_ONE}?symbol={quote(symbol, safe='')}", purpose="quotes", symbol=symbol),)
        return (HttpRequest(url=f"{self._base}{_ACTIVE}", purpose="quotes"),) if wanted else ()

    def funding_history(self, symbol: str) -> HttpRequest:
        """Return the request for the latest 500 fundings of a symbol, newest first."""
        url = f"{self._base}{_FUNDING}?symbol={quote(symbol, safe='')}&reverse=true&count=500"
        return HttpRequest(url=url, purpose="funding_history", symbol=symbol)

    def instruments(self) -> HttpRequest:
        """Return the request for the list of instruments."""
        return HttpRequest(url=f"{self._base}{_ACTIVE}", purpose="instruments")

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        symbol = parse_qs(parts.query).get("symbol", [None])[0]
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
            rows = _ROWS.decode(body) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        return read_rows(VENUE, rows, reader.decode, lambda instrument, row: reader.outcomes(instrument, row, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed perpetuals and futures; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        return read_instruments(VENUE, body)


class _Reader(NamedTuple):
    decode: Callable[[msgspec.Raw], Any]
    outcomes: Callable[[InstrumentId, Any, int], Sequence[Outcome]]


def _contract(instrument: InstrumentId, row: InstrumentRow, received_ns: int) -> Sequence[Outcome]:
    return Contract(instrument).take("partial", row, received_ns)


def _past_trade(instrument: InstrumentId, row: TradeRow, received_ns: int) -> Sequence[Outcome]:
    return trade_of(instrument, row, received_ns, backlog=True)


_CONTRACTS: Final = _Reader(msgspec.json.Decoder(InstrumentRow).decode, _contract)
_READERS: Final = {
    "quotes": _CONTRACTS,
    "instruments": _CONTRACTS,
    "funding_history": _Reader(msgspec.json.Decoder(FundingRow).decode, funding_of),
    "trades": _Reader(msgspec.json.Decoder(TradeRow).decode, _past_trade),
}
