from __future__ import annotations

import os
import sqlite3
import stat
import threading
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.errors import EventUnfit, Fenced, JournalError, JournalFenced
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.kernel.lease import Lease, under
from perps_actors.messages.records import Event


@pytest.fixture
def path(tmp_path):
    return tmp_path / "odd ?#%41 name.journal"


def kept(path, **filters):
    with SqliteJournalReader(path) as reader:
        return list(reader.events(**filters))


def test_written_events_are_read_in_order_from_sequence_one(path, marks):
    writer = SqliteJournalWriter.open(path)

    assert (writer.last_sequence, writer.next_sequence, writer.repaired) == (0, 1, None)
    assert writer.write(marks(0, 3)) == 3
    assert writer.write(marks(3, 2)) == 5
    assert (writer.last_sequence, writer.next_sequence) == (5, 6)
    writer.close()

    assert kept(path) == list(enumerate(marks(0, 5), 1))


def test_writing_no_events_changes_nothing(path, marks):
    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 3))

    assert writer.write(()) == 3
    writer.close()

    assert len(kept(path)) == 3


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.lists(st.integers(1, 30), max_size=4), min_size=1, max_size=4))
def test_sequence_numbers_have_no_gaps_across_restarts(tmp_path_factory, marks, sizes):
    path = tmp_path_factory.mktemp("restarts") / "events.journal"
    total = 0
    for process in sizes:
        writer = SqliteJournalWriter.open(path)
        for size in process:
            assert writer.write(marks(total, size)) == total + size
            total += size
        writer.close()

    assert kept(path) == list(enumerate(marks(0, total), 1))
    with SqliteJournalReader(path) as reader:
        assert (reader.last_sequence(), reader.count()) == (total, total)


def test_a_reader_sees_each_block_as_soon_as_it_is_written(path, marks):
    writer = SqliteJournalWriter.open(path)
    with SqliteJournalReader(path) as reader:
        assert (list(reader.events()), reader.last_sequence(), reader.count()) == ([], 0, 0)
        for start in (0, 4, 8):
            writer.write(marks(start, 4))
            assert list(reader.events(after=start)) == list(enumerate(marks(start, 4), start + 1))
    writer.close()


def test_an_iterator_continues_into_new_blocks_and_blocks_no_writer(path, marks):
    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 2))
    with SqliteJournalReader(path) as reader:
        events = reader.events()
        head = list(islice(events, 1))
        writer.write(marks(2, 2))
        writer.close()

        assert path.with_name(f"{path.name}-wal").stat().st_size == 0
        assert head + list(events) == list(enumerate(marks(0, 4), 1))


def test_a_journal_may_be_opened_on_one_thread_and_written_on_another(path, marks):
    writer = SqliteJournalWriter.open(path)
    thread = threading.Thread(target=lambda: writer.write(marks(0, 3)))
    thread.start()
    thread.join(10)
    writer.close()

    assert len(kept(path)) == 3


def test_filters_choose_events_and_after_resumes_inside_a_block(path, mark):
    events = [
        mark(i, symbol="BTCUSDT" if i % 2 else "ETHUSDT", kind="a" if i % 3 else "b")
        for i in range(30)
    ]
    writer = SqliteJournalWriter.open(path)
    for start in range(0, 30, 10):
        writer.write(events[start : start + 10])
    writer.close()
    numbered = list(enumerate(events, 1))

    assert kept(path, kind="b") == [(n, e) for n, e in numbered if e.kind == "b"]
    assert kept(path, symbol="ETHUSDT") == [(n, e) for n, e in numbered if e.symbol == "ETHUSDT"]
    assert kept(path, since_ns=events[17].received_ns) == numbered[17:]
    assert kept(path, after=17) == numbered[17:]
    assert kept(path, kind="a", symbol="BTCUSDT", since_ns=events[5].received_ns, after=8) == [
        (n, e) for n, e in numbered[8:] if e.kind == "a" and e.symbol == "BTCUSDT"
    ]
    assert kept(path, kind="A") == kept(path, symbol="BTC") == kept(path, after=30) == []
    assert kept(path, since_ns=10**30) == []
    assert kept(path, since_ns=-(10**30)) == numbered


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "a\nb", "ünï", "", "%", "null", '","'])
def test_filters_find_names_of_any_spelling(path, mark, name):
    writer = SqliteJournalWriter.open(path)
    writer.write([mark(0)])
    writer.write([mark(1), mark(2, symbol=name, kind=name)])
    writer.close()

    assert (
        kept(path, symbol=name) == kept(path, kind=name) == [(3, mark(2, symbol=name, kind=name))]
    )


def test_blocks_without_a_possible_match_are_not_read(path, marks):
    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 5, kind="unreadable"))
    writer.write(marks(5, 5, kind="good"))
    writer.write(marks(10, 5, kind="unreadable", symbol="OTHER"))
    writer.write(marks(15, 5, kind="good", symbol="NEWER"))
    writer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE blocks SET body = x'00' WHERE instr(kinds, 'unreadable')")
    connection.close()

    assert [n for n, _ in kept(path, kind="good")] == [*range(6, 11), *range(16, 21)]
    assert [n for n, _ in kept(path, symbol="NEWER")] == [*range(16, 21)]
    assert [n for n, _ in kept(path, since_ns=marks(15, 1)[0].received_ns)] == [*range(16, 21)]
    assert [n for n, _ in kept(path, after=15)] == [*range(16, 21)]


def test_a_newer_writer_fences_the_older_one(path, marks):
    older = SqliteJournalWriter.open(path)
    older.write(marks(0, 2))
    newer = SqliteJournalWriter.open(path)

    for _ in range(2):
        with pytest.raises(JournalFenced, match="another writer"):
            older.write(marks(9, 5))
    assert newer.write(marks(2, 2)) == 4
    older.close()
    assert newer.write(marks(4, 2)) == 6
    newer.close()

    assert kept(path) == list(enumerate(marks(0, 6), 1))


def test_a_replaced_thread_cannot_take_the_journal_from_its_replacement(path, marks):
    replaced, writer = Lease(), SqliteJournalWriter.open(path)
    replaced.void = True
    with under(replaced), pytest.raises(Fenced):
        SqliteJournalWriter.open(path)
    assert writer.write(marks(1, 2)) == 2
    writer.close()


def test_an_unfit_event_does_not_lose_its_neighbours(path, mark):
    writer = SqliteJournalWriter.open(path)
    batch = [mark(0), mark(1, what=object()), mark(2)]
    with pytest.raises(EventUnfit) as caught:
        writer.write(batch)
    del batch[caught.value.index]

    assert writer.write(batch) == 2
    writer.close()
    assert kept(path) == [(1, mark(0)), (2, mark(2))]


def test_closing_twice_is_allowed_and_writing_afterwards_is_refused(path, marks):
    writer = SqliteJournalWriter.open(path)
    writer.close()
    writer.close()

    with pytest.raises(JournalError, match="closed"):
        writer.write(marks(0, 1))
    reader = SqliteJournalReader(path)
    reader.close()
    reader.close()


def test_after_a_clean_close_the_journal_is_one_file(path, marks):
    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 3))
    writer.close()

    assert list(path.parent.iterdir()) == [path]


def test_the_journal_has_mode_0600_under_any_umask(path, marks):
    before = os.umask(0)
    try:
        writer = SqliteJournalWriter.open(path)
        writer.write(marks(0, 3))
        with SqliteJournalReader(path) as reader:
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
            reader.count()
        writer.close()
    finally:
        os.umask(before)

    assert modes == {path.name + ending: 0o600 for ending in ("", "-wal", "-shm")}


def test_every_commit_is_synced(path):
    writer = SqliteJournalWriter.open(path)
    pragmas = [
        writer._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    ]
    writer.close()

    assert pragmas == ["wal", 2]


def test_a_missing_journal_is_named_and_not_created(path):
    with pytest.raises(JournalError, match="No such file") as caught:
        SqliteJournalReader(path)

    assert str(path) in str(caught.value)
    assert not path.exists()
    with pytest.raises(JournalError, match="No such file"):
        SqliteJournalWriter.open(path / "below" / "nothing")


def opening(path):
    return (lambda: SqliteJournalReader(path), lambda: SqliteJournalWriter.open(path))


@pytest.mark.parametrize(
    "content",
    [b"random garbage\n" * 1000, b"SQLite format 3\0" + b"\x55" * 5000, b"{}"],
    ids=["text", "header", "short"],
)
def test_a_file_of_another_kind_is_refused_and_unchanged(path, content):
    path.write_bytes(content)

    for opened in opening(path):
        with pytest.raises(JournalError) as caught:
            opened()
        assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("cut", [0, 5000])
def test_a_foreign_database_is_refused_and_unchanged_even_if_damaged(path, cut):
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE meta (name, value); CREATE TABLE blocks (x);"
        "INSERT INTO meta VALUES ('format', 'diary')"
    )
    connection.executemany("INSERT INTO blocks VALUES (?)", [(os.urandom(3000),) for _ in range(5)])
    connection.commit()
    connection.close()
    os.truncate(path, path.stat().st_size - cut)
    content = path.read_bytes()

    for opened in opening(path):
        with pytest.raises(JournalError, match=r"is not a journal|malformed"):
            opened()
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_journal_written_before_systems_had_names_is_read_and_continued(path, marks, monkeypatch):
    def without_system(value):
        plain = msgspec.to_builtins(value)
        if isinstance(value[0], Event):
            plain = [fields[:-1] for fields in plain]
        return msgspec.msgpack.encode(plain)

    with monkeypatch.context() as old:
        old.setattr("perps_actors.journal.blocks._encode", without_system)
        old.setattr("perps_actors.journal.schema.VERSION", 1)
        writer = SqliteJournalWriter.open(path)
        writer.write(marks(0, 3))
        writer.close()
    with SqliteJournalReader(path) as reader:
        assert tuple(event for _, event in reader.events()) == marks(0, 3)

    writer = SqliteJournalWriter.open(path)
    named = [msgspec.structs.replace(event, system="perps") for event in marks(3, 2)]
    writer.write(named)
    writer.close()
    with SqliteJournalReader(path) as reader:
        assert [event for _, event in reader.events()] == [*marks(0, 3), *named]
    with sqlite3.connect(path) as connection:
        version = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    connection.close()
    assert version == (2,)


def test_a_symbol_is_found_with_its_venue_also_if_it_has_a_colon_itself(path, marks):
    odd = marks(0, 1, symbol="BTC:USDT")
    other = [msgspec.structs.replace(event, venue="bybit") for event in marks(1, 1)]
    with_all = [*odd, *other, *marks(2, 1)]
    writer = SqliteJournalWriter.open(path)
    for event in with_all:
        writer.write([event])
    writer.close()
    with SqliteJournalReader(path) as reader:

        def found(symbol):
            return [event for _, event in reader.events(symbol=symbol)]

        assert found("bybit:BTCUSDT") == other
        assert found("binance_futures:BTCUSDT") == list(marks(2, 1))
        assert found("BTCUSDT") == with_all[1:]
        assert found("BTC:USDT") == found("binance_futures:BTC:USDT") == list(odd)


def test_a_journal_of_a_newer_schema_is_refused(path, marks):
    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 3))
    writer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 3 WHERE name = 'schema'")
    connection.close()

    for opened in opening(path):
        with pytest.raises(
            JournalError, match="schema version 3, this code reads up to 2"
        ) as caught:
            opened()
        assert str(path) in str(caught.value)


def test_an_empty_file_left_by_a_crash_becomes_a_journal(path, marks):
    path.touch(mode=0o600)
    with pytest.raises(JournalError, match="is not a journal"):
        SqliteJournalReader(path)

    writer = SqliteJournalWriter.open(path)
    writer.write(marks(0, 3))
    writer.close()
    assert len(kept(path)) == 3


def test_a_locked_journal_refuses_events_and_accepts_them_later(path, marks, monkeypatch):
    monkeypatch.setattr("perps_actors.journal.schema._BUSY_TIMEOUT_S", 0.05)
    writer = SqliteJournalWriter.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(JournalError, match="locked"):
        writer.write(marks(0, 3))
    other.execute("ROLLBACK")
    other.close()

    assert writer.write(marks(0, 3)) == 3
    writer.close()
    assert kept(path) == list(enumerate(marks(0, 3), 1))
