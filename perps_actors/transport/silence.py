"""When a connection that says nothing is asked whether it lives, and when it is given up. Pure."""

from __future__ import annotations

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S


class Silence:
    """How long the other side has said nothing while it was listened to.

    Args:
        limit_s: seconds after which it counts as gone; after half of them it is pinged.
        now_ns: monotonic time of the start.
    """

    __slots__ = ("_asked", "_heard_ns", "_limit_s")

    def __init__(self, limit_s: float, now_ns: int) -> None:
        self._limit_s = limit_s
        self._heard_ns = now_ns
        self._asked = False

    def heard(self, now_ns: int) -> None:
        """Note that bytes came, or that nobody was listening until now."""
        self._heard_ns = now_ns
        self._asked = False

    def due_ns(self) -> int:
        """Return the time at which `ping_due` has something to say."""
        return self._heard_ns + int(self._limit_s * (1.0 if self._asked else 0.5) * NS_PER_S)

    def ping_due(self, now_ns: int) -> bool:
        """Return whether to ping now; True once a silence.

        Raises:
            TransportError: the ping and the whole limit went by unanswered.
        """
        if now_ns < self.due_ns():
            return False
        if self._asked:
            msg = f"silent for {self._limit_s:g} s, a ping included"
            raise TransportError(msg)
        self._asked = True
        return True
