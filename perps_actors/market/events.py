"""What venue adapters make of a venue's text: market events, frozen, one class a kind.

Numbers are validated `DecimalText` in the venue's own spelling; times are nanoseconds since 1970, `venue_time_ns` None where the
message carries none. `received_ns` is the wall time at which the text was received.
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
    """A field that the message left alone: its value is from an earlier message, and so are its times."""

    field: str
    venue_time_ns: int | None
    received_ns: int


class BookTop(msgspec.Struct, frozen=True, gc=False):
    """The best levels after a book message was applied; there is one for every message, also when the top did not change."""

    instrument: InstrumentId
    snapshot: bool
    bid: DecimalText | None
    bid_size: DecimalText | None
    ask: DecimalText | None
    ask_size: DecimalText | None
    bid_levels: int
    ask_levels: int
    sequence: int | None
    """The venue's number of the update."""
    venue_time_ns: int | None
    received_ns: int


class BookWithdrawn(msgspec.Struct, frozen=True, gc=False):
    """The book is suspect: no mark is made from it until a snapshot restores it."""

    instrument: InstrumentId
    cause: str
    received_ns: int


class Touch(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask as the venue publishes them, apart from the book; `last` is the last trade's price where it is sent.

    A side that the venue says is empty has no price and a size of zero; one that it does not speak of has neither.
    """

    instrument: InstrumentId
    bid: DecimalText | None
    bid_size: DecimalText | None
    ask: DecimalText | None
    ask_size: DecimalText | None
    last: DecimalText | None
    venue_time_ns: int | None
    received_ns: int
    source: Source = "touch"
    """The rung it speaks for: a host's broker says prices, whatever it makes them of."""
    earlier: tuple[Earlier, ...] = ()
    """Fields that an incremental message did not carry."""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A public trade. `side` is the taker's."""

    instrument: InstrumentId
    side: TakerSide
    price: DecimalText
    amount: DecimalText
    """In the venue's unit for this instrument (base asset or contracts)."""
    trade_id: str
    venue_time_ns: int | None
    received_ns: int
    backlog: bool = False
    """History that the venue sends on subscription: no mark is made of it."""


class VenueMark(msgspec.Struct, frozen=True, gc=False):
    """The venue's own mark price (margin and liquidation rest on it) and its index price."""

    instrument: InstrumentId
    mark: DecimalText | None
    index: DecimalText | None
    venue_time_ns: int | None
    received_ns: int
    earlier: tuple[Earlier, ...] = ()
    """Fields that an incremental message did not carry."""


class Funding(msgspec.Struct, frozen=True, gc=False):
    """Funding as a rate an interval (0.0001 is one basis point), and when it is next paid."""

    instrument: InstrumentId
    rate: DecimalText | None
    predicted: DecimalText | None
    next_time_ns: int | None
    mark: DecimalText | None
    venue_time_ns: int | None
    received_ns: int
    earlier: tuple[Earlier, ...] = ()
    """Fields that an incremental message did not carry."""


class OpenInterest(msgspec.Struct, frozen=True, gc=False):
    """Open interest in the venue's unit."""

    instrument: InstrumentId
    open_interest: DecimalText
    venue_time_ns: int | None
    received_ns: int


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """A liquidation. `side` is the liquidating order's."""

    instrument: InstrumentId
    side: TakerSide
    price: DecimalText
    amount: DecimalText
    venue_time_ns: int | None
    received_ns: int


class FundingPaid(msgspec.Struct, frozen=True, gc=False):
    """A funding of the past: the rate that was settled, of the interval that ended then."""

    instrument: InstrumentId
    rate: DecimalText
    time_ns: int
    """When it was settled."""
    mark: DecimalText | None
    """The mark that it was paid on, where the venue says it."""
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
