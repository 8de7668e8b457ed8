"""When a venue wants to hear its own ping, in text, beside WebSocket's. Pure."""

from __future__ import annotations

from perps_actors.kernel.clock import NS_PER_S


class KeepAlive:
    """A frame that is due every so many seconds from the start of a connection on.

    Args:
        plan: the frame's text and the seconds between two; None: never due.
        now_ns: monotonic time of the start.
    """

    __slots__ = ("_due_ns", "_every_ns", "_text")

    def __init__(self, plan: tuple[str, float] | None, now_ns: int) -> None:
        self._text, every_s = plan if plan is not None else ("", 0.0)
        self._every_ns = int(every_s * NS_PER_S)
        self._due_ns = now_ns + self._every_ns if plan is not None else None

    def due_ns(self) -> int | None:
        """Return when `take` has something to say; None: never."""
        return self._due_ns

    def take(self, now_ns: int) -> str | None:
        """Return the frame if it is due; the next one is, a whole interval later."""
        if self._due_ns is None or now_ns < self._due_ns:
            return None
        self._due_ns = now_ns + self._every_ns
        return self._text
