"""Candles: open, high, low, close and volume of one interval."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perps_actors.errors import MarketError
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, positive


class Candle(msgspec.Struct, frozen=True, gc=False):
    """Open, high, low and close of an interval, and the volume in the unit of the trades."""

    instrument: InstrumentId
    interval_s: int
    open_time_ns: int
    """Start of the interval, nanoseconds since 1970."""
    open: DecimalText
    high: DecimalText
    low: DecimalText
    close: DecimalText
    volume: DecimalText
    closed: bool | None
    """Whether the venue reports the interval as over; None if it does not report that."""
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
    """Return a candle with validated numbers: prices above zero, the close between low and high.

    The open may lie outside low and high, because some venues open an interval at the close of
    the interval before.

    Args:
        instrument: the instrument.
        interval_s: length of the interval in seconds.
        open_time_ns: start of the interval.
        prices: open, high, low and close.
        volume: zero or more.
        closed: whether the interval is over; None if unknown.
        venue_time_ns: the venue's time of the message.
        received_ns: wall time of receipt.

    Raises:
        MarketError: a value is not a number, or the prices contradict each other.
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
