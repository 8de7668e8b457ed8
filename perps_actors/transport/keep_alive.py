"""When an open connection has to say something, and when it counts as dead. Pure."""

from __future__ import annotations

from typing import Literal

from perps_actors.kernel.clock import NS_PER_S
from perps_actors.transport.wire import ConnectionPlan

Due = Literal["text", "ping", "dead"]


class KeepAlive:
    """The clocks of one open connection.

    `text` is due every so many seconds, where the plan has a text that the venue expects. `ping` is
    due after half of the plan's limit of silence, `dead` after all of it.
    """

    __slots__ = ("_limit_ns", "_pinged_ns", "_text_due_ns", "_text_every_ns", "heard_ns")

    def __init__(self, plan: ConnectionPlan, now_ns: int) -> None:
        self._limit_ns = int(plan.silence_limit_s * NS_PER_S)
        self.heard_ns = now_ns
        """When bytes came last, or the connection was not read: the owner sets it."""
        self._pinged_ns = -1
        self._text_every_ns = int(plan.keep_alive[1] * NS_PER_S) if plan.keep_alive else 0
        self._text_due_ns = now_ns + self._text_every_ns if plan.keep_alive else None

    def next_due_ns(self, *, reading: bool) -> int | None:
        """Return when `due` next returns something; a connection that is not read is not silent."""
        dues = [] if self._text_due_ns is None else [self._text_due_ns]
        if reading:
            dues.append(self._silence_due_ns())
        return min(dues, default=None)

    def due(self, now_ns: int, *, reading: bool) -> tuple[Due, ...]:
        """Return what is due, once each time."""
        due: list[Due] = []
        if self._text_due_ns is not None and now_ns >= self._text_due_ns:
            self._text_due_ns = now_ns + self._text_every_ns
            due.append("text")
        if reading and now_ns >= self._silence_due_ns():
            due.append("dead" if self._pinged else "ping")
            self._pinged_ns = now_ns
        return tuple(due)

    @property
    def _pinged(self) -> bool:
        return self._pinged_ns > self.heard_ns

    def _silence_due_ns(self) -> int:
        return self.heard_ns + (self._limit_ns if self._pinged else self._limit_ns // 2)
