"""Bybit over REST: tickers, books, candles, past funding and the list of instruments.

Source: bybit-exchange.github.io/docs/v5 (market, rate-limit, market/instrument), read 2026-11. An
address may make 600 requests in 5 s; beyond that, the answer is status 403 and all requests are
refused for 10 minutes. Other refusals have status 200 and a `retCode` other than 0. Tickers bring
marks, funding and open interest.

A linear contract is one unit of its base coin, an inverse one is worth 1 USD. A perpetual may have
a delivery time too: the day on which it is delisted.
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
from perps_actors.venues.bybit.parse import funding_paid_of, kline_of, quotes_of
from perps_actors.venues.bybit.schema import (
    CATEGORIES,
    INTERVALS,
    SECONDS,
    DepthData,
    InstrumentRow,
    KlineRow,
    ListAnswer,
    Listing,
    PaidRow,
    TickerData,
    category_of,
)
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S, ns_if_any
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    book_reader,
    candle_reader,
    read_rows,
    reader_of,
    term_of,
)

NAME: Final = "bybit"
LIVE: Final = Endpoints(stream="wss://stream.bybit.com", rest="https://api.bybit.com")
WEIGHT_PER_MINUTE: Final = 7_200

_PURPOSES: Final = {
    "/v5/market/tickers": "quotes",
    "/v5/market/orderbook": "depth",
    "/v5/market/kline": "candles",
    "/v5/market/funding/history": "funding_history",
    "/v5/market/instruments-info": "instruments",
}
_ANSWER: Final = msgspec.json.Decoder(ListAnswer).decode
_LISTING: Final = msgspec.json.Decoder(Listing).decode
_TICKER: Final = msgspec.json.Decoder(TickerData).decode
_DEPTH: Final = msgspec.json.Decoder(DepthData).decode
_ROW: Final = msgspec.json.Decoder(InstrumentRow).decode


class BybitRest(VenueRest):
    """A `RestAdapter` for Bybit.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            f"{endpoints.rest}/v5/market/",
            NAME,
            quotes=(
                "tickers?category={category}&symbol={symbol}",
                "tickers?category={category}",
            ),
            depth="orderbook?category={category}&symbol={symbol}&limit=500",
            candles="kline?category={category}&symbol={symbol}&interval={interval}"
            "&start={first}&end={last}&limit=1000",
            fundings="funding/history?category={category}&symbol={symbol}"
            "&startTime={first}&endTime={last}&limit=200",
            unit_ns=NS_PER_MS,
            most_candles=1_000,
            most_fundings=200,
            purposes=_PURPOSES,
            symbol="symbol",
            interval="interval",
            intervals=INTERVALS,
            seconds=SECONDS,
            lists=[f"instruments-info?category={category}&limit=1000" for category in CATEGORIES],
            readers=_READERS,
            book=_book,
            listing=_rows,
            instrument=_instrument,
        )

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request per category, for one symbol or for all; linear contracts first."""
        return super().quotes(sorted(symbols, key=category_of, reverse=True))

    def _fields(self, symbol: str) -> Mapping[str, object]:
        return {"category": category_of(symbol)}


def _result_of(body: bytes) -> tuple[msgspec.Raw, int | None]:
    """Return the result of an answer, and its time."""
    answer = _ANSWER(body)
    if answer.code != 0:
        msg = f"refused with {answer.code}: {answer.message[:60]}"
        raise VenueError(msg)
    return answer.result, answer.time * NS_PER_MS if answer.time is not None else None


def _rows(body: bytes) -> list[msgspec.Raw]:
    return _LISTING(_result_of(body)[0]).rows


def _quotes(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
    result, time_ns = _result_of(body)
    return read_rows(
        NAME,
        _LISTING(result).rows,
        _TICKER,
        lambda instrument, row: quotes_of(instrument, row, time_ns, received_ns),
    )


def _book(body: bytes) -> BookSnapshot:
    data = _DEPTH(_result_of(body)[0])
    return BookSnapshot(data.bids, data.asks, data.update_id, data.time * NS_PER_MS, data.symbol)


_READERS: Final = {
    "quotes": _quotes,
    "depth": book_reader(NAME, _book),
    "candles": candle_reader(NAME, _rows, KlineRow, kline_of),
    "funding_history": reader_of(NAME, _rows, PaidRow, funding_paid_of),
}


def _instrument(raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row of `GET /v5/market/instruments-info`."""
    row = _ROW(raw)
    tick, lot = positive(row.price_filter.tick_size), positive(row.lot_size_filter.qty_step)
    perpetual = row.contract_type.endswith("Perpetual")
    delivery_s = (ns_if_any(row.delivery_time) or 0) // NS_PER_S
    term = term_of(None if perpetual else delivery_s)
    return Instrument(
        id=InstrumentId(NAME, row.symbol),
        canonical=f"{row.base_coin}-{row.quote_coin}-{term}",
        base=row.base_coin,
        quote=row.quote_coin,
        margin=row.settle_coin,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(1),
        linear=row.contract_type.startswith("Linear"),
        perpetual=perpetual,
        trading=row.status == "Trading",
    )
