"""Sending and receiving on the non-blocking socket of a WebSocket."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Final

from websocket import ABNF

from perps_actors.errors import TransportError
from perps_actors.transport.limits import READ_BYTES

MAX_WAITING_BYTES = 2**20
"""The most bytes of frames that wait to be sent."""


WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def receive(sock: socket.socket) -> tuple[bytes | None, bool]:
    """Return what came, at most `READ_BYTES`, and whether to read again without waiting.

    b"" is the end of the connection, None nothing. TLS hands out one record at a time, often of one
    message, so records are gathered. What the TLS layer has read (the rest of a record, the end, an
    error) no poll reports, so it has to be read without one.

    Raises:
        OSError: the connection failed, and nothing came before.
    """
    if not isinstance(sock, ssl.SSLSocket):
        try:
            return sock.recv(READ_BYTES), False
        except BlockingIOError:
            return None, False
    chunks: list[bytes] = []
    left = READ_BYTES
    while left:
        try:
            chunk = sock.recv(left)
        except WOULD_BLOCK:
            return b"".join(chunks) if chunks else None, False
        except OSError:
            if not chunks:
                raise
            break
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks), bool(chunks)


class Outbox:
    """Frames to be sent, in order, each masked (RFC 6455, section 5.3).

    Any thread may put; the thread of the connection sends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._sending = b""

    def put(self, payload: str | bytes, opcode: int) -> None:
        """Queue one frame.

        Raises:
            TransportError: more than `MAX_WAITING_BYTES` would wait.
        """
        frame: bytes = ABNF.create_frame(payload, opcode).format()
        with self._lock:
            if len(self._waiting) + len(frame) > MAX_WAITING_BYTES:
                msg = f"more than {MAX_WAITING_BYTES} bytes wait to be sent"
                raise TransportError(msg)
            self._waiting += frame

    def drop(self) -> None:
        """Drop all frames but the one that is partly sent."""
        with self._lock:
            self._waiting.clear()

    def is_empty(self) -> bool:
        """Return whether everything was sent."""
        return not (self._sending or self._waiting)

    def flush(self, sock: socket.socket) -> bool:
        """Send what the socket takes now; return whether it took anything.

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
            except WOULD_BLOCK:
                return took
            self._sending = self._sending[sent:]
            took = True
