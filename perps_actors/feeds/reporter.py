"""How an actor reports events: it fills in what all its events have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from perps_actors.feeds.subscribers import Subscribers
from perps_actors.kernel.address import Teller
from perps_actors.kernel.clock import Clock
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Provenance
from perps_actors.messages.records import Event, Record, event


@attrs.define(kw_only=True)
class Reporter:
    """Makes events with the wall time of the moment, and tells the recorder and subscribers.

    An event about an instrument carries the instrument's venue, any other event `venue`.
    """

    recorder: Teller
    system: str = "perps"
    venue: str
    provenance: Provenance
    provenances: Mapping[InstrumentId, Provenance] = attrs.Factory(dict)
    """Of instruments whose provenance may be another."""
    clock: Clock
    subscribers: Subscribers = attrs.Factory(Subscribers)

    def event(self, kind: str, instrument: InstrumentId | None, **data: Any) -> Event:
        """Return an event; keyword arguments become its data."""
        provenance = self.provenance
        if instrument is not None:
            provenance = self.provenances.get(instrument, provenance)
        return event(
            kind,
            system=self.system,
            venue=self.venue,
            instrument=instrument,
            received_ns=self.clock.time_ns(),
            provenance=provenance,
            **data,
        )

    def tell(self, kind: str, instrument: InstrumentId | None, **data: Any) -> None:
        """Report one event."""
        self.tell_all((self.event(kind, instrument, **data),))

    def tell_all(self, events: Iterable[Event]) -> None:
        """Report events of one moment together; do nothing without any."""
        told = tuple(events)
        if told:
            self.recorder.tell(Record(told))
            self.subscribers.tell_events(told)
