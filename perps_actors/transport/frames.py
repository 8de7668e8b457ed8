"""Decodes WebSocket frames as a client (RFC 6455, section 5). Sans-I/O.

Venues send almost only complete text frames, so these take a fast path of local variables that
copies the payload and nothing else. All other frames go through the full rules.
"""

from __future__ import annotations

import attrs

from perps_actors.errors import TransportError

_FINAL_TEXT, _FINAL_BINARY = 0x81, 0x82
_FIN, _RESERVED_BITS, _OPCODE = 0x80, 0x70, 0x0F
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_CONTROL = frozenset({_CLOSE, _PING, _PONG})
_KNOWN = _CONTROL | {_CONTINUATION, _TEXT, _BINARY}
_MASKED = 0x80
_CONTROL_BYTES = 125
_NO_STATUS = 1005


@attrs.frozen
class Ping:
    """A request for a pong with this payload."""

    payload: bytes


@attrs.frozen
class Pong:
    """The answer to a ping, or an unrequested heartbeat."""

    payload: bytes


@attrs.frozen
class Close:
    """The end of the connection. `code` is 1005 if none was sent (RFC 6455, section 7.1.5)."""

    code: int
    reason: str


Control = Ping | Pong | Close


class FrameDecoder:
    """Turns the bytes of one connection into messages, wherever reads end.

    `feed` returns data messages, `take_controls` control frames, and `check` raises a violation.
    They are separate so that messages before a violation or a close frame are delivered even if
    they came in the same read. All bytes after it are ignored. UTF-8 is left to the JSON decoder.

    Args:
        max_message_bytes: the most payload of a message; judged by the header of a frame.
        max_fragments: the most frames of a message.
    """

    __slots__ = (
        "_controls",
        "_fault",
        "_fragments",
        "_held",
        "_in_message",
        "_limit",
        "_max_fragments",
        "_need",
        "_over",
        "_size",
    )

    def __init__(self, max_message_bytes: int, max_fragments: int = 1024) -> None:
        self._limit = max_message_bytes
        self._max_fragments = max_fragments
        self._held = bytearray()
        self._need = 0
        self._in_message = False
        self._fragments: list[bytes] = []
        self._size = 0
        self._controls: list[Control] = []
        self._over = False
        self._fault: str | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads of the messages that these bytes complete. Never raises."""
        messages: list[bytes] = []
        if self._over:
            return messages
        held = self._held
        if held:
            held += data
            if len(held) < self._need:
                return messages
            data = bytes(held)
            held.clear()
        try:
            rest = self._walk(data, messages)
        except TransportError as error:
            self._over = True
            self._fault = str(error)
            return messages
        if rest < len(data) and not self._over:
            held += memoryview(data)[rest:]
        return messages

    def take_controls(self) -> list[Control]:
        """Return the control frames since the last call, in order."""
        controls, self._controls = self._controls, []
        return controls

    @property
    def quiet(self) -> bool:
        """Whether nothing but data frames came since the last call of `take_controls`."""
        return not self._controls and self._fault is None

    def check(self) -> None:
        """Return if protocol and limits were kept.

        Raises:
            TransportError: they were not; names the violation.
        """
        if self._fault is not None:
            raise TransportError(self._fault)

    def _walk(self, data: bytes, messages: list[bytes]) -> int:
        """Take all complete frames; return where the first incomplete one begins."""
        at, end, limit, append = 0, len(data), self._limit, messages.append
        while True:
            if not self._in_message:
                # The fast path. Every other frame is left to `_frame`.
                while end - at > 3:
                    first = data[at]
                    # Two comparisons take half as long as `in`.
                    if first != _FINAL_TEXT and first != _FINAL_BINARY:  # noqa: PLR1714
                        break
                    size = data[at + 1]
                    if size < 126:
                        start = at + 2
                    elif size == 126:
                        size = data[at + 2] << 8 | data[at + 3]
                        start = at + 4
                    else:
                        break
                    stop = start + size
                    if stop > end or size > limit:
                        break
                    append(data[start:stop])
                    at = stop
            following = self._frame(data, at, messages)
            if following == at or self._over:
                return following
            at = following

    def _frame(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """Take the frame at `at`; return where the next begins, or `at` if it is incomplete."""
        have = len(data) - at
        self._need = 2
        if have < 2:
            return at
        first, size = data[at], data[at + 1]
        self._check_start(first, size)
        start = at + 2
        if size > _CONTROL_BYTES:
            start += 2 if size == 126 else 8
            self._need = start - at
            if have < self._need:
                return at
            size = int.from_bytes(data[at + 2 : start])
        if self._size + size > self._limit and first & _OPCODE not in _CONTROL:
            msg = f"a message of more than {self._limit} bytes"
            raise TransportError(msg)
        self._need = start - at + size
        if have < self._need:
            return at
        self._take(first, data[start : start + size], messages)
        return start + size

    def _check_start(self, first: int, size: int) -> None:
        """Check the first two bytes of a frame."""
        opcode = first & _OPCODE
        fault = None
        if first & _RESERVED_BITS:
            fault = "a frame with reserved bits set"
        elif opcode not in _KNOWN:
            fault = f"a frame of reserved opcode {opcode:#x}"
        elif size & _MASKED:
            fault = "a masked frame from the server"
        elif opcode in _CONTROL:
            if not first & _FIN:
                fault = "a fragmented control frame"
            elif size > _CONTROL_BYTES:
                fault = f"a control frame of more than {_CONTROL_BYTES} bytes"
        elif self._in_message != (opcode == _CONTINUATION):
            fault = (
                "a new message inside another"
                if self._in_message
                else "a continuation of no message"
            )
        elif len(self._fragments) >= self._max_fragments:
            fault = f"a message of more than {self._max_fragments} fragments"
        if fault is not None:
            raise TransportError(fault)

    def _take(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        opcode = first & _OPCODE
        if opcode == _PING:
            self._controls.append(Ping(payload))
        elif opcode == _PONG:
            self._controls.append(Pong(payload))
        elif opcode == _CLOSE:
            self._take_close(payload)
        else:
            self._fragments.append(payload)
            self._size += len(payload)
            self._in_message = not first & _FIN
            if not self._in_message:
                messages.append(b"".join(self._fragments))
                self._fragments.clear()
                self._size = 0

    def _take_close(self, payload: bytes) -> None:
        if len(payload) == 1:
            msg = "a close frame with half a status code"
            raise TransportError(msg)
        code = int.from_bytes(payload[:2]) if payload else _NO_STATUS
        self._controls.append(Close(code, payload[2:].decode("utf-8", "backslashreplace")))
        self._over = True
