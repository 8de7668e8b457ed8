from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import TransportError
from perps_actors.transport.budget import RateBudget

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
    budget, now, granted = RateBudget(LIMIT, PERIOD_S), 0, []
    for pause, weight in asks:
        now += pause
        if budget.take(weight, now) == 0:
            granted.append((now, weight))
    assert fullest_window(granted) <= LIMIT


@given(asks)
def test_after_the_wait_that_was_named_the_weight_is_granted_and_a_moment_before_it_is_not(asks):
    budget, now, granted = RateBudget(LIMIT, PERIOD_S), 0, []
    for pause, weight in asks:
        now += pause
        wait = budget.take(weight, now)
        if wait:
            assert 0 < wait <= PERIOD_S * S
            assert budget.take(weight, now + wait - 1) == 1
            now += wait
            assert budget.take(weight, now) == 0
        granted.append((now, weight))
    assert fullest_window(granted) <= LIMIT


def test_a_refused_weight_spends_nothing():
    budget = RateBudget(LIMIT, PERIOD_S)
    assert budget.take(15, 0) == 0
    assert budget.take(10, 0) == PERIOD_S * S
    assert budget.take(5, 0) == 0


def test_a_block_holds_everything_until_its_end_and_a_shorter_one_does_not_lift_it():
    budget = RateBudget(LIMIT, PERIOD_S)
    budget.block(5 * S)
    budget.block(3 * S)
    assert budget.take(1, 1 * S) == 4 * S
    assert budget.take(1, 5 * S) == 0


@pytest.mark.parametrize("weight", [0, -1, LIMIT + 1])
def test_a_weight_that_can_never_be_granted_is_refused_at_once(weight):
    with pytest.raises(TransportError, match="from 1 to 20"):
        RateBudget(LIMIT, PERIOD_S).take(weight, 0)


@pytest.mark.parametrize(("limit", "period_s"), [(0, 1.0), (1, 0.0), (-5, 1.0)])
def test_a_budget_that_allows_nothing_is_refused(limit, period_s):
    with pytest.raises(TransportError, match="Expected a limit"):
        RateBudget(limit, period_s)
