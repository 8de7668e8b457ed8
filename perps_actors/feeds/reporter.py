"""How an actor tells the recorder of an event: what all its events have in common, said once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from perps_actors.feeds.subscribers import Subscribers
from perps_actors.kernel.address import Teller
from perps_actors.kernel.clock import Clock
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Provenance
from perps_actors.messages.records import Event, Record, event


@attrs.frozen(kw_only=True)
class Reporter:
    """Makes and tells events of one venue and provenance, stamped with the wall time of telling."""

    recorder: Teller
    venue: str
    provenance: Provenance
    clock: Clock
    subscribers: Subscribers = attrs.Factory(Subscribers)

    def event(self, kind: str, instrument: InstrumentId | None, **data: Any) -> Event:
        """Return an event; keyword arguments become its data."""
        return event(
            kind,
            venue=self.venue,
            instrument=instrument,
            received_ns=self.clock.time_ns(),
            provenance=self.provenance,
            **data,
        )

    def tell(self, kind: str, instrument: InstrumentId | None, **data: Any) -> None:
        """Tell the recorder one event, and whoever subscribed to it."""
        self.tell_all((self.event(kind, instrument, **data),))

    def tell_all(self, events: Iterable[Event]) -> None:
        """Tell events of one moment together; nothing when there are none."""
        told = tuple(events)
        if told:
            self.recorder.tell(Record(told))
            self.subscribers.tell_events(told)
