"""The lag of data against the offset of its venue's clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.age import VenueOffset

S = 1_000_000_000
VENUE_EPOCH = 1_700_000_000 * S


def lag(offset: VenueOffset, received_ns: int, venue_time_ns: int) -> int:
    return offset.note(received_ns, venue_time_ns)


@given(
    error_s=st.integers(-10_000, 10_000),
    delays=st.lists(st.integers(0, 30 * S), min_size=1, max_size=50),
)
def test_the_lag_is_the_delay_beyond_the_smallest_delay_whatever_the_clock_error(
    error_s: int, delays: list[int]
) -> None:
    offset = VenueOffset()
    for second, delay_ns in enumerate(delays):
        sent_ns = VENUE_EPOCH + second * S + error_s * S
        found = lag(offset, second * S + delay_ns + 30 * S, sent_ns)
        assert found == delay_ns - min(delays[: second + 1])


def test_a_stream_that_falls_behind_lags_by_the_delay_that_grew() -> None:
    offset = VenueOffset()
    assert lag(offset, 10 * S, VENUE_EPOCH) == 0
    assert lag(offset, 40 * S, VENUE_EPOCH + 7 * S) == 23 * S


def test_an_answer_in_time_shows_that_another_row_is_years_old() -> None:
    offset = VenueOffset()
    offset.note(5 * S, VENUE_EPOCH)
    assert lag(offset, 5 * S, VENUE_EPOCH - 86_400 * S) == 86_400 * S


def test_an_offset_that_really_changed_is_accepted_after_ten_minutes() -> None:
    offset = VenueOffset()
    lag(offset, 0, VENUE_EPOCH)
    lags = [lag(offset, n * S, VENUE_EPOCH + (n - 5) * S) for n in range(1, 700)]
    assert lags[0] == lags[500] == 5 * S
    assert lags[-1] == 0


def test_after_hours_of_silence_buffered_data_still_looks_old() -> None:
    offset = VenueOffset()
    lag(offset, 0, VENUE_EPOCH)
    assert lag(offset, 28_800 * S, VENUE_EPOCH + S) == 28_799 * S


def test_a_rise_of_the_offset_by_more_than_a_second_is_reported_once() -> None:
    offset = VenueOffset()
    reported = []
    for n in range(1_400):
        late_s = 0 if n < 100 else 3
        lag(offset, n * S, VENUE_EPOCH + (n - late_s) * S)
        reported.append(offset.take_rise_ns())
    assert [rise for rise in reported if rise is not None] == [3 * S]
