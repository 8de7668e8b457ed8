from __future__ import annotations

import os
import random
import shutil
import sqlite3

import pytest

from perps_actors.errors import JournalError
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter

BLOCK = 50
BLOCKS = 12


@pytest.fixture(scope="module")
def events(marks):
    return [
        mark
        for i in range(BLOCK * BLOCKS)
        for mark in marks(i, 1, note=random.Random(i).randbytes(150).hex())
    ]


@pytest.fixture(scope="module")
def sound(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("sound") / "events.journal"
    writer = SqliteJournalWriter.open(path)
    for start in range(0, len(events), BLOCK):
        writer.write(events[start : start + BLOCK])
    writer.close()
    return path


@pytest.fixture
def path(sound, tmp_path):
    return shutil.copy(sound, tmp_path / "events.journal")


def kept(path):
    """Return the events up to the end or to the damage, and what was said of the damage."""
    found, said = [], None
    try:
        with SqliteJournalReader(path) as reader:
            found.extend(reader.events())
    except JournalError as error:
        said = str(error)
    assert said is None or str(path) in said
    return found, said


def alter(path, statement, *values):
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()


def reopened(path, again):
    """Open a writer, write `again`, close; return what it had repaired."""
    writer = SqliteJournalWriter.open(path)
    repaired = writer.repaired
    writer.write(again)
    writer.close()
    writer = SqliteJournalWriter.open(path)
    assert writer.repaired is None
    writer.close()
    return repaired


@pytest.mark.parametrize(
    "damage",
    [
        "body = substr(body, 1, length(body) - 1)",
        "body = zeroblob(length(body))",
        "hash = zeroblob(32)",
        "kinds = '[]'",
        "kinds = cast(x'ff' AS TEXT)",
        "earliest_ns = 'soon'",
        "first = first + 1",
    ],
)
def test_a_damaged_last_block_is_cut_kept_aside_and_reported(path, events, marks, damage):
    alter(path, f"UPDATE blocks SET {damage} WHERE last = (SELECT max(last) FROM blocks)")
    good = len(events) - BLOCK
    assert kept(path)[0] == list(enumerate(events[:good], 1))

    again = marks(9000, 7)
    repaired = reopened(path, again)

    assert repaired is not None
    assert repaired.events == BLOCK
    assert "block" in repaired.what
    assert str(path) in repaired.what
    assert kept(path) == (list(enumerate([*events[:good], *again], 1)), None)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT last FROM torn").fetchall() == [(len(events),)]
    connection.close()


def test_several_damaged_blocks_at_the_end_are_all_cut(path, events, marks):
    alter(path, "UPDATE blocks SET body = x'00' WHERE last > ?", 300)

    repaired = reopened(path, marks(9000, 1))

    assert repaired is not None
    assert repaired.events == len(events) - 300
    assert kept(path) == (list(enumerate([*events[:300], *marks(9000, 1)], 1)), None)


def test_events_before_damage_are_read_and_the_damaged_block_is_named(path, events):
    alter(path, "UPDATE blocks SET body = zeroblob(length(body)) WHERE last = 200")

    found, error = kept(path)

    assert found == list(enumerate(events[:150], 1))
    assert error is not None
    assert "block 151..200" in error


@pytest.mark.parametrize(
    "cut", ["DELETE FROM blocks WHERE last = 200", "DELETE FROM blocks WHERE last <= 200"]
)
def test_missing_blocks_are_reported(path, cut):
    alter(path, cut)

    assert "block 201..250: does not follow" in (kept(path)[1] or "")
    with (
        SqliteJournalReader(path) as reader,
        pytest.raises(JournalError, match=r"block 201\.\.250: no block ends at 200"),
    ):
        list(reader.events(after=200, kind="ws_mark_update"))


def test_swapped_blocks_are_reported(path, events):
    alter(
        path,
        "UPDATE blocks SET (hash, body) ="
        " (SELECT hash, body FROM blocks WHERE last = 300) WHERE last = 250",
    )

    found, error = kept(path)

    assert found == list(enumerate(events[:200], 1))
    assert "block 201..250" in (error or "")


@pytest.mark.parametrize("cut", [1, 100, 4096, 5000, 20_000, 60_000])
def test_a_truncated_file_is_rebuilt_from_the_blocks_before_the_cut(path, events, marks, cut):
    size = path.stat().st_size
    os.truncate(path, size - cut)
    before, error = kept(path)
    assert before == list(enumerate(events[: len(before)], 1))
    assert len(before) >= len(events) - (cut // 5_000 + 2) * BLOCK
    assert error is not None

    again = marks(9000, 7)
    repaired = reopened(path, again)

    found, error = kept(path)
    end = len(found) - len(again)
    assert error is None
    assert end >= len(before)
    assert found == list(enumerate([*events[:end], *again], 1))
    # The very last bytes may be ones that nothing was kept in.
    assert (repaired is None) == (end == len(events))


def test_a_truncated_file_is_kept_beside_the_rebuilt_one(path, marks):
    os.truncate(path, path.stat().st_size - 20_000)
    damaged = path.read_bytes()

    repaired = reopened(path, marks(9000, 7))

    aside = path.with_name("events.journal.damaged-1")
    assert repaired is not None
    assert repaired.events is None
    assert aside.name in repaired.what
    assert aside.read_bytes() == damaged
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.parent.iterdir()) == [path, aside]
    os.truncate(path, path.stat().st_size - 20_000)
    SqliteJournalWriter.open(path).close()
    assert sorted(path.parent.iterdir()) == [
        path,
        aside,
        path.with_name("events.journal.damaged-2"),
    ]


def test_the_log_of_a_truncated_file_is_kept_and_not_replayed_into_the_new_file(
    tmp_path, events, path
):
    live = tmp_path / "live.journal"
    shutil.copy(path, live)
    writer = SqliteJournalWriter.open(live)
    writer.write(events[:BLOCK])
    for ending in ("", "-wal"):
        shutil.copy(f"{live}{ending}", f"{path}{ending}")
    writer.close()
    os.truncate(path, path.stat().st_size - 60_000)
    before = kept(path)[0]

    # While somebody reads, nobody can fold the log into the file.
    with SqliteJournalReader(path):
        writer = SqliteJournalWriter.open(path)
    assert writer.repaired is not None
    assert writer.last_sequence == len(before)
    writer.close()

    assert kept(path) == (before, None)
    assert path.with_name("events.journal.damaged-1-wal").stat().st_size > 0


def test_a_truncated_log_loses_only_its_last_block(tmp_path, marks):
    path = tmp_path / "events.journal"
    writer = SqliteJournalWriter.open(path)
    for start in range(0, 50, 10):
        writer.write(marks(start, 10))
    copy = tmp_path / "copy.journal"
    for ending in ("", "-wal"):
        shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    writer.close()
    log = tmp_path / "copy.journal-wal"
    os.truncate(log, log.stat().st_size - 10)

    assert kept(copy) == (list(enumerate(marks(0, 40), 1)), None)
    reopened(copy, marks(40, 5))
    assert kept(copy) == (list(enumerate(marks(0, 45), 1)), None)


@pytest.mark.parametrize("seed", range(60))
def test_overwritten_bytes_never_give_an_event_that_was_not_written(path, events, marks, seed):
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        start, length = chance.randrange(100, len(content)), chance.randint(1, 600)
        content[start : start + length] = chance.choice([bytes, chance.randbytes])(
            len(content[start : start + length])
        )
    path.write_bytes(content)

    found, error = kept(path)
    assert found == list(enumerate(events[: len(found)], 1))
    assert error is not None or len(found) % BLOCK == 0
    try:
        writer = SqliteJournalWriter.open(path)
    except JournalError:
        return
    # A writer checks the end only, so damage before it may remain. Its blocks chain to a valid end.
    end = writer.last_sequence
    try:
        writer.write(marks(9000, 3))
    except JournalError:
        return
    finally:
        writer.close()
    found, error = kept(path)
    assert error is not None or found == list(enumerate([*events[:end], *marks(9000, 3)], 1))
