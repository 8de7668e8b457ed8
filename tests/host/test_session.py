from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path

import pytest

from perps_actors import Event
from perps_actors.errors import SettingsError, SimulatorError
from perps_actors.host.session import RunOptions, Session
from perps_actors.journal.sqlite_reader import SqliteJournalReader

SYMBOLS = ("AUSDT", "BUSDT")


def tape(folder: Path, touches: int = 40) -> Path:
    """A recording of two perpetuals with nothing but touches."""
    folder.mkdir()
    with gzip.open(folder / "raw.jsonl.gz", "wt") as file:
        for number in range(touches):
            symbol, at_ms = SYMBOLS[number % 2], 1_700_000_000_000 + number
            data = {
                "e": "bookTicker",
                "u": 1,
                "s": symbol,
                "b": str(100 + number),
                "B": "1",
                "a": str(102 + number),
                "A": "1",
                "E": at_ms,
            }
            text = json.dumps({"stream": f"{symbol.lower()}@bookTicker", "data": data})
            file.write(
                json.dumps(
                    {
                        "t": at_ms / 1000,
                        "conn": "ws-1",
                        "dir": "ws",
                        "url": "wss://venue",
                        "data": text,
                    }
                )
                + "\n"
            )
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return tape(tmp_path / "recording")


def open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def wait_until_ended(session: Session) -> str | None:
    assert session.process is not None
    assert session.process.finished.wait(20)
    return session.ended


def test_a_recording_runs_to_its_end_and_the_summary_counts_every_mark(folder, tmp_path) -> None:
    threads, files = threading.enumerate(), open_files()
    path = tmp_path / "events.journal"
    session = Session.open(RunOptions(recording=folder, speed=0, source="touch", journal=path))
    assert session.system.settings.symbols == SYMBOLS
    assert (session.system.settings.provenance, session.system.settings.lossless) == (
        "recording",
        True,
    )
    assert wait_until_ended(session) == "finished"
    summary = session.close()
    assert summary == {
        "venue": "binance_futures",
        "symbols": {
            "AUSDT": {
                "marks": 20,
                "window": 20,
                "last_mark": "139",
                "health": "ended",
            },
            "BUSDT": {
                "marks": 20,
                "window": 20,
                "last_mark": "140",
                "health": "ended",
            },
        },
        "marks_total": 40,
        "events_recorded": summary["events_recorded"],
        "events_dropped": 0,
        "restarts": 0,
        "threads_left": 0,
        "clean_stop": True,
    }
    with SqliteJournalReader(path) as reader:
        events = [event for _, event in reader.events()]
    assert len(events) == summary["events_recorded"]
    assert {event.provenance for event in events} == {"recording"}
    told = [dict(event.data) for event in events if event.kind == "feed_health"]
    assert [data["health"] for data in told if data["health"] in ("down", "ended")] == ["ended"] * 2
    assert (threading.enumerate(), open_files()) == (threads, files)


def test_only_the_symbols_asked_for_are_kept(folder) -> None:
    session = Session.open(
        RunOptions(recording=folder, speed=0, source="touch", symbols=("BUSDT",))
    )
    wait_until_ended(session)
    assert list(session.close()["symbols"]) == ["BUSDT"]


def test_a_venue_that_dies_is_noticed_and_the_rest_is_closed(tmp_path) -> None:
    session = Session.open(RunOptions(recording=tape(tmp_path / "long", 4), speed=0.0001))
    assert session.ended is None
    assert session.process is not None
    session.process.kill()
    assert session.ended == "venue died"
    assert session.close()["threads_left"] == 0


def test_an_abort_ends_a_run_that_is_being_closed_or_not(folder) -> None:
    session = Session.open(RunOptions(recording=folder, speed=0.0001))
    assert session.abort()["threads_left"] == 0
    assert session.process is not None
    assert not session.process.running


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_options_override_the_file_and_the_file_the_defaults(tmp_path) -> None:
    config = write(
        tmp_path / "perps.toml",
        'venue = "binance_futures"\nsymbols = ["A"]\n[stream]\nsource = "trades"\npatience_s = 9.0\n[journal]\nlinger_s = 1.0\n',
    )
    table = (
        RunOptions(config=config, symbols=("B", "C"), source="touch", journal=Path("/x/y"))
        .layers()
        .table
    )
    assert table == {
        "venue": "binance_futures",
        "symbols": ["B", "C"],
        "stream": {"source": "touch", "patience_s": 9.0},
        "journal": {"linger_s": 1.0, "path": "/x/y"},
    }
    assert RunOptions(config=config).layers().table["symbols"] == ["A"]
    assert RunOptions().layers().table == {}


def test_a_run_follows_its_settings_file_and_what_its_options_say_stays(folder, tmp_path) -> None:
    config = write(tmp_path / "perps.toml", "[marks]\nlong = 30\n")
    changed = threading.Event()
    session = Session.open(
        RunOptions(config=config, recording=folder, speed=0.001, symbols=("AUSDT",))
    )
    session.system.subscribe(lambda _: changed.set(), Event, kinds=("settings_changed",))
    config.write_text('symbols = ["BUSDT"]\n[marks]\nlong = 40\n')
    assert changed.wait(20)
    assert session.system.settings.marks.long == 40
    assert session.system.settings.symbols == ("AUSDT",)
    session.abort()


def test_the_environment_overrides_the_file_and_is_overridden_by_options(tmp_path) -> None:
    config = write(
        tmp_path / "perps.toml",
        'symbols = ["A"]\n[stream]\nsource = "trades"\n[poll]\ninterval_s = 9.0\n',
    )
    environ = {
        "PERPS_SYMBOLS": "B",
        "PERPS_STREAM_SOURCE": "touch",
        "PERPS_JOURNAL_PATH": "/x/y",
        "HOME": "/root",
    }
    table = RunOptions(config=config, symbols=("C",), environ=environ).layers().table
    assert table == {
        "symbols": ["C"],
        "stream": {"source": "touch"},
        "poll": {"interval_s": 9.0},
        "journal": {"path": "/x/y"},
    }


def test_a_run_on_a_recording_takes_its_settings_from_the_environment_it_is_given(folder) -> None:
    environ = {
        "PERPS_SYMBOLS": "BUSDT",
        "PERPS_STREAM_SOURCE": "touch",
        "PERPS_MARKS_LONG": "2",
        "PERPS_MARKS_SHORT": "1",
    }
    session = Session.open(RunOptions(recording=folder, speed=0, environ=environ))
    wait_until_ended(session)
    summary = session.close()
    assert {symbol: row["window"] for symbol, row in summary["symbols"].items()} == {"BUSDT": 7}


def test_a_venue_in_the_environment_means_a_live_one_and_wants_symbols() -> None:
    with pytest.raises(SettingsError, match="required on a live venue"):
        Session.open(RunOptions(environ={"PERPS_VENUE": "binance_futures"}))


def test_the_environment_is_not_shown_with_the_options() -> None:
    assert "hunter2" not in repr(RunOptions(environ={"DATABASE_PASSWORD": "hunter2"}))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (RunOptions(environ={"PERPS_MARKS_LONG": "-1"}), "marks.long"),
        (RunOptions(environ={"PERPS_NONSENSE": "1"}), "PERPS_NONSENSE"),
        (RunOptions(speed=2.0), "speed"),
        (RunOptions(venue="binance_futures", symbols=("A",), speed=0.0), "speed"),
        (RunOptions(source="rumours"), "source"),
        (RunOptions(venue="binance_futures"), "symbols"),
        (RunOptions(venue="nowhere", symbols=("A",)), "venue"),
        (RunOptions(venue="binance_futures", symbols=("A", "A")), "symbols"),
        (RunOptions(venue="binance_futures", symbols=("X" * 41,)), "symbols"),
        (RunOptions(config=Path("/nonexistent/perps.toml")), "config"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_anything_starts(options, field) -> None:
    threads, files = threading.enumerate(), open_files()
    with pytest.raises(SettingsError) as caught:
        Session.open(options)
    assert caught.value.field == field
    assert (threading.enumerate(), open_files()) == (threads, files)


def test_a_file_that_names_endpoints_means_a_live_venue_and_wants_symbols(tmp_path) -> None:
    config = write(
        tmp_path / "perps.toml",
        '[endpoints]\nstream = "ws://127.0.0.1:1"\nrest = "http://127.0.0.1:1"\n',
    )
    with pytest.raises(SettingsError, match="required on a live venue"):
        Session.open(RunOptions(config=config))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("nonsense = 1", "nonsense"),
        ("[marks]\nlong = -1", "marks.long"),
        ("marks = 5", "marks"),
        ("symbols = 5", "symbols"),
        ("symbols = [5]", "symbols"),
        ("venue = 5", "venue"),
        ("journal = 5", "journal"),
        ("stream = 'x'", "stream"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_leaves_no_process(
    folder, tmp_path, text, field
) -> None:
    threads, files = threading.enumerate(), open_files()
    config = write(tmp_path / "perps.toml", text)
    with pytest.raises(SettingsError) as caught:
        Session.open(
            RunOptions(
                config=config, recording=folder, source="touch", journal=tmp_path / "events.journal"
            )
        )
    assert (caught.value.field, caught.value.place) == (field, str(config))
    assert (threading.enumerate(), open_files()) == (threads, files)


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(folder, speed) -> None:
    with pytest.raises(SimulatorError, match="speed"):
        Session.open(RunOptions(recording=folder, speed=speed))


def test_a_recording_that_is_not_there_or_has_no_such_symbol_is_refused(folder) -> None:
    with pytest.raises(SimulatorError, match="/nonexistent"):
        Session.open(RunOptions(recording=Path("/nonexistent")))
    with pytest.raises(SimulatorError, match="'DOGEUSDT'"):
        Session.open(RunOptions(recording=folder, symbols=("DOGEUSDT",)))


def test_a_journal_that_cannot_be_opened_is_named_and_leaves_nothing(folder) -> None:
    threads, files = threading.enumerate(), open_files()
    with pytest.raises(SettingsError, match=r"journal\.path = '/nonexistent/events\.journal'"):
        Session.open(
            RunOptions(recording=folder, speed=0, journal=Path("/nonexistent/events.journal"))
        )
    assert (threading.enumerate(), open_files()) == (threads, files)
