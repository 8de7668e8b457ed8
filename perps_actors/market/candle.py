"""Candles: what was traded in one interval of time."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perps_actors.errors import MarketError
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, positive


class Candle(msgspec.Struct, frozen=True, gc=False):
    """Open, high, low and close of an interval, and the volume in the unit of the instrument's trades."""

    instrument: InstrumentId
    interval_s: int
    open_time_ns: int
    """When the interval began."""
    open: DecimalText
    high: DecimalText
    low: DecimalText
    close: DecimalText
    volume: DecimalText
    closed: bool | None
    """Whether the interval is over, as the venue says; None where it does not say."""
    venue_time_ns: int | None
    received_ns: int


def candle_of(
    instrument: InstrumentId,
    interval_s: int,
    open_time_ns: int,
    prices: tuple[object, object, object, object],
    volume: object,
    *,
    closed: bool | None,
    venue_time_ns: int | None = None,
    received_ns: int,
) -> Candle:
    """Return a candle whose numbers were checked: prices above zero, the close between low and high.

    The open may lie outside of them: some venues open an interval at the close of the one before.

    Args:
        instrument: what was traded.
        interval_s: length of the interval, in seconds.
        open_time_ns: when it began.
        prices: open, high, low and close.
        volume: zero or more.
        closed: whether the interval is over; None: not known.
        venue_time_ns: when the venue said it.
        received_ns: when it was received.

    Raises:
        MarketError: a number that is none, or prices that contradict one another.
    """
    first, high, low, last = (positive(price) for price in prices)
    if not Decimal(low) <= Decimal(last) <= Decimal(high):
        msg = f"Expected a close between low and high, was {last} between {low} and {high}"
        raise MarketError(msg)
    traded = decimal_text(volume)
    if traded.startswith("-"):
        msg = f"Expected a volume of zero or more, was {traded}"
        raise MarketError(msg)
    return Candle(
        instrument,
        interval_s,
        open_time_ns,
        first,
        high,
        low,
        last,
        traded,
        closed,
        venue_time_ns,
        received_ns,
    )
