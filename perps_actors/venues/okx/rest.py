"""OKX over REST: tickers, marks, funding, open interest, books, candles, history and instruments.

Source: www.okx.com/docs-v5/en (market and public data, get instruments), read 2026-11. Each
endpoint allows an address 10 to 40 requests in 2 s. One budget for all must hold the tightest:
20 requests in 2 s, of which one to an endpoint with 10 in 2 s counts twice. Refusals have status
200 and a `code` other than 0. Pages of different age allow 100 to 400 rows of the past in an
answer: 100 always works. The history of funding goes back three months.

A contract is worth `ctVal` times `ctMult`: units of the base asset if it is linear, US dollars if
it is inverse. Quantities are in contracts, of which `lotSz` is the smallest step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Polled
from perps_actors.venues.okx.parse import (
    candle_in,
    funding_of,
    funding_paid_of,
    mark_of,
    open_interest_of,
    touch_of,
)
from perps_actors.venues.okx.schema import (
    INTERVALS,
    SECONDS,
    Answer,
    BookRecord,
    CandleRow,
    FundingRow,
    InstrumentRow,
    MarkRow,
    OpenInterestRow,
    PaidRow,
    TickerRow,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S, ns_if_any
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    book_reader,
    candle_reader,
    reader_of,
    term_of,
)

NAME: Final = "okx"
LIVE: Final = Endpoints(stream="wss://ws.okx.com:8443", rest="https://www.okx.com")
WEIGHT_PER_MINUTE: Final = 600

_PURPOSES: Final = {
    "/api/v5/market/tickers": "quotes",
    "/api/v5/market/ticker": "quotes",
    "/api/v5/public/mark-price": "venue_marks",
    "/api/v5/public/funding-rate": "funding",
    "/api/v5/public/open-interest": "open_interest",
    "/api/v5/market/books": "depth",
    "/api/v5/market/history-candles": "candles",
    "/api/v5/market/candles": "candles",
    "/api/v5/public/funding-rate-history": "funding_history",
    "/api/v5/public/instruments": "instruments",
}
_ANSWER: Final = msgspec.json.Decoder(Answer).decode
_BOOK: Final = msgspec.json.Decoder(BookRecord).decode
_ROW: Final = msgspec.json.Decoder(InstrumentRow).decode


class OkxRest(VenueRest):
    """A `RestAdapter` for OKX.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            f"{endpoints.rest}/api/v5/",
            NAME,
            quotes=("market/ticker?instId={symbol}", "market/tickers?instType={kind}"),
            polls={
                "mark": ("public/mark-price?instType={kind}",) * 2,
                "open_interest": ("public/open-interest?instType={kind}",) * 2,
                "funding": ("public/funding-rate?instId={symbol}", None),
                "index": None,
            },
            depth="market/books?instId={symbol}&sz=400",
            candles="market/history-candles?instId={symbol}&bar={interval}"
            "&before={before}&after={after}&limit=100",
            fundings="public/funding-rate-history?instId={symbol}"
            "&before={before}&after={after}&limit=100",
            unit_ns=NS_PER_MS,
            most_candles=100,
            most_fundings=100,
            purposes=_PURPOSES,
            symbol="instId",
            interval="bar",
            intervals=INTERVALS,
            seconds=SECONDS | {"": 60},  # without `bar`, candles are of a minute
            weights={"venue_marks": 2, "funding_history": 2},
            lists=[f"public/instruments?instType={kind}" for kind in ("SWAP", "FUTURES")],
            readers=_READERS,
            book=_book,
            listing=_rows,
            instrument=_instrument,
        )

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request for one symbol, or one per kind of contract for all of the kind."""
        one, every = self._quotes
        return self._requests((one if len(set(symbols)) == 1 else every or one, every), symbols)

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request per kind of contract; for funding one per perpetual."""
        if what == "funding":
            symbols = [symbol for symbol in symbols if _kind_of(symbol) == "SWAP"]
        return super().poll(what, symbols)

    def _fields(self, symbol: str) -> Mapping[str, object]:
        return {"kind": _kind_of(symbol)}


def _kind_of(symbol: str) -> str:
    return "SWAP" if symbol.endswith("-SWAP") else "FUTURES"


def _rows(body: bytes) -> list[msgspec.Raw]:
    answer = _ANSWER(body)
    if answer.code != "0":
        msg = f"refused with {answer.code[:10]}: {answer.message[:60]}"
        raise VenueError(msg)
    return answer.data


def _book(body: bytes) -> BookSnapshot:
    (row,) = _rows(body)
    record = _BOOK(row)
    return BookSnapshot(record.bids, record.asks, record.sequence, ns_if_any(record.time))


_READERS: Final = {
    "quotes": reader_of(NAME, _rows, TickerRow, touch_of),
    "venue_marks": reader_of(
        NAME,
        _rows,
        MarkRow,
        lambda instrument, row, received_ns: [mark_of(instrument, row, received_ns)],
    ),
    "funding": reader_of(NAME, _rows, FundingRow, funding_of),
    "open_interest": reader_of(NAME, _rows, OpenInterestRow, open_interest_of),
    "depth": book_reader(NAME, _book),
    "candles": candle_reader(NAME, _rows, CandleRow, candle_in),
    "funding_history": reader_of(NAME, _rows, PaidRow, funding_paid_of),
}


def _instrument(raw: msgspec.Raw) -> Instrument:
    """Return the perpetual or dated future in a row of `GET /api/v5/public/instruments`."""
    row = _ROW(raw)
    tick, lot, value, multiplier = map(
        positive, (row.tick, row.lot, row.contract_value, row.multiplier or "1")
    )
    perpetual = row.inst_type == "SWAP"
    term = term_of(None if perpetual else (ns_if_any(row.expiry) or 0) // NS_PER_S)
    base, _, quote = row.underlying.partition("-")
    # BTC-USD_UM beside BTC-USD: the same underlying, another margin.
    pair = "-".join(row.symbol.split("-")[:2])
    return Instrument(
        id=InstrumentId(NAME, row.symbol),
        canonical=f"{pair}-{term}",
        base=base,
        quote=quote,
        margin=row.margin,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(value) * Decimal(multiplier),
        linear=row.contract_type == "linear",
        perpetual=perpetual,
        trading=row.state == "live",
    )
