from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.journal.event_text import json_line, parse_since, plain_line
from perps_actors.messages.records import event

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("-5", -5),
        ("2023-11-14", 1_699_920_000_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000_000_000),
        ("2023-11-14 22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20.1234567899", 1_700_000_000_123_456_789),
        ("2023-11-15T00:13:20,5+02:00", 1_700_000_000_500_000_000),
        ("1969-12-31T23:59:59.000000001Z", -999_999_999),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000_000),
    ],
)
def test_a_time_is_iso_8601_or_nanoseconds(text, ns):
    assert parse_since(text) == ns


@given(st.datetimes(timezones=OFFSETS | st.none()))
def test_every_datetime_is_read_to_the_microsecond_and_is_utc_without_an_offset(moment):
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    assert (
        parse_since(moment.isoformat())
        == (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    )


@given(st.text())
def test_any_text_is_a_time_or_refused_with_its_place(text):
    refused = None
    try:
        parse_since(text, place="somewhere")
    except SettingsError as error:
        refused = (error.field, error.value, error.place)
    assert refused in (None, ("--since", text, "somewhere"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1.5",
        "1e9",
        "12:00",
        "2023-13-01",
        "2023-11-14T22:13:20.5.5",
        "\uff11\uff12",
    ],
)
def test_an_invalid_time_is_refused(text):
    with pytest.raises(SettingsError, match="Expected a time like"):
        parse_since(text)


def test_a_json_line_has_every_field_by_name(mark):
    assert json.loads(json_line(7, mark(0, levels=(1, 2)))) == {
        "seq": 7,
        "kind": "ws_mark_update",
        "venue": "binance_futures",
        "symbol": "BTCUSDT",
        "venue_time_ns": 1_699_999_999_995_000_000,
        "received_ns": 1_700_000_000_000_000_000,
        "source": "book",
        "provenance": "synthetic",
        "system": "",
        "data": {"mark": "20000.5", "levels": [1, 2]},
    }


def test_a_plain_line_is_aligned_and_shows_nanoseconds(mark):
    lines = [plain_line(7, mark(0)), plain_line(1_234_567, mark(1, kind="stale", symbol="X"))]

    assert lines[0].split() == [
        "2023-11-14T22:13:20.000000000Z",
        "7",
        "ws_mark_update",
        "BTCUSDT",
        "book",
        "mark=20000.5",
    ]
    assert len({line.index("mark=") for line in lines}) == 1


@given(st.text(), st.text(), st.integers())
def test_a_plain_line_cannot_move_a_terminals_cursor(kind, text, ns):
    hostile = event(
        kind, venue=text, received_ns=ns, provenance="live", said=text, parts=(text, None)
    )
    line = plain_line(1, hostile)

    assert line.isprintable()
    assert json_line(1, hostile).count("\n") == 0
