"""Kraken Futures over REST: quotes, books, candles, past funding and the list of instruments.

Source: docs.kraken.com (futures REST; guides on rate limits), read 2026-10.

- `/derivatives` takes 500 requests in ten seconds.
- Quotes bring mark, index and open interest along. They have funding only as money per contract,
  which cannot be converted to a rate exactly, so it is not read.
- One answer has the whole history of funding. Its v4 path works; the documented v3 answers 404.
- Candles have another path. Requests name their span in seconds, answers in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import unquote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import positive, spelled
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome
from perps_actors.venues.kraken_futures.parse import funding_paid_of, past_candle_of, polled_of
from perps_actors.venues.kraken_futures.schema import (
    INTERVALS,
    SECONDS,
    BookAnswer,
    CandleRow,
    CandlesAnswer,
    InstrumentRow,
    InstrumentsAnswer,
    PaidAnswer,
    PaidRow,
    TickerRow,
    TickersAnswer,
)
from perps_actors.venues.toolkit.fields import NS_PER_S, check_symbol, nanoseconds
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    book_reader,
    candle_reader,
    parts_of,
    read_rows,
    reader_of,
)

NAME: Final = "kraken_futures"
LIVE: Final = Endpoints(stream="wss://futures.kraken.com", rest="https://futures.kraken.com")
WEIGHT_PER_MINUTE: Final = 3_000

_ROOT: Final = "/derivatives/api/v3/"
FUNDINGS: Final = "/derivatives/api/v4/historicalfundingrates"
CHARTS: Final = "/api/charts/v1/trade/"
_PURPOSES: Final = {
    f"{_ROOT}tickers": "quotes",
    f"{_ROOT}orderbook": "depth",
    FUNDINGS: "funding_history",
    f"{_ROOT}instruments": "instruments",
}
_TICKERS: Final = msgspec.json.Decoder(TickersAnswer).decode
_TICKER: Final = msgspec.json.Decoder(TickerRow).decode
_BOOK: Final = msgspec.json.Decoder(BookAnswer).decode
_CANDLES: Final = msgspec.json.Decoder(CandlesAnswer).decode
_PAID: Final = msgspec.json.Decoder(PaidAnswer).decode
_LIST: Final = msgspec.json.Decoder(InstrumentsAnswer).decode
_INSTRUMENT: Final = msgspec.json.Decoder(InstrumentRow).decode


class KrakenFuturesRest(VenueRest):
    """A `RestAdapter` for Kraken Futures.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            endpoints.rest,
            NAME,
            quotes=(_ROOT + "tickers/{symbol}", _ROOT + "tickers"),
            polls={"funding": None},  # REST has no rate of funding
            depth=_ROOT + "orderbook?symbol={symbol}",
            candles=CHARTS + "{symbol}/{interval}?from={first}&to={last}",
            fundings=FUNDINGS + "?symbol={symbol}",
            unit_ns=NS_PER_S,
            most_candles=1_000,
            most_fundings=1,
            purposes=_PURPOSES,
            symbol="symbol",
            interval="",
            intervals=INTERVALS,
            seconds=SECONDS,
            lists=[f"{_ROOT}instruments"],
            readers=_READERS,
            book=_book,
            listing=lambda body: _LIST(body).instruments,
            instrument=instrument_of,
        )

    def funding_history(
        self,
        symbol: str,
        since_ns: int,  # noqa: ARG002
        until_ns: int,  # noqa: ARG002
    ) -> tuple[HttpRequest, ...]:
        """Return the request for all past fundings, because it cannot name a span."""
        return (self._get(self._path(self._fundings, symbol)),)

    def request_for(self, url: str) -> HttpRequest:
        """Return the request of an address, of which the path may contain the symbol."""
        path, _ = parts_of(url)
        if path.startswith(CHARTS):
            symbol, _, name = path.removeprefix(CHARTS).partition("/")
            return HttpRequest(
                url=url,
                purpose="candles",
                symbol=unquote(symbol) or None,
                interval_s=SECONDS.get(name),
            )
        method, _, symbol = path.removeprefix(_ROOT).partition("/")
        if method == "tickers":
            return HttpRequest(url=url, purpose="quotes", symbol=unquote(symbol) or None)
        return super().request_for(url)


def _ticker(raw: msgspec.Raw) -> TickerRow:
    row = _TICKER(raw)
    row.symbol = row.symbol.upper()
    return row


def _quotes(_: HttpRequest, body: bytes, received_ns: int) -> Sequence[Outcome]:
    answer = _TICKERS(body)
    if answer.result != "success":
        msg = f"The venue refused: {answer.error or answer.result}"
        raise VenueError(msg)
    rows = answer.tickers if answer.tickers is not None else [answer.ticker]
    time_ns = nanoseconds(answer.server_time) if answer.server_time is not None else None
    return read_rows(
        NAME,
        rows,
        _ticker,
        lambda instrument, row: polled_of(instrument, row, time_ns, received_ns),
    )


def _book(body: bytes) -> BookSnapshot:
    answer = _BOOK(body)
    if answer.order_book is None:
        msg = f"The venue refused: {answer.error or answer.result}"
        raise VenueError(msg)
    bids, asks = levels_of(answer.order_book.bids), levels_of(answer.order_book.asks)
    time_ns = nanoseconds(answer.server_time) if answer.server_time is not None else None
    return BookSnapshot(bids, asks, None, time_ns)


_READERS: Final = {
    "quotes": _quotes,
    "depth": book_reader(NAME, _book),
    "candles": candle_reader(NAME, lambda body: _CANDLES(body).candles, CandleRow, past_candle_of),
    "funding_history": reader_of(
        NAME, lambda body: _PAID(body).rates, PaidRow, funding_paid_of, named=False
    ),
}


_CURRENCIES: Final = {"XBT": "BTC", "XDG": "DOGE"}
_NAME: Final = re.compile(r"[A-Z]+_([A-Z0-9]+)(USD|EUR|GBP|XBT)(?:_[0-9]+)?", re.ASCII)


def instrument_of(raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row of `GET /derivatives/api/v3/instruments`.

    Source: docs.kraken.com (futures REST, get-instruments), read 2026-10. Inverse contracts
    (`futures_inverse`) are of 1 USD and settled in the base asset. Flexible contracts are settled
    in the quote currency and counted in base asset; `contractValueTradePrecision` is the number of
    decimals. A contract without a last trading time is perpetual.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError: the row cannot be read, as that of an index.
    """
    row = _INSTRUMENT(raw)
    tick, size = positive(spelled(row.tick_size)), positive(spelled(row.contract_size))
    symbol = check_symbol(row.symbol.upper())
    base, quote = row.base, row.quote
    if base is None or quote is None:
        found = _NAME.fullmatch(symbol)
        if found is None:
            msg = f"Expected a symbol such as PI_XBTUSD, was {symbol}"
            raise VenueError(msg)
        base, quote = found.groups()
    base, quote = _CURRENCIES.get(base, base), _CURRENCIES.get(quote, quote)
    linear, last = row.type != "futures_inverse", row.last_trading_time
    return Instrument(
        id=InstrumentId(NAME, symbol),
        canonical=f"{base}-{quote}-{'PERP' if last is None else f'{last:%y%m%d}'}",
        base=base,
        quote=quote,
        margin=quote if linear else base,
        tick=Decimal(tick),
        lot=Decimal(1).scaleb(-row.contract_value_trade_precision),
        contract_size=Decimal(size),
        linear=linear,
        perpetual=last is None,
        trading=row.tradeable,
    )
