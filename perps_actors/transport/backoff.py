"""When to try again: exponential pauses with jitter that start over after healthy time. Pure."""

from __future__ import annotations

from random import Random

import attrs

from perps_actors.kernel.clock import NS_PER_S


@attrs.frozen(kw_only=True)
class BackoffPolicy:
    """Pauses between attempts, in seconds."""

    first_s: float = 0.1
    base_s: float = 0.5
    max_s: float = 10.0
    jitter: float = 0.5
    """A pause varies by this part of itself either way, so that many clients do not come back at one instant."""
    healthy_s: float = 20.0
    """What worked for so long starts over."""


class Backoff:
    """Pauses for one thing that is tried again and again."""

    def __init__(self, policy: BackoffPolicy, random: Random) -> None:
        self._policy = policy
        self._random = random
        self._failures = 0
        self._good_since_ns: int | None = None

    def worked(self, now_ns: int) -> None:
        """The attempt came through."""
        self._good_since_ns = now_ns

    def next_pause_s(self, now_ns: int) -> float:
        """Return how long to wait after what has just failed or ended."""
        policy = self._policy
        if (
            self._good_since_ns is not None
            and now_ns - self._good_since_ns >= policy.healthy_s * NS_PER_S
        ):
            self._failures = 0
        self._good_since_ns = None
        pause = (
            policy.first_s
            if self._failures == 0
            else min(policy.base_s * 2.0 ** (self._failures - 1), policy.max_s)
        )
        self._failures = min(self._failures + 1, 64)
        return pause * (1 + policy.jitter * (2 * self._random.random() - 1))
