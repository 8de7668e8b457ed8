"""BitMEX's messages as typed records of the fields we use; all other fields are skipped.

A message changes rows of a table. Sources: bitmex.com/app/wsAPI; blog.bitmex.com, "Changes to Order
Book Level 2 Data" (a timestamp in every book row, 2022-02-14) and "Potentially breaking API update
to ID generation" (ids are arbitrary, and every book row has its price, 2023-07-10); all read
2026-10. Numbers are JSON numbers, kept as the venue spelled them.
"""

from __future__ import annotations

from typing import Annotated, Final, Generic, Literal, TypeVar

from msgspec import Meta, Raw, Struct, field

from perps_actors.venues.toolkit.fields import JsonNumber, Moment, Prices

Action = Literal["partial", "insert", "update", "delete"]
Side = Literal["Buy", "Sell"]

INTERVALS: Final = {60: "1m", 300: "5m", 3_600: "1h", 86_400: "1d"}
"""Lengths of candles in seconds, and BitMEX's names of them."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}

MAX_ROWS = 100_000
"""Rows of one message; the longest message is the partial of a whole book."""


class BookRow(Struct, gc=False):
    """`orderBookL2`: a level. Until 2023 only partials and inserts had its price."""

    symbol: str
    id: int
    side: Side
    size: JsonNumber = None
    price: JsonNumber = None
    timestamp: Moment | None = None


class QuoteRow(Struct, gc=False, rename="camel"):
    """`quote`: best bid and ask."""

    symbol: str
    timestamp: Moment
    bid_price: Raw = Raw()
    bid_size: Raw = Raw()
    ask_price: Raw = Raw()
    ask_size: Raw = Raw()


class TradeRow(Struct, gc=False):
    """`trade`: a trade; the side is the taker's.

    The values of an index, which come as trades too, have neither side nor size.
    """

    symbol: str
    timestamp: Moment
    side: str | None = None
    size: Raw = Raw()
    price: Raw = Raw()
    id: str | None = field(name="trdMatchID", default=None)


class InstrumentRow(Struct, gc=False, rename="camel"):
    """`instrument`: the state of a contract; an update has the changed fields only."""

    symbol: str
    timestamp: Moment | None = None
    mark_price: Raw = Raw()
    indicative_settle_price: Raw = Raw()
    """The index price."""
    funding_rate: Raw = Raw()
    """Paid at `funding_timestamp`."""
    indicative_funding_rate: Raw = Raw()
    """Paid one interval later."""
    funding_timestamp: Raw = Raw()
    open_interest: Raw = Raw()
    bid_price: Raw = Raw()
    ask_price: Raw = Raw()
    last_price: Raw = Raw()


class LiquidationRow(Struct, gc=False):
    """`liquidation`: a liquidating order, inserted when it is placed.

    An update or delete has the changed fields only.
    """

    symbol: str
    side: str | None = None
    price: Raw = Raw()
    amount: Raw = field(name="leavesQty", default=Raw())


class FundingRow(Struct, gc=False, rename="camel"):
    """`funding`: a past payment. The interval is written as a moment of the year 2000."""

    symbol: str
    timestamp: Moment
    funding_interval: Moment
    funding_rate: Raw


class BinRow(Prices[Raw, Raw], gc=False):
    """A candle, whose timestamp is the end of its interval.

    A row of `tradeBin<interval>` and of `GET /api/v1/trade/bucketed`.
    """

    symbol: str
    timestamp: Moment


class Filter(Struct, gc=False):
    """The subscription that a partial answers."""

    symbol: str | None = None


Row = TypeVar("Row")


class RowsFrame(Struct, Generic[Row], gc=False):
    """Changes of rows of a table."""

    action: Action
    data: Annotated[list[Row], Meta(max_length=MAX_ROWS)]


class BookFrame(RowsFrame[BookRow], tag_field="table", tag="orderBookL2", gc=False):
    """Changes of the whole book."""

    filter: Filter | None = None


class QuoteFrame(RowsFrame[QuoteRow], tag_field="table", tag="quote", gc=False):
    """Rows of `quote`."""


class TradeFrame(RowsFrame[TradeRow], tag_field="table", tag="trade", gc=False):
    """Rows of `trade`."""


class InstrumentFrame(RowsFrame[InstrumentRow], tag_field="table", tag="instrument", gc=False):
    """Rows of `instrument`."""


class LiquidationFrame(RowsFrame[LiquidationRow], tag_field="table", tag="liquidation", gc=False):
    """Rows of `liquidation`."""


class FundingFrame(RowsFrame[FundingRow], tag_field="table", tag="funding", gc=False):
    """Rows of `funding`."""


class BinFrame(RowsFrame[BinRow], tag_field="table", tag="tradeBin1m", gc=False):
    """Rows of `tradeBin1m`."""


Frame = (
    BookFrame
    | QuoteFrame
    | TradeFrame
    | InstrumentFrame
    | LiquidationFrame
    | FundingFrame
    | BinFrame
)
TABLES = frozenset(
    {"orderBookL2", "quote", "trade", "instrument", "liquidation", "funding", "tradeBin1m"}
)


class Unused(Struct, gc=False):
    """A frame that is not a change of our tables."""

    table: str | None = None
    info: str | None = None
    success: bool | None = None
    error: Raw = Raw()


class ContractRow(Struct, gc=False, rename="camel"):
    """A contract of `GET /api/v1/instrument/active`, as an instrument."""

    symbol: str
    typ: str
    state: str
    underlying: str
    quote_currency: str
    settl_currency: str
    tick_size: Raw
    lot_size: Raw
    multiplier: Raw
    is_inverse: bool
    underlying_to_settle_multiplier: Raw = Raw()
    quote_to_settle_multiplier: Raw = Raw()
    expiry: Moment | None = None
