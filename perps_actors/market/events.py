"""Market events that venue adapters decode: frozen values, one class per kind.

Numbers are validated `DecimalText` in the venue's own spelling. Times are nanoseconds since 1970;
`venue_time_ns` is None if the message carries no time, and `received_ns` is the wall time of
receipt.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from perps_actors.market.candle import Candle
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.market.numbers import DecimalText

TakerSide = Literal["buy", "sell"]


class Earlier(NamedTuple):
    """A field that an incremental message did not carry: its value and times are older."""

    field: str
    venue_time_ns: int | None
    received_ns: int


class _Event(msgspec.Struct, frozen=True, gc=False):
    """An event about an instrument."""

    instrument: InstrumentId


class BookTop(_Event, frozen=True, gc=False):
    """The best levels after a book message was applied.

    Every book message gives one, also if the top did not change.
    """

    snapshot: bool
    bid: DecimalText | None
    bid_size: DecimalText | None
    ask: DecimalText | None
    ask_size: DecimalText | None
    bid_levels: int
    ask_levels: int
    sequence: int | None
    """The venue's sequence number of the update."""
    venue_time_ns: int | None
    received_ns: int


class BookWithdrawn(_Event, frozen=True, gc=False):
    """The book is out of sync: no mark is made from it until a snapshot restores it."""

    cause: str
    received_ns: int


class Touch(_Event, frozen=True, gc=False):
    """Best bid and ask as the venue publishes them beside the book, with the last trade's price.

    An empty side has no price and a size of zero. A side that the message does not mention has
    neither price nor size.
    """

    bid: DecimalText | None
    bid_size: DecimalText | None
    ask: DecimalText | None
    ask_size: DecimalText | None
    last: DecimalText | None
    venue_time_ns: int | None
    received_ns: int
    source: Source = "touch"
    """The source of marks that this touch feeds; a host's broker may name another."""
    earlier: tuple[Earlier, ...] = ()
    """Fields that the message did not carry, with the times of their values."""


class Trade(_Event, frozen=True, gc=False):
    """A public trade. `side` is the taker's."""

    side: TakerSide
    price: DecimalText
    amount: DecimalText
    """In the venue's unit for this instrument (base asset or contracts)."""
    trade_id: str
    venue_time_ns: int | None
    received_ns: int
    backlog: bool = False
    """Whether the venue sent the trade as history on subscription; no mark is made from it."""
    off_book: bool = False
    """Whether it was not matched in the order book (block trade, assignment); it makes no mark."""


class VenueMark(_Event, frozen=True, gc=False):
    """The venue mark: the exchange's own mark price, and its index price.

    Margin and liquidation rest on the venue mark. It is never mixed with our marks.
    """

    mark: DecimalText | None
    index: DecimalText | None
    venue_time_ns: int | None
    received_ns: int
    earlier: tuple[Earlier, ...] = ()
    """Fields that the message did not carry, with the times of their values."""


class Funding(_Event, frozen=True, gc=False):
    """The funding rate per interval (0.0001 is one basis point) and the next funding time."""

    rate: DecimalText | None
    predicted: DecimalText | None
    next_time_ns: int | None
    mark: DecimalText | None
    venue_time_ns: int | None
    received_ns: int
    earlier: tuple[Earlier, ...] = ()
    """Fields that the message did not carry, with the times of their values."""


class OpenInterest(_Event, frozen=True, gc=False):
    """Open interest in the venue's unit."""

    open_interest: DecimalText
    venue_time_ns: int | None
    received_ns: int


class Liquidation(_Event, frozen=True, gc=False):
    """A liquidation. `side` is the liquidating order's."""

    side: TakerSide
    price: DecimalText
    amount: DecimalText
    venue_time_ns: int | None
    received_ns: int


class FundingPaid(_Event, frozen=True, gc=False):
    """A past funding: the rate settled for the interval that ended at `time_ns`."""

    rate: DecimalText
    time_ns: int
    """Time of settlement."""
    mark: DecimalText | None
    """The venue mark on which the funding was paid, if the venue reports it."""
    received_ns: int


MarketEvent = (
    BookTop
    | BookWithdrawn
    | Touch
    | Trade
    | VenueMark
    | Funding
    | FundingPaid
    | OpenInterest
    | Liquidation
    | Candle
)
