"""The outside as a host's broker object knows it, behind the same seam as sockets and HTTP."""

from __future__ import annotations

import threading

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.broker_calls import HostBroker
from perps_actors.transport.broker_keeper import IterationKeeper
from perps_actors.transport.broker_quotes import QuoteCalls
from perps_actors.transport.broker_streams import Iteration
from perps_actors.transport.limits import Limits
from perps_actors.transport.wire import (
    AnswerListener,
    ConnectionPlan,
    HttpRequest,
    Link,
    StreamListener,
)

__all__ = ["BrokerNetwork", "HostBroker"]


class BrokerNetwork:
    """Implements `Network` with one thread an iterator and a few for quotes, all daemons.

    A thread inside the host's code cannot be stopped, only abandoned: what it brings later is ignored, and it ends when it comes
    back. Of each method at most `max_abandoned` calls are given up so; then the method is suspended, see `IterationKeeper` and
    `QuoteCalls`, until one comes back.

    Args:
        broker: the host's.
        clock: stamps and deadlines.
        limits: sizes of items and answers, the total deadline of a quote.
        name: of the system; put before the names of its threads.
        max_abandoned: calls of each method whose threads may be lost at the same time.

    Raises:
        TransportError: `max_abandoned` is below 1.
    """

    def __init__(
        self,
        broker: HostBroker,
        clock: Clock,
        limits: Limits | None = None,
        name: str = "",
        *,
        max_abandoned: int = 3,
    ) -> None:
        if max_abandoned < 1:
            msg = f"Expected max_abandoned of at least 1, was {max_abandoned}"
            raise TransportError(msg)
        self._broker = broker
        self._clock = clock
        self._limits = limits if limits is not None else Limits()
        self._prefix = f"{name}-broker" if name else "broker"
        self._keeper = IterationKeeper(clock, max_abandoned, f"{self._prefix}-keeper")
        self._quotes = QuoteCalls(
            broker, clock, self._limits, max_abandoned, f"{self._prefix}-quote"
        )

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> Link:
        """Start to iterate what the plan's address names and return at once; after `close` it ends before it begins."""
        iteration = Iteration(
            plan,
            listener,
            broker=self._broker,
            clock=self._clock,
            changed=self._keeper.changed,
            max_item_bytes=self._limits.max_message_bytes,
            thread_prefix=self._prefix,
        )
        self._keeper.begin(iteration)
        return iteration

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Call `get_quote` on a worker and return at once; the listener gets exactly one answer, within the total deadline."""
        self._quotes.request(request, listener)

    def suspended(self) -> tuple[str, ...]:
        """Return the names of the broker's methods of which no further call is given up or made, until one comes back."""
        return self._keeper.suspended() + self._quotes.suspended()

    def close(self, deadline_s: float) -> int:
        """End every iteration and call; return how many threads did not end within `deadline_s` seconds. Idempotent."""
        until_ns = self._clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        self._keeper.close()
        self._quotes.close()
        threads = self._keeper.threads() + self._quotes.threads()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, (until_ns - self._clock.monotonic_ns()) / NS_PER_S))
        return sum(thread.is_alive() for thread in threads)
