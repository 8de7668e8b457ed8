from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from perps_actors.errors import JournalFull
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def kept(path):
    with SqliteJournalReader(path) as reader:
        return list(reader.events())


def filled(writer, marks):
    """Write until the journal is full; return the events that it took and those that it refused."""
    taken = []
    while True:
        block = marks(len(taken), 20, note=random.Random(len(taken)).randbytes(2000).hex())
        try:
            writer.write(block)
        except JournalFull:
            return taken, block
        taken.extend(block)


def test_a_full_journal_refuses_a_block_and_accepts_one_that_fits(tmp_path, marks):
    path = tmp_path / "events.journal"
    writer = SqliteJournalWriter.open(path, max_bytes=200_000)
    taken, refused = filled(writer, marks)
    assert taken
    assert writer.last_sequence == len(taken)
    assert kept(path) == list(enumerate(taken, 1))

    with pytest.raises(JournalFull):
        writer.write(refused)
    writer.close()
    assert path.stat().st_size <= 200_000

    writer = SqliteJournalWriter.open(path)
    assert writer.write(refused) == len(taken) + len(refused)
    writer.close()
    assert kept(path) == list(enumerate([*taken, *refused], 1))


def test_the_writer_accepts_the_same_events_once_the_disk_has_space(small_disk, marks):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    path = small_disk / "events.journal"
    writer = SqliteJournalWriter.open(path)
    taken, refused = filled(writer, marks)
    assert taken
    assert kept(path) == list(enumerate(taken, 1))

    ballast.unlink()
    assert writer.write(refused) == len(taken) + len(refused)
    writer.close()
    assert kept(path) == list(enumerate([*taken, *refused], 1))


def test_closing_on_a_full_disk_succeeds_and_loses_no_written_event(small_disk, marks):
    path = small_disk / "events.journal"
    writer = SqliteJournalWriter.open(path)
    taken, _ = filled(writer, marks)
    (small_disk / "ballast").write_bytes(
        bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize)
    )

    writer.close()

    assert kept(path) == list(enumerate(taken, 1))


def test_opening_on_a_full_disk_fails_with_a_clear_error(small_disk, marks):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
    path = small_disk / "events.journal"

    with pytest.raises(JournalFull, match=r"events\.journal"):
        SqliteJournalWriter.open(path)
    ballast.unlink()

    writer = SqliteJournalWriter.open(path)
    assert writer.write(marks(0, 3)) == 3
    writer.close()


def test_a_closed_journal_is_read_on_a_read_only_disk(small_disk, marks):
    path = small_disk / "events.journal"
    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 3))
    writer.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    assert kept(path) == list(enumerate(marks(0, 3), 1))
