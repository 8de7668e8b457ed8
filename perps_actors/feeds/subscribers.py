"""The subscribers of a system, which come and go while actors send marks and events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import attrs

from perps_actors.market.mark import Mark
from perps_actors.messages.interest import Heard, Interest
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event, Record

GONE: Final = object()
"""Returned by the `put` of a subscriber that was garbage-collected."""


@attrs.frozen(eq=False)
class SubscriberRoute:
    """One subscriber: its interest, and `put`, which must return at once and never raise."""

    interest: Interest
    put: Callable[[Heard], object]


class Subscribers:
    """Passes marks and events to the subscribers that want them.

    Actors read immutable tuples; the host's threads replace the tuples under a lock. A subscriber
    that was garbage-collected is removed when the next item for it comes: a finalizer could not do
    it, because the collector may run on a thread that holds the lock.
    """

    def __init__(self) -> None:
        # Re-entrant, because a finalizer or signal handler of the host may run while it is held.
        self._changing = threading.RLock()
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
            self._put(route, route.interest.in_marks(marks))

    def tell_events(self, events: tuple[Event, ...]) -> None:
        """Pass events on to the subscribers that want any of them."""
        for route in self._to_events:
            self._put(route, route.interest.in_events(events))

    def _put(self, route: SubscriberRoute, heard: Heard | None) -> None:
        if heard is not None and route.put(heard) is GONE:
            self.remove(route)
