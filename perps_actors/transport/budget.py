"""A venue's rate limit as a budget of weights over a sliding window. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from itertools import accumulate

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S


class RateBudget:
    """Weights spent within the last `period_s` seconds never exceed `limit`, wherever the venue lets its own window begin.

    Args:
        limit: weight a period, at least 1.
        period_s: length of the window in seconds; a weight spent at `t` comes back at `t + period_s`.

    Raises:
        TransportError: a limit or period that allows nothing.
    """

    def __init__(self, limit: int, period_s: float) -> None:
        if limit < 1 or period_s <= 0:
            msg = f"Expected a limit of at least 1 and a period above zero, was {limit} in {period_s} s"
            raise TransportError(msg)
        self._limit = limit
        self._period_ns = int(period_s * NS_PER_S)
        self._spent: deque[tuple[int, int]] = deque()
        self._used = 0
        self.blocked_until_ns = 0
        """Nothing is granted before this time, because the venue said so."""

    def take(self, weight: int, now_ns: int) -> int:
        """Spend `weight` and return 0, or spend nothing and return how many nanoseconds from now it can be had.

        Args:
            weight: from 1 to the limit.
            now_ns: monotonic time; never before that of the call before.

        Raises:
            TransportError: a weight that is never granted.
        """
        if not 1 <= weight <= self._limit:
            msg = f"Expected a weight from 1 to {self._limit}, was {weight}"
            raise TransportError(msg)
        if now_ns < self.blocked_until_ns:
            return self.blocked_until_ns - now_ns
        spent = self._spent
        while spent and spent[0][0] + self._period_ns <= now_ns:
            self._used -= spent.popleft()[1]
        if self._used + weight > self._limit:
            return self._frees(self._used + weight - self._limit) - now_ns
        spent.append((now_ns, weight))
        self._used += weight
        return 0

    def block(self, until_ns: int) -> None:
        """Grant nothing before `until_ns`, as after a 429 or 418 with Retry-After; an earlier block that lasts longer stands."""
        self.blocked_until_ns = max(self.blocked_until_ns, until_ns)

    def _frees(self, weight: int) -> int:
        """Return when so much of what is spent will have come back."""
        returned = accumulate(part for _, part in self._spent)
        return (
            next(
                at_ns
                for (at_ns, _), total in zip(self._spent, returned, strict=True)
                if total >= weight
            )
            + self._period_ns
        )
