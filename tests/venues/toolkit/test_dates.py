from __future__ import annotations

import msgspec
import pytest

from perps_actors.errors import VenueError
from perps_actors.venues.toolkit.fields import Moment, nanoseconds


def moment(text):
    return nanoseconds(msgspec.json.decode(f'"{text}"', type=Moment))


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2021-07-22T22:35:53.978Z", 1_626_993_353_978_000_000),
        ("2021-07-23T00:35:53.978123+02:00", 1_626_993_353_978_123_000),
    ],
)
def test_a_date_is_exact_to_the_microsecond_in_any_time_zone(text, time_ns):
    assert moment(text) == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "1969-12-31T23:59:59Z",
        "2263-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_date_out_of_range_is_refused(text):
    with pytest.raises((VenueError, msgspec.ValidationError)):
        moment(text)


def test_a_date_without_an_offset_is_refused():
    with pytest.raises(msgspec.ValidationError):
        moment("2021-07-22T22:35:53.978")
