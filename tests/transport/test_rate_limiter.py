from __future__ import annotations

import queue
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import TransportError
from perps_actors.transport.rate_limits import Priority, RateLimiter, RateLimits

S = 1_000_000_000
PERIOD_S = 10
LIMIT = 20


def fullest_window(granted):
    return max(
        (
            sum(weight for at, weight in granted if start <= at < start + PERIOD_S * S)
            for start, _ in granted
        ),
        default=0,
    )


asks = st.lists(st.tuples(st.integers(0, 4 * S), st.integers(1, LIMIT)), max_size=60)


@given(asks)
def test_no_window_of_a_period_ever_holds_more_than_the_limit(asks):
    limiter, now, granted = RateLimiter(LIMIT, PERIOD_S), 0, []
    for pause, weight in asks:
        now += pause
        if limiter.take(weight, now) == 0:
            granted.append((now, weight))
    assert fullest_window(granted) <= LIMIT


@given(asks)
def test_after_the_wait_returned_the_weight_is_granted_and_a_moment_before_it_is_not(asks):
    limiter, now, granted = RateLimiter(LIMIT, PERIOD_S), 0, []
    for pause, weight in asks:
        now += pause
        wait = limiter.take(weight, now)
        if wait:
            assert 0 < wait <= PERIOD_S * S
            assert limiter.take(weight, now + wait - 1) == 1
            now += wait
            assert limiter.take(weight, now) == 0
        granted.append((now, weight))
    assert fullest_window(granted) <= LIMIT


def test_a_refused_weight_spends_nothing():
    limiter = RateLimiter(LIMIT, PERIOD_S)
    assert limiter.take(15, 0) == 0
    assert limiter.take(10, 0) == PERIOD_S * S
    assert limiter.take(5, 0) == 0


def test_a_block_refuses_everything_until_its_end_and_a_shorter_block_does_not_lift_it():
    limiter = RateLimiter(LIMIT, PERIOD_S)
    limiter.block(5 * S)
    limiter.block(3 * S)
    assert limiter.take(1, 1 * S) == 4 * S
    assert limiter.take(1, 5 * S) == 0


@pytest.mark.parametrize("weight", [0, -1, LIMIT + 1])
def test_a_weight_that_can_never_be_granted_is_refused_at_once(weight):
    with pytest.raises(TransportError, match="from 1 to 20"):
        RateLimiter(LIMIT, PERIOD_S).take(weight, 0)


@pytest.mark.parametrize(("limit", "period_s"), [(0, 1.0), (1, 0.0), (-5, 1.0)])
def test_a_limit_that_allows_nothing_is_refused(limit, period_s):
    with pytest.raises(TransportError, match="Expected a limit"):
        RateLimiter(limit, period_s)


def test_a_lower_priority_leaves_the_rest_of_the_window_to_snapshots():
    limiter = RateLimiter(LIMIT, PERIOD_S)
    assert limiter.take(8, 0, Priority.HISTORY) == 0
    assert limiter.take(3, 1 * S, Priority.HISTORY) == 9 * S
    assert limiter.take(7, 1 * S, Priority.QUOTE) == 0
    assert limiter.take(1, 2 * S, Priority.QUOTE) == 8 * S
    assert limiter.take(5, 2 * S, Priority.SNAPSHOT) == 0
    assert limiter.take(1, 2 * S, Priority.SNAPSHOT) == 8 * S


@pytest.mark.parametrize("priority", list(Priority))
def test_a_request_heavier_than_its_part_of_the_window_is_granted_when_nothing_is_in_use(priority):
    limiter = RateLimiter(LIMIT, PERIOD_S)
    assert limiter.take(1, 0) == 0
    assert limiter.take(LIMIT, 0, priority) == PERIOD_S * S
    assert limiter.take(LIMIT, PERIOD_S * S, priority) == 0


def test_one_address_has_one_limiter():
    limits = RateLimits()
    assert limits.of("https://venue", LIMIT) is limits.of("https://venue", LIMIT)
    assert limits.of("https://venue", LIMIT) is not limits.of("https://other", LIMIT)


def test_threads_together_get_no_more_than_the_limit():
    limiter, granted = RateLimiter(1_000, PERIOD_S), queue.SimpleQueue()
    threads = [
        threading.Thread(
            target=lambda: [granted.put(1) for _ in range(500) if limiter.take(1, S) == 0]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert granted.qsize() == 1_000
