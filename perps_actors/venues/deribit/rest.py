"""Deribit over HTTP: bulk quotes, tickers, last trades and the list of instruments.

Source: docs.deribit.com (api-reference/market-data, articles/rate-limits), read 2026-10: methods are paths below `/api/v2`. A request
costs 500 credits, `get_instruments` 10,000, and 10,000 come back a second: 20 requests a second. Open interest, mark and funding come
with the quotes. A bulk row has no sizes and no index price; candles and the history of funding are offered and not read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Complaint, Endpoints, Outcome
from perps_actors.venues.deribit.instruments import read_instruments
from perps_actors.venues.deribit.messages import Answer, Summary, Ticker, TradeRow
from perps_actors.venues.deribit.readings import summary_of, ticker_of, trade_of
from perps_actors.venues.rows import read_rows
from perps_actors.venues.statuses import status_trouble

VENUE: Final = "deribit"
LIVE: Final = Endpoints(stream="wss://www.deribit.com", rest="https://www.deribit.com")
WEIGHT_PER_MINUTE: Final = 1_200

_METHODS: Final = {
    "get_book_summary_by_currency": "quotes",
    "ticker": "ticker",
    "get_order_book": "ticker",
    "get_last_trades_by_instrument": "trades",
    "get_instruments": "instruments",
}
_INSTRUMENTS_WEIGHT: Final = 20
_ANSWER: Final = msgspec.json.Decoder(Answer)


class _Trades(msgspec.Struct, gc=False):
    trades: list[msgspec.Raw]


_TRADES: Final = msgspec.json.Decoder(_Trades)
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def currency_of(symbol: str) -> str:
    """Return the currency that a future is settled in: `BTC-PERPETUAL` in BTC, `SOL_USDC-PERPETUAL` in USDC."""
    return symbol.partition("-")[0].rpartition("_")[2]


class DeribitRest:
    """A `RestAdapter` for Deribit and its gateways.

    Args:
        endpoints: where the venue lives.
        venue: its name.
    """

    def __init__(self, endpoints: Endpoints = LIVE, venue: str = VENUE) -> None:
        self._base = f"{endpoints.rest}/api/v2/public/"
        self._venue = venue

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request a currency: for the one symbol settled in it, or for all futures settled in it."""
        by_currency: dict[str, list[str]] = {}
        for symbol in dict.fromkeys(symbols):
            by_currency.setdefault(currency_of(symbol), []).append(symbol)
        return tuple(
            self._request(f"ticker?instrument_name={quote(wanted[0], safe='')}")
            if len(wanted) == 1
            else self._request(f"get_book_summary_by_currency?currency={quote(currency, safe='')}&kind=future")
            for currency, wanted in by_currency.items()
        )

    def instruments(self) -> HttpRequest:
        """Return the request for the list of all futures."""
        return self._request("get_instruments?currency=any&kind=future")

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address stands for, on whatever host; its purpose is `unknown` where we never ask that."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return HttpRequest(url=url, purpose="unknown")
        purpose = _METHODS.get(parts.path.removeprefix("/api/v2/public/"), "unknown")
        weight = _INSTRUMENTS_WEIGHT if purpose == "instruments" else 1
        return HttpRequest(url=url, weight=weight, purpose=purpose, symbol=parse_qs(parts.query).get("instrument_name", [None])[0])

    def read(self, request: HttpRequest, status: int | None, body: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the market events in an answer: all rows of a bulk answer, each bad row a complaint of its own."""
        reader = _READERS.get(request.purpose)
        if reader is None:
            return ()
        trouble = status_trouble(request, status)
        if trouble is not None:
            return (trouble,)
        try:
            answer = _ANSWER.decode(body)
            if bytes(answer.error) not in (b"", b"null"):
                return (Complaint(f"The venue refused: {bytes(answer.error)[:150].decode(errors='replace')}", request.symbol),)
            rows = reader.rows(answer.result)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (Complaint(f"Expected an answer for {request.purpose}, was {body[:60]!r}: {error}", request.symbol),)
        return read_rows(self._venue, rows, reader.decode, lambda instrument, row: reader.events(instrument, row, received_ns))

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed futures; a row that cannot be read is left out.

        Raises:
            VenueError: the answer is no such list.
        """
        return read_instruments(self._venue, body)

    def _request(self, method: str) -> HttpRequest:
        return self.request_for(self._base + method)


class _Reader(NamedTuple):
    rows: Callable[[msgspec.Raw], list[msgspec.Raw]]
    decode: Callable[[msgspec.Raw], Any]
    events: Callable[[InstrumentId, Any, int], Sequence[Outcome]]


def _history(instrument: InstrumentId, row: TradeRow, received_ns: int) -> Sequence[Outcome]:
    return trade_of(instrument, row, received_ns, backlog=True)


_READERS: Final = {
    "quotes": _Reader(_ROWS.decode, msgspec.json.Decoder(Summary).decode, summary_of),
    "ticker": _Reader(lambda result: [result], msgspec.json.Decoder(Ticker).decode, ticker_of),
    "trades": _Reader(lambda result: _TRADES.decode(result).trades, msgspec.json.Decoder(TradeRow).decode, _history),
}
