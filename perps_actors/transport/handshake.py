"""The WebSocket handshake of websocket-client, within our deadline and limits."""

from __future__ import annotations

import io
import re
import socket

import websocket

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.transport.deadline import Deadline, SocketPoller
from perps_actors.transport.dial import Dialer, read_head, send_all
from perps_actors.transport.limits import Limits, checked_address

_NEEDED = re.compile(rb"(?:upgrade|connection|sec-websocket-accept)\s*:", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nCookie:[^\r\n]*", re.IGNORECASE)


class _HandshakeSocket:
    """Stands in for the socket of websocket-client during the handshake.

    websocket-client sees the status line and the headers of a handshake only. Its cookie jar is
    shared by the whole process, and it would read endless headers and the body of an error.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._head: io.BytesIO | None = None
        self.status = ""
        """The status line of the answer."""

    @property
    def switches(self) -> bool:
        """Whether the answer is a change of protocols."""
        return self.status.split(" ")[1:2] == ["101"]

    def gettimeout(self) -> float:
        """Return 0, because each call waits by itself."""
        return 0

    def send(self, data: bytes) -> int:
        """Send all of the request, without cookies."""
        send_all(self._sock, _COOKIE.sub(b"", data), self._deadline)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the answer's head."""
        if self._head is None:
            status, *headers = read_head(self._sock, self._deadline).split(b"\r\n")
            self.status = status.decode("ascii", "backslashreplace")
            kept = [status, *(header for header in headers if _NEEDED.match(header)), b"", b""]
            self._head = io.BytesIO(b"\r\n".join(kept))
        return self._head.read(size)

    def close(self) -> None:
        """Leave the socket open for its owner."""


def _shake_hands(sock: socket.socket, url: str, deadline: Deadline) -> None:
    """Make `sock` a WebSocket. The next byte is the first of a frame.

    Raises:
        TransportError: refused, redirected, no WebSocket server, beyond a limit, or too late.
        OSError: the connection failed.
    """
    guarded = _HandshakeSocket(sock, deadline)
    try:
        websocket.create_connection(url, socket=guarded, redirect_limit=0, suppress_origin=True)
    except websocket.WebSocketException as error:
        msg = f"the handshake failed: the server answered {guarded.status[:80]!r}"
        if guarded.switches:
            msg += f": {error}"[:160]
        raise TransportError(msg) from error


def open_websocket(url: str, dialer: Dialer, limits: Limits, poller: SocketPoller) -> socket.socket:
    """Return a non-blocking socket to a WebSocket server, all steps within `limits.handshake_s`.

    Raises:
        TransportError, OSError: no connection in time, refused, or stopped.
    """
    address = checked_address(url, encrypted="wss", plain="ws")
    seconds = limits.handshake_s
    deadline_ns = poller.clock.monotonic_ns() + int(seconds * NS_PER_S)
    deadline = Deadline(poller, deadline_ns, f"not open within {seconds:g} s")
    sock = dialer.dial(address, deadline)
    try:
        _shake_hands(sock, url, deadline)
    except BaseException:
        sock.close()
        raise
    return sock
