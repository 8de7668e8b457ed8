"""Moments that a venue spells as dates of ISO 8601, in nanoseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from perps_actors.errors import VenueError

Moment = Annotated[datetime, Meta(tz=True)]
"""A date with its offset from UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = 2**63 - 1


def nanoseconds(moment: datetime) -> int:
    """Return a moment as nanoseconds since 1970.

    Raises:
        VenueError: before 1970, or beyond what 64 bits hold (the year 2262).
    """
    time_ns = (moment - _EPOCH) // _MICROSECOND * 1_000
    if 0 <= time_ns <= _LAST:
        return time_ns
    msg = f"Expected a moment between 1970 and 2262, was {moment}"
    raise VenueError(msg)
