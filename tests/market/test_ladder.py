from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.ladder import LadderPolicy, RungChange, SourceLadder
from perps_actors.market.mark import RUNGS, Source

S = 1_000_000_000
POLICY = LadderPolicy(patience_ns=5 * S, climb_after=3)


def _ladder(policy: LadderPolicy = POLICY) -> SourceLadder:
    return SourceLadder(policy, armed_ns=0)


def test_the_best_source_is_active_and_lower_sources_make_no_marks() -> None:
    ladder = _ladder()
    assert ladder.offer("book", S, S)
    for lower in ("touch", "trades", "rest"):
        assert not ladder.offer(lower, 2 * S, 2 * S)
    assert ladder.current == "book"
    assert ladder.take_change() is None


def test_a_source_above_the_top_is_never_used() -> None:
    ladder = _ladder(LadderPolicy(top="trades"))
    assert not ladder.offer("book", S, S)
    ladder.fail("trades", "gone")
    for second in range(20):
        assert not ladder.offer("touch", second * S, second * S)
    assert ladder.current == "rest"


def test_the_best_lower_source_replaces_a_failed_source_at_once() -> None:
    ladder = _ladder()
    ladder.fail("book", "its connection broke")
    assert ladder.take_change() == RungChange("book", "touch", "its connection broke")
    assert ladder.take_change() is None
    assert ladder.offer("touch", S, S)
    assert not ladder.offer("trades", S, S)


def test_a_quote_received_before_the_last_mark_of_the_failed_source_makes_no_mark() -> None:
    ladder = _ladder()
    assert ladder.offer("book", 6 * S, 6 * S)
    for source in ("book", "touch", "trades"):
        ladder.fail(source, "connection lost")
    assert ladder.current == "rest"
    assert not ladder.offer("rest", 5 * S, 5 * S)
    assert ladder.offer("rest", 7 * S, 7 * S)


def test_a_silent_source_fails_when_a_lower_source_has_newer_data() -> None:
    ladder = _ladder()
    ladder.offer("book", S, S)
    assert not ladder.offer("touch", 6 * S, 7 * S)
    assert ladder.offer("touch", 6 * S + 1, 7 * S)
    change = ladder.take_change()
    assert change is not None
    assert (change.before, change.after) == ("book", "touch")
    assert "silent" in change.cause


def test_silence_in_a_quiet_market_is_not_a_failure() -> None:
    ladder = _ladder()
    ladder.offer("book", S, 100 * S)
    assert not ladder.offer("rest", 3600 * S, 100 * S)
    assert ladder.current == "book"


def test_a_source_that_never_sent_data_fails_too() -> None:
    ladder = _ladder()
    ladder.offer("trades", 6 * S, 6 * S)
    assert ladder.current == "touch"
    assert ladder.offer("trades", 6 * S, 6 * S)
    assert ladder.current == "trades"


def test_a_failed_source_is_active_again_after_enough_good_updates() -> None:
    ladder = _ladder()
    ladder.fail("book", "gone")
    ladder.take_change()
    assert [ladder.offer("book", n * S, n * S) for n in range(1, 5)] == [False, False, True, True]
    assert ladder.take_change() == RungChange("touch", "book", "book is healthy again")


def test_a_failure_while_recovering_restarts_the_count() -> None:
    ladder = _ladder()
    ladder.fail("book", "gone")
    ladder.offer("book", S, S)
    ladder.offer("book", S, S)
    ladder.fail("book", "gone again")
    assert [ladder.offer("book", S, S) for _ in range(3)] == [False, False, True]


def test_a_recovered_better_source_takes_over_from_a_healthy_lower_one() -> None:
    ladder = _ladder()
    ladder.fail("book", "gone")
    ladder.fail("touch", "gone")
    assert ladder.offer("trades", S, S)
    assert [ladder.offer("touch", S, S) for _ in range(3)][-1]
    assert not ladder.offer("trades", S, S)


def test_after_all_sources_failed_the_last_one_must_recover_first() -> None:
    ladder = _ladder()
    for source in RUNGS:
        ladder.fail(source, "gone")
    assert ladder.current == "rest"
    assert [ladder.offer("rest", S, S) for _ in range(4)] == [False, False, True, True]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(RUNGS),
            st.sampled_from(["offer", "fail"]),
            st.integers(0, 4 * S),
            st.none() | st.integers(0, 60 * S),
        ),
        max_size=80,
    ),
    st.sampled_from(RUNGS),
)
def test_exactly_one_source_is_active_and_no_better_source_is_healthy(
    steps: list[tuple[Source, str, int, int | None]], top: Source
) -> None:
    ladder = SourceLadder(LadderPolicy(top=top, climb_after=2), armed_ns=0)
    now = 0
    for source, what, passed, venue_time in steps:
        now += passed
        if what == "fail":
            ladder.fail(source, "drawn")
            assert source not in ladder._rungs or ladder.current != source or source == "rest"
        elif ladder.offer(source, now, venue_time):
            assert source == ladder.current
        assert ladder.current in ladder._rungs
        above = ladder._rungs[: ladder._rungs.index(ladder.current)]
        assert all(rung in ladder._failed for rung in above)


def test_a_source_that_lags_gives_way_to_a_lower_source_that_does_not() -> None:
    ladder = _ladder()
    for n in range(20):
        ladder.offer("book", n * S, n * S // 10, lag_ns=n * S * 9 // 10)
    assert ladder.offer("rest", 20 * S, 20 * S) is False  # touch and trades come first
    assert ladder.current == "touch"
    change = ladder.take_change()
    assert change is not None
    assert change.cause == "18.1 s behind rest"


def test_a_lagging_source_does_not_recover_by_updates_that_are_still_late() -> None:
    ladder = _ladder()
    ladder.fail("book", "broken")
    for n in range(10):
        assert not ladder.offer("book", n * S, None, lag_ns=60 * S)
    assert ladder.current != "book"


@pytest.mark.parametrize("source", ["touch", "trades", "rest"])
def test_an_update_older_than_the_one_before_is_refused_until_a_pause(source: Source) -> None:
    ladder = SourceLadder(LadderPolicy(top=source, patience_ns=5 * S), armed_ns=0)
    assert ladder.offer(source, 1 * S, 60 * S)
    assert not ladder.offer(source, 2 * S, 59 * S)
    assert ladder.offer(source, 3 * S, 60 * S)
    assert ladder.offer(source, 9 * S, 10 * S)


def test_a_book_is_ordered_by_its_sequence_and_not_by_time() -> None:
    ladder = _ladder()
    assert ladder.offer("book", 1 * S, 60 * S)
    assert ladder.offer("book", 2 * S, 59 * S)
