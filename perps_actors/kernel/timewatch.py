"""Notices what happens to time itself: a process that was held up, a wall clock that was set. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from perps_actors.kernel.clock import NS_PER_S, Clock

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
