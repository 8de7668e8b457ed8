"""Requests on a few worker threads: each gets exactly one answer, by its deadline."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.deadline import SocketPoller
from perps_actors.transport.limits import Limits
from perps_actors.transport.wire import AnswerListener, HttpAnswer, HttpRequest, failed


class RequestMaker(Protocol):
    """Makes the requests of one worker, one after the other."""

    def exchange(self, request: HttpRequest, poller: SocketPoller, deadline_ns: int) -> HttpAnswer:
        """Make a request and return its answer. `poller` is stopped when it is cancelled."""

    def cancel(self) -> None:
        """End the exchange under way, if possible; called from other threads."""

    def close(self) -> None:
        """Close connections that were kept for the next request."""


def tell(callback: Callable[..., None], *news: object) -> None:
    """Call a listener, and report what it raises to `threading.excepthook`."""
    try:
        callback(*news)
    except BaseException:  # noqa: BLE001 - reported the way a dying thread is
        threading.excepthook(
            threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
        )


@attrs.define(eq=False)
class _Ticket:
    """A request without an answer yet."""

    request: HttpRequest
    listener: AnswerListener
    deadline_ns: int
    cancel: Callable[[str], None] | None = None
    """Ends the exchange under way; None while no worker has it."""


class RequestPool:
    """Workers that make requests, and a thread that keeps their deadlines. All start when needed.

    A listener is called by a worker with the answer, by the deadline thread if there is none in
    time, or by the caller if too many requests wait or the pool is closed. Several of these threads
    may want to answer one request: only the one that takes its ticket out of `_pending`, under the
    lock, does. What a listener raises goes to `threading.excepthook`.

    Args:
        clock: stamps and deadlines.
        limits: sizes, times and numbers.
        exchanger: returns the `RequestMaker` of a worker; called on the worker's thread.
        thread_prefix: put before the threads' numbers.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        limits: Limits,
        exchanger: Callable[[], RequestMaker],
        thread_prefix: str,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._exchanger = exchanger
        self._prefix = thread_prefix
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        # In order of deadline. The thread that takes a ticket out of it answers it.
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
        """Answer all pending requests with an error and let the threads end. Idempotent."""
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

    def _next(self, exchanger: RequestMaker, poller: SocketPoller) -> _Ticket | None:
        def cancel(reason: str) -> None:
            poller.stop(reason)
            exchanger.cancel()

        with self._lock:
            while not self._closed:
                if self._queue:
                    ticket = self._queue.popleft()
                    ticket.cancel = cancel
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

    # --- on the deadline thread

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
            # Under the lock, because while the ticket is pending its worker is not at the next one.
            if ticket.cancel is not None:
                ticket.cancel(why)
        tell(ticket.listener, failed(ticket.request, why, self._clock))
