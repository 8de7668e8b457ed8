"""What waits to be sent on a connection: bounded, filled from any thread, emptied by the connection's own."""

from __future__ import annotations

import socket
import ssl
import threading

from websocket import ABNF

from perps_actors.errors import TransportError

MAX_WAITING_BYTES = 2**20
"""Bytes of frames that may wait; a venue that takes less than it is told is not listening."""


class Outbox:
    """Frames on their way out, in the order in which they were put. Every frame is masked (RFC 6455, section 5.3)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._sending = b""

    def put(self, payload: str | bytes, opcode: int) -> None:
        """Queue one frame.

        Raises:
            TransportError: too much is waiting already.
        """
        frame: bytes = ABNF.create_frame(payload, opcode).format()
        with self._lock:
            if len(self._waiting) + len(frame) > MAX_WAITING_BYTES:
                msg = f"more than {MAX_WAITING_BYTES} bytes wait to be sent"
                raise TransportError(msg)
            self._waiting += frame

    def drop(self) -> None:
        """Forget what was not begun to be sent."""
        with self._lock:
            self._waiting.clear()

    def is_empty(self) -> bool:
        """Return whether everything was sent."""
        return not (self._sending or self._waiting)

    def flush(self, sock: socket.socket) -> bool:
        """Send what the non-blocking socket takes now; return whether it took anything.

        Raises:
            OSError: the connection failed.
        """
        took = False
        while True:
            if not self._sending:
                with self._lock:
                    self._sending = bytes(self._waiting)
                    self._waiting.clear()
                if not self._sending:
                    return took
            try:
                sent = sock.send(self._sending)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return took
            self._sending = self._sending[sent:]
            took = True
