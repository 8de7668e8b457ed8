from __future__ import annotations

import math
from contextlib import suppress

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.settings import (
    JournalSettings,
    MarkSettings,
    MonitorSettings,
    PollSettings,
    RiskSettings,
    Settings,
    StreamSettings,
    SupervisionSettings,
    read_settings,
    settings_from,
)

SECTIONS = {
    "marks": MarkSettings,
    "stream": StreamSettings,
    "poll": PollSettings,
    "risk": RiskSettings,
    "monitor": MonitorSettings,
    "journal": JournalSettings,
    "supervision": SupervisionSettings,
}
NUMBERS = [
    (section, field.name, field.default)
    for section, cls in SECTIONS.items()
    for field in attrs.fields(cls)
    if type(field.default) in (int, float)
]
PLACE = "perps.toml"


def refused(table, place=PLACE) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        settings_from({"symbols": ["BTCUSDT"], **table}, place)
    return caught.value


def test_there_are_numbers_in_every_section() -> None:
    assert {section for section, _, _ in NUMBERS} == set(SECTIONS)


@pytest.mark.parametrize(("section", "name", "default"), NUMBERS)
@settings(max_examples=15)
@given(
    value=st.one_of(
        st.integers(max_value=0),
        st.floats(max_value=0),
        st.sampled_from([math.inf, -math.inf, math.nan]),
    )
)
def test_a_number_that_is_not_above_zero_and_finite_is_refused_with_field_value_and_place(
    section, name, default, value
) -> None:
    if type(default) is int and type(value) is float:
        value = 0
    error = refused({section: {name: value}})
    assert (error.field, error.place) == (f"{section}.{name}", PLACE)
    assert repr(error.value) == repr(float(value) if type(default) is float else value)
    assert "must be above zero and finite" in str(error)
    assert str(error).startswith(f"{PLACE}: {section}.{name} = ")
    with pytest.raises(SettingsError) as caught:
        SECTIONS[section](**{name: value})
    assert (caught.value.field, caught.value.place) == (name, SECTIONS[section].__name__)


@pytest.mark.parametrize(("section", "name", "default"), NUMBERS)
@settings(max_examples=15)
@given(data=st.data())
def test_every_number_above_zero_is_accepted(section, name, default, data) -> None:
    strategy = (
        st.integers(1, 10**9)
        if type(default) is int
        else st.floats(1e-6, 1e9) | st.integers(1, 10**9)
    )
    value = data.draw(strategy)
    table = {name: value}
    if section == "risk":
        table = {"stale_soft_s": value, "stale_hard_s": value}
    taken = getattr(settings_from({"symbols": ["BTCUSDT"], section: table}, PLACE), section)
    assert getattr(taken, name) == value


@pytest.mark.parametrize(
    ("table", "field", "why"),
    [
        ({"nonsense": 1}, "nonsense", "is no setting"),
        ({"stream": {"nonsense": 1}}, "stream.nonsense", "is no setting"),
        ({"marks": {"short": "5"}}, "marks.short", "expected int, was str"),
        ({"marks": {"short": 5.0}}, "marks.short", "expected int, was float"),
        ({"marks": {"short": True}}, "marks.short", "expected int, was bool"),
        ({"marks": 5}, "marks", ""),
        ({"marks": []}, "marks", ""),
        ({"marks": None}, "marks", ""),
        ({"stream": {"enabled": 1}}, "stream.enabled", "expected bool, was int"),
        (
            {"stream": {"source": "rumours"}},
            "stream.source",
            "expected one of book, touch, trades, rest",
        ),
        ({"stream": {"source": ["book"]}}, "stream.source", ""),
        ({"stream": {"patience_s": "5"}}, "stream.patience_s", "expected float, was str"),
        (
            {"provenance": "hearsay"},
            "provenance",
            "expected one of live, recording, synthetic, replay",
        ),
        ({"lossless": "yes"}, "lossless", "expected bool, was str"),
        ({"seed": 1.5}, "seed", "expected int, was float"),
        ({"venue": 5}, "venue", "expected str, was int"),
        ({"symbols": "BTCUSDT"}, "symbols", "expected a list of strings"),
        ({"symbols": [1]}, "symbols", "expected a list of strings"),
        ({"symbols": []}, "symbols", "at least one"),
        ({"symbols": [""]}, "symbols", "blank"),
        ({"symbols": ["BTCUSDT", " "]}, "symbols", "blank"),
        ({"symbols": [" BTCUSDT"]}, "symbols", "blank"),
        ({"symbols": ["A", "B", "A"]}, "symbols", "names a symbol twice"),
        (
            {"risk": {"stale_soft_s": 400.0}},
            "risk.stale_hard_s",
            "must not be below stale_soft_s = 400",
        ),
        ({"journal": {"path": 5}}, "journal.path", "expected str, was int"),
        ({"journal": {"rest_marks": 0}}, "journal.rest_marks", "expected bool, was int"),
        ({"endpoints": {"stream": "ws://127.0.0.1:1"}}, "endpoints.rest", "is missing"),
        (
            {"endpoints": {"stream": 5, "rest": "http://127.0.0.1:1"}},
            "endpoints.stream",
            "expected str, was int",
        ),
        ({"endpoints": "ws://127.0.0.1:1"}, "endpoints", ""),
    ],
)
def test_an_unusable_table_is_refused_with_field_and_reason(table, field, why) -> None:
    error = refused(table)
    assert (error.field, error.place) == (field, PLACE)
    assert why in str(error)
    assert "\n" not in str(error)


def test_symbols_are_required() -> None:
    with pytest.raises(SettingsError, match="symbols") as caught:
        settings_from({}, PLACE)
    assert (caught.value.field, "is missing" in str(caught.value)) == ("symbols", True)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
field_names = st.sampled_from([field.name for field in attrs.fields(Settings)])
section_tables = st.dictionaries(
    st.sampled_from(sorted({name for _, name, _ in NUMBERS} | {"source", "path", "enabled"})),
    json_like,
)


@settings(max_examples=60)
@given(st.dictionaries(field_names | st.text(max_size=5), json_like | section_tables, max_size=4))
def test_any_file_gives_settings_or_an_error_that_names_the_place(table) -> None:
    with (
        suppress(SettingsError) if "symbols" in table else pytest.raises(SettingsError, match=PLACE)
    ):
        assert isinstance(settings_from(table, PLACE), Settings)


def test_a_file_is_read_as_toml(tmp_path) -> None:
    path = tmp_path / "perps.toml"
    path.write_text('symbols = ["BTCUSDT"]\n[marks]\nlong = 50\n')
    assert settings_from(read_settings(path), str(path)).marks == MarkSettings(long=50)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"marks = ", "is no TOML"), (b"\xff\xfe", "is no TOML")],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_name(tmp_path, content, why) -> None:
    path = tmp_path / "perps.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=why) as caught:
        read_settings(path)
    assert (caught.value.value, caught.value.place) == (str(path), "--config")
