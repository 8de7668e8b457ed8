"""Requests on a few worker threads: each gets exactly one answer, by its deadline, whatever the other side does."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.limits import Limits
from perps_actors.transport.waiting import SocketPoller
from perps_actors.transport.wire import AnswerListener, HttpAnswer, HttpRequest, failed


class Exchanging(Protocol):
    """What makes the requests of one worker, one after the other."""

    def exchange(self, request: HttpRequest, poller: SocketPoller, deadline_ns: int) -> HttpAnswer:
        """Return what became of a request; never raises for what the outside does. `waiter` is stopped when it is given up."""

    def cut(self) -> None:
        """End what is under way, if that is possible; called from other threads."""

    def close(self) -> None:
        """Give back what is held."""


def tell(callback: Callable[..., None], *news: object) -> None:
    """Tell a listener on a thread that serves others too: what it raises goes to `threading.excepthook`, and the thread lives on."""
    try:
        callback(*news)
    except BaseException:  # noqa: BLE001 - reported the way a dying thread is
        threading.excepthook(
            threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
        )


@attrs.define(eq=False)
class _Ticket:
    """A request that was not answered yet."""

    request: HttpRequest
    listener: AnswerListener
    deadline_ns: int
    cut: Callable[[str], None] | None = None
    """Ends the exchange under way; None while no worker has it."""


class RequestPool:
    """Workers that make requests, and one thread that keeps their deadlines. Threads start as they are needed.

    A listener hears the answer on a worker's thread; on the deadline keeper's when there was none in time; at once, on the caller's
    own, when too many requests wait, or at `close`. What a listener raises goes to `threading.excepthook`.

    Args:
        clock: stamps and deadlines.
        limits: sizes, times and numbers.
        exchanger: makes what a worker makes its requests with; called on the worker's thread.
        thread_prefix: put before the threads' numbers.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        limits: Limits,
        exchanger: Callable[[], Exchanging],
        thread_prefix: str,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._exchanger = exchanger
        self._prefix = thread_prefix
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        # In order of deadline; whoever takes a ticket out of it answers it.
        self._pending: dict[_Ticket, None] = {}
        self._queue: deque[_Ticket] = deque()
        self._idle = 0
        self._closed = False
        self.threads: list[threading.Thread] = []

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Make a request on a worker and return at once; the listener gets exactly one answer."""
        deadline_ns = self._clock.monotonic_ns() + int(self._limits.request_total_s * NS_PER_S)
        ticket = _Ticket(request, listener, deadline_ns)
        with self._lock:
            refusal = self._refusal()
            if refusal is None:
                self._pending[ticket] = None
                self._queue.append(ticket)
                self._staff()
                self._work.notify()
                self._changed.notify()
        if refusal is not None:
            tell(listener, failed(request, refusal, self._clock))

    def close(self) -> None:
        """Answer what is pending with an error and let all threads end. Idempotent."""
        with self._lock:
            self._closed = True
            pending = list(self._pending)
            self._work.notify_all()
            self._changed.notify_all()
        for ticket in pending:
            self._give_up(ticket, "closed")

    def _refusal(self) -> str | None:
        if self._closed:
            return "closed"
        if len(self._pending) >= self._limits.workers + self._limits.queue:
            return "too many requests waiting"
        return None

    def _staff(self) -> None:
        if not self.threads:
            self._start("watch", self._keep_deadlines)
        if self._idle < len(self._queue) and len(self.threads) <= self._limits.workers:
            self._start(str(len(self.threads) - 1), self._serve)

    def _start(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"{self._prefix}-{name}", daemon=True)
        self.threads.append(thread)
        thread.start()

    # --- on the workers' threads

    def _serve(self) -> None:
        with contextlib.closing(self._exchanger()) as exchanger:
            while True:
                with contextlib.closing(SocketPoller(self._clock)) as poller:
                    ticket = self._next(exchanger, poller)
                    if ticket is None:
                        return
                    answer = exchanger.exchange(ticket.request, poller, ticket.deadline_ns)
                    self._answer(ticket, answer)

    def _next(self, exchanger: Exchanging, poller: SocketPoller) -> _Ticket | None:
        def cut(reason: str) -> None:
            poller.stop(reason)
            exchanger.cut()

        with self._lock:
            while not self._closed:
                if self._queue:
                    ticket = self._queue.popleft()
                    ticket.cut = cut
                    return ticket
                self._idle += 1
                self._work.wait()
                self._idle -= 1
        return None

    def _answer(self, ticket: _Ticket, answer: HttpAnswer) -> None:
        with self._lock:
            if ticket not in self._pending:
                return
            del self._pending[ticket]
        tell(ticket.listener, answer)

    # --- on the deadline keeper's thread

    def _keep_deadlines(self) -> None:
        late = f"no answer within {self._limits.request_total_s:g} s"
        while True:
            with self._lock:
                if self._closed:
                    return
                first = next(iter(self._pending), None)
                left_ns = None if first is None else first.deadline_ns - self._clock.monotonic_ns()
                if left_ns is None or left_ns > 0:
                    self._changed.wait(None if left_ns is None else left_ns / NS_PER_S)
                    continue
            if first is not None:
                self._give_up(first, late)

    def _give_up(self, ticket: _Ticket, why: str) -> None:
        with self._lock:
            if ticket not in self._pending:
                return
            del self._pending[ticket]
            # Under the lock: as long as the ticket was pending, its worker was not at the next one.
            if ticket.cut is not None:
                ticket.cut(why)
        tell(ticket.listener, failed(ticket.request, why, self._clock))
