"""The audience: everyone outside who wants to hear of marks and events. They come and go while the actors tell."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs

from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event, Record
from perps_actors.messages.subscriber import Heard, Interest


@attrs.frozen(eq=False)
class SubscriberRoute:
    """The way to one subscriber: what it wants, and how it is told. `put` must return at once and never raise."""

    interest: Interest
    put: Callable[[Heard], object]


class Subscribers:
    """Is told by the actors and tells each subscriber what it wants. Actors read tuples that nobody changes; a host swaps them."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._to_marks: tuple[SubscriberRoute, ...] = ()
        self._to_events: tuple[SubscriberRoute, ...] = ()

    def add(self, route: SubscriberRoute) -> None:
        """Let one more hear, from the next message on."""
        with self._changing:
            if route.interest.to is Mark:
                self._to_marks = (*self._to_marks, route)
            else:
                self._to_events = (*self._to_events, route)

    def remove(self, route: SubscriberRoute) -> None:
        """Tell this one no more; an actor that is about to may still do so once. Idempotent."""
        with self._changing:
            self._to_marks = tuple(other for other in self._to_marks if other is not route)
            self._to_events = tuple(other for other in self._to_events if other is not route)

    def tell(self, message: MarksUpdated | Record) -> None:
        """Tell all that want any of it, on the caller's thread."""
        if isinstance(message, MarksUpdated):
            self.tell_marks(message.marks)
        else:
            self.tell_events(message.events)

    def tell_marks(self, marks: tuple[Mark, ...]) -> None:
        """Tell all that want any of the marks."""
        for route in self._to_marks:
            heard = route.interest.in_marks(marks)
            if heard is not None:
                route.put(heard)

    def tell_events(self, events: tuple[Event, ...]) -> None:
        """Tell all that want any of the events."""
        for route in self._to_events:
            heard = route.interest.in_events(events)
            if heard is not None:
                route.put(heard)
