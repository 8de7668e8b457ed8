from __future__ import annotations

import gzip
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from perps_actors.errors import JournalError
from perps_actors.journal.sqlite_reader import SqliteJournalReader

COMMAND = [sys.executable, "-c", "from perps_actors.cli.main import main; main()", "run"]
DATA = Path(os.environ.get("PERPS_ACTORS_DATA", Path(__file__).parents[3] / "shared" / "data"))
KEYS = {
    "venue",
    "symbols",
    "marks_total",
    "events_recorded",
    "events_dropped",
    "restarts",
    "threads_left",
    "clean_stop",
}
LIMIT_S = 30


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def last_line(text: str) -> dict:
    return json.loads(text.splitlines()[-1])


@pytest.fixture(scope="module")
def recording() -> Path:
    folder = DATA / "recordings" / "binance_futures"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {DATA} (set PERPS_ACTORS_DATA)")
    return folder


@pytest.fixture(scope="module")
def played(recording, tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A run on the recording as fast as it can be read, and its journal."""
    journal = tmp_path_factory.mktemp("played") / "events.journal"
    done = run(
        "--venue",
        "binance_futures",
        "--recording",
        recording,
        "--speed",
        0,
        "--json",
        "--journal",
        journal,
    )
    return done, journal


def reference_mids(folder: Path) -> dict[str, list[Decimal]]:
    """Return the mid of every book top with both sides, in order, by symbol."""
    mids = defaultdict(list)
    with gzip.open(folder / "reference.jsonl.gz", "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if record["kind"] == "bbo" and record["bid"] is not None and record["ask"] is not None:
                mids[record["symbol"]].append((Decimal(record["bid"]) + Decimal(record["ask"])) / 2)
    return dict(mids)


def test_a_recording_runs_to_its_end_with_all_events_recorded_and_nothing_left_behind(
    played,
) -> None:
    done, _ = played
    assert (done.returncode, done.stderr) == (0, "")
    summary = last_line(done.stdout)
    assert set(summary) == KEYS
    assert (summary["venue"], summary["events_dropped"], summary["restarts"]) == (
        "binance_futures",
        0,
        0,
    )
    assert (summary["threads_left"], summary["clean_stop"]) == (0, True)
    for row in summary["symbols"].values():
        assert set(row) == {"marks", "window", "last_mark", "health"}
        assert row["window"] == min(row["marks"], 25)
    assert summary["marks_total"] == sum(row["marks"] for row in summary["symbols"].values())


def test_each_book_top_of_the_reference_is_one_mark_update_at_its_mid_in_order(
    played, recording
) -> None:
    done, journal = played
    expected = reference_mids(recording)
    with SqliteJournalReader(journal) as reader:
        events = [event for _, event in reader.events()]
    marks = defaultdict(list)
    for event in events:
        if event.kind == "ws_mark_update":
            assert (event.source, event.provenance) == ("book", "recording")
            marks[event.symbol].append(Decimal(dict(event.data)["mark"]))
    assert dict(marks) == expected
    summary = last_line(done.stdout)
    assert summary["events_recorded"] == len(events)
    assert {symbol: Decimal(row["last_mark"]) for symbol, row in summary["symbols"].items()} == {
        s: m[-1] for s, m in expected.items()
    }


def test_one_symbol_of_a_recording_runs_alone_and_ends_with_a_readable_summary(recording) -> None:
    done = run("--recording", recording, "--speed", 0, "--symbols", " SUSHIUSDT ,")
    assert (done.returncode, done.stderr) == (0, "")
    marks = len(reference_mids(recording)["SUSHIUSDT"])
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["symbol", "last", "mark", "source", "marks", "window", "health"]
    assert lines[1].split()[0::2][:2] == ["SUSHIUSDT", "book"]
    assert lines[1].split()[3] == str(marks)
    told = dict(line.split(maxsplit=1) for line in lines[lines.index("") + 1 :])
    assert (told["dropped"], told["restarts"], told["stop"]) == ("0", "0", "clean")
    assert told["marks"] == f"{marks} for 1 symbol on binance_futures"


def test_the_summary_names_the_journal_and_the_command_that_reads_it(tmp_path) -> None:
    journal = tmp_path / "my events.journal"
    done = run("--duration", 0.5, "--journal", journal)
    assert (done.returncode, done.stderr) == (0, "")
    told = dict(
        line.split(maxsplit=1)
        for line in done.stdout.splitlines()
        if line and not line.startswith(("symbol", "BTC", "ETH", "SOL"))
    )
    with SqliteJournalReader(journal) as reader:
        assert told["journal"] == f"{reader.count():,} events in {journal}"
    assert told["read"] == f"perps-actors events '{journal}'"


def test_a_symbol_that_the_recording_lacks_is_refused_with_the_nearest_one(recording) -> None:
    done = run("--recording", recording, "--symbols", "SUSHIUSD")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("nearest: SUSHIUSDT\n")


def test_without_a_venue_it_runs_on_a_synthetic_one_for_the_given_time() -> None:
    done = run("--duration", 1.5, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = last_line(done.stdout)
    assert set(summary["symbols"]) == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert all(row["marks"] > 0 and row["health"] == "live" for row in summary["symbols"].values())
    assert (summary["clean_stop"], summary["threads_left"]) == (True, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--speed", "2"), "--speed: speed = 2.0: goes with --recording"),
        (
            ("--source", "rumours"),
            "--source: source = 'rumours': expected one of book, touch, trades, rest",
        ),
        (("--venue", "binance_futures"), "symbols = None: is required on a live venue"),
        (
            ("--venue", "nowhere", "--symbols", "A"),
            "venue = 'nowhere': unknown, expected one of binance_futures",
        ),
        (("--venue", "binance_futures", "--symbols", "X" * 41), "symbols = "),
        (("--recording", "/nonexistent"), "/nonexistent"),
        (("--config", "/nonexistent.toml"), "--config: config = '/nonexistent.toml': No such file"),
        (("--nonsense",), "--nonsense"),
        (("--duration", "0"), "--duration"),
    ],
)
def test_unusable_input_is_reported_on_standard_error_with_exit_code_2(arguments, said) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if not arguments[0].startswith(("--nonsense", "--duration")):
        assert done.stderr.count("\n") == 1


def test_an_invalid_config_file_is_reported_with_field_and_value(tmp_path) -> None:
    config = tmp_path / "perps.toml"
    config.write_text("[marks]\nlong = -5\n")
    done = run("--config", config)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"perps-actors run: {config}: marks.long = -5: must be above zero and finite\n"
    )


def test_settings_are_read_from_the_environment_and_an_invalid_variable_is_named(
    monkeypatch,
) -> None:
    monkeypatch.setenv("PERPS_SYMBOLS", "BTCUSDT,DOGEUSDT")
    done = run("--duration", 0.5, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(last_line(done.stdout)["symbols"]) == {"BTCUSDT", "DOGEUSDT"}
    monkeypatch.setenv("PERPS_MARKS_LONG", "-5")
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "perps-actors run: PERPS_MARKS_LONG: marks.long = -5: must be above zero and finite\n"
    )


def test_a_path_that_cannot_hold_the_journal_is_unusable_input() -> None:
    done = run("--journal", "/nonexistent/events.journal", "--duration", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "journal.path = '/nonexistent/events.journal'" in done.stderr
    assert done.stderr.count("\n") == 1


class Running:
    """A run with a journal, in a process group of its own."""

    def __init__(self, journal: Path, *arguments: str) -> None:
        self.journal = journal
        command = [*COMMAND, "--json", "--journal", str(journal), *arguments]
        self.child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def wait_for(self, kind: str = "ws_mark_update") -> None:
        """Wait until the journal holds an event of that kind."""
        pause = threading.Event()
        for _ in range(LIMIT_S * 50):
            if self.journal.exists() and self._has(kind):
                return
            assert self.child.poll() is None, self.child.communicate()
            pause.wait(0.02)
        pytest.fail(f"no {kind} came")

    def _has(self, kind: str) -> bool:
        try:
            with SqliteJournalReader(self.journal) as reader:
                return any(reader.events(kind=kind))
        except JournalError:
            return False  # it is just being created

    def finish(self) -> tuple[int, str, str]:
        out, err = self.child.communicate(timeout=LIMIT_S)
        return self.child.returncode, out, err


def children_of(parent: int) -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent_of(entry) == parent
    ]


def _parent_of(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return -1


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ctrl_c_and_sigterm_stop_cleanly_with_a_summary_and_their_exit_codes(
    tmp_path, number, expected
) -> None:
    running = Running(tmp_path / "events.journal")
    running.wait_for()
    running.child.send_signal(number)
    code, out, err = running.finish()
    assert (code, err) == (expected, "")
    summary = last_line(out)
    assert (summary["clean_stop"], summary["threads_left"], summary["events_dropped"]) == (
        True,
        0,
        0,
    )
    with SqliteJournalReader(running.journal) as reader:
        assert reader.count() == summary["events_recorded"]
        kinds = [event.kind for _, event in reader.events()]
    assert kinds.count("ws_stream_exit") == 2


def test_an_interrupt_during_a_flood_of_frames_leaves_nothing_behind(tmp_path) -> None:
    folder = tmp_path / "flood"
    folder.mkdir()
    template = (
        '{"stream":"ausdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"AUSDT",'
        '"b":"%d","B":"1","a":"%d","A":"1","E":%d}}'
    )
    with gzip.open(folder / "raw.jsonl.gz", "wt", compresslevel=1) as file:
        for n in range(150_000):
            line = {
                "t": 1.7e9 + n / 1000,
                "conn": "ws-1",
                "dir": "ws",
                "url": "wss://v",
                "data": template % (100 + n % 50, 200, n),
            }
            file.write(json.dumps(line) + "\n")
    running = Running(
        tmp_path / "events.journal", "--recording", str(folder), "--speed", "0", "--source", "touch"
    )
    running.wait_for()
    running.child.send_signal(signal.SIGINT)
    code, out, err = running.finish()
    summary = last_line(out)
    assert (code, err, summary["clean_stop"]) == (130, "", True)
    assert 0 < summary["marks_total"] < 150_000, "the interrupt came too late to prove anything"
    with SqliteJournalReader(running.journal) as reader:
        assert (
            sum(event.kind == "ws_mark_update" for _, event in reader.events())
            == summary["marks_total"]
        )


def test_a_second_interrupt_ends_a_slow_stop_at_once(tmp_path) -> None:
    running = Running(tmp_path / "events.journal")
    running.wait_for()
    for pid in children_of(running.child.pid):
        os.kill(pid, signal.SIGSTOP)  # a venue that does not answer holds up a clean stop
    running.child.send_signal(signal.SIGINT)
    running.wait_for("ws_stream_exit")
    began = time.monotonic()
    running.child.send_signal(signal.SIGINT)
    code, out, err = running.finish()
    assert time.monotonic() - began < 3
    assert (code, err) == (130, "perps-actors run: interrupted again, stopping at once\n")
    assert set(last_line(out)) == KEYS
    assert children_of(running.child.pid) == []


def test_the_death_of_the_simulated_venue_is_reported_with_exit_code_1(tmp_path) -> None:
    running = Running(tmp_path / "events.journal")
    running.wait_for()
    [venue] = children_of(running.child.pid)
    os.kill(venue, signal.SIGKILL)
    code, out, err = running.finish()
    assert (code, err) == (1, "perps-actors run: the process of the simulated venue died\n")
    assert last_line(out)["threads_left"] == 0


def test_a_killed_run_ends_its_venue_and_leaves_a_readable_journal(tmp_path) -> None:
    running = Running(tmp_path / "events.journal")
    running.wait_for()
    [venue] = children_of(running.child.pid)
    watch = os.pidfd_open(venue)
    running.child.kill()
    running.finish()
    try:
        assert select.select([watch], [], [], LIMIT_S)[0], "the venue outlived the run"
    finally:
        os.close(watch)
    with SqliteJournalReader(running.journal) as reader:
        assert any(reader.events(kind="ws_mark_update"))
