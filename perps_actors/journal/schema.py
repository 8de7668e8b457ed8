"""The journal's SQLite file: its tables, how it is told from other files, how it is opened."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from perps_actors.errors import JournalError, JournalFull
from perps_actors.journal.blocks import GENESIS, Block, unpack
from perps_actors.messages.records import Event

FORMAT = "perps_actors journal"
VERSION = 1
"""Highest schema version that this code reads and the one it writes."""

COLUMNS = ", ".join(Block._fields)
_PLACES = ", ".join("?" * len(Block._fields))

# `last` is the row's own key: the end is found without an index, and an index more costs a factor of three in writing.
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    """CREATE TABLE blocks (
        first INTEGER NOT NULL,
        last INTEGER PRIMARY KEY,
        earliest_ns INTEGER NOT NULL,
        latest_ns INTEGER NOT NULL,
        kinds TEXT NOT NULL,
        instruments TEXT NOT NULL,
        hash BLOB NOT NULL,
        body BLOB NOT NULL
    )""",
    # What is damaged may have lost its types too.
    f"CREATE TABLE torn (why, {COLUMNS})",
)
# One statement is one transaction: the block goes in only while nobody else has opened the journal or added to it.
_APPEND = f"""
    INSERT INTO blocks ({COLUMNS}) SELECT {_PLACES}
    WHERE (SELECT value FROM meta WHERE name = 'epoch') = ? AND (SELECT coalesce(max(last), 0) FROM blocks) = ?
"""  # noqa: S608 (constants of this package)
# A file that may not grow also shows as shared memory that may not: SQLite touches every page of it before it maps it.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_BUSY_TIMEOUT_S = 2.0


class Malformed(sqlite3.DatabaseError):
    """The file contradicts itself, though SQLite did not notice."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def connect(path: Path, mode: Literal["ro", "rw"]) -> sqlite3.Connection:
    """Return a connection in autocommit that any one thread at a time may use; never creates the file."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if (
        mode == "ro"
        and not os.access(path.parent, os.W_OK)
        and not path.with_name(f"{path.name}-wal").exists()
    ):
        # On a read-only medium SQLite cannot make the file by which it and a writer keep out of each other's way.
        uri += "&immutable=1"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )
    # Damaged text must reach the check of its block's hash.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    if mode == "ro":
        # Without this SQLite refuses a file that was cut short as a whole; the blocks before the cut can still be read and verified.
        connection.execute("PRAGMA writable_schema = ON")
    return connection


@contextmanager
def journal_errors(place: object) -> Iterator[None]:
    """Turn what SQLite and the operating system raise inside into errors of the journal that name the place, e.g. the file."""
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) in _FULL
        msg = f"{place}: {error}"
        raise (JournalFull if full else JournalError)(msg) from error
    except OSError as error:
        full = error.errno == errno.ENOSPC
        msg = f"{place}: {error.strerror}"
        raise (JournalFull if full else JournalError)(msg) from error


def is_blank(connection: sqlite3.Connection) -> bool:
    """Return whether the file holds no table of anybody."""
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def create(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty journal, inside the caller's transaction."""
    for table in _TABLES:
        connection.execute(table)
    rows = (("format", FORMAT), ("schema", VERSION), ("epoch", 0))
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Return if this file is a journal that this code understands.

    Raises:
        JournalError: it is none, or of a newer version; names the file.
    """
    names = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    meta = dict(connection.execute("SELECT name, value FROM meta")) if "meta" in names else {}
    version = meta.get("schema")
    if (
        meta.get("format") != FORMAT
        or not isinstance(version, int)
        or not isinstance(meta.get("epoch"), int)
    ):
        msg = f"{path}: is no journal"
        raise JournalError(msg)
    if version > VERSION:
        msg = f"{path}: is a journal of schema version {version}, this code reads up to {VERSION}"
        raise JournalError(msg)


def next_block(
    connection: sqlite3.Connection, after: int, matching: str = "", values: Sequence[object] = ()
) -> Block | None:
    """Return the first block that ends beyond sequence number `after`, and matches if a condition in SQL is given.

    Raises:
        JournalError: what SQLite finds there is not what follows; names the block.
    """
    query = f"SELECT {COLUMNS} FROM blocks WHERE last > ? {matching} ORDER BY last LIMIT 1"  # noqa: S608 (constants of this package)
    block = _block(connection.execute(query, (after, *values)).fetchone())
    if block is not None and (block.last <= after or (not matching and block.first > after + 1)):
        msg = f"block {block.first}..{block.last}: does not follow {after}"
        raise JournalError(msg)
    return block


def last_block(connection: sqlite3.Connection) -> Block | None:
    """Return the last block."""
    return _block(
        connection.execute(f"SELECT {COLUMNS} FROM blocks ORDER BY last DESC LIMIT 1").fetchone()
    )  # noqa: S608 (constants)


def _block(row: tuple[Any, ...] | None) -> Block | None:
    if row is None:
        return None
    block = Block(*row)
    # Damage changes types too; with a number that no block has, it goes the way of every block that does not fit.
    return block if isinstance(block.first, int) else block._replace(first=0)


def events_of(connection: sqlite3.Connection, block: Block) -> tuple[Event, ...]:
    """Return the events of a block, once it was found to fit to the one before.

    Raises:
        JournalError: it does not fit; names the block.
    """
    row = connection.execute(
        "SELECT hash FROM blocks WHERE last = ? - 1", (block.first,)
    ).fetchone()
    return unpack(block, GENESIS if block.first == 1 else row and row[0])


def insert_block(connection: sqlite3.Connection, block: Block, epoch: int) -> bool:
    """Add a block in one transaction; return False if a newer writer than that of `epoch` came, or the end is another than expected."""
    return connection.execute(_APPEND, (*block, epoch, block.first - 1)).rowcount == 1


def set_aside(connection: sqlite3.Connection, block: Block, why: str) -> None:
    """Move a block out of the journal into the table of torn ones.

    Raises:
        Malformed: SQLite gives the block out but cannot find it to remove it.
    """
    connection.execute(f"INSERT INTO torn (why, {COLUMNS}) VALUES (?, {_PLACES})", (why, *block))  # noqa: S608 (constants)
    if connection.execute("DELETE FROM blocks WHERE last = ?", (block.last,)).rowcount != 1:
        msg = f"{why}; and it cannot be removed"
        raise Malformed(msg)


def epoch(connection: sqlite3.Connection) -> int:
    """Return the number of the newest writer."""
    return int(connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])


def raise_epoch(connection: sqlite3.Connection, above: int = 0) -> int:
    """Make the caller the newest writer, numbered beyond every one before and `above`; return its number."""
    connection.execute("UPDATE meta SET value = max(value, ?) + 1 WHERE name = 'epoch'", (above,))
    return epoch(connection)
