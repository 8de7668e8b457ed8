from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.trading.staleness import Freshness, StalenessLimits

S = 1_000_000_000


@pytest.mark.parametrize(
    ("age_ns", "freshness"),
    [
        (0, Freshness.FRESH),
        (180 * S, Freshness.FRESH),
        (180 * S + 1, Freshness.AGEING),
        (360 * S, Freshness.AGEING),
        (360 * S + 1, Freshness.STALE),
    ],
)
def test_an_age_exactly_at_a_limit_is_within_it(age_ns: int, freshness: Freshness) -> None:
    assert StalenessLimits().judge(age_ns) is freshness


@given(st.floats(0, 1000), st.floats(0, 1000), st.integers(0, 2000 * S), st.integers(0, 2000 * S))
def test_an_older_mark_is_never_fresher(
    soft_s: float, more_s: float, age_ns: int, older_by_ns: int
) -> None:
    limits = StalenessLimits(soft_s=soft_s, hard_s=soft_s + more_s)
    assert limits.judge(age_ns) <= limits.judge(age_ns + older_by_ns)
