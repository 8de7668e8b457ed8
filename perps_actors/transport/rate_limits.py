"""When a request may be made, and when to try again. Pure but for a lock: time is an argument."""

from __future__ import annotations

import re
import threading
from collections import deque
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from itertools import accumulate
from random import Random

import attrs

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.transport.wire import HttpAnswer, HttpRequest

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_REFUSALS = frozenset({403, 418, 429})
"""Too many requests (429), banned for more of them (418, Binance), blocked (403, Bybit)."""


class Priority(Enum):
    """What a request is for. The value is the part of a venue's limit that it may fill.

    A lower priority leaves the rest of the window free, so that a book can always be repaired.
    """

    SNAPSHOT = 1.0
    QUOTE = 0.75
    HISTORY = 0.5


class RateLimiter:
    """The rate limit of one address, shared by all requests to it, from any thread.

    The weights of the last `period_s` seconds never exceed `limit`, whenever the venue's own window
    begins.

    Args:
        limit: weight per period, at least 1.
        period_s: length of the window; a weight spent at `t` is free again at `t + period_s`.

    Raises:
        TransportError: a limit or period that allows nothing.
    """

    def __init__(self, limit: int, period_s: float = 60.0) -> None:
        if limit < 1 or period_s <= 0:
            msg = (
                f"Expected a limit of at least 1 and a period above 0, was {limit} in {period_s} s"
            )
            raise TransportError(msg)
        self._limit = limit
        self._period_ns = int(period_s * NS_PER_S)
        # Guards what follows: the actors that make requests may run on different threads.
        self._lock = threading.Lock()
        self._spent: deque[tuple[int, int]] = deque()
        self._used = 0
        self._blocked_until_ns = 0

    def take(self, weight: int, now_ns: int, priority: Priority = Priority.SNAPSHOT) -> int:
        """Spend `weight` and return 0, or return how many nanoseconds from now to try again.

        Args:
            weight: from 1 to the limit.
            now_ns: monotonic time.
            priority: how much of the window may be in use afterwards. A request that is heavier
                than its whole part is granted when nothing else is in use.

        Raises:
            TransportError: a weight that is never granted.
        """
        if not 1 <= weight <= self._limit:
            msg = f"Expected a weight from 1 to {self._limit}, was {weight}"
            raise TransportError(msg)
        with self._lock:
            if now_ns < self._blocked_until_ns:
                return self._blocked_until_ns - now_ns
            spent = self._spent
            while spent and spent[0][0] + self._period_ns <= now_ns:
                self._used -= spent.popleft()[1]
            excess = self._used + weight - max(weight, int(self._limit * priority.value))
            if excess > 0:
                return self._freed_ns(excess) - now_ns
            spent.append((now_ns, weight))
            self._used += weight
            return 0

    def block(self, until_ns: int) -> None:
        """Grant nothing before `until_ns`; a block that lasts longer stands."""
        with self._lock:
            self._blocked_until_ns = max(self._blocked_until_ns, until_ns)

    def _freed_ns(self, weight: int) -> int:
        """Return when at least `weight` of what is spent will be free again."""
        freed = accumulate(part for _, part in self._spent)
        return self._period_ns + next(
            at_ns for (at_ns, _), total in zip(self._spent, freed, strict=True) if total >= weight
        )


class RateLimits:
    """The limiters of a system, one per address. They outlive the actors that make requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limiters: dict[str, RateLimiter] = {}

    def of(self, address: str, weight_per_minute: int) -> RateLimiter:
        """Return the limiter of an address; the first call sets its limit."""
        with self._lock:
            return self._limiters.setdefault(address, RateLimiter(weight_per_minute))


@attrs.frozen(kw_only=True)
class BackoffPolicy:
    """Pauses between attempts, in seconds."""

    first_s: float = 0.1
    base_s: float = 0.5
    max_s: float = 10.0
    jitter: float = 0.5
    """A pause varies by this part of itself, so that many clients do not return at one instant."""
    healthy_s: float = 20.0
    """After a success that lasted so long, pauses start over."""


class Backoff:
    """Pauses between attempts at one thing: exponential, with jitter."""

    def __init__(self, policy: BackoffPolicy, random: Random) -> None:
        self._policy = policy
        self._random = random
        self._failures = 0
        self._good_since_ns: int | None = None

    def worked(self, now_ns: int) -> None:
        """Note that the attempt succeeded."""
        self._good_since_ns = now_ns

    def next_pause_s(self, now_ns: int) -> float:
        """Return how long to wait after an attempt that failed or a success that ended."""
        policy, since_ns = self._policy, self._good_since_ns
        if since_ns is not None and now_ns - since_ns >= policy.healthy_s * NS_PER_S:
            self._failures = 0
        self._good_since_ns = None
        pause_s = policy.first_s
        if self._failures:
            pause_s = min(policy.base_s * 2.0 ** (self._failures - 1), policy.max_s)
        self._failures = min(self._failures + 1, 64)
        return pause_s * (1 + policy.jitter * (2 * self._random.random() - 1))


class RequestPacing:
    """When one actor may make its requests to one address.

    A request with the same purpose and symbol as one that failed, or whose answer was of no use,
    waits longer each time. So does a snapshot that is requested again immediately: the book did not
    stay synced, and would use up the limit of the others. A refusal blocks the address for all.
    """

    def __init__(
        self, limiter: RateLimiter, priority: Priority, policy: BackoffPolicy, random: Random
    ) -> None:
        self._limiter = limiter
        self._priority = priority
        self._policy = policy
        self._random = random
        self._backoffs: dict[tuple[str, str | None], Backoff] = {}
        self._not_before_ns: dict[tuple[str, str | None], int] = {}
        self._answered_ns: dict[tuple[str, str | None], int] = {}

    def pause_s(self, request: HttpRequest, now_ns: int) -> float:
        """Return 0.0 and spend the request's weight, or return how many seconds to wait."""
        key = (request.purpose, request.symbol)
        answered_ns = self._answered_ns.pop(key, None)
        if answered_ns is not None:
            pause_s = self._backoffs[key].next_pause_s(now_ns)
            self._not_before_ns[key] = answered_ns + int(pause_s * NS_PER_S)
        wait_ns = self._not_before_ns.get(key, 0) - now_ns
        if wait_ns <= 0:
            wait_ns = self._limiter.take(request.weight, now_ns, self._priority)
        return max(0.0, wait_ns / NS_PER_S)

    def answered(self, answer: HttpAnswer, *, usable: bool = True) -> None:
        """Note how a request went, and whether its answer was of use."""
        key = (answer.request.purpose, answer.request.symbol)
        now_ns = answer.monotonic_ns
        backoff = self._backoffs.setdefault(key, Backoff(self._policy, self._random))
        if answer.status == 200 and usable:
            self._not_before_ns.pop(key, None)
            backoff.worked(now_ns)
            if self._priority is Priority.SNAPSHOT:
                self._answered_ns[key] = now_ns
            return
        self._not_before_ns[key] = now_ns + int(backoff.next_pause_s(now_ns) * NS_PER_S)
        if answer.status in _REFUSALS:
            pause_s = answer.retry_after_s
            if pause_s is None:
                pause_s = self._policy.max_s
            self._limiter.block(now_ns + int(pause_s * NS_PER_S))


def retry_after_s(header: str | None, now_ns: int) -> float | None:
    """Return how many seconds to wait (RFC 9110, section 10.2.3); None if the header is unusable.

    Args:
        header: seconds, or an HTTP date.
        now_ns: wall time in nanoseconds since 1970, from which a date counts.
    """
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        at_s = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at_s - now_ns / NS_PER_S)
