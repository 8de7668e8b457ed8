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
from perps_actors.kernel.clock import NS_PER_S, SystemClock
from perps_actors.simulator.process import VenueProcess

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
    assert session.processes[0].finished.wait(20)
    return session.ended


def test_a_recording_runs_to_its_end_and_the_summary_counts_every_mark(folder, tmp_path) -> None:
    threads, files = threading.enumerate(), open_files()
    path = tmp_path / "events.journal"
    session = Session.open(RunOptions(recordings=(folder,), speed=0, source="touch", journal=path))
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
        RunOptions(recordings=(folder,), speed=0, source="touch", symbols=("BUSDT",))
    )
    wait_until_ended(session)
    assert list(session.close()["symbols"]) == ["BUSDT"]


def test_a_venue_process_that_dies_is_noticed_and_the_run_closes(tmp_path) -> None:
    session = Session.open(RunOptions(recordings=(tape(tmp_path / "long", 4),), speed=0.0001))
    assert session.ended is None
    session.processes[0].kill()
    assert session.ended == "venue died"
    assert session.close()["threads_left"] == 0


def test_an_abort_ends_a_run(folder) -> None:
    session = Session.open(RunOptions(recordings=(folder,), speed=0.0001))
    assert session.abort()["threads_left"] == 0
    assert not session.processes[0].running


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_options_override_the_file_and_the_file_the_defaults(tmp_path) -> None:
    config = write(
        tmp_path / "perps.toml",
        'venue = "binance_futures"\nsymbols = ["A"]\n[stream]\nsource = "trades"\n'
        "patience_s = 9.0\n[journal]\nlinger_s = 1.0\n",
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


def test_a_run_follows_its_settings_file_below_its_options(folder, tmp_path) -> None:
    config = write(tmp_path / "perps.toml", "[marks]\nlong = 30\n")
    changed = threading.Event()
    session = Session.open(
        RunOptions(config=config, recordings=(folder,), speed=0.001, symbols=("AUSDT",))
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
    session = Session.open(RunOptions(recordings=(folder,), speed=0, environ=environ))
    wait_until_ended(session)
    summary = session.close()
    assert {symbol: row["window"] for symbol, row in summary["symbols"].items()} == {"BUSDT": 7}


def test_a_venue_in_the_environment_is_live_and_needs_symbols() -> None:
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
def test_unusable_options_are_refused_before_anything_starts(options, field) -> None:
    threads, files = threading.enumerate(), open_files()
    with pytest.raises(SettingsError) as caught:
        Session.open(options)
    assert caught.value.field == field
    assert (threading.enumerate(), open_files()) == (threads, files)


def test_a_file_with_endpoints_means_a_live_venue_and_needs_symbols(tmp_path) -> None:
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
                config=config,
                recordings=(folder,),
                source="touch",
                journal=tmp_path / "events.journal",
            )
        )
    assert (caught.value.field, caught.value.place) == (field, str(config))
    assert (threading.enumerate(), open_files()) == (threads, files)


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_an_invalid_speed_is_refused(folder, speed) -> None:
    with pytest.raises(SimulatorError, match="speed"):
        Session.open(RunOptions(recordings=(folder,), speed=speed))


def test_a_missing_recording_or_symbol_is_refused(folder) -> None:
    with pytest.raises(SimulatorError, match="/nonexistent"):
        Session.open(RunOptions(recordings=(Path("/nonexistent"),)))
    with pytest.raises(SimulatorError, match="'DOGEUSDT'"):
        Session.open(RunOptions(recordings=(folder,), symbols=("DOGEUSDT",)))


def test_an_unusable_journal_is_named_and_leaves_nothing(folder) -> None:
    threads, files = threading.enumerate(), open_files()
    with pytest.raises(SettingsError, match=r"journal\.path = '/nonexistent/events\.journal'"):
        Session.open(
            RunOptions(recordings=(folder,), speed=0, journal=Path("/nonexistent/events.journal"))
        )
    assert (threading.enumerate(), open_files()) == (threads, files)


# --- several markets


def test_two_recordings_run_at_once_to_the_end_of_both(folder, tmp_path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    row = {
        "topic": "tickers.BTCUSDT",
        "type": "snapshot",
        "ts": 1_700_000_000_000,
        "cs": 1,
        "data": {"symbol": "BTCUSDT", "bid1Price": "7", "bid1Size": "1"},
    }
    row["data"] |= {"ask1Price": "9", "ask1Size": "1"}
    with gzip.open(other / "raw.jsonl.gz", "wt") as file:
        line = {"t": 1_700_000_000, "conn": "ws-1", "dir": "ws", "url": "wss://v"}
        file.write(json.dumps({**line, "data": json.dumps(row)}) + "\n")
    session = Session.open(
        RunOptions(
            markets=("binance_futures:AUSDT", "bybit:BTCUSDT"),
            recordings=(folder, other),
            speed=0,
            source="touch",
        )
    )
    for process in session.processes:
        assert process.finished.wait(20)
    assert session.ended == "finished"
    summary = session.close()
    assert (summary["venue"], summary["clean_stop"]) == ("binance_futures,bybit", True)
    assert {key: row["last_mark"] for key, row in summary["symbols"].items()} == {
        "binance_futures:AUSDT": "139",
        "bybit:BTCUSDT": "8",
    }
    assert session.system.settings.lossless


def test_a_run_ends_when_the_last_recording_has_ended(folder, tmp_path) -> None:
    slow = tape(tmp_path / "slow")
    session = Session.open(
        RunOptions(
            markets=("binance_futures:AUSDT", "binance_futures:BUSDT"),
            recordings=(folder, slow),
            speed=0.5,
        )
    )
    try:
        session.processes[0].finished.set()
        assert session.ended is None
        session.processes[1].kill()
        assert session.ended == "venue died"
    finally:
        session.abort()


def test_several_markets_on_addresses_of_simulators_come_from_a_file(tmp_path) -> None:
    with (
        VenueProcess.start("--venue", "okx") as okx,
        VenueProcess.start("--venue", "bybit") as bybit,
    ):
        tables = [
            f'[[market]]\nvenue = "{venue.venue}"\nsymbols = ["{venue.symbols[0]}"]\n'
            f'provenance = "synthetic"\nendpoints = {{ stream = "{venue.endpoints.stream}", '
            f'rest = "{venue.endpoints.rest}" }}\n'
            for venue in (okx, bybit)
        ]
        config = write(tmp_path / "perps.toml", "".join(tables))
        session = Session.open(RunOptions(config=config))
        until = SystemClock().monotonic_ns() + 20 * NS_PER_S
        while len(session.system.marks) < 2 and SystemClock().monotonic_ns() < until:
            session.system.flush()
        summary = session.close()
    assert summary["venue"] == "okx,bybit"
    assert len(summary["symbols"]) == 2
    assert all(row["marks"] for row in summary["symbols"].values())
    assert summary["clean_stop"]


@pytest.mark.parametrize(
    ("options", "field", "why"),
    [
        ({"markets": ("bybit:A",), "venue": "okx"}, "market", "goes without --venue"),
        ({"markets": (":A",)}, "market", "expected VENUE:SYM,SYM"),
        ({"markets": ("bybit",)}, "markets[0].symbols", "at least one symbol"),
        ({"markets": ("bybit:A",), "two": True}, "recording", "expected one for each market"),
        ({"venue": "bybit", "two": True}, "venue", "give each recording a --market"),
    ],
)
def test_markets_and_recordings_that_do_not_fit_are_refused(folder, options, field, why) -> None:
    recordings = (folder, folder) if options.pop("two", False) else ()
    with pytest.raises(SettingsError, match=why) as caught:
        Session.open(RunOptions(recordings=recordings, **options))
    assert caught.value.field == field
