from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.venues.host_broker.parse import nanoseconds

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the tests add the zones
AT = 1_767_323_045_123_456_789


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-02T03:04:05.123456789Z", AT),
        ("2026-01-02 04:04:05,123456789+01:00", AT),
        ("2026-01-02T03:04:05.1234567891234Z", AT),
        ("2026-01-02T03:04:05Z", AT // 10**9 * 10**9),
        (AT, AT),
        (str(AT), AT),
        ("1767323045123456.789", AT),
        ("1767323045123.456789", AT),
        ("1767323045.123456789", AT),
        (1_767_323_045, AT // 10**9 * 10**9),
    ],
)
def test_a_time_in_any_format_is_read_to_the_nanosecond(time, expected) -> None:
    assert nanoseconds(time) == expected


@pytest.mark.parametrize(
    "time",
    [
        *(None, True, [], {}, 0, -5, 2**63, "NaN", "1e19", "1e400", "", "soon"),
        *(
            "2026-01-02T03:04:05",
            "2026-01-02",
            "2026-13-02T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
        ),
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_a_date_without_zone_or_an_unreadable_value_is_no_time(time) -> None:
    assert nanoseconds(time) is None


@given(
    st.datetimes(EPOCH + timedelta(days=1), EPOCH + timedelta(days=100_000)),
    st.integers(-1439, 1439),
)
def test_a_time_is_the_same_instant_in_every_zone(naive, minutes) -> None:
    instant = naive.replace(tzinfo=UTC)
    elsewhere = instant.astimezone(timezone(timedelta(minutes=minutes)))
    expected = (naive - EPOCH) // timedelta(microseconds=1) * 1_000
    assert nanoseconds(instant.isoformat()) == nanoseconds(elsewhere.isoformat()) == expected


@given(st.integers(10**17, 2**63 - 1))
def test_the_size_of_a_number_tells_seconds_milliseconds_and_microseconds_apart(ns) -> None:
    seconds = ns // 10**9
    assert nanoseconds(seconds) == seconds * 10**9
    assert nanoseconds(seconds * 10**3) == seconds * 10**9
    assert nanoseconds(seconds * 10**6) == seconds * 10**9
    assert nanoseconds(ns) == ns


@given(st.none() | st.text() | st.integers() | st.floats().map(repr))
def test_any_value_gives_a_time_or_none(time) -> None:
    at = nanoseconds(time)
    assert at is None or 0 < at < 2**63
