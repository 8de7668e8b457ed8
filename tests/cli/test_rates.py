from __future__ import annotations

from perps_actors.cli.rates import Rate
from perps_actors.kernel.clock import NS_PER_S


def test_a_first_look_knows_no_rate() -> None:
    assert Rate().of(0, 1_000) is None


def test_a_steady_counter_has_its_rate_from_the_second_look_on() -> None:
    rate = Rate()
    found = [rate.of(quarter * NS_PER_S // 4, 5 * quarter) for quarter in range(40)]
    assert found == [None] + [20.0] * 39


def test_a_counter_that_stands_still_comes_to_zero_within_seconds() -> None:
    rate = Rate()
    for second in range(10):
        rate.of(second * NS_PER_S, 100 * second)
    assert [rate.of((10 + second) * NS_PER_S, 900) for second in range(4)][-1] == 0.0


def test_looks_that_are_far_apart_are_compared_with_one_another() -> None:
    rate = Rate()
    rate.of(0, 0)
    assert rate.of(60 * NS_PER_S, 120) == 2.0
    assert rate.of(120 * NS_PER_S, 180) == 1.0


def test_a_counter_that_was_set_back_starts_over_and_is_never_below_zero() -> None:
    rate = Rate()
    rate.of(0, 1_000)
    rate.of(NS_PER_S, 1_100)
    assert rate.of(2 * NS_PER_S, 3) is None
    assert rate.of(3 * NS_PER_S, 13) == 10.0
