from __future__ import annotations

from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.transport.backoff import Backoff, BackoffPolicy
from perps_actors.transport.budget import RateBudget
from perps_actors.transport.etiquette import RequestPacing
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


def test_what_worked_for_long_enough_starts_over_and_what_worked_shortly_does_not() -> None:
    backoff = Backoff(steady(), Random(0))
    for _ in range(4):
        backoff.next_pause_s(0)
    backoff.worked(100 * S)
    assert backoff.next_pause_s(120 * S - 1) == 4.0
    backoff.worked(200 * S)
    assert backoff.next_pause_s(220 * S) == 0.1


def test_an_old_success_does_not_excuse_new_failures() -> None:
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


def test_many_clients_do_not_come_back_at_one_instant() -> None:
    assert len({Backoff(BackoffPolicy(), Random(seed)).next_pause_s(0) for seed in range(50)}) == 50


@pytest.fixture
def manners() -> RequestPacing:
    return RequestPacing(RateBudget(100, 60.0), steady(), Random(0))


def test_a_request_is_made_at_once_until_the_budget_is_spent_and_later_when_it_comes_back(
    manners,
) -> None:
    assert [manners.pause_s(DEPTH, 0) for _ in range(5)] == [0.0] * 5
    assert manners.pause_s(DEPTH, 10 * S) == 50.0
    assert manners.pause_s(DEPTH, 60 * S) == 0.0


@pytest.mark.parametrize("failed", [answer(status=503), answer(status=None), answer(status=404)])
def test_a_failure_puts_the_next_request_of_its_kind_off_and_no_other(manners, failed) -> None:
    manners.answered(failed)
    assert manners.pause_s(DEPTH, 0) == 0.1
    assert manners.pause_s(OTHER, 0) == 0.0
    manners.answered(failed)
    assert manners.pause_s(DEPTH, 0) == 0.5


def test_an_answer_of_no_use_is_a_failure_and_one_of_use_ends_the_pauses(manners) -> None:
    manners.answered(answer(), usable=False)
    manners.answered(answer(), usable=False)
    assert manners.pause_s(DEPTH, 0) == 0.5
    manners.answered(answer())
    assert manners.pause_s(DEPTH, 0) == 0.0


@pytest.mark.parametrize("status", [403, 418, 429])
def test_a_refusal_puts_everything_off_for_as_long_as_the_venue_says(status) -> None:
    other_budget = RateBudget(100, 60.0)
    manners = RequestPacing(RateBudget(100, 60.0), steady(), Random(0), [other_budget])
    others = RequestPacing(other_budget, steady(), Random(0))
    manners.answered(answer(status=status, at_s=5, retry_after_s=30.0))
    assert manners.pause_s(OTHER, 5 * S) == others.pause_s(OTHER, 5 * S) == 30.0
    assert manners.pause_s(OTHER, 35 * S) == others.pause_s(OTHER, 35 * S) == 0.0


def test_a_refusal_without_a_time_counts_for_the_longest_pause(manners) -> None:
    manners.answered(answer(status=429))
    assert manners.pause_s(OTHER, 0) == 8.0


def test_an_answer_that_did_not_last_puts_the_next_request_off_longer_each_time_and_one_that_lasted_does_not() -> (
    None
):
    manners = RequestPacing(RateBudget(1000, 60.0), steady(), Random(0), lasting=True)
    now_s, pauses = 0.0, []
    for _ in range(6):
        assert manners.pause_s(DEPTH, int(now_s * S)) == 0.0
        manners.answered(answer(at_s=now_s))
        pauses.append(manners.pause_s(DEPTH, int(now_s * S)))
        now_s += pauses[-1]
    assert pauses == [0.1, 0.5, 1.0, 2.0, 4.0, 8.0]
    assert manners.pause_s(OTHER, int(now_s * S)) == 0.0
    assert manners.pause_s(DEPTH, int(now_s * S)) == 0.0
    manners.answered(answer(at_s=now_s))
    assert manners.pause_s(DEPTH, int((now_s + 30) * S)) == 0.0


def test_who_asks_again_and_again_by_design_is_not_put_off() -> None:
    manners = RequestPacing(RateBudget(1000, 60.0), steady(), Random(0))
    for second in range(5):
        assert manners.pause_s(DEPTH, second * S) == 0.0
        manners.answered(answer(at_s=second))
