"""Best bid and ask where a venue may send a side that is empty, or no sizes, or one of an earlier message."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from perps_actors.errors import MarketError
from perps_actors.market.events import Touch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, is_zero, positive
from perps_actors.market.plain import is_above_zero, is_touch
from perps_actors.venues.contract import Complaint

EMPTY: Final = DecimalText("0")
"""Size of a side on which there is no order."""

Quote = tuple[DecimalText | None, DecimalText | None]
"""Price and size of a side as sent, unchecked; None: not sent. A price of zero says that the side is empty."""


def touch_of(
    instrument: InstrumentId, bid: Quote, ask: Quote, last: DecimalText | None, *, venue_time_ns: int | None, received_ns: int
) -> Touch:
    """Return the touch in what a ticker says of both sides; an empty side has no price and a size of zero.

    Raises:
        MarketError: a price or size that is no number, or crossed or locked (an exchange matches these).
    """
    (bid_price, bid_size), (ask_price, ask_size) = bid, ask
    if not is_touch(bid_price, bid_size, ask_price, ask_size):
        (bid_price, bid_size), (ask_price, ask_size) = _side(bid), _side(ask)
        if bid_price is not None and ask_price is not None and Decimal(bid_price) >= Decimal(ask_price):
            msg = f"Expected a bid below the ask, was bid {bid_price} and ask {ask_price}"
            raise MarketError(msg)
    if last is not None and not is_above_zero(last):
        last = None if is_zero(last) else positive(last)
    return Touch(instrument, bid_price, bid_size, ask_price, ask_size, last, venue_time_ns, received_ns)


def uncrossed(touch: Touch) -> Touch | Complaint:
    """Return a touch of which a side may be of an earlier message, or a complaint where its bid is not below its ask."""
    bid, ask = touch.bid, touch.ask
    if bid is None or ask is None or is_touch(bid, touch.bid_size, ask, touch.ask_size) or Decimal(bid) < Decimal(ask):
        return touch
    return Complaint(f"Expected a bid below the ask, was bid {bid} and ask {ask}", touch.instrument.symbol)


def _side(quote: Quote) -> Quote:
    price, size = quote
    if price is None:
        return None, None
    if is_zero(price):
        return None, EMPTY
    return positive(price), None if size is None else positive(size)
