"""Gate.io's futures over REST: quotes, books, candles, past funding and the list of contracts.

Source: gate.com/docs/developers/apiv4, read 2026-11: 200 requests in 10 s for each address and
path, status 429 beyond. An answer has at most 2,000 candles or 1,000 fundings. Both ends of a span
belong to it, so the last second requested is the one before the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Polled
from perps_actors.venues.gateio_futures.parse import (
    contract_of,
    funding_paid_of,
    nanoseconds,
    past_candle_of,
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
    funding_pages,
    history_reader,
    moments,
    pages,
    reader_of,
    spelled_interval,
)

NAME: Final = "gateio_futures"
LIVE: Final = Endpoints(stream="wss://fx-ws.gateio.ws", rest="https://api.gateio.ws")
MOST_CANDLES: Final = 2_000
MOST_FUNDINGS: Final = 1_000

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
            purposes=_PURPOSES,
            symbol="contract",
            interval="interval",
            seconds=SECONDS,
            lists=["contracts"],
            readers=_READERS,
            book=_book,
            listing=_ROWS,
            instrument=instrument_of,
        )

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request, for one symbol or for all contracts, at the same weight."""
        wanted = frozenset(symbols)
        one = f"?contract={quote(symbols[0], safe='')}" if len(wanted) == 1 else ""
        return (self._get(f"tickers{one}"),) if wanted else ()

    def poll(
        self,
        what: Polled,  # noqa: ARG002
        symbols: Sequence[str],
    ) -> tuple[HttpRequest, ...]:
        """Return the request for quotes, whose answer has everything that can be polled."""
        return self.quotes(symbols)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 100 best levels of each side, with their update id."""
        return self._get(f"order_book?contract={quote(symbol, safe='')}&limit=100&with_id=true")

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_CANDLES` candles.

        Raises:
            SettingsError: Gate.io has no candles of this length.
        """
        name = spelled_interval(INTERVALS, interval_s, NAME)
        what = f"candlesticks?contract={quote(symbol, safe='')}&interval={name}"
        return tuple(
            self._get(f"{what}{_between(page)}")
            for page in pages(since_ns, until_ns, interval_s, MOST_CANDLES)
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_FUNDINGS` hours."""
        what = f"funding_rate?contract={quote(symbol, safe='')}&limit={MOST_FUNDINGS}"
        return tuple(
            self._get(f"{what}{_between(page)}")
            for page in funding_pages(since_ns, until_ns, MOST_FUNDINGS)
        )


def _book(body: bytes) -> BookSnapshot:
    answer = decode_book_answer(body)
    bids, asks = levels_of(answer.bids), levels_of(answer.asks)
    return BookSnapshot(bids, asks, answer.id, nanoseconds(answer.update))


def _between(page: tuple[int, int]) -> str:
    first, last = moments(page, NS_PER_S)
    return f"&from={first}&to={last}"


_READERS: Final = {
    "quotes": reader_of(NAME, _ROWS, TickerRow, quote_of),
    "instruments": reader_of(NAME, _ROWS, ContractRow, contract_of),
    "candles": history_reader(NAME, _ROWS, CandleRow, past_candle_of),
    "funding_history": history_reader(NAME, _ROWS, PaidRow, funding_paid_of),
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
