"""One HTTP exchange by `requests`: no redirects, cookies, `.netrc` or environment, and sockets that can be cut off."""

from __future__ import annotations

import contextlib
import socket
import threading
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import Clock
from perps_actors.transport.body import ACCEPTED, Body
from perps_actors.transport.dial import Dialer
from perps_actors.transport.limits import Limits
from perps_actors.transport.rate_limits import retry_after_s
from perps_actors.transport.urls import checked_address
from perps_actors.transport.waiting import Deadline, SocketPoller
from perps_actors.transport.wire import HttpAnswer, HttpRequest, failed

READ_BYTES: Final = 16_384


class Cutter:
    """The sockets one worker has open, for another thread to cut off.

    It holds a second descriptor of each, because TLS moves a connection from one socket object to another.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._lock = threading.Lock()
        self._held: set[socket.socket] = set()
        self.deadline: Deadline | None = None
        """What bounds the exchange under way."""

    def connect(self, host: str, port: int) -> tuple[socket.socket, socket.socket]:
        """Return a blocking socket to `host`, and what `release` takes when it is closed.

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
            # A cut that came before the socket was held shows here.
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

    def cut(self) -> None:
        """End every read and write on these connections."""
        with self._lock:
            for held in self._held:
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)


class _CuttableConnection(HTTPConnection):
    """A connection whose socket a cutter opens. `_new_conn` and `_dns_host` are the private names of urllib3 it uses."""

    def __init__(self, *args: Any, cutter: Cutter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cutter = cutter
        self._held: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock, self._held = self._cutter.connect(self._dns_host, self.port or self.default_port)
        return sock

    def close(self) -> None:
        """Close the connection."""
        super().close()
        held, self._held = self._held, None
        if held is not None:
            self._cutter.release(held)


class _CuttableTlsConnection(_CuttableConnection, HTTPSConnection):
    """The same over TLS."""


def _http_pool(cutter: Cutter, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
    pool = HTTPConnectionPool(*args, **kwargs)
    pool.ConnectionCls = partial(_CuttableConnection, cutter=cutter)  # type: ignore[assignment]
    return pool


def _https_pool(cutter: Cutter, *args: Any, **kwargs: Any) -> HTTPSConnectionPool:
    pool = HTTPSConnectionPool(*args, **kwargs)
    pool.ConnectionCls = partial(_CuttableTlsConnection, cutter=cutter)  # type: ignore[assignment]
    return pool


class _Adapter(HTTPAdapter):
    """Connections as the cutter makes them, directly or through a proxy."""

    def __init__(self, cutter: Cutter) -> None:
        self._pools = {"http": partial(_http_pool, cutter), "https": partial(_https_pool, cutter)}
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
        self._cutter = Cutter(dialer)
        self.cut = self._cutter.cut
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = True if limits.ca_file is None else str(limits.ca_file)
        self._session.headers["Accept-Encoding"] = ACCEPTED
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if limits.proxy is not None:
            self._session.proxies = {"https": limits.proxy}
        self._session.mount("https://", _Adapter(self._cutter))
        self._session.mount("http://", _Adapter(self._cutter))

    def exchange(self, request: HttpRequest, poller: SocketPoller, deadline_ns: int) -> HttpAnswer:
        """Return what became of a request; never raises for what the outside does.

        Args:
            request: what to ask.
            waiter: what stops it from another thread, together with `cut`.
            deadline_ns: monotonic time by which it is over.
        """
        deadline = self._cutter.deadline = Deadline(
            poller, deadline_ns, f"no answer within {self._limits.request_total_s:g} s"
        )
        try:
            checked_address(request.url, encrypted="https", plain="http")
            return self._answer(request, deadline)
        except Exception as error:  # noqa: BLE001 - whatever requests makes of a hostile answer, the asker hears of it
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
    """Return what lies at the bottom of an error: what urllib3 puts on top names the URL, whose query may be signed."""
    while (
        not isinstance(error, TransportError)
        and (beneath := error.__cause__ or error.__context__) is not None
    ):
        error = beneath
    return str(error) if isinstance(error, TransportError) else f"{type(error).__name__}: {error}"
