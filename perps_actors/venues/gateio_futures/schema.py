"""Messages of Gate.io's futures as typed records of the fields we use; other fields are skipped.

Source: gate.com/docs/developers/futures/ws/en and .../apiv4, read 2026-11. Sizes are integers, or
strings on a connection that asked for decimal sizes; in the older documentation they are integers
everywhere. So they are kept as the venue spelled them.
"""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

from msgspec import Meta, Raw, Struct, field, json

from perps_actors.market.book import Level
from perps_actors.venues.toolkit.fields import JsonNumber, Millis, SequenceId

INTERVALS: Final = {
    60: "1m",
    300: "5m",
    900: "15m",
    1_800: "30m",
    3_600: "1h",
    14_400: "4h",
    28_800: "8h",
    86_400: "1d",
}
"""Lengths of candles in seconds, and Gate.io's names of them, from a minute to a day."""

SECONDS: Final = {name: seconds for seconds, name in INTERVALS.items()}

MAX_LEVELS: Final = 5_000

Moment = Annotated[float, Meta(ge=0, le=9_000_000_000_000)]
"""Seconds or milliseconds since 1970, some with a fraction."""


class Refusal(Struct, gc=False):
    """The venue's reason for refusing a request."""

    code: int = 0
    message: str = ""


class Frame(Struct, gc=False):
    """Any message."""

    channel: str
    event: str = ""
    time_ms: Millis | None = None
    error: Refusal | None = None
    result: Raw = Raw()


class PricedRow(Struct, gc=False):
    """A level of `futures.order_book_update` and of `GET /order_book`."""

    price: str = field(name="p")
    size: JsonNumber = field(name="s")


PricedLevels = Annotated[list[PricedRow], Meta(max_length=MAX_LEVELS)]


LevelRow = TypeVar("LevelRow")


class BookLevels(Struct, Generic[LevelRow], kw_only=True, gc=False):
    """Levels that the updates `first_id` to `last_id` changed; all levels if `full`."""

    time: Millis = field(name="t")
    last_id: SequenceId = field(name="u")
    first_id: SequenceId | None = field(name="U", default=None)
    full: bool = False
    bids: Annotated[list[LevelRow], Meta(max_length=MAX_LEVELS)] = field(
        name="b", default_factory=list
    )
    asks: Annotated[list[LevelRow], Meta(max_length=MAX_LEVELS)] = field(
        name="a", default_factory=list
    )


class BookUpdate(BookLevels[Level], gc=False):
    """`futures.obu`: the best levels, all of them or the changed ones.

    Most messages have no levels and only move the number on.
    """

    stream: str = field(name="s")
    """`ob.<contract>.<levels>`."""

    @property
    def symbol(self) -> str:
        """The contract that the stream is of."""
        return self.stream.partition(".")[2].rpartition(".")[0]


class BookChange(BookLevels[PricedRow], gc=False):
    """`futures.order_book_update`."""

    symbol: str = field(name="s")


class BookAnswer(Struct, gc=False):
    """`GET /order_book` with its id; `update` is the time of the last change, in seconds."""

    id: SequenceId
    update: Moment
    bids: PricedLevels
    asks: PricedLevels


# The hook keeps the spelling of sizes that are JSON numbers with a fraction.
decode_change: Final = json.Decoder(BookChange, float_hook=str).decode
decode_book_answer: Final = json.Decoder(BookAnswer, float_hook=str).decode


class BookTicker(Struct, gc=False):
    """`futures.book_ticker`: best bid and ask; an empty side has an empty price."""

    symbol: str = field(name="s")
    time: Millis = field(name="t")
    bid: str = field(name="b")
    bid_size: Raw = field(name="B")
    ask: str = field(name="a")
    ask_size: Raw = field(name="A")


class TradeRow(Struct, gc=False):
    """`futures.trades`: a trade; a size above zero means that the taker bought."""

    symbol: str = field(name="contract")
    id: int | str
    price: str
    size: Raw
    time_ms: Moment = field(name="create_time_ms")
    is_internal: bool = False
    """A takeover by the insurance fund or an auto-deleveraging, outside the order book."""


class TickerRow(Struct, gc=False):
    """`futures.tickers`, and `GET /tickers`, which has best bid and ask too."""

    symbol: str = field(name="contract")
    mark_price: str | None = None
    index_price: str | None = None
    funding_rate: str | None = None
    funding_rate_indicative: str | None = None
    total_size: Raw = Raw()
    """Open interest, in contracts."""
    last: str | None = None
    highest_bid: str | None = None
    highest_size: Raw = Raw()
    lowest_ask: str | None = None
    lowest_size: Raw = Raw()


class CandleRow(Struct, gc=False):
    """A row of `futures.candlesticks` or of `GET /candlesticks`.

    In the stream, the name has length and contract; REST has no name.
    """

    time: Moment = field(name="t")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    close: str = field(name="c")
    volume: Raw = field(name="v")
    name: str = field(name="n", default="")
    closed: bool | None = field(name="w", default=None)

    @property
    def symbol(self) -> str:
        """Name of the contract, after the length."""
        return self.name.partition("_")[2]


class PaidRow(Struct, gc=False):
    """A row of `GET /funding_rate`: time of payment in seconds, and the rate."""

    time: Moment = field(name="t")
    rate: str = field(name="r")


class LiquidationRow(Struct, gc=False):
    """`futures.public_liquidates`: a liquidating order, a buy if the size is above zero.

    Its time is in milliseconds; until 2026-08 `time` was in seconds.
    """

    symbol: str = field(name="contract")
    price: Raw
    size: Raw
    time_ms: Moment | None = None
    time: Moment | None = None


class ContractRow(Struct, gc=False):
    """A contract of `GET /contracts`."""

    symbol: str = field(name="name")
    type: str
    quanto_multiplier: str
    order_price_round: str
    order_size_min: Raw
    status: str = "trading"
    in_delisting: bool = False
    mark_price: str | None = None
    index_price: str | None = None
    funding_rate: str | None = None
    funding_rate_indicative: str | None = None
    funding_next_apply: Moment | None = None
    """In seconds."""
    position_size: Raw = Raw()
    """Open interest, in contracts."""
