"""Messages to the event recorder, and its status."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Provenance, Source

Scalar = str | int | float | bool | None
"""What a field of an event may hold; tuples of these nest."""


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One thing that happened, as the journal keeps it."""

    kind: str
    """Past-tense or noun, e.g. `ws_mark_update`, `stale_mark_price`."""
    venue: str
    symbol: str | None
    """None if it concerns no single instrument."""
    venue_time_ns: int | None
    received_ns: int
    """Wall time at which we learned of it, nanoseconds since 1970."""
    source: Source | None
    provenance: Provenance
    data: tuple[tuple[str, Any], ...]
    """The kind's own fields as (name, value) pairs; exact numbers are strings."""
    system: str = ""
    """Name of the system that reported it; empty in journals written before systems had names."""


def event(
    kind: str,
    *,
    system: str = "",
    venue: str,
    received_ns: int,
    provenance: Provenance,
    instrument: InstrumentId | None = None,
    venue_time_ns: int | None = None,
    source: Source | None = None,
    **data: Any,
) -> Event:
    """Return an event; keyword arguments beyond the common fields become its `data`."""
    symbol = None
    if instrument is not None:
        venue, symbol = instrument
    return Event(
        kind,
        venue,
        symbol,
        venue_time_ns,
        received_ns,
        source,
        provenance,
        tuple(data.items()),
        system,
    )


@attrs.frozen
class Record:
    """Keep these events. Never conflated, never dropped."""

    events: tuple[Event, ...]


@attrs.frozen
class Flush:
    """Write all waiting events now; the answer is the sequence number of the last durable event."""


@attrs.frozen
class JournalStatus:
    """State of the journal, as the recorder answers it."""

    recorded: int
    """Events written since this process opened the journal."""
    dropped: int
    """Events that will never be in the journal: over the bound, unfit, or left at the end."""
    waiting: int
    last_sequence: int
    failing: str | None
    """Why the last commit failed; None while commits succeed."""
    unreported: int = 0
    """How many of the dropped are not yet accounted for in the journal, by a `hole` event."""
