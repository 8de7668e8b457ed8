"""Deribit over HTTP: quotes, tickers, books, candles, past funding, last trades and instruments.

Source: docs.deribit.com (api-reference/market-data, articles/rate-limits), read 2026-10. Methods
are paths below `/api/v2`. A request costs 500 credits, `get_instruments` 10,000, and 10,000 credits
return each second: 20 requests a second. Open interest, mark and funding come with the quotes; a
row of bulk quotes has no sizes and no index price. Funding is paid continuously: its history has
the rate of each hour, at most 744 hours in an answer. Candles come as columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive, spelled
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome, Polled
from perps_actors.venues.deribit.parse import (
    funding_paid_of,
    past_candle_of,
    summary_of,
    ticker_of,
    trade_of,
)
from perps_actors.venues.deribit.schema import (
    INTERVALS,
    SECONDS,
    Answer,
    CandleRow,
    Chart,
    GroupedBook,
    InstrumentRow,
    PaidRow,
    Summary,
    Ticker,
    TradeRow,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS, check_symbol
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    book_reader,
    funding_pages,
    history_reader,
    moments,
    pages,
    reader_of,
    spelled_interval,
    term_of,
)

NAME: Final = "deribit"
LIVE: Final = Endpoints(stream="wss://www.deribit.com", rest="https://www.deribit.com")
WEIGHT_PER_MINUTE: Final = 1_200
MOST_CANDLES: Final = 1_000
MOST_FUNDINGS: Final = 744

_ROOT: Final = "/api/v2/public/"
_PURPOSES: Final = {
    f"{_ROOT}get_book_summary_by_currency": "quotes",
    f"{_ROOT}ticker": "ticker",
    f"{_ROOT}get_order_book": "depth",
    f"{_ROOT}get_tradingview_chart_data": "candles",
    f"{_ROOT}get_funding_rate_history": "funding_history",
    f"{_ROOT}get_last_trades_by_instrument": "trades",
    f"{_ROOT}get_instruments": "instruments",
}
_ANSWER: Final = msgspec.json.Decoder(Answer)
_BOOK: Final = msgspec.json.Decoder(GroupedBook).decode
_CHART: Final = msgspec.json.Decoder(Chart).decode


class _Trades(msgspec.Struct, gc=False):
    trades: list[msgspec.Raw]


_TRADES: Final = msgspec.json.Decoder(_Trades)
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ROW: Final = msgspec.json.Decoder(InstrumentRow).decode


def currency_of(symbol: str) -> str:
    """Return the settlement currency: BTC for `BTC-PERPETUAL`, USDC for `SOL_USDC-PERPETUAL`."""
    return symbol.partition("-")[0].rpartition("_")[2]


class DeribitRest(VenueRest):
    """A `RestAdapter` for Deribit and its gateways.

    Args:
        endpoints: the venue's addresses.
        venue: name of the venue.
    """

    def __init__(self, endpoints: Endpoints = LIVE, venue: str = NAME) -> None:
        self._venue = venue
        ticker, book = reader_of(venue, _alone, Ticker, ticker_of), book_reader(venue, _book)
        readers = {
            "quotes": reader_of(venue, _rows, Summary, summary_of),
            "ticker": ticker,
            "depth": lambda request, body, received_ns: [
                *book(request, body, received_ns),
                *ticker(request, body, received_ns),
            ],
            "candles": history_reader(venue, _candle_rows, CandleRow, past_candle_of),
            "funding_history": history_reader(venue, _rows, PaidRow, funding_paid_of),
            "trades": reader_of(
                venue, lambda body: _TRADES.decode(_result_of(body)).trades, TradeRow, _history
            ),
        }
        super().__init__(
            f"{endpoints.rest}{_ROOT}",
            purposes=_PURPOSES,
            symbol="instrument_name",
            interval="resolution",
            seconds=SECONDS,
            weights={"instruments": 20},
            lists=["get_instruments?currency=any&kind=future"],
            readers=readers,
            book=_book,
            listing=_rows,
            instrument=lambda row: _instrument(venue, row),
        )

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return one request per settlement currency, for one symbol or for all its futures."""
        by_currency: dict[str, list[str]] = {}
        for symbol in dict.fromkeys(symbols):
            by_currency.setdefault(currency_of(symbol), []).append(symbol)
        return tuple(
            self._get(f"ticker?instrument_name={quote(wanted[0], safe='')}")
            if len(wanted) == 1
            else self._get(
                f"get_book_summary_by_currency?currency={quote(currency, safe='')}&kind=future"
            )
            for currency, wanted in by_currency.items()
        )

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for quotes, which have all but the index; for that one per symbol."""
        if what == "index":
            return tuple(
                self._get(f"ticker?instrument_name={quote(symbol, safe='')}")
                for symbol in dict.fromkeys(symbols)
            )
        return self.quotes(symbols)

    def depth(self, symbol: str) -> HttpRequest:
        """Return the request for the 1,000 best levels of each side, answered with a ticker too."""
        return self._get(f"get_order_book?instrument_name={quote(symbol, safe='')}&depth=1000")

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_CANDLES` candles.

        Raises:
            SettingsError: Deribit has no candles of this length.
        """
        what = f"&resolution={spelled_interval(INTERVALS, interval_s, self._venue)}"
        return tuple(
            self._get(f"get_tradingview_chart_data?{_span(symbol, page)}{what}")
            for page in pages(since_ns, until_ns, interval_s, MOST_CANDLES)
        )

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return a request for each `MOST_FUNDINGS` hours."""
        return tuple(
            self._get(f"get_funding_rate_history?{_span(symbol, page)}")
            for page in funding_pages(since_ns, until_ns, MOST_FUNDINGS)
        )


def _span(symbol: str, page: tuple[int, int]) -> str:
    first, last = moments(page, NS_PER_MS)
    return f"instrument_name={quote(symbol, safe='')}&start_timestamp={first}&end_timestamp={last}"


def _result_of(body: bytes) -> msgspec.Raw:
    answer = _ANSWER.decode(body)
    if bytes(answer.error) not in (b"", b"null"):
        msg = f"The venue refused: {bytes(answer.error)[:150].decode(errors='replace')}"
        raise VenueError(msg)
    return answer.result


def _rows(body: bytes) -> list[msgspec.Raw]:
    return _ROWS(_result_of(body))


def _alone(body: bytes) -> list[msgspec.Raw]:
    return [_result_of(body)]


def _candle_rows(body: bytes) -> list[msgspec.Raw]:
    """Return the columns of a chart as rows; raise `VenueError` if their lengths differ."""
    chart = _CHART(_result_of(body))
    columns = (
        chart.ticks,
        chart.cost,
        chart.open,
        chart.high,
        chart.low,
        chart.close,
        chart.volume,
    )
    if len({len(column) for column in columns}) != 1:
        lengths = ", ".join(str(len(column)) for column in columns)
        msg = f"Expected columns of one length, was {lengths}"
        raise VenueError(msg)
    return [msgspec.Raw(b"[%d,%b,%b,%b,%b,%b,%b]" % row) for row in zip(*columns, strict=True)]


def _book(body: bytes) -> BookSnapshot:
    book = _BOOK(_result_of(body))
    return BookSnapshot(
        levels_of(book.bids),
        levels_of(book.asks),
        book.change_id,
        book.timestamp * NS_PER_MS,
        book.symbol,
    )


def _history(instrument: InstrumentId, row: TradeRow, received_ns: int) -> Sequence[Outcome]:
    return trade_of(instrument, row, received_ns, backlog=True)


def _instrument(venue: str, raw: msgspec.Raw) -> Instrument | None:
    """Return the perpetual or dated future in a row; None for an option or a combo."""
    row = _ROW(raw)
    if row.kind != "future":
        return None
    tick, lot, size = (
        Decimal(positive(spelled(n)))
        for n in (row.tick_size, row.min_trade_amount, row.contract_size)
    )
    symbol = check_symbol(row.symbol)
    perpetual, linear = row.settlement_period == "perpetual", row.instrument_type == "linear"
    term = term_of(None if perpetual else row.expiration_timestamp // 1000)
    base, quote = row.base_currency, row.counter_currency or row.quote_currency
    return Instrument(
        id=InstrumentId(venue, symbol),
        canonical=f"{base}-{quote}-{term}",
        base=base,
        quote=quote,
        margin=row.settlement_currency or (quote if linear else base),
        tick=tick,
        lot=lot,
        contract_size=size,
        linear=linear,
        perpetual=perpetual,
        trading=row.is_active,
    )
