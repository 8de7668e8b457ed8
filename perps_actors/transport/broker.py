"""The network of a system whose host gave a broker object in place of a venue."""

from __future__ import annotations

import threading
from typing import Final

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.broker_calls import HostBroker
from perps_actors.transport.broker_quotes import QuoteCalls
from perps_actors.transport.broker_streams import End, Iteration
from perps_actors.transport.limits import Limits
from perps_actors.transport.request_pool import tell
from perps_actors.transport.wire import (
    AnswerListener,
    ConnectionPlan,
    HttpRequest,
    Link,
    StreamListener,
)

__all__ = ["BrokerNetwork", "HostBroker"]


class IterationKeeper:
    """Watches the iterators of a broker with a thread of its own, which the first one starts.

    An iterator that yields nothing within its limit of silence is ended and its thread abandoned,
    because it may hang for ever. At most `max_abandoned` threads of a method are. Then the method
    is *suspended* until one of them returns: its present iterator is not ended for silence, and no
    other is started if its owner closes it.

    Args:
        clock: deadlines.
        max_abandoned: threads of one method.
        thread_name: name of its thread.
    """

    def __init__(self, clock: Clock, max_abandoned: int, thread_name: str) -> None:
        self.changed: Final = threading.Condition()
        self._clock = clock
        self._max_abandoned = max_abandoned
        self._iterations: list[Iteration] = []
        self._closed = False
        self._thread = threading.Thread(target=self._keep, name=thread_name, daemon=True)
        self._started = False

    def begin(self, iteration: Iteration) -> None:
        """Start an iteration on its thread; it ends at once if it is not allowed to start."""
        with self.changed:
            self._iterations = [
                other for other in self._iterations if other.untold or other.thread.is_alive()
            ]
            stuck = self._abandoned(iteration.method)
            if self._closed:
                iteration.close("closed")
            elif stuck > self._max_abandoned:
                iteration.finish(
                    End(
                        f"{iteration.method} is suspended: {stuck} calls have not come back",
                        error=True,
                    )
                )
            elif not self._started:
                self._started = True
                self._thread.start()
            self._iterations.append(iteration)
            iteration.thread.start()
            self.changed.notify()

    def suspended(self) -> tuple[str, ...]:
        """Return the names of the methods that are suspended."""
        with self.changed:
            methods = dict.fromkeys(iteration.method for iteration in self._iterations)
            return tuple(method for method in methods if self._suspended(method))

    def close(self) -> None:
        """End all iterations, then let the thread end. Idempotent."""
        with self.changed:
            self._closed = True
            for iteration in self._iterations:
                iteration.close("closed")
            self.changed.notify()

    def threads(self) -> list[threading.Thread]:
        """Return the threads that may still run."""
        with self.changed:
            return [
                *(iteration.thread for iteration in self._iterations),
                *([self._thread] if self._started else []),
            ]

    def _abandoned(self, method: str) -> int:
        return sum(
            iteration.abandoned for iteration in self._iterations if iteration.method == method
        )

    def _suspended(self, method: str) -> bool:
        return self._abandoned(method) >= self._max_abandoned

    # --- on its own thread

    def _keep(self) -> None:
        while True:
            with self.changed:
                self._give_up_silent()
                ended = [iteration for iteration in self._iterations if iteration.untold]
                if not ended:
                    if self._closed:
                        return
                    self.changed.wait(self._wait_s())
                    continue
                for iteration in ended:
                    iteration.untold = False
            for iteration in ended:
                tell(iteration.tell_end)

    def _give_up_silent(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for iteration in self._iterations:
            if (
                iteration.listening
                and iteration.due_ns(now_ns) <= now_ns
                and not self._suspended(iteration.method)
            ):
                iteration.finish(End(self._why(iteration), error=True))

    def _why(self, iteration: Iteration) -> str:
        why = f"nothing came for {iteration.silence_s:g} s"
        stuck = self._abandoned(iteration.method) + 1
        if stuck < self._max_abandoned:
            return why
        method = iteration.method
        return f"{why}; {stuck} calls of {method} have not come back, so no further one is given up"

    def _wait_s(self) -> float | None:
        """Return how long nothing is due; None if nothing will be."""
        now_ns = self._clock.monotonic_ns()
        dues = [
            it.due_ns(now_ns)
            for it in self._iterations
            if it.listening and not self._suspended(it.method)
        ]
        return max(0, min(dues) - now_ns) / NS_PER_S if dues else None


class BrokerNetwork:
    """Implements `Network` with one thread per iterator and a few for quotes, all daemons.

    A thread inside the host's code cannot be stopped, only abandoned. Its results are ignored then,
    and it ends when the host's code returns. At most `max_abandoned` calls of a method are
    abandoned; then the method is suspended until one returns (`IterationKeeper`, `QuoteCalls`).

    Args:
        broker: the host's object.
        clock: stamps and deadlines.
        limits: sizes of items and answers, and the total deadline of a quote.
        name: of the system; put before the names of its threads.
        max_abandoned: the most abandoned threads of each method.

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
        """Start the iterator that the plan's address names and return at once."""
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
        """Call `get_quote` on a worker and return at once; the listener gets exactly one answer."""
        self._quotes.request(request, listener)

    def suspended(self) -> tuple[str, ...]:
        """Return the names of the broker's methods that are suspended."""
        return self._keeper.suspended() + self._quotes.suspended()

    def close(self, deadline_s: float) -> int:
        """End every iterator and call; return how many threads did not end in time. Idempotent."""
        until_ns = self._clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        self._keeper.close()
        self._quotes.close()
        threads = self._keeper.threads() + self._quotes.threads()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, (until_ns - self._clock.monotonic_ns()) / NS_PER_S))
        return sum(thread.is_alive() for thread in threads)
