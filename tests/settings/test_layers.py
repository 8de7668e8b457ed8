from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.settings import Settings, layers_of, settings_of


def write(folder: Path, text: str) -> Path:
    path = folder / "perps.toml"
    path.write_text(text)
    return path


def refused(**given) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        settings_of(**given)
    return caught.value


@given(st.sets(st.sampled_from(["file", "environment", "code"])))
def test_code_wins_over_the_environment_over_the_file_over_the_default(
    tmp_path_factory, places
) -> None:
    path = write(
        tmp_path_factory.mktemp("layers"),
        'symbols = ["A"]\n' + ("[marks]\nlong = 31\n" if "file" in places else ""),
    )
    settings = settings_of(
        file=path,
        environ={"PERPS_MARKS_LONG": "32"} if "environment" in places else {},
        table={"marks": {"long": 33}} if "code" in places else {},
    )
    expected = (
        33
        if "code" in places
        else 32
        if "environment" in places
        else 31
        if "file" in places
        else 20
    )
    assert (settings.marks.long, settings.marks.short) == (expected, 5)


def test_sections_are_joined_setting_by_setting(tmp_path) -> None:
    path = write(tmp_path, "[stream]\nsource = 'touch'\nlevel = 2\npatience_s = 9.0\n")
    stream = settings_of(
        file=path,
        environ={"PERPS_STREAM_LEVEL": "3", "PERPS_STREAM_CLIMB_AFTER": "7"},
        table={"symbols": ["A"], "stream": {"climb_after": 8}},
    ).stream
    assert (stream.source, stream.level, stream.patience_s, stream.climb_after) == (
        "touch",
        3,
        9.0,
        8,
    )


def test_the_environment_is_not_read_unless_it_is_passed(monkeypatch) -> None:
    monkeypatch.setenv("PERPS_SYMBOLS", "B")
    monkeypatch.setenv("PERPS_NONSENSE", "1")
    assert settings_of(table={"symbols": ["A"]}) == Settings(symbols=("A",))


def test_an_error_names_the_file_variable_or_call_that_gave_the_value(tmp_path) -> None:
    path = write(tmp_path, 'symbols = ["A"]\n[marks]\nlong = "many"\n[poll]\nnonsense = 1\n')
    assert (refused(file=path).field, refused(file=path).place) == ("marks.long", str(path))
    mended = refused(file=path, environ={"PERPS_MARKS_LONG": "50", "PERPS_POLL_INTERVAL_S": "2"})
    assert (mended.field, mended.place) == ("poll.nonsense", str(path))
    over = refused(file=path, table={"marks": {"long": -1}, "poll": {"nonsense": 2}}, place="run()")
    assert (over.field, over.value, over.place) == ("marks.long", -1, "run()")
    assert (
        refused(environ={"PERPS_RISK_STALE_HARD_S": "1"}, table={"symbols": ["A"]}).place
        == "PERPS_RISK_STALE_HARD_S"
    )


def test_contradicting_limits_name_the_place_of_one() -> None:
    error = refused(environ={"PERPS_RISK_STALE_SOFT_S": "400"}, table={"symbols": ["A"]})
    assert (error.field, error.value, error.place) == (
        "risk.stale_hard_s",
        360.0,
        "PERPS_RISK_STALE_SOFT_S",
    )


def test_a_missing_setting_names_all_places(tmp_path) -> None:
    path = write(tmp_path, "seed = 1\n")
    assert refused(file=path, environ={}).place == f"{path}, environment, code"


@pytest.mark.parametrize("table", [{"marks": {"long": 50}}, {"marks": {}}])
def test_a_section_that_is_no_table_is_refused_whatever_overrides_it(tmp_path, table) -> None:
    path = write(tmp_path, "marks = 5\n")
    error = refused(file=path, table={"symbols": ["A"], **table})
    assert (error.field, error.value, error.place) == ("marks", 5, str(path))


def test_a_changed_file_stays_below_its_overrides(tmp_path) -> None:
    path = write(tmp_path, 'symbols = ["A"]\n[marks]\nlong = 31\nshort = 7\n')
    layers = layers_of(file=path, environ={"PERPS_MARKS_LONG": "32"})
    marks = layers.renewed(str(path), {"symbols": ["B"], "marks": {"long": 50}}).settings()
    assert (marks.symbols, marks.marks.long, marks.marks.short) == (("B",), 32, 5)
    assert layers.settings().marks.short == 7


def test_settings_of_the_venue_are_below_all_others(tmp_path) -> None:
    layers = layers_of(file=write(tmp_path, 'venue = "given"\n')).over(
        {"venue": "known", "symbols": ["A"]}, "venue"
    )
    assert (layers.settings().venue, layers.settings().symbols) == ("given", ("A",))
