"""The clocks of a system, and a watch that compares them.

The wall clock is for stamps, the monotonic clock for ages.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Two clocks in nanoseconds. Code that needs time gets one of these."""

    def time_ns(self) -> int:
        """Wall time, nanoseconds since 1970; may step."""

    def monotonic_ns(self) -> int:
        """Time that only goes forward, also while the machine sleeps, from an arbitrary start."""


SUSPENDED_NS = NS_PER_S
"""A forward step of the wall clock beyond this counts as sleep where no clock measures sleep."""


class SleepGuessingClock:
    """A monotonic clock for systems whose clocks all stand still while the machine sleeps.

    A forward step of the wall clock against the monotonic one counts as time that passed, because
    sleep looks like that. So does setting the wall clock forward, which makes marks look older than
    they are: that is the safe error. Threads that find the same step at the same time may count it
    twice, with the same effect.
    """

    def __init__(self) -> None:
        self._slept_ns = 0
        self._difference_ns = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        """Return monotonic nanoseconds, the guessed sleep included."""
        monotonic_ns = time.monotonic_ns()
        difference_ns = time.time_ns() - monotonic_ns
        step_ns, self._difference_ns = difference_ns - self._difference_ns, difference_ns
        if step_ns > SUSPENDED_NS:
            self._slept_ns += step_ns
        return monotonic_ns + self._slept_ns


def _clock_that_counts_sleep() -> Callable[[], int]:
    """Return the monotonic clock of this system that advances while the machine sleeps.

    Sources: clock_gettime(2) of Linux (CLOCK_BOOTTIME "also includes any time that the system is
    suspended") and of macOS (CLOCK_MONOTONIC "will continue to increment while the system is
    asleep"), while `time.monotonic` stands still on both.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    return SleepGuessingClock()


class SystemClock:
    """The clocks of the operating system."""

    # Static methods of C functions, because every read of a socket is stamped.
    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(_clock_that_counts_sleep())


class ManualClock:
    """A clock that moves only by `advance` and `step_wall`, for simulations and tests."""

    def __init__(self, *, wall_ns: int = 1_700_000_000_000_000_000, monotonic_ns: int = 0) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns

    def time_ns(self) -> int:
        """Return the wall time."""
        return self._wall_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic time."""
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
        """Set the wall clock forward or back; the monotonic clock does not change."""
        self._wall_ns += ns


HELD_UP_S = 5.0
"""A look that is later than planned by more than this means that the process did not run.

It was suspended, swapped out or stopped in a debugger.
"""

STEPPED_S = 1.0
"""A wall clock that moved by more than this against the monotonic one was set; NTP slews less."""


class TimeWatch:
    """Compares the two clocks from look to look."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self._clock = clock
        self._every_s = every_s
        self._monotonic_ns = clock.monotonic_ns()
        self._wall_ns = clock.time_ns()

    def look(self) -> Iterator[tuple[str, str]]:
        """Yield `held_up` and `clock_stepped`, each with a text, since the last look."""
        monotonic_ns, wall_ns = self._clock.monotonic_ns(), self._clock.time_ns()
        passed_s = (monotonic_ns - self._monotonic_ns) / NS_PER_S
        stepped_s = (wall_ns - self._wall_ns) / NS_PER_S - passed_s
        self._monotonic_ns, self._wall_ns = monotonic_ns, wall_ns
        if passed_s - self._every_s > HELD_UP_S:
            yield "held_up", f"nothing ran for {passed_s:.1f} s"
        if abs(stepped_s) > STEPPED_S:
            yield "clock_stepped", f"the wall clock was set by {stepped_s:+.1f} s"
