"""The outside as it is: real sockets and HTTP."""

from __future__ import annotations

import threading

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.dial import Dialer, Resolver
from perps_actors.transport.exchange import Exchanger
from perps_actors.transport.limits import Limits
from perps_actors.transport.websocket import WebSocketConnection
from perps_actors.transport.wire import (
    AnswerListener,
    ConnectionPlan,
    HttpRequest,
    Link,
    StreamListener,
)
from perps_actors.transport.workers import RequestPool

__all__ = ["Limits", "LiveNetwork"]


class LiveNetwork:
    """Implements `Network` with one thread a WebSocket and a few for HTTP, all daemons.

    Args:
        clock: stamps and deadlines.
        limits: sizes, times, trust and proxy.
        name: of the system; put before the names of its threads.
    """

    def __init__(self, clock: Clock, limits: Limits | None = None, name: str = "") -> None:
        self._clock = clock
        self._limits = limits if limits is not None else Limits()
        self._prefix = f"{name}-" if name else ""
        self._resolver = Resolver(thread_prefix=self._prefix)
        self._dialer = Dialer(self._limits, self._resolver)
        self._http = RequestPool(
            clock=clock,
            limits=self._limits,
            exchanger=lambda: Exchanger(clock, self._limits, self._dialer),
            thread_prefix=f"{self._prefix}perps-http",
        )
        self._lock = threading.Lock()
        self._connections: list[WebSocketConnection] = []
        self._closed = False

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> Link:
        """Start to open a connection and return at once; after `close` it ends before it begins."""
        connection = WebSocketConnection(
            plan,
            listener,
            clock=self._clock,
            limits=self._limits,
            dialer=self._dialer,
            thread_prefix=self._prefix,
        )
        with self._lock:
            self._connections = [other for other in self._connections if other.thread.is_alive()]
            self._connections.append(connection)
            if self._closed:
                connection.close("closed")
            connection.start()
        return connection

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Make a request on a worker and return at once; the listener gets exactly one answer, within the total deadline."""
        self._http.request(request, listener)

    def close(self, deadline_s: float) -> int:
        """End every connection and worker; return how many threads did not end within `deadline_s` seconds. Idempotent."""
        until_ns = self._clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        with self._lock:
            self._closed = True
            connections = list(self._connections)
        for connection in connections:
            connection.close("closed")
        self._http.close()
        threads = (
            [connection.thread for connection in connections]
            + self._http.threads
            + self._resolver.threads()
        )
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, (until_ns - self._clock.monotonic_ns()) / NS_PER_S))
        return sum(thread.is_alive() for thread in threads)
