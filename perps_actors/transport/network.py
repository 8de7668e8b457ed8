"""The network of a live system: real sockets and HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.kernel.dispatcher import IoDispatcher, IoLoop
from perps_actors.transport.dial import Dialer, Resolver
from perps_actors.transport.exchange import Exchanger
from perps_actors.transport.limits import Limits
from perps_actors.transport.request_pool import RequestPool
from perps_actors.transport.websocket import WebSocketConnection
from perps_actors.transport.wire import (
    AnswerListener,
    ConnectionPlan,
    HttpRequest,
    Link,
    StreamListener,
)

__all__ = ["Limits", "LiveNetwork"]


class LiveNetwork:
    """Implements `Network`: all WebSockets on one loop, HTTP on a few daemon threads.

    Args:
        clock: stamps and deadlines.
        limits: sizes, times, trust and proxy.
        name: of the system; put before the names of its threads.
        loop: what waits for the sockets; None: a thread of the network's own.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits | None = None,
        name: str = "perps",
        loop: IoLoop | None = None,
    ) -> None:
        self._clock = clock
        self._limits = limits if limits is not None else Limits()
        self._prefix = f"{name}-"
        self._resolver = Resolver(thread_prefix=self._prefix)
        self._dialer = Dialer(self._limits, self._resolver)
        self._http = RequestPool(
            clock=clock,
            limits=self._limits,
            exchanger=lambda: Exchanger(clock, self._limits, self._dialer),
            thread_prefix=f"{self._prefix}http",
        )
        # Guards what follows; `_changed` is notified when a connection has ended.
        self._changed = threading.Condition()
        self._connections: dict[WebSocketConnection, None] = {}
        self._closed = False
        self._starting = threading.Lock()
        self._own_threads: list[threading.Thread] = []
        self._own_loop: IoDispatcher | None = None
        if loop is None:
            loop = self._own_loop = IoDispatcher(self._start_thread, "io", clock)
        self._loop = loop

    def _start_thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, name=f"{self._prefix}{name}", daemon=True)
        with self._starting:
            thread.start()
            self._own_threads.append(thread)
        return thread

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> Link:
        """Start to open a connection and return at once; after `close` it ends immediately."""
        connection = WebSocketConnection(
            plan,
            listener,
            loop=self._loop,
            clock=self._clock,
            limits=self._limits,
            dialer=self._dialer,
            ended=self._forget,
            thread_prefix=self._prefix,
        )
        with self._changed:
            self._connections[connection] = None
            if self._closed:
                connection.close("closed")
        connection.start()
        return connection

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Make a request on a worker and return at once; the listener gets exactly one answer."""
        self._http.request(request, listener)

    def close(self, deadline_s: float) -> int:
        """End every connection and worker.

        Return how many connections and threads did not end within `deadline_s` seconds. Those end
        later, by themselves. Idempotent.
        """
        until_ns = self._clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        with self._changed:
            self._closed = True
            connections = list(self._connections)
        for connection in connections:
            connection.close("closed")
        self._http.close()
        with self._changed:
            self._changed.wait_for(lambda: not self._connections, self._left_s(until_ns))
            left = len(self._connections)
            self._end_own_loop()
        threads = self._http.threads + self._resolver.threads()
        if not left:
            with self._starting:
                threads += self._own_threads
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(self._left_s(until_ns))
        return left + sum(thread.is_alive() for thread in threads)

    def _left_s(self, until_ns: int) -> float:
        return max(0.0, (until_ns - self._clock.monotonic_ns()) / NS_PER_S)

    def _forget(self, connection: WebSocketConnection) -> None:
        with self._changed:
            self._connections.pop(connection, None)
            self._changed.notify_all()
            self._end_own_loop()

    def _end_own_loop(self) -> None:
        if self._closed and not self._connections and self._own_loop is not None:
            self._own_loop.close()
