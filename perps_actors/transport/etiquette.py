"""When a REST request may be made: within the venue's rate limit, and not at once again after a failure. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from perps_actors.kernel.clock import NS_PER_S
from perps_actors.transport.backoff import Backoff, BackoffPolicy
from perps_actors.transport.budget import RateBudget
from perps_actors.transport.wire import HttpAnswer, HttpRequest

_REFUSALS = frozenset({403, 418, 429})
"""Too many requests, banned for having gone on (Binance), and forbidden for a while (Bybit)."""


class RequestPacing:
    """Good manners towards one venue's REST interface, for one asker.

    Args:
        budget: what this asker may spend.
        policy: pauses after failures.
        random: their jitter.
        others: budgets of the same venue's other askers: a refusal is meant for all that come from one address.
        lasting: whether answers are meant to last, as a book's snapshot is. One that is asked for again at once was in vain, and in
            vain again and again would use up what the asker's other instruments may spend: the next is put off as after a failure.
    """

    def __init__(
        self,
        budget: RateBudget,
        policy: BackoffPolicy,
        random: Random,
        others: Sequence[RateBudget] = (),
        *,
        lasting: bool = False,
    ) -> None:
        self._budget = budget
        self._others = tuple(others)
        self._lasting = lasting
        self._policy = policy
        self._random = random
        self._backoffs: dict[tuple[str, str | None], Backoff] = {}
        self._not_before_ns: dict[tuple[str, str | None], int] = {}
        self._answered_ns: dict[tuple[str, str | None], int] = {}

    def pause_s(self, request: HttpRequest, now_ns: int) -> float:
        """Return 0.0 and spend the request's weight if it may be made now, else how many seconds to wait and ask again."""
        key = (request.purpose, request.symbol)
        answered_ns = self._answered_ns.pop(key, None)
        if answered_ns is not None:
            self._not_before_ns[key] = answered_ns + int(
                self._backoffs[key].next_pause_s(now_ns) * NS_PER_S
            )
        wait_ns = self._not_before_ns.get(key, 0) - now_ns
        if wait_ns <= 0:
            wait_ns = self._budget.take(request.weight, now_ns)
        return max(0.0, wait_ns / NS_PER_S)

    def answered(self, answer: HttpAnswer, *, usable: bool = True) -> None:
        """Note how a request went: a failure, or an answer of no use, puts the next one like it off, a refusal puts all off."""
        key = (answer.request.purpose, answer.request.symbol)
        now_ns = answer.monotonic_ns
        backoff = self._backoffs.setdefault(key, Backoff(self._policy, self._random))
        if answer.status == 200 and usable:
            self._not_before_ns.pop(key, None)
            backoff.worked(now_ns)
            if self._lasting:
                self._answered_ns[key] = now_ns
            return
        self._not_before_ns[key] = now_ns + int(backoff.next_pause_s(now_ns) * NS_PER_S)
        if answer.status in _REFUSALS:
            pause_s = (
                answer.retry_after_s if answer.retry_after_s is not None else self._policy.max_s
            )
            for budget in (self._budget, *self._others):
                budget.block(now_ns + int(pause_s * NS_PER_S))
