"""One WebSocket connection: opened on a worker thread, then driven by an I/O loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
from websocket import ABNF

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.kernel.dispatcher import READABLE, WRITABLE, IoLoop
from perps_actors.kernel.timers import Timer
from perps_actors.transport.deadline import SocketPoller
from perps_actors.transport.dial import Dialer
from perps_actors.transport.frames import Close, FrameDecoder, Ping
from perps_actors.transport.handshake import open_websocket
from perps_actors.transport.keep_alive import KeepAlive
from perps_actors.transport.limits import READ_BYTES, Limits
from perps_actors.transport.socket_io import WOULD_BLOCK, Outbox, receive
from perps_actors.transport.wire import ConnectionPlan, StreamListener

CLOSING_NS: Final = NS_PER_S // 4
"""How long the other side is given to take our close frame and to end the connection."""

_NORMAL, _PROTOCOL_ERROR, _NO_STATUS = 1000, 1002, 1005


@attrs.frozen
class _End:
    """How a connection ended, and the code of our close frame."""

    reason: str
    error: bool
    code: int = _NORMAL


def _listener_failed(error: BaseException) -> _End:
    return _End(f"the listener failed: {error!r}", error=True)


class WebSocketConnection:
    """A connection that is being opened, is open, is closing, or has ended; a `Link` to its owner.

    **Threads.** Look-up, connect, TLS and handshake block, so a short-lived worker does them under
    one deadline. It hands the socket to the loop with `call_soon`. From then on, everything but
    `send` and `close` runs on the loop, and so needs no lock; `send` and `close` may be called
    from any thread: they leave what they want and `call_soon` the method that does it. The listener
    is called on the loop only, `closed` exactly once and last.

    Args:
        plan: what to open.
        listener: who is told about it.
        loop: what runs the open connection.
        clock: stamps and deadlines.
        limits: sizes and times.
        dialer: how sockets are opened.
        ended: called on the loop after the listener's `closed`.
        thread_prefix: put before the worker's name.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        listener: StreamListener,
        *,
        loop: IoLoop,
        clock: Clock,
        limits: Limits,
        dialer: Dialer,
        ended: Callable[[WebSocketConnection], None],
        thread_prefix: str = "",
    ) -> None:
        self._plan = plan
        self._listener = listener
        self._loop = loop
        self._clock = clock
        self._limits = limits
        self._dialer = dialer
        self._on_ended = ended
        self._poller = SocketPoller(clock)
        self._outbox = Outbox()
        self._fault: str | None = None
        self._decoder = FrameDecoder(limits.max_message_bytes)
        self._sock: socket.socket | None = None
        self._watched = 0
        self._reading = True
        self._closing: _End | None = None
        self._stalled_ns: int | None = None
        self._timer: Timer | None = None
        self._alive = KeepAlive(plan, 0)
        self.thread = threading.Thread(
            target=self._open, name=f"{thread_prefix}ws:{plan.name}", daemon=True
        )

    # --- from any thread

    def start(self) -> None:
        """Begin to open it, and return at once."""
        self.thread.start()

    def send(self, text: str) -> None:
        """Queue a text frame, sent once the connection is open; a failure ends the connection."""
        try:
            self._outbox.put(text, ABNF.OPCODE_TEXT)
        except (TransportError, UnicodeError) as error:
            self._fault = f"cannot send: {error}"
        self._loop.call_soon(self._attend)

    def close(self, reason: str) -> None:
        """End the connection in any state; `closed` follows with this reason. Idempotent."""
        self._poller.stop(reason)
        self._loop.call_soon(self._attend)

    # --- on the worker

    def _open(self) -> None:
        sock, end = None, None
        try:
            sock = open_websocket(self._plan.url, self._dialer, self._limits, self._poller)
        except Exception as error:  # noqa: BLE001 - the listener is told
            end = self._failure(error)
        self._poller.close()
        if not self._loop.call_soon(partial(self._begin, sock, end)):
            # A loop that has ended runs nothing, so no other thread meets this one.
            self._sock = sock
            self._end(end or _End("the loop has ended", error=True))

    def _failure(self, error: Exception) -> _End:
        if self._poller.stopped is not None:
            return _End(self._poller.stopped, error=False)
        if isinstance(error, TransportError):
            return _End(str(error), error=True)
        if isinstance(error, OSError):
            return _End(f"the connection failed: {error}", error=True)
        return _End(f"failed by {error!r}", error=True)

    # --- on the loop

    def _begin(self, sock: socket.socket | None, end: _End | None) -> None:
        """Take the socket over from the worker, or the reason why there is none."""
        self._sock = sock
        if end is not None:
            self._end(end)
        elif self._poller.stopped is not None:
            self._close(_End(self._poller.stopped, error=False))
        else:
            self._alive = KeepAlive(self._plan, self._clock.monotonic_ns())
            if self._opened():
                # The TLS layer may have read the first frames with the end of the handshake.
                self._read()
                self._attend()

    def _opened(self) -> bool:
        """Tell the listener; return False if it failed, which ends this connection."""
        try:
            self._listener.opened(self._plan.name)
        except BaseException as error:  # noqa: BLE001 - a listener's SystemExit ends its connection
            self._close(_listener_failed(error))
            return False
        return True

    def _attend(self) -> None:
        """Do whatever is due beside reading: stop, keep alive, send; then set the next timer."""
        if self._sock is None or self._closing is not None:
            return
        if self._poller.stopped is not None:
            self._close(_End(self._poller.stopped, error=False))
            return
        now_ns = self._clock.monotonic_ns()
        try:
            for due in self._alive.due(now_ns, reading=self._reading):
                self._keep_alive(due)
            self._flush(now_ns)
        except TransportError as error:
            self._close(_End(str(error), error=True))
        except OSError as error:
            self._end(self._failure(error))
        else:
            self._watch()
            self._set_timer()

    def _keep_alive(self, due: str) -> None:
        if due == "dead":
            msg = f"silent for {self._plan.silence_limit_s:g} s, a ping included"
            raise TransportError(msg)
        if due == "ping":
            self._outbox.put(b"", ABNF.OPCODE_PING)
        elif self._plan.keep_alive is not None:
            self._outbox.put(self._plan.keep_alive[0], ABNF.OPCODE_TEXT)

    def _flush(self, now_ns: int) -> None:
        if self._fault is not None:
            raise TransportError(self._fault)
        if self._outbox.is_empty() or self._sock is None:
            self._stalled_ns = None
            return
        took = self._outbox.flush(self._sock)
        if took or self._stalled_ns is None:
            self._stalled_ns = None if self._outbox.is_empty() else now_ns
        elif now_ns - self._stalled_ns >= self._plan.silence_limit_s * NS_PER_S:
            msg = f"nothing of what was sent was taken for {self._plan.silence_limit_s:g} s"
            raise TransportError(msg)

    def _watch(self) -> None:
        """Watch the socket for what is wanted now. A socket that is not watched costs nothing."""
        if self._sock is None:
            return
        wanted = READABLE * self._reading | WRITABLE * (not self._outbox.is_empty())
        if wanted == self._watched:
            return
        self._watched = wanted
        if wanted:
            self._loop.watch(self._sock.fileno(), wanted, self._ready)
        else:
            # Even without events, `epoll` would report a hang-up again and again.
            self._loop.unwatch(self._sock.fileno())

    def _set_timer(self) -> None:
        """Look again when the first clock is due. A read moves clocks, but no timer."""
        due_ns = self._alive.next_due_ns(reading=self._reading)
        if self._stalled_ns is not None:
            stall_due_ns = self._stalled_ns + int(self._plan.silence_limit_s * NS_PER_S)
            due_ns = stall_due_ns if due_ns is None else min(due_ns, stall_due_ns)
        if self._timer is not None:
            if due_ns is not None and not self._timer.void and self._timer.due_ns <= due_ns:
                return
            self._timer.cancel()
        self._timer = None if due_ns is None else self._loop.call_at(due_ns, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._attend()

    def _ready(self) -> None:
        if self._closing is not None:
            self._part()
            return
        if self._reading:
            self._read()
        if self._watched & WRITABLE:
            self._attend()

    def _resume(self) -> None:
        """Read again; called on any thread when the gate opens."""
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._sock is not None and self._closing is None:
            if not self._reading:
                self._alive.heard_ns = self._clock.monotonic_ns()
                self._reading = True
            self._read()
            self._attend()

    def _read(self) -> None:
        """Read once, unless the gate is shut, and hand on what came."""
        try:
            room = self._listener.has_room(self._resume)
        except BaseException as error:  # noqa: BLE001 - as in `_opened`
            self._close(_listener_failed(error))
            return
        if not room:
            self._reading = False
            self._watch()
            return
        assert self._sock is not None
        try:
            data, more = receive(self._sock)
        except OSError as error:
            self._end(self._failure(error))
            return
        if more:
            self._loop.call_soon(self._read_on)
        if data is not None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Hand on the frames of one read, and answer control frames."""
        clock = self._clock
        received_ns, monotonic_ns = clock.time_ns(), clock.monotonic_ns()
        if not data:
            self._close(_End("the connection ended without a close frame", error=True))
            return
        decoder = self._decoder
        messages = decoder.feed(data)
        self._alive.heard_ns = monotonic_ns
        if messages:
            try:
                self._listener.frames(self._plan.name, tuple(messages), received_ns, monotonic_ns)
            except BaseException as error:  # noqa: BLE001 - as in `_opened`
                self._close(_listener_failed(error))
                return
        if not decoder.quiet:
            self._take_controls()

    def _take_controls(self) -> None:
        ping: Ping | None = None
        for control in self._decoder.take_controls():
            if isinstance(control, Close):
                reason = f"closed by the other side: {control.code} {control.reason}".rstrip()
                self._close(_End(reason, error=False, code=control.code))
                return
            if isinstance(control, Ping):
                ping = control
        try:
            self._decoder.check()
        except TransportError as error:
            reason = f"protocol violation: {error}"
            self._close(_End(reason, error=True, code=_PROTOCOL_ERROR))
            return
        if ping is not None:
            # Only the newest ping of a read is answered (RFC 6455, section 5.5.3).
            try:
                self._outbox.put(ping.payload, ABNF.OPCODE_PONG)
            except TransportError as error:
                self._fault = f"cannot send: {error}"
            self._attend()

    # --- the end

    def _close(self, end: _End) -> None:
        """Send a close frame and wait, at most `CLOSING_NS`, until the other side has ended too."""
        if self._closing is not None:
            return
        self._closing = end
        if self._timer is not None:
            self._timer.cancel()
        until_ns = self._clock.monotonic_ns() + CLOSING_NS
        self._timer = self._loop.call_at(until_ns, partial(self._end, end))
        self._outbox.drop()
        payload = b"" if end.code == _NO_STATUS else end.code.to_bytes(2)
        self._outbox.put(payload, ABNF.OPCODE_CLOSE)
        self._part()

    def _part(self) -> None:
        sock, end = self._sock, self._closing
        assert sock is not None
        assert end is not None
        try:
            if not self._outbox.is_empty():
                self._outbox.flush(sock)
                if self._outbox.is_empty():
                    sock.shutdown(socket.SHUT_WR)
            # Read on: closing a socket with bytes unread resets the connection, and the reset may
            # overtake the close frame.
            if self._outbox.is_empty() and not sock.recv(READ_BYTES):
                self._end(end)
                return
        except WOULD_BLOCK:
            pass
        except OSError:
            self._end(end)
            return
        self._reading = self._outbox.is_empty()
        self._watch()

    def _end(self, end: _End) -> None:
        """Give everything back and tell the listener."""
        if self._timer is not None:
            self._timer.cancel()
        self._closing = end
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._watched:
                self._loop.unwatch(sock.fileno())
            sock.close()
        try:
            self._listener.closed(self._plan.name, end.reason, end.error)
        finally:
            self._on_ended(self)
