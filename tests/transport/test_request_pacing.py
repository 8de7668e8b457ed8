from __future__ import annotations

from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.transport.rate_limits import (
    Backoff,
    BackoffPolicy,
    Priority,
    RateLimiter,
    RequestPacing,
)
from perps_actors.transport.wire import HttpAnswer, HttpRequest

S = 1_000_000_000
DEPTH = HttpRequest(
    url="https://venue/depth?symbol=BTCUSDT", weight=20, purpose="depth", symbol="BTCUSDT"
)
OTHER = attrs.evolve(DEPTH, url="https://venue/depth?symbol=ETHUSDT", symbol="ETHUSDT")


def answer(
    request=DEPTH, status: int | None = 200, *, at_s: float = 0, retry_after_s: float | None = None
) -> HttpAnswer:
    at_ns = int(at_s * S)
    return HttpAnswer(
        request=request,
        status=status,
        body=b"",
        error=None,
        received_ns=at_ns,
        monotonic_ns=at_ns,
        retry_after_s=retry_after_s,
    )


def steady(**policy) -> BackoffPolicy:
    return BackoffPolicy(first_s=0.1, base_s=0.5, max_s=8.0, jitter=0.0, healthy_s=20.0, **policy)


def test_pauses_double_from_a_short_first_one_to_the_longest() -> None:
    backoff = Backoff(steady(), Random(0))
    assert [backoff.next_pause_s(0) for _ in range(8)] == [0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_pauses_start_over_after_a_long_success_and_not_after_a_short_one() -> None:
    backoff = Backoff(steady(), Random(0))
    for _ in range(4):
        backoff.next_pause_s(0)
    backoff.worked(100 * S)
    assert backoff.next_pause_s(120 * S - 1) == 4.0
    backoff.worked(200 * S)
    assert backoff.next_pause_s(220 * S) == 0.1


def test_pauses_grow_after_an_old_success() -> None:
    backoff = Backoff(steady(), Random(0))
    backoff.worked(0)
    assert [backoff.next_pause_s(at * S) for at in (100, 200, 300)] == [0.1, 0.5, 1.0]


@given(seed=st.integers(), attempts=st.integers(1, 200))
def test_a_pause_stays_within_its_jitter_however_often_it_failed(seed, attempts) -> None:
    policy = BackoffPolicy()
    backoff = Backoff(policy, Random(seed))
    pauses = [backoff.next_pause_s(0) for _ in range(attempts)]
    assert all(0 < pause <= policy.max_s * (1 + policy.jitter) for pause in pauses)
    assert pauses[0] <= policy.first_s * (1 + policy.jitter)


def test_many_clients_do_not_return_at_one_instant() -> None:
    assert len({Backoff(BackoffPolicy(), Random(seed)).next_pause_s(0) for seed in range(50)}) == 50


def pacing_of(
    limit: int = 100, priority: Priority = Priority.QUOTE, limiter: RateLimiter | None = None
) -> RequestPacing:
    return RequestPacing(limiter or RateLimiter(limit), priority, steady(), Random(0))


@pytest.fixture
def pacing() -> RequestPacing:
    return pacing_of()


def test_a_request_is_made_at_once_until_the_limit_is_used_up_and_later_when_it_is_free_again() -> (
    None
):
    pacing = pacing_of(priority=Priority.SNAPSHOT)
    assert [pacing.pause_s(DEPTH, 0) for _ in range(5)] == [0.0] * 5
    assert pacing.pause_s(DEPTH, 10 * S) == 50.0
    assert pacing.pause_s(DEPTH, 60 * S) == 0.0


@pytest.mark.parametrize("failed", [answer(status=503), answer(status=None), answer(status=404)])
def test_a_failure_delays_the_next_request_of_its_kind_and_no_other(pacing, failed) -> None:
    pacing.answered(failed)
    assert pacing.pause_s(DEPTH, 0) == 0.1
    assert pacing.pause_s(OTHER, 0) == 0.0
    pacing.answered(failed)
    assert pacing.pause_s(DEPTH, 0) == 0.5


def test_an_unusable_answer_delays_the_next_request_and_a_usable_one_does_not(pacing) -> None:
    pacing.answered(answer(), usable=False)
    pacing.answered(answer(), usable=False)
    assert pacing.pause_s(DEPTH, 0) == 0.5
    pacing.answered(answer())
    assert pacing.pause_s(DEPTH, 0) == 0.0


@pytest.mark.parametrize("status", [403, 418, 429])
def test_a_refusal_delays_all_requests_to_the_address_for_as_long_as_the_venue_says(status) -> None:
    limiter = RateLimiter(100)
    pacing, others = (
        pacing_of(limiter=limiter, priority=priority)
        for priority in Priority
        if priority is not Priority.SNAPSHOT
    )
    pacing.answered(answer(status=status, at_s=5, retry_after_s=30.0))
    assert pacing.pause_s(OTHER, 5 * S) == others.pause_s(OTHER, 5 * S) == 30.0
    assert pacing.pause_s(OTHER, 35 * S) == others.pause_s(OTHER, 35 * S) == 0.0


def test_a_refusal_without_a_time_delays_all_for_the_longest_pause(pacing) -> None:
    pacing.answered(answer(status=429))
    assert pacing.pause_s(OTHER, 0) == 8.0


def test_a_snapshot_requested_again_at_once_waits_longer_each_time_and_after_a_while_does_not() -> (
    None
):
    pacing = pacing_of(1000, Priority.SNAPSHOT)
    now_s, pauses = 0.0, []
    for _ in range(6):
        assert pacing.pause_s(DEPTH, int(now_s * S)) == 0.0
        pacing.answered(answer(at_s=now_s))
        pauses.append(pacing.pause_s(DEPTH, int(now_s * S)))
        now_s += pauses[-1]
    assert pauses == [0.1, 0.5, 1.0, 2.0, 4.0, 8.0]
    assert pacing.pause_s(OTHER, int(now_s * S)) == 0.0
    assert pacing.pause_s(DEPTH, int(now_s * S)) == 0.0
    pacing.answered(answer(at_s=now_s))
    assert pacing.pause_s(DEPTH, int((now_s + 30) * S)) == 0.0


def test_a_quote_requested_again_and_again_is_not_delayed() -> None:
    pacing = pacing_of(1000)
    for second in range(5):
        assert pacing.pause_s(DEPTH, second * S) == 0.0
        pacing.answered(answer(at_s=second))
