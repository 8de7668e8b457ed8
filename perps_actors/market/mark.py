"""The mark: our own price of the moment, with its source and times."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from perps_actors.market.instrument import InstrumentId

Source = Literal["book", "touch", "trades", "rest"]
"""The source of a mark, which is also the rung of the ladder, best first."""

RUNGS: tuple[Source, ...] = ("book", "touch", "trades", "rest")

Provenance = Literal["live", "recording", "synthetic", "replay"]
"""The kind of market behind the data. Orders on a live broker are made from `live` data only."""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A mark: our mid price of an instrument, not the exchange's own mark price (`VenueMark`)."""

    instrument: InstrumentId
    mark: Decimal
    """The price in quote currency: mid of the book or of the touch, else the last trade."""
    source: Source
    venue_time_ns: int | None
    """The venue's time of the message, nanoseconds since 1970; None if the venue sends none."""
    received_ns: int
    """Wall time of receipt, nanoseconds since 1970."""
    monotonic_ns: int
    """Monotonic time of receipt."""
    lag_ns: int = 0
    """The feed lag: how old the data was at its receipt, corrected by the venue's offset."""

    @property
    def as_of_ns(self) -> int:
        """The monotonic time to which the data belongs. Its age is the time since then."""
        return self.monotonic_ns - self.lag_ns
