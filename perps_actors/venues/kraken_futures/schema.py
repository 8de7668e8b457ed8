"""Kraken Futures' messages as typed records of the fields we use; all other fields are skipped.

Source: docs.kraken.com (exchange/api-reference/futures-websocket, futures REST), read 2026-10, and
captures of 2021 to 2026. Numbers are JSON numbers, some in scientific notation, so they are kept as
spelled until the book or a parser checks them. Names mix camel and snake case within one message.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Raw, Struct, field

from perps_actors.market.book import MAX_LEVELS
from perps_actors.venues.toolkit.fields import Millis, Moment, NumberLevels, Prices, SequenceId

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
"""Lengths of candles in seconds, and Kraken's names of them; weeks are left out."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}


class LevelRow(Struct, gc=False):
    """A level of a snapshot."""

    price: Raw
    size: Raw = field(name="qty")


LevelRows = Annotated[list[LevelRow], Meta(max_length=MAX_LEVELS)]


class Message(Struct, gc=False):
    """A message about a product."""

    product_id: str


class Numbered(Message, gc=False):
    """A message about a book; `seq` counts by one in each product."""

    seq: SequenceId
    timestamp: Millis


class BookSnapshot(Numbered, tag_field="feed", tag="book_snapshot", gc=False):
    """The whole book of a product, sent after each subscription."""

    bids: LevelRows
    asks: LevelRows


class BookDelta(Numbered, tag_field="feed", tag="book", gc=False):
    """One level of a book; a quantity of zero deletes it."""

    side: Literal["buy", "sell"]
    price: Raw
    size: Raw = field(name="qty")


class TradeRow(Struct, gc=False):
    """A trade; `side` is the taker's. Blocks and transfers have other types and are trades too."""

    uid: str
    side: Literal["buy", "sell"]
    time: Millis
    qty: Raw
    price: Raw
    type: str = "fill"


class TradeMessage(TradeRow, tag_field="feed", tag="trade", gc=False, kw_only=True):
    """A trade as it happens."""

    product_id: str


class TradeSnapshot(Message, tag_field="feed", tag="trade_snapshot", gc=False):
    """The last trades before the subscription, newest first."""

    trades: Annotated[list[TradeRow], Meta(max_length=1_000)]


class Quoted(Struct, gc=False):
    """The fields that tickers of the stream and of REST share."""

    bid: Raw = Raw()
    ask: Raw = Raw()
    last: Raw = Raw()
    mark: Raw = field(name="markPrice", default=Raw())
    open_interest: Raw = field(name="openInterest", default=Raw())


class Ticker(Quoted, kw_only=True, tag_field="feed", tag="ticker", gc=False):
    """All state of a product, at most once a second; dated products have no funding.

    `funding_rate` is an amount of money per contract, not a rate, and is not read.
    """

    product_id: str
    time: Millis
    bid_size: Raw = Raw()
    ask_size: Raw = Raw()
    index: Raw = Raw()
    rate: Raw = field(name="relative_funding_rate", default=Raw())
    predicted: Raw = field(name="relative_funding_rate_prediction", default=Raw())
    next_time: Millis | None = field(name="next_funding_rate_time", default=None)


class TickerLite(Message, tag_field="feed", tag="ticker_lite", gc=False):
    """Best prices without sizes and without time."""

    bid: Raw = Raw()
    ask: Raw = Raw()


Event = BookSnapshot | BookDelta | TradeMessage | TradeSnapshot | Ticker | TickerLite
FEEDS = frozenset({"book_snapshot", "book", "trade", "trade_snapshot", "ticker", "ticker_lite"})


class Unused(Struct, gc=False):
    """A frame that is not one of our messages."""

    event: str | None = None
    feed: str | None = None


class TickerRow(Quoted, kw_only=True, gc=False, rename="camel"):
    """A row of `GET /derivatives/api/v3/tickers`.

    `fundingRate`, an amount of money per contract, is not read.
    """

    symbol: str
    bid_size: Raw = Raw()
    ask_size: Raw = Raw()
    index: Raw = field(name="indexPrice", default=Raw())


class TickersAnswer(Struct, gc=False, rename="camel"):
    """`GET /derivatives/api/v3/tickers` or `/tickers/<symbol>`; each row is decoded by itself."""

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


class CandleRow(Prices[str, Raw], gc=False):
    """A candle of `GET /api/charts/v1/trade/<symbol>/<interval>`."""

    time: Millis


class CandlesAnswer(Struct, gc=False):
    """`GET /api/charts/v1/trade/<symbol>/<interval>`; each row is decoded by itself."""

    candles: list[Raw]


class PaidRow(Struct, gc=False, rename="camel"):
    """A row of `GET /derivatives/api/v4/historicalfundingrates`.

    `fundingRate`, money per contract, is not read.
    """

    timestamp: Moment
    relative_funding_rate: Raw


class PaidAnswer(Struct, gc=False):
    """`GET /derivatives/api/v4/historicalfundingrates`; each row is decoded by itself."""

    rates: list[Raw]


class InstrumentRow(Struct, gc=False, rename="camel"):
    """A row of `GET /derivatives/api/v3/instruments`; before 2024 without base and quote."""

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
    """`GET /derivatives/api/v3/instruments`; each row is decoded by itself."""

    instruments: list[Raw]
