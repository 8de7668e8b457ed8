"""The clocks that the kernel gives to its actors, and a watch that compares them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Two clocks in nanoseconds. Whoever needs time is given one of these."""

    def time_ns(self) -> int:
        """Wall time, nanoseconds since 1970; may step."""

    def monotonic_ns(self) -> int:
        """Time that only goes forward, from an arbitrary start."""


class SystemClock:
    """The clocks of the operating system."""

    # Static methods of C functions: a stamp is taken on every read of a socket.
    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class ManualClock:
    """A clock that stands still until it is told to move: for simulations and tests."""

    def __init__(self, *, wall_ns: int = 1_700_000_000_000_000_000, monotonic_ns: int = 0) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns

    def time_ns(self) -> int:
        """Return the wall time it was moved to."""
        return self._wall_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic time it was moved to."""
        return self._monotonic_ns

    def advance(self, ns: int) -> None:
        """Move both clocks forward.

        Raises:
            ValueError: time does not run backwards here; use `step_wall` for that.
        """
        if ns < 0:
            msg = f"Expected to move forward, was {ns} ns"
            raise ValueError(msg)
        self._wall_ns += ns
        self._monotonic_ns += ns

    def step_wall(self, ns: int) -> None:
        """Set the wall clock forward or back, as an operator or NTP does; the monotonic clock does not notice."""
        self._wall_ns += ns


HELD_UP_S = 5.0
"""A look that comes later than planned by more than this says that the process was held up (suspended, swapped out, debugged)."""

STEPPED_S = 1.0
"""A wall clock that moved by more than this against the monotonic one was set; what NTP slews stays below."""


class TimeWatch:
    """Compares the two clocks from look to look."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self._clock = clock
        self._every_s = every_s
        self._monotonic_ns = clock.monotonic_ns()
        self._wall_ns = clock.time_ns()

    def look(self) -> Iterator[tuple[str, str]]:
        """Yield what happened since the last look, as (kind, what): `held_up` or `clock_stepped`."""
        monotonic_ns, wall_ns = self._clock.monotonic_ns(), self._clock.time_ns()
        passed_s = (monotonic_ns - self._monotonic_ns) / NS_PER_S
        stepped_s = (wall_ns - self._wall_ns) / NS_PER_S - passed_s
        self._monotonic_ns, self._wall_ns = monotonic_ns, wall_ns
        if passed_s - self._every_s > HELD_UP_S:
            yield "held_up", f"nothing ran for {passed_s:.1f} s"
        if abs(stepped_s) > STEPPED_S:
            yield "clock_stepped", f"the wall clock was set by {stepped_s:+.1f} s"
