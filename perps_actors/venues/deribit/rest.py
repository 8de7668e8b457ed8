"""Deribit over HTTP: quotes, tickers, books, candles, past funding, last trades and instruments.

Source: docs.deribit.com (api-reference/market-data, articles/rate-limits), read 2026-10. Methods
are paths below `/api/v2`. A request costs 500 credits, `get_instruments` 10,000, and 10,000 credits
return each second: 20 requests a second. Open interest, mark and funding come with the quotes; a
row of bulk quotes has no sizes and no index price. Funding is paid continuously: its history has
the rate of each hour, at most 744 hours in an answer. Candles come as columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive, spelled
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome
from perps_actors.venues.deribit.parse import (
    candle_in,
    funding_paid_of,
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
    candle_reader,
    reader_of,
    term_of,
)

NAME: Final = "deribit"
LIVE: Final = Endpoints(stream="wss://www.deribit.com", rest="https://www.deribit.com")
WEIGHT_PER_MINUTE: Final = 1_200

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
        ticker, book = reader_of(venue, _alone, Ticker, ticker_of), book_reader(venue, _book)
        readers = {
            "quotes": reader_of(venue, _rows, Summary, summary_of),
            "ticker": ticker,
            "depth": lambda request, body, received_ns: [
                *book(request, body, received_ns),
                *ticker(request, body, received_ns),
            ],
            "candles": candle_reader(venue, _candle_rows, CandleRow, candle_in),
            "funding_history": reader_of(venue, _rows, PaidRow, funding_paid_of, named=False),
            "trades": reader_of(
                venue, lambda body: _TRADES.decode(_result_of(body)).trades, TradeRow, _history
            ),
        }
        super().__init__(
            f"{endpoints.rest}{_ROOT}",
            venue,
            quotes=(
                "ticker?instrument_name={symbol}",
                "get_book_summary_by_currency?currency={currency}&kind=future",
            ),
            polls={"index": ("ticker?instrument_name={symbol}", None)},
            depth="get_order_book?instrument_name={symbol}&depth=1000",
            candles="get_tradingview_chart_data?instrument_name={symbol}"
            "&start_timestamp={first}&end_timestamp={last}&resolution={interval}",
            fundings="get_funding_rate_history?instrument_name={symbol}"
            "&start_timestamp={first}&end_timestamp={last}",
            unit_ns=NS_PER_MS,
            most_candles=1_000,
            most_fundings=744,
            purposes=_PURPOSES,
            symbol="instrument_name",
            interval="resolution",
            intervals=INTERVALS,
            seconds=SECONDS,
            weights={"instruments": 20},
            lists=["get_instruments?currency=any&kind=future"],
            readers=readers,
            book=_book,
            listing=_rows,
            instrument=lambda row: _instrument(venue, row),
        )

    def _fields(self, symbol: str) -> Mapping[str, object]:
        return {"currency": quote(currency_of(symbol), safe="")}


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
