from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.feed_state import FeedState, Health

S = 1_000_000_000
LIMIT = 10 * S


def _state() -> FeedState:
    return FeedState(LIMIT, armed_ns=0)


def test_a_new_feed_is_waiting_and_becomes_stale_without_a_mark() -> None:
    state = _state()
    assert state.judge(LIMIT, heard_ns=None, down=None).health is Health.WAITING
    assert state.judge(LIMIT + 1, heard_ns=None, down=None).health is Health.STALE


def test_a_feed_without_any_mark_is_stale_although_its_venue_sends_data() -> None:
    assert _state().judge(LIMIT + 1, heard_ns=LIMIT, down=None).health is Health.STALE


def test_marks_keep_a_feed_live_up_to_the_limit() -> None:
    state = _state()
    state.marked(S, S)
    judgement = state.judge(S + LIMIT, heard_ns=None, down=None)
    assert (judgement.health, judgement.age_ns) == (Health.LIVE, LIMIT)


def test_a_feed_without_marks_is_quiet_while_its_venue_sends_data_else_stale() -> None:
    state = _state()
    state.marked(0, 0)
    now = LIMIT + 1
    assert state.judge(now, heard_ns=now - LIMIT, down=None).health is Health.QUIET
    assert state.judge(now, heard_ns=0, down=None).health is Health.STALE


def test_a_withdrawn_book_is_gapped_until_the_next_mark() -> None:
    state = _state()
    state.marked(S, S)
    state.withdrawn("sequence gap 7..9")
    judgement = state.judge(2 * S, heard_ns=2 * S, down=None)
    assert (judgement.health, judgement.cause) == (Health.GAPPED, "sequence gap 7..9")
    state.marked(3 * S, 3 * S)
    assert state.judge(3 * S, heard_ns=3 * S, down=None).health is Health.LIVE


def test_a_lost_connection_is_down_with_its_cause_once_marks_are_old() -> None:
    state = _state()
    state.marked(0, 0)
    assert state.judge(S, heard_ns=None, down="refused").health is Health.LIVE
    judgement = state.judge(LIMIT + 1, heard_ns=None, down="refused")
    assert (judgement.health, judgement.cause) == (Health.DOWN, "refused")


def test_the_last_judgement_is_kept() -> None:
    state = _state()
    assert state.last.health is Health.WAITING
    judgement = state.judge(LIMIT + 1, heard_ns=None, down=None)
    assert state.last is judgement


@given(
    marked=st.none() | st.integers(0, 100 * S),
    later=st.integers(0, 100 * S),
    heard=st.none() | st.integers(0, 200 * S),
    down=st.none() | st.just("refused"),
    gap=st.booleans(),
)
def test_an_old_mark_is_never_live_and_a_judgement_always_has_a_cause(
    *, marked: int | None, later: int, heard: int | None, down: str | None, gap: bool
) -> None:
    state = _state()
    if marked is not None:
        state.marked(marked, marked)
    if gap:
        state.withdrawn("gap")
    judgement = state.judge((marked or 0) + later, heard_ns=heard, down=down)
    assert (judgement.health is Health.LIVE) == (marked is not None and later <= LIMIT and not gap)
    assert judgement.age_ns == (None if marked is None else later)
    assert judgement.cause
    if judgement.health is Health.WAITING:
        assert marked is None


def test_a_feed_whose_recording_ended_is_ended_until_a_later_mark() -> None:
    state = _state()
    state.marked(S, S)
    state.ended(2 * S)
    judgement = state.judge(2 * S, heard_ns=2 * S, down="closed by the other side")
    assert (judgement.health, judgement.cause) == (Health.ENDED, "end of recording")
    state.marked(2 * S, 2 * S)
    assert state.judge(3 * S, heard_ns=None, down="refused").health is Health.ENDED
    state.marked(3 * S, 3 * S)
    assert state.judge(3 * S, heard_ns=3 * S, down=None).health is Health.LIVE


def test_marks_of_old_data_are_stale_with_the_age_of_the_data() -> None:
    state = _state()
    state.marked(100 * S, as_of_ns=70 * S)
    judgement = state.judge(101 * S, heard_ns=101 * S, down=None)
    assert (judgement.health, judgement.cause) == (Health.STALE, "data is 31.0 s old")
    assert judgement.age_ns == 31 * S
