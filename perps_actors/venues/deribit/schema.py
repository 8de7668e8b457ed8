"""Deribit's messages, with the fields that are needed. Other fields are skipped.

Source: docs.deribit.com (subscriptions, market-data), read 2026-10, and captures of 2021 to 2026.
Numbers are JSON numbers, some in scientific notation (8.7e3, -3.1e-6), so they stay raw until the
book or `parse` checks them.
"""

from __future__ import annotations

from typing import Annotated, Final, Generic, Literal, TypeVar

from msgspec import Meta, Raw, Struct, field

from perps_actors.market.book import MAX_LEVELS
from perps_actors.venues.toolkit.fields import Millis, NumberLevels, Prices, SequenceId

INTERVALS: Final = {
    60: "1",
    180: "3",
    300: "5",
    600: "10",
    900: "15",
    1_800: "30",
    3_600: "60",
    7_200: "120",
    10_800: "180",
    21_600: "360",
    43_200: "720",
    86_400: "1D",
}
"""Candle intervals in seconds, and their names."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}


class Params(Struct, gc=False):
    """Channel and data of a notification; `type` is that of a heartbeat."""

    channel: str = ""
    data: Raw = Raw()
    type: str = ""


class Frame(Struct, gc=False):
    """A JSON-RPC 2.0 frame: a notification (`method`) or the answer to a request (`id`)."""

    method: str = ""
    params: Params | None = None
    id: int | str | None = None
    result: Raw = Raw()
    error: Raw = Raw()


Data = TypeVar("Data")


class PushParams(Struct, Generic[Data], gc=False):
    """A channel and its data."""

    channel: str
    data: Data


class Push(Struct, Generic[Data], gc=False):
    """A notification of a known kind of channel."""

    method: Literal["subscription"]
    params: PushParams[Data]


Action = Literal["new", "change", "delete"]


class ChangedLevel(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A changed level; the size is absolute, and 0 if the level is deleted."""

    action: Action
    price: Raw
    size: Raw


ChangedLevels = Annotated[list[ChangedLevel], Meta(max_length=MAX_LEVELS)]


Levels = TypeVar("Levels")


class Timed(Struct, gc=False):
    """A record of an instrument at a time."""

    symbol: str = field(name="instrument_name")
    timestamp: Millis


class Book(Timed, Generic[Levels], gc=False):
    """Levels of both sides."""

    change_id: SequenceId
    bids: Levels
    asks: Levels


class BookChange(Book[ChangedLevels], gc=False):
    """`book.<instrument>.<interval>`: the whole book, then changes that name the one before."""

    type: Literal["snapshot", "change"]
    prev_change_id: SequenceId | None = None


class GroupedBook(Book[NumberLevels], gc=False):
    """`book.<instrument>.<group>.<depth>.<interval>`: all of the best levels each time."""


class Ticker(Timed, gc=False):
    """`ticker`, `quote`, `public/ticker`, `public/get_order_book`: each has some of the fields."""

    best_bid_price: Raw = Raw()
    best_bid_amount: Raw = Raw()
    best_ask_price: Raw = Raw()
    best_ask_amount: Raw = Raw()
    last_price: Raw = Raw()
    mark_price: Raw = Raw()
    index_price: Raw = Raw()
    current_funding: Raw = Raw()
    open_interest: Raw = Raw()


class TradeRow(Timed, gc=False):
    """A trade of `trades` and `public/get_last_trades_by_instrument`, with the taker's side."""

    trade_id: str
    direction: Literal["buy", "sell"]
    price: Raw
    amount: Raw
    liquidation: str | None = None
    """The side that was liquidated: `M` the maker, `T` the taker, `MT` both."""


class Candle(Prices[Raw, Raw], gc=False):
    """`chart.trades`: a candle; `volume` is in the base asset, `cost` in the quote currency."""

    tick: Millis
    cost: Raw = Raw()


class CandleRow(Candle, array_like=True, gc=False):
    """A candle of `public/get_tradingview_chart_data`, made of its columns."""


class Chart(Struct, gc=False):
    """The result of `public/get_tradingview_chart_data`: a column for each field of candles."""

    status: str
    ticks: list[Millis] = field(default_factory=list)
    open: list[Raw] = field(default_factory=list)
    high: list[Raw] = field(default_factory=list)
    low: list[Raw] = field(default_factory=list)
    close: list[Raw] = field(default_factory=list)
    volume: list[Raw] = field(default_factory=list)
    cost: list[Raw] = field(default_factory=list)


class PaidRow(Struct, gc=False):
    """An hour of `public/get_funding_rate_history`; `interest_1h` is the rate of that hour."""

    timestamp: Millis
    interest_1h: Raw


class Summary(Struct, gc=False):
    """A row of `public/get_book_summary_by_currency`."""

    symbol: str = field(name="instrument_name")
    creation_timestamp: Millis
    bid_price: Raw = Raw()
    ask_price: Raw = Raw()
    last: Raw = Raw()
    mark_price: Raw = Raw()
    current_funding: Raw = Raw()
    open_interest: Raw = Raw()


class Answer(Struct, gc=False):
    """An answer over HTTP."""

    result: Raw = Raw()
    error: Raw = Raw()


class InstrumentRow(Struct, gc=False):
    """A row of `public/get_instruments`; before 2022, the fields with defaults were missing."""

    symbol: str = field(name="instrument_name")
    kind: str
    base_currency: str
    quote_currency: str
    tick_size: Raw
    min_trade_amount: Raw
    contract_size: Raw
    is_active: bool
    expiration_timestamp: Annotated[int, Meta(ge=0)]
    """Milliseconds since 1970. Perpetuals have the year 3000, beyond 64 bits of nanoseconds."""
    settlement_period: str = ""
    instrument_type: Literal["linear", "reversed"] = "reversed"
    settlement_currency: str | None = None
    counter_currency: str | None = None
