"""BitMEX over REST: contracts, books, candles, past funding and trades.

One answer has quote, mark, funding and open interest of all contracts. Source: bitmex.com API
explorer and app/restAPI, read 2026-10: 30 requests a minute without a key (120 with one), status
429 beyond. Candles and fundings come oldest first, at most 1,000 and 500 in an answer; the time of
a candle is the end of its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.events import Touch
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bitmex.parse import (
    candle_in,
    funding_paid_of,
    nanoseconds,
    row_events,
    trade_of,
)
from perps_actors.venues.bitmex.schema import (
    INTERVALS,
    SECONDS,
    BinRow,
    BookRow,
    ContractRow,
    FundingRow,
    InstrumentRow,
    TradeRow,
)
from perps_actors.venues.contract import BookSnapshot, Endpoints, Outcome
from perps_actors.venues.toolkit.fields import NS_PER_S, text_of, uncrossed
from perps_actors.venues.toolkit.rest import (
    VenueRest,
    book_reader,
    candle_reader,
    moments,
    reader_of,
)

NAME: Final = "bitmex"
LIVE: Final = Endpoints(stream="wss://ws.bitmex.com", rest="https://www.bitmex.com")

_ACTIVE: Final = "/api/v1/instrument/active"
_ONE: Final = "/api/v1/instrument"
_BUCKETED: Final = "/api/v1/trade/bucketed"
_FUNDING: Final = "/api/v1/funding"
_BOOK: Final = "/api/v1/orderBook/L2"
_PURPOSES: Final = {
    _BOOK: "depth",
    _ACTIVE: "quotes",
    _ONE: "quotes",
    _BUCKETED: "candles",
    _FUNDING: "funding_history",
    "/api/v1/trade": "trades",
}
_LEVELS: Final = msgspec.json.Decoder(list[BookRow], float_hook=str).decode
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class BitmexRest(VenueRest):
    """A `RestAdapter` for BitMEX.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            endpoints.rest,
            NAME,
            quotes=(_ONE + "?symbol={symbol}", _ACTIVE),
            depth=_BOOK + "?symbol={symbol}&depth=0",
            candles=_BUCKETED + "?symbol={symbol}&binSize={interval}&partial=false&count=1000"
            "&startTime={first}&endTime={last}",
            fundings=_FUNDING + "?symbol={symbol}&count=500&startTime={first}&endTime={last}",
            unit_ns=NS_PER_S,
            most_candles=1_000,
            most_fundings=500,
            purposes=_PURPOSES,
            symbol="symbol",
            interval="binSize",
            intervals=INTERVALS,
            seconds=SECONDS,
            readers=_READERS,
            book=_book,
            listing=_LIST,
            instrument=lambda row: instrument_of(NAME, row),
        )

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return the requests for candles, which BitMEX names by the end of their interval.

        Raises:
            SettingsError: BitMEX has no candles of this length.
        """
        step_ns = interval_s * NS_PER_S
        return super().candles(symbol, interval_s, since_ns + step_ns, until_ns + step_ns)

    def _moments(self, span: tuple[int, int]) -> dict[str, object]:
        return {
            name: quote(f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S.000Z}", safe="")
            for name, second in zip(("first", "last"), moments(span, NS_PER_S), strict=True)
        }

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the request for the list of instruments."""
        return (HttpRequest(url=f"{self._base}{_ACTIVE}", purpose="instruments"),)


def _rows(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of an answer, which may be a single row without a list."""
    return _LIST(body) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]


def _quotes(instrument: InstrumentId, row: InstrumentRow, received_ns: int) -> Sequence[Outcome]:
    events = row_events(instrument, row, received_ns)
    return [uncrossed(event) if isinstance(event, Touch) else event for event in events]


def _book(body: bytes) -> BookSnapshot:
    """Return the book in an answer, at the time of the level that changed last.

    An answer about a symbol that is not listed has no rows.
    """
    rows = _LEVELS(body)
    if not rows:
        msg = "Expected the levels of a listed contract, was an empty list"
        raise VenueError(msg)
    bids, asks = (levels_of(row for row in rows if row.side == side) for side in ("Buy", "Sell"))
    moments = [row.timestamp for row in rows if row.timestamp is not None]
    return BookSnapshot(bids, asks, None, nanoseconds(max(moments)) if moments else None)


_QUOTES: Final = reader_of(NAME, _rows, InstrumentRow, _quotes)
_READERS: Final = {
    "quotes": _QUOTES,
    "instruments": _QUOTES,
    "depth": book_reader(NAME, _book),
    "candles": candle_reader(NAME, _rows, BinRow, candle_in),
    "funding_history": reader_of(
        NAME,
        _rows,
        FundingRow,
        lambda instrument, row, received_ns: [funding_paid_of(instrument, row, received_ns)],
    ),
    "trades": reader_of(
        NAME,
        _rows,
        TradeRow,
        lambda instrument, row, received_ns: [trade_of(instrument, row, received_ns, backlog=True)],
    ),
}

_PERPETUAL: Final = frozenset({"FFWCSX", "FFWCSF"})
_DATED: Final = "FFCCSX"
_COMMON_NAMES: Final = {"XBT": "BTC", "XBt": "BTC", "USDt": "USDT", "Gwei": "ETH"}
"""Currencies that BitMEX calls by its own names, or by a fraction of them."""
_ROW: Final = msgspec.json.Decoder(ContractRow).decode
_DIVISION: Final = Context(prec=20)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument | None:
    """Return the perpetual or future of `venue` in a row; None for spot, options and indices.

    Source: bitmex.com API explorer and app/wsAPI, read 2026-10. `typ` FFWCSX and FFWCSF are
    perpetuals, FFCCSX futures with an expiry. A linear or quanto contract's size in the underlying
    is `multiplier` over `quoteToSettleMultiplier`; of a quanto contract that holds only at the
    present rate between quote and settlement currency. An inverse contract's size in the quote
    currency is `multiplier` over `underlyingToSettleMultiplier`.

    Raises:
        MarketError, msgspec.MsgspecError, ArithmeticError: the row cannot be read.
    """
    row = _ROW(raw)
    tick, lot = positive(text_of(row.tick_size)), positive(text_of(row.lot_size))
    multiplier, to_settle = (
        Decimal(decimal_text(text_of(number)))
        for number in (
            row.multiplier,
            row.underlying_to_settle_multiplier
            if row.is_inverse
            else row.quote_to_settle_multiplier,
        )
    )
    perpetual = row.typ in _PERPETUAL
    if not perpetual and (row.typ != _DATED or row.expiry is None):
        return None
    base, quote = (_COMMON_NAMES.get(name, name) for name in (row.underlying, row.quote_currency))
    # Dated contracts are named by the day of expiry in UTC, as at other venues.
    term = "PERP" if perpetual or row.expiry is None else f"{row.expiry:%y%m%d}"
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{base}-{quote}-{term}",
        base=base,
        quote=quote,
        margin=_COMMON_NAMES.get(row.settl_currency, row.settl_currency.upper()),
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=_DIVISION.divide(multiplier, to_settle),
        linear=not row.is_inverse,
        perpetual=perpetual,
        trading=row.state == "Open",
    )
