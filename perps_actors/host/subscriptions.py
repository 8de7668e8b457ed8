"""Subscriptions of the host: callables, each on a thread of its own, under one supervisor."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from perps_actors.actors.subscriber import SUBSCRIBER_INBOX, Reception, Subscriber
from perps_actors.errors import KernelError, SettingsError
from perps_actors.feeds.subscribers import SubscriberRoute, Subscribers
from perps_actors.kernel.address import Address, Answer
from perps_actors.kernel.children import (
    Child,
    ChildSpec,
    ChildState,
    Incident,
    Restart,
    RestartPolicy,
)
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lifecycle import Stop
from perps_actors.kernel.supervision import AddChild, RemoveChild, StartChildren
from perps_actors.kernel.supervisor import Supervisor
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.interest import Interest
from perps_actors.messages.records import Event

if TYPE_CHECKING:
    from perps_actors.feeds.reporter import Reporter
    from perps_actors.kernel.runtime import Runtime
    from perps_actors.kernel.statistics import DropLedger
    from perps_actors.settings import SupervisionSettings


ASK_TIMEOUT_S = 5.0
"""How long the host's questions wait for their answers."""

_GRACE_S = 1.0
"""Time for the supervisor's own thread, beyond the deadline that it keeps for a subscriber."""


def interest_in(
    to: type[Any],
    kinds: Iterable[str],
    instruments: Iterable[InstrumentId],
    venues: Iterable[str],
) -> Interest:
    """Return the interest of a subscriber from the arguments of `subscribe`.

    Raises:
        SettingsError: `to` is neither `Mark` nor `Event`, or there are kinds although it is not
            `Event`.
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
    """Counters of a subscription, in items."""

    name: str
    active: bool
    """Whether it will be sent more."""
    waiting: int
    received: int
    """Items that reached the host."""
    dropped: int
    """Items lost to the inbox's policy, because the host was slow."""
    failures: int
    """Calls of the callable that raised."""
    last_error: str | None


class Subscription:
    """A callable that gets marks or events until `close`, ten exceptions in a row, or the end.

    It also ends when the callable hangs for longer than the system lets a handler hang.
    """

    def __init__(
        self, child: Child, route: SubscriberRoute, reception: Reception, owner: Subscriptions
    ) -> None:
        self.name = child.name
        self.child = child
        self._route = route
        self._reception = reception
        self._owner = owner
        self._ended: Answer | None = None
        self.active = True
        """Whether it will be sent more."""

    def statistics(self) -> SubscriptionStatistics:
        """Return the counters."""
        inbox, reception = self.child.cell.inbox.statistics(), self._reception
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
        """End without delivering what waits.

        Return whether the callable had returned within `timeout_s` seconds.

        Idempotent. Called from inside the callable it returns at once.
        """
        self.cease(timeout_s, drain=False)
        return self.wait(timeout_s)

    def mute(self) -> None:
        """Send it no more; what waits is still delivered."""
        self.active = False
        self._owner.subscribers.remove(self._route)

    def cease(self, timeout_s: float, *, drain: bool) -> None:
        """Have the supervisor end it within `timeout_s` seconds; `drain`: deliver what waits first.

        Does not wait for the end.
        """
        self.mute()
        self._reception.over |= not drain
        if self._ended is None:
            self._ended = Answer()
            # A callable that ends itself has not hung: it is given the time that it takes.
            stop_s = None if self._inside() else timeout_s
            order = RemoveChild(name=self.name, drain=drain, done=self._ended, stop_s=stop_s)
            self._owner.supervisor().tell(order)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end that `cease` has ordered.

        Return whether the callable returned by itself.
        """
        if not self._inside() and self._ended is not None:
            with suppress(KernelError):
                self._owner.runtime.wait(self._ended, timeout_s + _GRACE_S)
            if not self.child.ended:
                self.child.cell.retire(KernelError(f"{self.name} hung for {timeout_s:g} s"))
                self.child.end(ChildState.ABANDONED)
        self._owner.forget(self)
        return self.child.state not in {ChildState.ABANDONED, ChildState.GIVEN_UP}

    def _inside(self) -> bool:
        return self._reception.thread == threading.get_ident()


class EndingStream(Protocol):
    """A stream of an asyncio host."""

    def end(self) -> None:
        """Take no more items."""


class Subscriptions:
    """All subscriptions of one system. The host's threads call it.

    Subscribers have a supervisor of their own, because they end after the journal, all at the same
    time, and a callable that hangs must not make the system's own stop report unclean.
    """

    def __init__(
        self,
        runtime: Runtime,
        subscribers: Subscribers,
        report: Reporter,
        drops: DropLedger,
        *,
        supervision: SupervisionSettings,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self.subscribers = subscribers
        self.drops = drops
        self.runtime = runtime
        self._report = report
        self._supervision = supervision
        self._on_incident = on_incident
        self._numbers = count(1)
        self._changing = threading.RLock()
        self._open: tuple[Subscription, ...] = ()
        self._closing: tuple[Subscription, ...] = ()
        self._supervisor: Address | None = None
        self._streams: weakref.WeakSet[EndingStream] = weakref.WeakSet()

    def supervisor(self) -> Address:
        """Return the address of the subscribers' supervisor, started for the first of them."""
        with self._changing:
            if self._supervisor is None:
                cell = self.runtime.cell("subscription_supervisor", group="supervisor")
                cell.install(
                    Supervisor(
                        (),
                        policy=RestartPolicy(),
                        random=Random(0),  # noqa: S311 - never used: no subscriber is restarted
                        on_incident=self._note,
                        look_every_s=self._supervision.look_every_s,
                    )
                )
                cell.address.tell(StartChildren(Answer()))
                self._supervisor = cell.address
            return self._supervisor

    def open(
        self,
        receive: Callable[[Any], object],
        interest: Interest,
        inbox: InboxPolicy | None,
        name: str,
    ) -> Subscription:
        """Send marks or events to a callable on a thread of its own.

        A number is added to its name to make it unique.
        """
        name = self.new_name(name)
        cell = self.runtime.cell(
            name, group=name, policy=inbox if inbox is not None else SUBSCRIBER_INBOX
        )
        reception, route = Reception(), SubscriberRoute(interest, cell.address.tell)

        def subscriber() -> Subscriber:
            return Subscriber(
                receive,
                name=name,
                report=self._report,
                reception=reception,
                remove=subscription.mute,
            )

        spec = ChildSpec(
            name=name,
            factory=subscriber,
            restart=Restart.TEMPORARY,
            hang_after_s=self._supervision.hang_after_s,
        )
        subscription = Subscription(Child(spec, cell), route, reception, self)
        self.supervisor().tell(AddChild(subscription.child, Answer()))
        self.drops.watch((cell,))
        with self._changing:
            self._open = (*self._open, subscription)
        self.subscribers.add(route)
        return subscription

    def adopt(self, stream: EndingStream) -> None:
        """End the stream of an asyncio host with all others, unless it is garbage by then."""
        self._streams.add(stream)

    def new_name(self, name: str) -> str:
        """Return the name with a number after it that makes it unique."""
        return f"{name}-{next(self._numbers)}"

    def forget(self, subscription: Subscription) -> None:
        """Leave out a closed subscription; release cells and threads of all that have ended."""
        with self._changing:
            if subscription in self._open:
                self._open = tuple(other for other in self._open if other is not subscription)
                self._closing = (*self._closing, subscription)
            ended = [other for other in self._closing if other.child.ended]
            self._closing = tuple(other for other in self._closing if not other.child.ended)
        for other in ended:
            self.runtime.release(other.child.cell)
            self.drops.forget(other.child.cell)

    def _note(self, incident: Incident) -> None:
        """Send no more to a subscriber that was given up, and report the incident."""
        for subscription in self._open:
            if subscription.name == incident.actor and subscription.child.ended:
                subscription.mute()
        self._on_incident(incident)

    def statistics(self) -> tuple[SubscriptionStatistics, ...]:
        """Return the counters of the subscriptions that were not closed."""
        return tuple(subscription.statistics() for subscription in self._open)

    def end(self, deadline_s: float, *, drain: bool) -> None:
        """End all at the same time.

        Callables that do not return within `deadline_s` seconds are given up.
        """
        clock, ending = self.runtime.clock, (*self._open, *self._closing)
        end_ns = clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        for stream in list(self._streams):
            stream.end()
        for subscription in ending:
            subscription.cease(deadline_s, drain=drain)
        for subscription in ending:
            subscription.wait(max(0.0, (end_ns - clock.monotonic_ns()) / NS_PER_S))
        if self._supervisor is not None:
            self._supervisor.tell(Stop())
