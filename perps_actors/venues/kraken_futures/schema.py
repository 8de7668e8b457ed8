"""What Kraken Futures sends, as typed records of the fields we need; all others, old and new, are skipped.

Source: docs.kraken.com (exchange/api-reference/futures-websocket, futures REST), read 2026-10, and captures of 2021 to 2026. Numbers are
JSON numbers, some in scientific notation, so they are kept as spelled until the book or a reading judges them. Names mix camel
and snake case within one message.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Raw, Struct, field

from perps_actors.market.book import MAX_LEVELS
from perps_actors.venues.toolkit.fields import Millis, Moment, NumberLevels, SequenceId

INTERVALS: Final = {
    60: "1m",
    300: "5m",
    900: "15m",
    1_800: "30m",
    3_600: "1h",
    14_400: "4h",
    43_200: "12h",
    86_400: "1d",
}
"""Lengths of candles in seconds, and their names; weeks are left out."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}


class LevelRow(Struct, gc=False):
    """A level of a snapshot."""

    price: Raw
    size: Raw = field(name="qty")


LevelRows = Annotated[list[LevelRow], Meta(max_length=MAX_LEVELS)]


class BookSnapshot(Struct, tag_field="feed", tag="book_snapshot", gc=False):
    """The whole book of a product, first and after each subscription."""

    product_id: str
    seq: SequenceId
    timestamp: Millis
    bids: LevelRows
    asks: LevelRows


class BookDelta(Struct, tag_field="feed", tag="book", gc=False):
    """One level of a book; `seq` counts by one in each product, a quantity of zero deletes."""

    product_id: str
    seq: SequenceId
    timestamp: Millis
    side: Literal["buy", "sell"]
    price: Raw
    size: Raw = field(name="qty")


class TradeRow(Struct, gc=False):
    """A trade; `side` is the taker's. Types other than these are blocks and transfers, which are trades as well."""

    uid: str
    side: Literal["buy", "sell"]
    time: Millis
    qty: Raw
    price: Raw
    type: str = "fill"


class TradeMessage(TradeRow, tag_field="feed", tag="trade", gc=False, kw_only=True):
    """A trade as it happens."""

    product_id: str


class TradeSnapshot(Struct, tag_field="feed", tag="trade_snapshot", gc=False):
    """The last trades before the subscription, the newest first."""

    product_id: str
    trades: Annotated[list[TradeRow], Meta(max_length=1_000)]


class Ticker(Struct, tag_field="feed", tag="ticker", gc=False):
    """All of a product's state, at most once a second; dated products have no funding.

    `funding_rate` is an amount of money a contract, not a rate, and is not read.
    """

    product_id: str
    time: Millis
    bid: Raw = Raw()
    bid_size: Raw = Raw()
    ask: Raw = Raw()
    ask_size: Raw = Raw()
    last: Raw = Raw()
    mark: Raw = field(name="markPrice", default=Raw())
    index: Raw = Raw()
    rate: Raw = field(name="relative_funding_rate", default=Raw())
    predicted: Raw = field(name="relative_funding_rate_prediction", default=Raw())
    next_time: Millis | None = field(name="next_funding_rate_time", default=None)
    open_interest: Raw = field(name="openInterest", default=Raw())


class TickerLite(Struct, tag_field="feed", tag="ticker_lite", gc=False):
    """Best prices without sizes and without time."""

    product_id: str
    bid: Raw = Raw()
    ask: Raw = Raw()


Message = BookSnapshot | BookDelta | TradeMessage | TradeSnapshot | Ticker | TickerLite
FEEDS = frozenset({"book_snapshot", "book", "trade", "trade_snapshot", "ticker", "ticker_lite"})


class Unused(Struct, gc=False):
    """What a frame that is none of our messages says of itself."""

    event: str | None = None
    feed: str | None = None


class TickerRow(Struct, gc=False, rename="camel"):
    """A row of `GET /derivatives/api/v3/tickers`. Its `fundingRate` is an amount of money a contract, and is not read."""

    symbol: str
    bid: Raw = Raw()
    bid_size: Raw = Raw()
    ask: Raw = Raw()
    ask_size: Raw = Raw()
    last: Raw = Raw()
    mark: Raw = field(name="markPrice", default=Raw())
    index: Raw = field(name="indexPrice", default=Raw())
    open_interest: Raw = Raw()


class TickersAnswer(Struct, gc=False, rename="camel"):
    """`GET /derivatives/api/v3/tickers`, or `/tickers/<symbol>`; the rows are read one by one."""

    result: str
    server_time: Moment | None = None
    tickers: list[Raw] | None = None
    ticker: Raw = Raw()
    error: str | None = None


class BookSides(Struct, gc=False):
    """The book of `GET /derivatives/api/v3/orderbook`: price and quantity of levels."""

    bids: NumberLevels
    asks: NumberLevels


class BookAnswer(Struct, gc=False, rename="camel"):
    """`GET /derivatives/api/v3/orderbook`."""

    result: str
    order_book: BookSides | None = None
    server_time: Moment | None = None
    error: str | None = None


class CandleRow(Struct, gc=False):
    """A candle of `GET /api/charts/v1/trade/<symbol>/<interval>`."""

    time: Millis
    open: str
    high: str
    low: str
    close: str
    volume: Raw


class CandlesAnswer(Struct, gc=False):
    """`GET /api/charts/v1/trade/<symbol>/<interval>`; the rows are read one by one."""

    candles: list[Raw]


class PaidRow(Struct, gc=False, rename="camel"):
    """A row of `GET /derivatives/api/v4/historicalfundingrates`; its `fundingRate` is money a contract, and is not read."""

    timestamp: Moment
    relative_funding_rate: Raw


class PaidAnswer(Struct, gc=False):
    """`GET /derivatives/api/v4/historicalfundingrates`; the rows are read one by one."""

    rates: list[Raw]


class InstrumentRow(Struct, gc=False, rename="camel"):
    """A row of `GET /derivatives/api/v3/instruments`; lists of before 2024 have neither base nor quote."""

    symbol: str
    type: Literal["futures_inverse", "futures_vanilla", "flexible_futures"]
    tick_size: Raw
    contract_size: Raw
    tradeable: bool
    base: str | None = None
    quote: str | None = None
    last_trading_time: Moment | None = None
    contract_value_trade_precision: Annotated[int, Meta(ge=-20, le=20)] = 0


class InstrumentsAnswer(Struct, gc=False):
    """`GET /derivatives/api/v3/instruments`; the rows are read one by one."""

    instruments: list[Raw]
