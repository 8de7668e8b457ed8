"""Messages to subscribers: batches of marks or of events."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from perps_actors.kernel.messages import Batch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.records import Event


class MarksHeard(Batch, frozen=True, gc=False):
    """Marks that are on the board now, in order."""

    items_field: ClassVar[str] = "items"
    items: tuple[Mark, ...]

    def merged_with(self, newer: MarksHeard) -> MarksHeard:
        """Return the newest mark of each instrument of both."""
        return MarksHeard(
            tuple({mark.instrument: mark for mark in (*self.items, *newer.items)}.values())
        )


class EventsHeard(Batch, frozen=True, gc=False):
    """Events as they were told to the recorder, in order."""

    items_field: ClassVar[str] = "items"
    items: tuple[Event, ...]


Heard = MarksHeard | EventsHeard


@attrs.frozen(kw_only=True)
class Interest:
    """The `Mark`s or `Event`s that a subscriber wants; an empty set stands for all."""

    to: type[Any]
    kinds: frozenset[str] = frozenset()
    """Of events, e.g. `stale_mark_price`."""
    instruments: frozenset[InstrumentId] = frozenset()
    venues: frozenset[str] = frozenset()

    def in_marks(self, marks: tuple[Mark, ...]) -> MarksHeard | None:
        """Return the wanted marks; None without any."""
        if self.instruments or self.venues:
            marks = tuple(mark for mark in marks if self._covers(mark.instrument))
        return MarksHeard(marks) if marks else None

    def in_events(self, events: tuple[Event, ...]) -> EventsHeard | None:
        """Return the wanted events; None without any."""
        wanted = tuple(
            e
            for e in events
            if (not self.kinds or e.kind in self.kinds) and self._covers((e.venue, e.symbol))
        )
        return EventsHeard(wanted) if wanted else None

    def _covers(self, instrument: tuple[str, str | None]) -> bool:
        return (not self.instruments or instrument in self.instruments) and (
            not self.venues or instrument[0] in self.venues
        )
