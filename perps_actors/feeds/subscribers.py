"""The subscribers of a system, which come and go while actors send marks and events."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs

from perps_actors.market.mark import Mark
from perps_actors.messages.interest import Heard, Interest
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event, Record


@attrs.frozen(eq=False)
class SubscriberRoute:
    """One subscriber: its interest, and `put`, which must return at once and never raise."""

    interest: Interest
    put: Callable[[Heard], object]


class Subscribers:
    """Passes marks and events to the subscribers that want them.

    Actors read immutable tuples; the host's threads replace the tuples under a lock.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._to_marks: tuple[SubscriberRoute, ...] = ()
        self._to_events: tuple[SubscriberRoute, ...] = ()

    def add(self, route: SubscriberRoute) -> None:
        """Add a subscriber, from the next message on."""
        with self._changing:
            if route.interest.to is Mark:
                self._to_marks = (*self._to_marks, route)
            else:
                self._to_events = (*self._to_events, route)

    def remove(self, route: SubscriberRoute) -> None:
        """Remove a subscriber. Idempotent.

        An actor that has just read the tuple may still tell it once.
        """
        with self._changing:
            self._to_marks = tuple(other for other in self._to_marks if other is not route)
            self._to_events = tuple(other for other in self._to_events if other is not route)

    def tell(self, message: MarksUpdated | Record) -> None:
        """Pass a message on, on the caller's thread."""
        if isinstance(message, MarksUpdated):
            self.tell_marks(message.marks)
        else:
            self.tell_events(message.events)

    def tell_marks(self, marks: tuple[Mark, ...]) -> None:
        """Pass marks on to the subscribers that want any of them."""
        for route in self._to_marks:
            heard = route.interest.in_marks(marks)
            if heard is not None:
                route.put(heard)

    def tell_events(self, events: tuple[Event, ...]) -> None:
        """Pass events on to the subscribers that want any of them."""
        for route in self._to_events:
            heard = route.interest.in_events(events)
            if heard is not None:
                route.put(heard)
