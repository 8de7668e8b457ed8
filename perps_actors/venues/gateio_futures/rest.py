"""Gate.io's futures over REST: quotes, books, candles, past funding and the list of contracts.

Source: gate.com/docs/developers/apiv4, read 2026-11: 200 requests in 10 s for each address and
path, status 429 beyond. An answer has at most 2,000 candles or 1,000 fundings. Both ends of a span
belong to it, so the last second requested is the one before the end.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.venues.contract import BookSnapshot, Endpoints
from perps_actors.venues.gateio_futures.parse import (
    candle_in,
    contract_of,
    funding_paid_of,
    nanoseconds,
    quote_of,
)
from perps_actors.venues.gateio_futures.schema import (
    INTERVALS,
    SECONDS,
    CandleRow,
    ContractRow,
    PaidRow,
    TickerRow,
    decode_book_answer,
)
from perps_actors.venues.toolkit.fields import NS_PER_S, text_of
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    candle_reader,
    reader_of,
)

NAME: Final = "gateio_futures"
LIVE: Final = Endpoints(stream="wss://fx-ws.gateio.ws", rest="https://api.gateio.ws")

_PREFIX: Final = "/api/v4/futures/usdt"
_PURPOSES: Final = {
    f"{_PREFIX}/tickers": "quotes",
    f"{_PREFIX}/contracts": "instruments",
    f"{_PREFIX}/order_book": "depth",
    f"{_PREFIX}/candlesticks": "candles",
    f"{_PREFIX}/funding_rate": "funding_history",
}
_CONTRACT: Final = msgspec.json.Decoder(ContractRow).decode
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class GateioFuturesRest(VenueRest):
    """A `RestAdapter` for Gate.io's futures.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            f"{endpoints.rest}{_PREFIX}/",
            NAME,
            quotes=("tickers?contract={symbol}", "tickers"),
            depth="order_book?contract={symbol}&limit=100&with_id=true",
            candles="candlesticks?contract={symbol}&interval={interval}&from={first}&to={last}",
            fundings="funding_rate?contract={symbol}&limit=1000&from={first}&to={last}",
            unit_ns=NS_PER_S,
            most_candles=2_000,
            most_fundings=1_000,
            purposes=_PURPOSES,
            symbol="contract",
            interval="interval",
            intervals=INTERVALS,
            seconds=SECONDS,
            lists=["contracts"],
            readers=_READERS,
            book=book_of,
            listing=_ROWS,
            instrument=instrument_of,
        )


def book_of(body: bytes) -> BookSnapshot:
    """Return the book in an answer."""
    answer = decode_book_answer(body)
    bids, asks = levels_of(answer.bids), levels_of(answer.asks)
    return BookSnapshot(bids, asks, answer.id, nanoseconds(answer.update))


_READERS: Final = {
    "quotes": reader_of(NAME, _ROWS, TickerRow, quote_of),
    "instruments": reader_of(NAME, _ROWS, ContractRow, contract_of),
    "candles": candle_reader(NAME, _ROWS, CandleRow, candle_in),
    "funding_history": reader_of(NAME, _ROWS, PaidRow, funding_paid_of, named=False),
}


def instrument_of(raw: msgspec.Raw) -> Instrument:
    """Return the contract in a row of `GET /futures/usdt/contracts`.

    Source: gate.com/docs/developers/apiv4, read 2026-11. `quanto_multiplier` is the size of one
    contract in the base currency, `order_price_round` the tick, and `order_size_min` the smallest
    order in contracts, which is the step of sizes too.

    Raises:
        MarketError, msgspec.MsgspecError: the row cannot be read.
    """
    row = _CONTRACT(raw)
    tick, lot = positive(row.order_price_round), positive(text_of(row.order_size_min))
    base, _, quote = row.symbol.rpartition("_")
    return Instrument(
        id=InstrumentId(NAME, row.symbol),
        canonical=f"{base}-{quote}-PERP",
        base=base,
        quote=quote,
        margin="USDT",
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(positive(row.quanto_multiplier)),
        linear=row.type == "direct",
        perpetual=True,
        trading=row.status == "trading" and not row.in_delisting,
    )
