"""Waiting for a socket within a deadline, so that other threads can wake or stop the thread."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S, Clock

R = TypeVar("R")

READABLE: Final = select.POLLIN
WRITABLE: Final = select.POLLOUT
_NS_PER_MS: Final = NS_PER_S // 1000


class SocketPoller:
    """Lets one thread wait for a socket. Others may call `wake` and `stop`, also after `close`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stopped: str | None = None
        """Why the thread is to end; None while it is not."""
        self._lock = threading.Lock()
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._inner, READABLE)
        self._watched: tuple[int, int] | None = None

    def wake(self) -> None:
        """End the present or the next `wait`."""
        # The lock keeps the byte from a descriptor that `close` has closed and another opened.
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._outer.fileno() >= 0:
                self._outer.send(b"\0")

    def stop(self, reason: str) -> None:
        """Make the thread end; the first reason counts."""
        if self.stopped is None:
            self.stopped = reason
        self.wake()

    def wait(self, sock: socket.socket | None, events: int, until_ns: int) -> bool:
        """Wait until `sock` is ready for one of `events` or has failed, and return True.

        Return False if the thread was woken, or at `until_ns` (monotonic).
        """
        self._watch(sock, events)
        left_ms = max(0, until_ns - self.clock.monotonic_ns()) / _NS_PER_MS
        ready = False
        for fd, _ in self._poll.poll(left_ms):
            if fd == self._inner.fileno():
                self._inner.recv(4096)
            else:
                ready = True
        return ready

    def _watch(self, sock: socket.socket | None, events: int) -> None:
        wanted = None if sock is None else (sock.fileno(), events)
        if wanted == self._watched:
            return
        if self._watched is not None:
            self._poll.unregister(self._watched[0])
        if wanted is not None:
            self._poll.register(*wanted)
        self._watched = wanted

    def close(self) -> None:
        """Close the descriptors."""
        with self._lock:
            self._inner.close()
            self._outer.close()


class Deadline:
    """One deadline for several steps, each of which may have to wait.

    Args:
        poller: how this thread waits.
        deadline_ns: monotonic time by which all steps are done.
        late: text of the error after the deadline.
    """

    def __init__(self, poller: SocketPoller, deadline_ns: int, late: str) -> None:
        self.poller = poller
        self.deadline_ns = deadline_ns
        self._late = late

    def over(self) -> str | None:
        """Return why there is no more time: stopped, or too late; None while there is time."""
        late = self.poller.clock.monotonic_ns() >= self.deadline_ns
        return self._late if self.poller.stopped is None and late else self.poller.stopped

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            TransportError: no time is left, or the thread was stopped.
        """
        over = self.over()
        if over is not None:
            raise TransportError(over)
        return max(1, self.deadline_ns - self.poller.clock.monotonic_ns()) / NS_PER_S

    def wait(self, sock: socket.socket | None, events: int, until_ns: int | None = None) -> bool:
        """Wait as `SocketPoller.wait`, until `until_ns` if that is earlier than the deadline.

        Raises:
            TransportError: the deadline has passed, or the thread was stopped.
        """
        until_ns = self.deadline_ns if until_ns is None else min(until_ns, self.deadline_ns)
        ready = self.poller.wait(sock, events, until_ns)
        self.left_s()
        return ready

    def step(self, sock: socket.socket, events: int, call: Callable[[], R]) -> R:
        """Make a call on a non-blocking socket when the socket is ready; return its result.

        `events` is what the call waits for without TLS.

        Raises:
            TransportError: the deadline has passed, or the thread was stopped.
            OSError: the call failed.
        """
        while True:
            self.left_s()
            try:
                return call()
            except ssl.SSLWantReadError:
                needed = READABLE
            except ssl.SSLWantWriteError:
                needed = WRITABLE
            except BlockingIOError:
                needed = events
            self.wait(sock, needed)
