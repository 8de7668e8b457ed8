"""The WebSocket handshake: websocket-client's, on a socket that keeps the deadline, the limits and the cookies."""

from __future__ import annotations

import io
import re
import socket

import websocket

from perps_actors.errors import TransportError
from perps_actors.transport.dial import read_head, send_all
from perps_actors.transport.waiting import Deadline

_NEEDED = re.compile(rb"(?:upgrade|connection|sec-websocket-accept)\s*:", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nCookie:[^\r\n]*", re.IGNORECASE)


class _HandshakeSocket:
    """What websocket-client takes for its socket during the handshake.

    It sees the status line and the headers that make a handshake, nothing else: its cookie jar belongs to the whole process and is
    open to any host's cookies, and it would read an error's body of whatever length, or as many headers as there are.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._patience = deadline
        self._head: io.BytesIO | None = None
        self.status = ""
        """The status line of the answer."""

    @property
    def switches(self) -> bool:
        """Whether the answer calls itself a change of protocols."""
        return self.status.split(" ")[1:2] == ["101"]

    def gettimeout(self) -> float:
        """Return 0: every call waits on its own account."""
        return 0

    def send(self, data: bytes) -> int:
        """Send all of the request, without cookies."""
        send_all(self._sock, _COOKIE.sub(b"", data), self._patience)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the answer's head."""
        if self._head is None:
            status, *headers = read_head(self._sock, self._patience).split(b"\r\n")
            self.status = status.decode("ascii", "backslashreplace")
            kept = [status, *(header for header in headers if _NEEDED.match(header)), b"", b""]
            self._head = io.BytesIO(b"\r\n".join(kept))
        return self._head.read(size)

    def close(self) -> None:
        """Leave the socket to its owner."""


def shake_hands(sock: socket.socket, url: str, deadline: Deadline) -> None:
    """Make `sock` a WebSocket, open for frames from the next byte on.

    Raises:
        TransportError: the other side refuses, redirects, is no WebSocket server, breaks a limit, or is not done in time.
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
