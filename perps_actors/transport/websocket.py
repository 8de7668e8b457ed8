"""One WebSocket connection on one thread: opened within a deadline, read in batches, ended exactly once."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final

import attrs
from websocket import ABNF

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.dial import Dialer
from perps_actors.transport.frames import Close, FrameDecoder, Ping
from perps_actors.transport.handshake import shake_hands
from perps_actors.transport.keep_alive import KeepAlive
from perps_actors.transport.limits import READ_BYTES, Limits
from perps_actors.transport.outbox import Outbox
from perps_actors.transport.silence import Silence
from perps_actors.transport.urls import checked_address
from perps_actors.transport.waiting import READABLE, WRITABLE, Deadline, SocketPoller
from perps_actors.transport.wire import ConnectionPlan, StreamListener

READY_WAIT_S: Final = 0.1
"""How long the inside is waited for before `close` and `send` are looked at again."""
GOODBYE_NS: Final = NS_PER_S // 4
"""How long the other side is given to take our close frame."""

_NORMAL, _PROTOCOL_ERROR, _NO_STATUS = 1000, 1002, 1005
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@attrs.frozen
class _End:
    """How a connection ended, and what to tell the other side."""

    reason: str
    error: bool
    code: int = _NORMAL


class WebSocketConnection:
    """A connection that is being opened, is open, or has ended; a `Link` to its owner.

    All news reaches the listener on the thread of this connection, `closed` exactly once and last.

    Args:
        plan: what to open.
        listener: who hears of it.
        clock: stamps and deadlines.
        limits: sizes and times.
        dialer: how sockets are opened.
        thread_prefix: put before the thread's name.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        listener: StreamListener,
        *,
        clock: Clock,
        limits: Limits,
        dialer: Dialer,
        thread_prefix: str = "",
    ) -> None:
        self._plan = plan
        self._listener = listener
        self._clock = clock
        self._limits = limits
        self._dialer = dialer
        self._waiter = SocketPoller(clock)
        self._outbox = Outbox()
        self._fault: str | None = None
        self._stalled_ns: int | None = None
        self._unread = False
        self.thread = threading.Thread(
            target=self._run, name=f"{thread_prefix}perps-ws:{plan.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to open it, and return at once."""
        self.thread.start()

    def send(self, text: str) -> None:
        """Queue a text frame, sent once the connection is open; what cannot be queued ends the connection."""
        try:
            self._outbox.put(text, ABNF.OPCODE_TEXT)
        except (TransportError, UnicodeError) as error:
            self._fault = f"cannot send: {error}"
        self._waiter.wake()

    def close(self, reason: str) -> None:
        """End the connection, wherever it stands; `closed` follows with this reason. Idempotent."""
        self._waiter.stop(reason)

    # --- on the connection's own thread

    def _run(self) -> None:
        end = self._live()
        self._waiter.close()
        self._listener.closed(self._plan.name, end.reason, end.error)

    def _live(self) -> _End:
        try:
            with contextlib.closing(self._open()) as sock:
                try:
                    self._tell(self._listener.opened, self._plan.name)
                    end = self._converse(sock)
                except TransportError as error:
                    end = _End(str(error), error=True)
                self._part(sock, end.code)
                return end
        except TransportError as error:
            reason = str(error)
        except OSError as error:
            reason = f"the connection failed: {error}"
        except Exception as error:  # noqa: BLE001 - no thread ends without a word, whatever is wrong
            reason = f"failed by {error!r}"
        stopped = self._waiter.stopped
        return _End(reason, error=True) if stopped is None else _End(stopped, error=False)

    def _open(self) -> socket.socket:
        address = checked_address(self._plan.url, encrypted="wss", plain="ws")
        seconds = self._limits.handshake_s
        deadline_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        deadline = Deadline(self._waiter, deadline_ns, f"not open within {seconds:g} s")
        sock = self._dialer.dial(address, deadline)
        try:
            shake_hands(sock, self._plan.url, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _tell(self, callback: Callable[..., None], *news: object) -> None:
        try:
            callback(*news)
        except (
            BaseException
        ) as error:  # a listener's SystemExit ends its connection, not in silence
            msg = f"the listener failed: {error!r}"
            raise TransportError(msg) from error

    def _converse(self, sock: socket.socket) -> _End:
        """Read and send until the connection is to end; return how."""
        decoder = FrameDecoder(self._limits.max_message_bytes)
        silence = Silence(self._plan.silence_limit_s, self._clock.monotonic_ns())
        alive = KeepAlive(self._plan.keep_alive, self._clock.monotonic_ns())
        while self._waiter.stopped is None:
            text = alive.take(self._clock.monotonic_ns())
            if text is not None:
                self._outbox.put(text, ABNF.OPCODE_TEXT)
            self._flush(sock)
            if (
                not (self._unread or self._await_bytes(sock, silence, alive))
                or not self._inside_is_ready()
            ):
                continue
            data = self._read(sock)
            if data is None:
                continue
            end = self._take(data, decoder)
            if end is not None:
                return end
            silence.heard(self._clock.monotonic_ns())
        return _End(self._waiter.stopped, error=False)

    def _flush(self, sock: socket.socket) -> None:
        if self._fault is not None:
            raise TransportError(self._fault)
        if self._outbox.is_empty():
            return
        took = self._outbox.flush(sock)
        now_ns = self._clock.monotonic_ns()
        if took or self._stalled_ns is None:
            self._stalled_ns = None if self._outbox.is_empty() else now_ns
        elif now_ns - self._stalled_ns > self._plan.silence_limit_s * NS_PER_S:
            msg = f"nothing of what was sent was taken for {self._plan.silence_limit_s:g} s"
            raise TransportError(msg)

    def _await_bytes(self, sock: socket.socket, silence: Silence, alive: KeepAlive) -> bool:
        """Wait until there is something to read, or anything else to do; return whether there may be something to read."""
        events = READABLE if self._outbox.is_empty() else READABLE | WRITABLE
        due_ns = alive.due_ns()
        if self._waiter.wait(
            sock, events, silence.due_ns() if due_ns is None else min(due_ns, silence.due_ns())
        ):
            return True
        if silence.ping_due(self._clock.monotonic_ns()):
            self._outbox.put(b"", ABNF.OPCODE_PING)
        return False

    def _inside_is_ready(self) -> bool:
        try:
            return self._listener.wait_until_ready(READY_WAIT_S)
        except BaseException as error:  # as in `_tell`
            msg = f"the listener failed: {error!r}"
            raise TransportError(msg) from error

    def _read(self, sock: socket.socket) -> bytes | None:
        """Return what has arrived, at most `READ_BYTES`; empty at the end of the connection, None when there is nothing yet.

        TLS hands out one record at a time, often one message each, so records are gathered to a batch.
        """
        gather = isinstance(sock, ssl.SSLSocket)
        chunks: list[bytes] = []
        left = READ_BYTES
        self._unread = False
        while left:
            try:
                chunk = sock.recv(left)
            except _WOULD_BLOCK:
                break
            except OSError:
                if not chunks:
                    raise
                chunk = b""
            if not chunk and not chunks:
                return b""
            chunks.append(chunk)
            left -= len(chunk)
            if not chunk or not gather:
                break
        # The end, a failure or a part of a TLS record shows again at the next read, though never to `poll`.
        self._unread = bool(chunks) and (left == 0 or not chunks[-1])
        return b"".join(chunks) if chunks else None

    def _take(self, data: bytes, decoder: FrameDecoder) -> _End | None:
        """Hand on what one read brought; return how the connection ends, if it does."""
        received_ns, monotonic_ns = self._clock.time_ns(), self._clock.monotonic_ns()
        if not data:
            msg = "the connection ended without a close frame"
            raise TransportError(msg)
        messages = decoder.feed(data)
        if messages:
            self._tell(
                self._listener.frames, self._plan.name, tuple(messages), received_ns, monotonic_ns
            )
        ping: Ping | None = None
        for control in decoder.take_controls():
            if isinstance(control, Close):
                return _End(
                    f"closed by the other side: {control.code} {control.reason}".rstrip(),
                    error=False,
                    code=control.code,
                )
            if isinstance(control, Ping):
                ping = control
        if ping is not None:
            # Only the newest ping of a read wants an answer (RFC 6455, section 5.5.3).
            self._outbox.put(ping.payload, ABNF.OPCODE_PONG)
        try:
            decoder.check()
        except TransportError as error:
            return _End(f"protocol violation: {error}", error=True, code=_PROTOCOL_ERROR)
        return None

    def _part(self, sock: socket.socket, code: int) -> None:
        """Send a close frame and wait until the other side has ended too; best effort, within `GOODBYE_NS`."""
        until_ns = self._clock.monotonic_ns() + GOODBYE_NS
        with contextlib.suppress(OSError, TransportError):
            self._outbox.drop()
            self._outbox.put(b"" if code == _NO_STATUS else code.to_bytes(2), ABNF.OPCODE_CLOSE)
            while not self._outbox.is_empty() and self._clock.monotonic_ns() < until_ns:
                self._outbox.flush(sock)
                if not self._outbox.is_empty():
                    self._waiter.wait(sock, WRITABLE, until_ns)
            sock.shutdown(socket.SHUT_WR)
            # Read on: a socket closed with bytes unread is reset, and the reset may overtake the close frame.
            while self._clock.monotonic_ns() < until_ns:
                if self._waiter.wait(sock, READABLE, until_ns) and not sock.recv(READ_BYTES):
                    return
