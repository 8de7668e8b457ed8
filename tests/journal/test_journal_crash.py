from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from threading import Timer

import pytest

from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.messages.records import event

WRITER = """
import random, sys
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.messages.records import event

writer = SqliteJournalWriter.open(sys.argv[1])
chance = random.Random(int(sys.argv[2]))
while True:
    start = writer.next_sequence
    size = chance.randint(1, 400)
    numbers = range(start, start + size)
    events = [
        event("tick", venue="v", received_ns=n, provenance="synthetic", n=n) for n in numbers
    ]
    print(writer.write(events), flush=True)
"""


@contextmanager
def running(path, seed):
    """Run a writer in a process of its own; the timer only bounds failures."""
    command = [sys.executable, "-c", WRITER, str(path), str(seed)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        bound = Timer(30, process.kill)
        bound.start()
        try:
            yield process
        finally:
            bound.cancel()
            process.kill()


def killed_writer(path, seed):
    """Run a writer process, kill it while it writes, and return the last number it acknowledged."""
    acknowledged = 0
    with running(path, seed) as process:
        for _, line in zip(range(random.Random(seed).randint(2, 40)), process.stdout, strict=False):
            acknowledged = int(line)
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            # The last line may have been cut off by the kill.
            acknowledged = int(line) if line.endswith("\n") else acknowledged
    assert process.returncode == -signal.SIGKILL
    return acknowledged


def kept(path):
    with SqliteJournalReader(path) as reader:
        return list(reader.events())


@pytest.mark.parametrize("seed", [1, 2])
def test_acknowledged_events_survive_repeated_kill_9(tmp_path, seed):
    path = tmp_path / "events.journal"
    for round_ in range(4):
        acknowledged = killed_writer(path, seed * 10 + round_)

        found = kept(path)
        assert len(found) >= acknowledged
        assert [(n, e.data) for n, e in found] == [
            (n, (("n", n),)) for n in range(1, len(found) + 1)
        ]

        writer = SqliteJournalWriter.open(path)
        assert writer.repaired is None
        end = len(found) + 1
        assert (
            writer.write([event("tick", venue="v", received_ns=end, provenance="synthetic", n=end)])
            == end
        )
        writer.close()
        assert [n for n, _ in kept(path)] == list(range(1, end + 1))


def test_a_journal_is_read_from_another_process_while_it_is_written(tmp_path):
    path = tmp_path / "events.journal"
    with running(path, 7) as process:
        acknowledged = int(process.stdout.readline())
        with SqliteJournalReader(path) as reader:
            for _ in range(20):
                found = [n for n, _ in reader.events()]
                assert len(found) >= acknowledged
                assert found == list(range(1, len(found) + 1))
                acknowledged = int(process.stdout.readline())


def test_a_newer_process_fences_a_running_one(tmp_path):
    path = tmp_path / "events.journal"
    with running(path, 7) as process:
        first = process.stdout.readline()
        writer = SqliteJournalWriter.open(path)
        end = writer.last_sequence
        rest, error = process.communicate(timeout=20)
    assert "JournalFenced" in error
    assert int((first + rest).split()[-1]) == end
    assert (
        writer.write([event("tick", venue="v", received_ns=1, provenance="synthetic")]) == end + 1
    )
    writer.close()
