"""The mark: our price of the moment, with where it came from and when."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from perps_actors.market.instrument import InstrumentId

Source = Literal["book", "touch", "trades", "rest"]
"""Where a mark came from; also the rungs of the ladder, best first."""

RUNGS: tuple[Source, ...] = ("book", "touch", "trades", "rest")

Provenance = Literal["live", "recording", "synthetic", "replay"]
"""What kind of market is behind the numbers. Orders are made from `live` only."""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """One mark of one instrument."""

    instrument: InstrumentId
    mark: Decimal
    """In quote currency: mid of the book or of the touch, else the last trade."""
    source: Source
    venue_time_ns: int | None
    """The venue's own time of the message, nanoseconds since 1970; None where it sends none."""
    received_ns: int
    """Wall time of receipt, nanoseconds since 1970."""
    monotonic_ns: int
    """Monotonic time of receipt: what ages are judged on."""
