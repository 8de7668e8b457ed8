"""How fast counters grow, of what was counted now and a little before."""

from __future__ import annotations

from collections import deque

from perps_actors.kernel.clock import NS_PER_S

OVER_NS = 3 * NS_PER_S
"""How far back a rate looks: long enough to be read, short enough to follow."""


class Rate:
    """The rate of one counter, over the last `OVER_NS` or the last two looks, whichever is longer."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int]] = deque()

    def of(self, now_ns: int, count: int) -> float | None:
        """Take a look at the counter; return its growth a second, None before there is a second look to compare with.

        Args:
            now_ns: monotonic time of the look.
            count: what the counter says. One that was set back, as at a restart of its owner, starts over.
        """
        looks = self._looks
        if looks and count < looks[-1][1]:
            looks.clear()
        looks.append((now_ns, count))
        while len(looks) > 2 and looks[1][0] <= now_ns - OVER_NS:
            looks.popleft()
        passed_ns = now_ns - looks[0][0]
        return (count - looks[0][1]) * NS_PER_S / passed_ns if passed_ns > 0 else None
