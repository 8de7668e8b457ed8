"""Connects to an address under one deadline: look-up, TCP, proxy tunnel, TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.transport.deadline import READABLE, WRITABLE, Deadline
from perps_actors.transport.limits import Limits, ServerAddress, is_loopback

MAX_HEAD_BYTES = 16 * 2**10
"""The most bytes of the head of an answer to a handshake or to CONNECT."""

_Found = list[tuple[Any, ...]]
LookUp = Callable[..., _Found]


class _LookUp:
    """A look-up under way, which several threads may wait for."""

    def __init__(self) -> None:
        self.found: _Found | None = None
        self.error: Exception | None = None
        self.wakes: list[Callable[[], None]] = []
        self.done = False


class Resolver:
    """Looks names up on threads of their own, because the system's look-up cannot be interrupted.

    Look-ups of one name share a thread, so a hanging resolver holds at most one thread per name.
    """

    def __init__(self, look_up: LookUp = socket.getaddrinfo, thread_prefix: str = "") -> None:
        self._look_up = look_up
        self._prefix = thread_prefix
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], tuple[_LookUp, threading.Thread]] = {}

    def addresses(self, host: str, port: int, deadline: Deadline) -> _Found:
        """Return the stream addresses of a host as `socket.getaddrinfo` does.

        Raises:
            TransportError: no such name, or not found in time.
        """
        try:
            return socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except OSError:
            look_up = self._start(host, port, deadline.poller.wake)
        while not look_up.done:
            deadline.wait(None, 0)
        if look_up.found is None:
            msg = f"no address of {host}: {look_up.error}"
            raise TransportError(msg)
        return look_up.found

    def threads(self) -> list[threading.Thread]:
        """Return the threads of look-ups that have not ended."""
        with self._lock:
            return [thread for _, thread in self._running.values()]

    def _start(self, host: str, port: int, wake: Callable[[], None]) -> _LookUp:
        with self._lock:
            running = self._running.get((host, port))
            if running is not None:
                running[0].wakes.append(wake)
                return running[0]
            look_up = _LookUp()
            look_up.wakes.append(wake)
            name = f"{self._prefix}lookup:{host}"
            thread = threading.Thread(
                target=self._run, args=(look_up, host, port), name=name, daemon=True
            )
            self._running[host, port] = (look_up, thread)
            thread.start()
            return look_up

    def _run(self, look_up: _LookUp, host: str, port: int) -> None:
        try:
            look_up.found = self._look_up(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            look_up.error = error
        finally:
            with self._lock:
                del self._running[host, port]
            look_up.done = True
            for wake in look_up.wakes:
                wake()


class Dialer:
    """Opens connections within the limits."""

    def __init__(self, limits: Limits, resolver: Resolver) -> None:
        self._limits = limits
        self._resolver = resolver

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._limits.ca_file)
        except OSError as error:
            msg = f"the certificates in {self._limits.ca_file} cannot be read: {error}"
            raise TransportError(msg) from error

    def dial(self, address: ServerAddress, deadline: Deadline) -> socket.socket:
        """Return a non-blocking socket to `address`, through the proxy and over TLS where set.

        Raises:
            TransportError, OSError: no connection in time, not trusted, refused, or stopped.
        """
        if not address.tls:
            return self.connect(address.host, address.port, deadline, loopback_only=True)
        proxy = self._limits.proxy
        near = address if proxy is None else _proxy_address(proxy)
        sock = self.connect(near.host, near.port, deadline)
        try:
            if proxy is not None:
                _tunnel(sock, address, deadline)
            return self._encrypted(sock, address, deadline)
        except BaseException:
            sock.close()
            raise

    def connect(
        self, host: str, port: int, deadline: Deadline, *, loopback_only: bool = False
    ) -> socket.socket:
        """Return a non-blocking TCP connection to the first address of `host` that answers.

        Each address gets an equal part of the time that is left.

        Raises:
            TransportError, OSError: no connection in time, refused, or stopped.
        """
        found = self._resolver.addresses(host, port, deadline)
        if loopback_only:
            found = [entry for entry in found if is_loopback(entry[4][0])]
        failure: Exception = TransportError(f"no address of {host} is usable")
        for left, (family, kind, protocol, _, where) in zip(
            range(len(found), 0, -1), found, strict=True
        ):
            share_ns = int(deadline.left_s() / left * NS_PER_S)
            sock = socket.socket(family, kind, protocol)
            try:
                _connect(sock, where, deadline, share_ns)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def _encrypted(
        self, sock: socket.socket, address: ServerAddress, deadline: Deadline
    ) -> socket.socket:
        wrapped = self._tls.wrap_socket(
            sock, server_hostname=address.host, do_handshake_on_connect=False
        )
        try:
            deadline.step(wrapped, READABLE, wrapped.do_handshake)
        except BaseException:
            wrapped.close()
            raise
        return wrapped


def _connect(sock: socket.socket, where: Any, deadline: Deadline, share_ns: int) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    until_ns = deadline.poller.clock.monotonic_ns() + share_ns
    code = sock.connect_ex(where)
    while code == errno.EINPROGRESS:
        if deadline.wait(sock, WRITABLE, until_ns):
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        elif deadline.poller.clock.monotonic_ns() >= until_ns:
            code = errno.ETIMEDOUT
    if code:
        raise OSError(code, os.strerror(code))


def _proxy_address(proxy: str) -> ServerAddress:
    parts = urlsplit(proxy)
    return ServerAddress(parts.hostname or "", parts.port or 0, tls=False)


def _tunnel(sock: socket.socket, address: ServerAddress, deadline: Deadline) -> None:
    """Make the proxy open a tunnel to `address` (RFC 9110, section 9.3.6)."""
    request = f"CONNECT {address.authority} HTTP/1.1\r\nHost: {address.authority}\r\n\r\n".encode()
    send_all(sock, request, deadline)
    status = read_head(sock, deadline).split(b"\r\n", 1)[0].split(b" ", 2)
    if status[1:2] != [b"200"]:
        shown = b" ".join(status)[:80].decode("ascii", "backslashreplace")
        msg = f"the proxy answered {shown!r} to CONNECT"
        raise TransportError(msg)


def send_all(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send all of `data` on a non-blocking socket.

    Raises:
        TransportError, OSError: not sent in time, refused, or stopped.
    """
    rest = memoryview(data)
    while rest:
        sent = deadline.step(sock, WRITABLE, partial(sock.send, rest))
        rest = rest[sent:]


def read_head(sock: socket.socket, deadline: Deadline) -> bytes:
    """Read the head of an HTTP answer with its empty line, and not one byte more.

    Raises:
        TransportError, OSError: not complete in time, too long, ended before, or stopped.
    """
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        if len(head) >= MAX_HEAD_BYTES:
            msg = f"the answer's head is longer than {MAX_HEAD_BYTES} bytes"
            raise TransportError(msg)
        # One byte at a time, because the bytes after the head belong to the next reader.
        byte = deadline.step(sock, READABLE, lambda: sock.recv(1))
        if not byte:
            msg = f"the connection ended after {len(head)} bytes of the answer's head"
            raise TransportError(msg)
        head += byte
    return bytes(head)
