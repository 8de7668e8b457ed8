"""Subscriptions of the host: callables with a thread and an inbox of their own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from perps_actors.actors.subscriber import SUBSCRIBER_INBOX, Reception, Subscriber
from perps_actors.errors import KernelError, SettingsError
from perps_actors.feeds.subscribers import SubscriberRoute, Subscribers
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lifecycle import Drain, Stop
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.records import Event
from perps_actors.messages.subscriber import Interest

if TYPE_CHECKING:
    from perps_actors.feeds.reporter import Reporter
    from perps_actors.kernel.address import Answer
    from perps_actors.kernel.cell import Cell
    from perps_actors.kernel.runtime import Runtime
    from perps_actors.kernel.statistics import DropLedger


ASK_TIMEOUT_S = 5.0
"""How long the host's questions wait for their answers."""


def interest_in(
    to: type[Any],
    kinds: Iterable[str],
    instruments: Iterable[InstrumentId],
    venues: Iterable[str],
) -> Interest:
    """Return what a subscriber wants, from what a host writes.

    Raises:
        SettingsError: neither `Mark` nor `Event`, or kinds of something else than events.
    """
    if to not in (Mark, Event):
        raise SettingsError(field="to", value=to, why="expected Mark or Event", place="subscribe")
    wanted = frozenset(kinds)
    if wanted and to is not Event:
        raise SettingsError(
            field="kinds",
            value=sorted(wanted),
            why="only events have kinds; subscribe to Event",
            place="subscribe",
        )
    return Interest(
        to=to, kinds=wanted, instruments=frozenset(instruments), venues=frozenset(venues)
    )


@attrs.frozen(kw_only=True)
class SubscriptionStatistics:
    """How a subscription fares, in items."""

    name: str
    active: bool
    """Whether more will be heard."""
    waiting: int
    received: int
    """Items that reached the host."""
    dropped: int
    """Lost to the inbox's policy, because the host was slow."""
    failures: int
    """Calls of the callable that raised."""
    last_error: str | None


class Subscription:
    """A callable that is told of marks or events, until `close`, ten exceptions in a row, or the end of the system."""

    def __init__(
        self, cell: Cell, route: SubscriberRoute, reception: Reception, owner: Subscriptions
    ) -> None:
        self.name = cell.name
        self._cell = cell
        self._route = route
        self._reception = reception
        self._owner = owner
        self._ended: Answer | None = None
        self.active = True
        """Whether more will be heard."""

    def statistics(self) -> SubscriptionStatistics:
        """Return the counters."""
        inbox, reception = self._cell.inbox.statistics(), self._reception
        return SubscriptionStatistics(
            name=self.name,
            active=self.active,
            waiting=inbox.length,
            received=reception.received,
            dropped=inbox.dropped,
            failures=reception.failures,
            last_error=reception.last_error,
        )

    def close(self, timeout_s: float = 1.0) -> bool:
        """Hear no more; what waits is not delivered. Return whether the callable had come back within `timeout_s` seconds.

        Idempotent. Called from inside the callable it returns at once.
        """
        self.cease(drain=False)
        return self.wait(timeout_s)

    def mute(self) -> None:
        """Hear no more; what waits is still delivered."""
        self.active = False
        self._owner.subscribers.remove(self._route)

    def cease(self, *, drain: bool) -> None:
        """Hear no more, and end once what waits was delivered (`drain`) or ahead of it; does not wait for that."""
        self.mute()
        self._reception.over |= not drain
        if self._ended is None:
            self._ended = self._cell.address.put_question(Drain() if drain else Stop())

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end that `cease` has ordered; a callable that does not come back is given up. Return whether it came back."""
        inside = self._reception.thread == threading.get_ident()
        came_back = inside or self._ended is None
        if self._ended is not None and not inside:
            with suppress(KernelError):
                self._cell.runtime.wait(self._ended, timeout_s)
                came_back = True
            self._cell.retire(KernelError(f"{self.name} did not come back within {timeout_s:g} s"))
        self._owner.forget(self, self._cell)
        return came_back


class EndingStream(Protocol):
    """A stream of an asyncio host."""

    def end(self) -> None:
        """Take no more items."""


class Subscriptions:
    """All subscriptions of one system. The host's threads call it."""

    def __init__(
        self, runtime: Runtime, subscribers: Subscribers, report: Reporter, drops: DropLedger
    ) -> None:
        self.subscribers = subscribers
        self.drops = drops
        self._runtime = runtime
        self._report = report
        self._numbers = count(1)
        self._changing = threading.Lock()
        self._open: tuple[Subscription, ...] = ()
        self._streams: weakref.WeakSet[EndingStream] = weakref.WeakSet()

    def open(
        self,
        receive: Callable[[Any], object],
        interest: Interest,
        inbox: InboxPolicy | None,
        name: str,
    ) -> Subscription:
        """Let a callable hear, on a thread of its own; its name gets a number, so that no two are the same."""
        name = self.new_name(name)
        cell = self._runtime.cell(
            name, group=name, policy=inbox if inbox is not None else SUBSCRIBER_INBOX
        )
        reception, route = Reception(), SubscriberRoute(interest, cell.address.tell)
        subscription = Subscription(cell, route, reception, self)
        cell.install(
            Subscriber(
                receive,
                name=name,
                report=self._report,
                reception=reception,
                remove=subscription.mute,
            )
        )
        self.drops.watch((cell,))
        with self._changing:
            self._open = (*self._open, subscription)
        self.subscribers.add(route)
        return subscription

    def adopt(self, stream: EndingStream) -> None:
        """End the stream of an asyncio host with all others, unless nothing refers to it by then."""
        self._streams.add(stream)

    def new_name(self, name: str) -> str:
        """Return the name with a number after it, so that no two are the same."""
        return f"{name}-{next(self._numbers)}"

    def forget(self, subscription: Subscription, cell: Cell) -> None:
        """Let go of one that has ended, with its thread."""
        with self._changing:
            known = subscription in self._open
            self._open = tuple(other for other in self._open if other is not subscription)
        if known:
            self._runtime.release(cell)
            self.drops.forget(cell)

    def statistics(self) -> tuple[SubscriptionStatistics, ...]:
        """Return the counters of those that were not closed."""
        return tuple(subscription.statistics() for subscription in self._open)

    def end(self, deadline_s: float, *, drain: bool) -> None:
        """End all at the same time; callables that do not come back within `deadline_s` seconds are given up."""
        clock, ending = self._runtime.clock, self._open
        end_ns = clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        for stream in list(self._streams):
            stream.end()
        for subscription in ending:
            subscription.cease(drain=drain)
        for subscription in ending:
            subscription.wait(max(0.0, (end_ns - clock.monotonic_ns()) / NS_PER_S))
