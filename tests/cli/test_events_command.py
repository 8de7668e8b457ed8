from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from threading import Timer

import pytest
from click.testing import CliRunner

from perps_actors.cli.events import events
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.records import event

COMMAND = [sys.executable, "-c", "from perps_actors.cli.events import events; events()"]
START_NS = 1_700_000_000_000_000_000


def tick(n):
    symbol = "ETHUSDT" if n % 2 else "BTCUSDT"
    instrument = InstrumentId("binance_futures", symbol)
    kind = "odd_thing" if n % 3 == 0 else "ws_mark_update"
    return event(
        kind,
        venue="binance_futures",
        received_ns=START_NS + n * 10**9,
        provenance="synthetic",
        instrument=instrument,
        mark=f"{n}.5",
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.journal"


@pytest.fixture(autouse=True)
def writer(path):
    writer = SqliteJournalWriter.open(path)
    writer.write([tick(n) for n in range(1, 11)])
    yield writer
    writer.close()


def invoke(*arguments):
    return CliRunner().invoke(events, [str(argument) for argument in arguments])


@contextmanager
def running(*arguments):
    """Run the command in a process of its own; the timer only limits a failing test."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        bound = Timer(30, process.kill)
        bound.start()
        try:
            yield process
        finally:
            bound.cancel()
            process.kill()


def listed(*arguments):
    done = invoke(*arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_events_are_printed_with_their_sequence_numbers(path):
    assert [line["seq"] for line in listed(path)] == list(range(1, 11))
    assert listed(path)[1] == {
        "seq": 2,
        "kind": "ws_mark_update",
        "venue": "binance_futures",
        "symbol": "BTCUSDT",
        "venue_time_ns": None,
        "received_ns": START_NS + 2 * 10**9,
        "source": None,
        "provenance": "synthetic",
        "system": "",
        "data": {"mark": "2.5"},
    }


def test_options_filter_the_events(path):
    def chosen(*options):
        return [line["seq"] for line in listed(path, *options)]

    assert chosen("--kind", "odd_thing") == [3, 6, 9]
    assert chosen("--symbol", "ETHUSDT") == [1, 3, 5, 7, 9]
    assert chosen("--since", "2023-11-14T22:13:28") == [8, 9, 10]
    assert chosen("--since", START_NS + 8 * 10**9 + 1) == [9, 10]
    assert chosen("--since", START_NS, "--kind", "odd_thing", "--symbol", "BTCUSDT") == [6]


def test_without_json_each_event_is_one_readable_line(path):
    lines = invoke(path).stdout.splitlines()

    assert len(lines) == 10
    assert lines[2].split() == [
        "2023-11-14T22:13:23.000000000Z",
        "3",
        "odd_thing",
        "ETHUSDT",
        "-",
        "mark=3.5",
    ]


@pytest.mark.parametrize("since", ["yesterday", "", "2023-13-01"])
def test_an_invalid_time_is_refused_with_one_line(path, since):
    done = invoke(path, "--since", since)

    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert repr(since) in line
    assert "--since" in line


def test_an_unreadable_journal_is_refused_with_one_line(tmp_path):
    garbage = tmp_path / "garbage"
    garbage.write_text("no journal\n" * 1000)
    for path in (tmp_path / "missing", garbage, tmp_path):
        done = invoke(path)
        assert (done.exit_code, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert str(path) in line
    assert not (tmp_path / "missing").exists()


def test_events_before_the_damage_are_printed_before_the_error(path, writer):
    writer.write([tick(11)])
    writer._connection.execute("UPDATE blocks SET body = x'00' WHERE last = 11")

    done = invoke(path, "--json")

    assert done.exit_code == 2
    assert len(done.stdout.splitlines()) == 10
    assert "block 11..11" in done.stderr


def test_follow_ends_with_0_on_sigterm(path):
    with running(path, "--follow") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_follow_prints_new_events_until_interrupted(path, writer):
    with running(path, "--json", "--follow", "--symbol", "ETHUSDT") as process:
        assert [json.loads(process.stdout.readline())["seq"] for _ in range(5)] == [1, 3, 5, 7, 9]
        for n in (11, 12, 13):
            writer.write([tick(n)])
        assert [json.loads(process.stdout.readline())["seq"] for _ in range(2)] == [11, 13]
        process.send_signal(signal.SIGINT)
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
        assert process.wait(20) == 130


def test_follow_ends_without_an_error_when_the_pipe_closes_although_no_event_arrives(path):
    with running(path, "--follow") as process:
        for _ in range(10):
            process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_a_closed_pipe_ends_the_command_without_an_error(path, writer):
    for start in range(11, 20_000, 1000):
        writer.write([tick(n) for n in range(start, start + 1000)])
    with running(path) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
