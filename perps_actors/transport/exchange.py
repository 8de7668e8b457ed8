"""One HTTP exchange with `requests`, within a deadline and limits, on sockets that can be closed.

No redirects, no cookies, no `.netrc`, nothing from the environment.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import zlib
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import Clock
from perps_actors.transport.deadline import Deadline, SocketPoller
from perps_actors.transport.dial import Dialer
from perps_actors.transport.limits import Limits, checked_address
from perps_actors.transport.rate_limits import retry_after_s
from perps_actors.transport.wire import HttpAnswer, HttpRequest, failed

ACCEPTED = "gzip"
"""The encoding that requests accept; any other but `identity` is refused."""

_GZIP = zlib.MAX_WBITS | 16


class Body:
    """Collects the body of an answer within a limit, as received and decompressed. Sans-I/O.

    Content is decompressed here, because endless compressed zeros would keep urllib3 busy for ever.

    Args:
        encoding: the answer's Content-Encoding.
        limit: the most bytes, as received and as decompressed.

    Raises:
        TransportError: an encoding that the request did not accept.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", ACCEPTED):
            msg = f"the answer is encoded as {encoding[:40]!r}, which the request did not accept"
            raise TransportError(msg)
        self._gzip = zlib.decompressobj(_GZIP) if encoding == ACCEPTED else None
        self._limit = limit
        self._received = 0
        self._content = bytearray()

    @property
    def room(self) -> int:
        """How many more bytes may come. Read one more than these to see that there are too many."""
        return self._limit - self._received

    def add(self, data: bytes) -> None:
        """Add the next bytes as received.

        Raises:
            TransportError: longer than the limit, or not compressed as it says.
        """
        self._received += len(data)
        if self._gzip is None:
            self._content += data
        else:
            self._inflate(self._gzip, data)
        if max(self._received, len(self._content)) > self._limit:
            msg = f"the answer is longer than {self._limit} bytes"
            raise TransportError(msg)

    def _inflate(self, gzip: zlib._Decompress, data: bytes) -> None:
        # One byte beyond the limit shows that there is too much, without decompressing all of it.
        room = self._limit + 1 - len(self._content)
        try:
            self._content += gzip.decompress(data, room)
        except zlib.error as error:
            msg = f"the answer is not gzip: {error}"
            raise TransportError(msg) from error
        if gzip.unused_data:
            msg = "the answer goes on after the end of its compression"
            raise TransportError(msg)

    def whole(self) -> bytes:
        """Return the content, when all has come.

        Raises:
            TransportError: its compression is cut short.
        """
        if self._gzip is not None and self._received and not self._gzip.eof:
            msg = "the answer ends in the middle of its compression"
            raise TransportError(msg)
        return bytes(self._content)


READ_BYTES: Final = 16_384


class Canceller:
    """Lets another thread cancel the exchange of a worker by shutting down its sockets.

    It holds a second descriptor of each, because TLS moves a connection from one socket object to
    another. Two threads meet at `_held`: the worker adds and closes, the other shuts down. The lock
    keeps a shutdown from a descriptor that was closed and given to another socket.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._lock = threading.Lock()
        self._held: set[socket.socket] = set()
        self.deadline: Deadline | None = None
        """The deadline of the exchange under way."""

    def connect(self, host: str, port: int) -> tuple[socket.socket, socket.socket]:
        """Return a blocking socket to `host`, and its second descriptor for `release`.

        Raises:
            TransportError, OSError: not reached in time, refused, or stopped.
        """
        deadline = self.deadline
        assert deadline is not None, "a connection outside of an exchange"
        sock = self._dialer.connect(host, port, deadline)
        held = sock.dup()
        with self._lock:
            self._held.add(held)
        try:
            # Raises if the exchange was cancelled before the socket was held.
            sock.settimeout(deadline.left_s())
        except TransportError:
            sock.close()
            self.release(held)
            raise
        return sock, held

    def release(self, held: socket.socket) -> None:
        """Forget a connection that was closed."""
        with self._lock:
            self._held.discard(held)
            held.close()

    def cancel(self) -> None:
        """End every read and write on these connections."""
        with self._lock:
            for held in self._held:
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)


class _CancellableConnection(HTTPConnection):
    """A connection whose socket a canceller opens.

    It uses two private names of urllib3: `_new_conn` and `_dns_host`.
    """

    def __init__(self, *args: Any, canceller: Canceller, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._canceller = canceller
        self._held: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock, self._held = self._canceller.connect(self._dns_host, self.port or self.default_port)
        return sock

    def close(self) -> None:
        """Close the connection."""
        super().close()
        held, self._held = self._held, None
        if held is not None:
            self._canceller.release(held)


class _CancellableTlsConnection(_CancellableConnection, HTTPSConnection):
    """The same over TLS."""


def _http_pool(canceller: Canceller, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
    pool = HTTPConnectionPool(*args, **kwargs)
    connection: Any = partial(_CancellableConnection, canceller=canceller)
    pool.ConnectionCls = connection
    return pool


def _https_pool(canceller: Canceller, *args: Any, **kwargs: Any) -> HTTPSConnectionPool:
    pool = HTTPSConnectionPool(*args, **kwargs)
    connection: Any = partial(_CancellableTlsConnection, canceller=canceller)
    pool.ConnectionCls = connection
    return pool


class _Adapter(HTTPAdapter):
    """Connections as the canceller makes them, directly or through a proxy."""

    def __init__(self, canceller: Canceller) -> None:
        self._pools = {
            "http": partial(_http_pool, canceller),
            "https": partial(_https_pool, canceller),
        }
        super().__init__(pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the manager of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return the manager of connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


class Exchanger:
    """Makes one request after another for one worker, and keeps connections for the next."""

    def __init__(self, clock: Clock, limits: Limits, dialer: Dialer) -> None:
        self._clock = clock
        self._limits = limits
        self._canceller = Canceller(dialer)
        self.cancel = self._canceller.cancel
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = True if limits.ca_file is None else str(limits.ca_file)
        self._session.headers["Accept-Encoding"] = ACCEPTED
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if limits.proxy is not None:
            self._session.proxies = {"https": limits.proxy}
        self._session.mount("https://", _Adapter(self._canceller))
        self._session.mount("http://", _Adapter(self._canceller))

    def exchange(self, request: HttpRequest, poller: SocketPoller, deadline_ns: int) -> HttpAnswer:
        """Make a request and return its answer; an error outside becomes a failed answer.

        Args:
            request: the request.
            poller: stops it from another thread, together with `cancel`.
            deadline_ns: monotonic time by which it is over.
        """
        deadline = self._canceller.deadline = Deadline(
            poller, deadline_ns, f"no answer within {self._limits.request_total_s:g} s"
        )
        try:
            checked_address(request.url, encrypted="https", plain="http")
            return self._answer(request, deadline)
        except Exception as error:  # noqa: BLE001 - a hostile answer may raise anything
            return failed(request, deadline.over() or _cause(error), self._clock)

    def _answer(self, request: HttpRequest, deadline: Deadline) -> HttpAnswer:
        with self._session.get(
            request.url, stream=True, allow_redirects=False, timeout=deadline.left_s()
        ) as response:
            status = response.status_code
            redirected = 300 <= status < 400
            body = b"" if redirected else self._body(response, deadline)
            now_ns = self._clock.time_ns()
            return HttpAnswer(
                request=request,
                status=status,
                body=body,
                error=f"status {status} is a redirect, which is not followed"
                if redirected
                else None,
                received_ns=now_ns,
                monotonic_ns=self._clock.monotonic_ns(),
                retry_after_s=retry_after_s(response.headers.get("Retry-After"), now_ns),
            )

    def _body(self, response: requests.Response, deadline: Deadline) -> bytes:
        body = Body(response.headers.get("Content-Encoding", ""), self._limits.max_answer_bytes)
        while data := response.raw.read(min(READ_BYTES, body.room + 1), decode_content=False):
            body.add(data)
            deadline.left_s()
        return body.whole()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def _cause(error: BaseException) -> str:
    """Return the text of the first cause; urllib3's errors above it show a URL with secrets."""
    while (
        not isinstance(error, TransportError)
        and (beneath := error.__cause__ or error.__context__) is not None
    ):
        error = beneath
    return str(error) if isinstance(error, TransportError) else f"{type(error).__name__}: {error}"
