"""Binance futures over REST: quotes, marks, open interest, books, candles, history and instruments.

Source: developers.binance.com/docs/derivatives/usds-margined-futures and .../coin-margined-futures
(market data endpoints), read 2026-10: addresses and weights. An address has a weight of 2,400 a
minute; beyond that, the answer is status 429, and later 418. 1,000 candles cost 5; those of COIN-M
may span 200 days. The history of funding has a limit of its own: 500 requests in 5 minutes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs
import msgspec

from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.binance_futures.parse import (
    funding_paid_of,
    kline_of,
    marks_of,
    open_interest_of,
    touch_of,
)
from perps_actors.venues.binance_futures.schema import (
    INTERVALS,
    SECONDS,
    USD_M,
    DepthAnswer,
    Dialect,
    ExchangeInfo,
    KlineRow,
    OpenInterestAnswer,
    PaidRow,
    PremiumRow,
    QuoteRow,
    SymbolRow,
)
from perps_actors.venues.contract import BookSnapshot, Endpoints
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    candle_reader,
    reader_of,
    term_of,
)

NAME: Final = USD_M.venue
LIVE: Final = USD_M.live

_DEPTH: Final = msgspec.json.Decoder(DepthAnswer).decode
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_INFO: Final = msgspec.json.Decoder(ExchangeInfo).decode
_ROW: Final = msgspec.json.Decoder(SymbolRow).decode
_PERPETUAL: Final = frozenset({"PERPETUAL", "TRADIFI_PERPETUAL"})


def _rows(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of an answer; the answer for one symbol is the row itself."""
    return _LIST(body) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]


class BinanceFuturesRest(VenueRest):
    """A `RestAdapter` for Binance's futures venues.

    Args:
        endpoints: the venue's addresses; None for the live ones.
        dialect: which of Binance's venues this is.
    """

    def __init__(self, endpoints: Endpoints | None = None, dialect: Dialect = USD_M) -> None:
        self._dialect = dialect
        readers = {
            "quotes": reader_of(dialect.venue, _rows, QuoteRow, touch_of),
            "venue_marks": reader_of(dialect.venue, _rows, PremiumRow, marks_of),
            "open_interest": reader_of(dialect.venue, _rows, OpenInterestAnswer, open_interest_of),
            "candles": candle_reader(dialect.venue, _LIST, KlineRow, kline_of),
            "funding_history": reader_of(dialect.venue, _LIST, PaidRow, funding_paid_of),
        }
        premiums = "/premiumIndex?symbol={symbol}", "/premiumIndex"
        super().__init__(
            (endpoints if endpoints is not None else dialect.live).rest + dialect.prefix,
            dialect.venue,
            quotes=("/ticker/bookTicker?symbol={symbol}", "/ticker/bookTicker"),
            polls={
                "mark": premiums,
                "index": premiums,
                "funding": premiums,
                "open_interest": ("/openInterest?symbol={symbol}", None),
            },
            depth="/depth?symbol={symbol}&limit=1000",
            candles="/klines?symbol={symbol}&interval={interval}"
            "&startTime={first}&endTime={last}&limit=1000",
            fundings="/fundingRate?symbol={symbol}&startTime={first}&endTime={last}&limit=1000",
            unit_ns=NS_PER_MS,
            most_candles=1_000,
            most_fundings=1_000,
            longest_s=dialect.longest_candles_s,
            purposes={dialect.prefix + path.name: what for what, path in dialect.rest.items()},
            symbol="symbol",
            interval="interval",
            intervals=INTERVALS,
            seconds=SECONDS,
            lists=[dialect.rest["instruments"].name],
            readers=readers,
            book=book_of,
            listing=lambda body: _INFO(body).symbols,
            instrument=lambda row: _instrument(dialect, row),
        )

    def request_for(self, url: str) -> HttpRequest:
        """Return the request of an address, whose weight depends on whether it names a symbol."""
        request = super().request_for(url)
        path = self._dialect.rest.get(request.purpose)
        if path is None:
            return request
        weight = path.weight_one if request.symbol else path.weight_all
        return attrs.evolve(request, weight=weight)


def book_of(body: bytes) -> BookSnapshot:
    """Return the book in an answer."""
    answer = _DEPTH(body)
    return BookSnapshot(
        answer.bids,
        answer.asks,
        answer.last_id,
        answer.time * NS_PER_MS if answer.time is not None else None,
    )


def _instrument(dialect: Dialect, raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row of `exchangeInfo`."""
    row = _ROW(raw)
    steps = {rule.filter_type: rule.tick_size or rule.step_size for rule in row.filters}
    tick, lot = positive(steps.get("PRICE_FILTER")), positive(steps.get("LOT_SIZE"))
    perpetual = row.contract_type in _PERPETUAL
    term = term_of(None if perpetual else row.delivery_date // 1000)
    return Instrument(
        id=InstrumentId(dialect.venue, row.symbol),
        canonical=f"{row.base_asset}-{row.quote_asset}-{term}",
        base=row.base_asset,
        quote=row.quote_asset,
        margin=row.margin_asset,
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(row.contract_size),
        linear=dialect.linear,
        perpetual=perpetual,
        trading="TRADING" in (row.status, row.contract_status),
    )
