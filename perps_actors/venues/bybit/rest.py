"""Bybit over REST: tickers, books, candles, past funding and the list of instruments.

Source: bybit-exchange.github.io/docs/v5 (market, rate-limit, market/instrument), read 2026-11. An
address may make 600 requests in 5 s; beyond that, the answer is status 403 and all requests are
refused for 10 minutes. Other refusals have status 200 and a `retCode` other than 0. Tickers bring
marks, funding and open interest.

A linear contract is one unit of its base coin, an inverse one is worth 1 USD. A perpetual may have
a delivery time too: the day on which it is delisted.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import quote

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
    Category,
    DepthData,
    InstrumentRow,
    KlineRow,
    ListAnswer,
    Listing,
    PaidRow,
    TickerData,
    by_category,
    category_of,
)
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome, Polled
from perps_actors.venues.toolkit.fields import NS_PER_MS, NS_PER_S, ns_if_any
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    book_reader,
    funding_pages,
    history_reader,
    moments,
    pages,
    read_rows,
    reader_of,
    spelled_interval,
    term_of,
)

NAME: Final = "bybit"
LIVE: Final = Endpoints(stream="wss://stream.bybit.com", rest="https://api.bybit.com")
WEIGHT_PER_MINUTE: Final = 7_200
DEPTH: Final = 500
"""Levels of each side of a depth snapshot, the most that Bybit sends."""
MOST_CANDLES: Final = 1_000
MOST_FUNDINGS: Final = 200

_PATHS: Final = {
    "quotes": "/v5/market/tickers",
    "depth": "/v5/market/orderbook",
    "candles": "/v5/market/kline",
    "funding_history": "/v5/market/funding/history",
    "instruments": "/v5/market/instruments-info",
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
            endpoints.rest,
            purposes={path: purpose for purpose, path in _PATHS.items()},
            symbol="symbol",
            interval="interval",
            seconds=SECONDS,
            lists=[
                f"{_PATHS['instruments']}?category={category}&limit=1000" for category in CATEGORIES
            ],
            readers=_READERS,
            book=_book,
            listing=_rows,
            instrument=_instrument,
        )

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request per category, for one symbol or for all that the venue lists."""
        return tuple(
            self._request("quotes", category, symbol=members[0] if len(members) == 1 else None)
            for category, members in by_category(tuple(dict.fromkeys(symbols))).items()
        )

    def poll(
        self,
        what: Polled,  # noqa: ARG002
        symbols: Sequence[str],
    ) -> tuple[HttpRequest, ...]:
        """Return the requests for quotes, whose answers have everything that can be polled."""
        return self.quotes(symbols)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the `DEPTH` best levels of each side."""
        return self._request("depth", category_of(symbol), f"&limit={DEPTH}", symbol=symbol)

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_CANDLES` candles.

        Raises:
            SettingsError: Bybit has no candles of this length.
        """
        name = spelled_interval(INTERVALS, interval_s, NAME)
        return tuple(
            self._request(
                "candles",
                category_of(symbol),
                f"&interval={name}&start={first}&end={last}&limit={MOST_CANDLES}",
                symbol=symbol,
            )
            for first, last in (
                moments(page, NS_PER_MS)
                for page in pages(since_ns, until_ns, interval_s, MOST_CANDLES)
            )
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_FUNDINGS` hours."""
        return tuple(
            self._request(
                "funding_history",
                category_of(symbol),
                f"&startTime={first}&endTime={last}&limit={MOST_FUNDINGS}",
                symbol=symbol,
            )
            for first, last in (
                moments(page, NS_PER_MS)
                for page in funding_pages(since_ns, until_ns, MOST_FUNDINGS)
            )
        )

    def _request(
        self, purpose: str, category: Category, more: str = "", *, symbol: str | None = None
    ) -> HttpRequest:
        named = f"&symbol={quote(symbol, safe='')}" if symbol is not None else ""
        return self._get(f"{_PATHS[purpose]}?category={category}{named}{more}")


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
    "candles": history_reader(NAME, _rows, KlineRow, kline_of),
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
