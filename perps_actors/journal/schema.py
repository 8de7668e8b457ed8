"""The journal's SQLite file: its tables, its identification and its connections."""

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
VERSION = 2
"""The schema version that this code writes, and the highest that it reads.

Events have no `system` in version 1; in version 2 it is their last element.
"""

COLUMNS = ", ".join(Block._fields)
_PLACES = ", ".join("?" * len(Block._fields))

# `last` is the row id, so the last block is found without an index. Another index would make
# writing three times slower.
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
    # Columns have no types here, because damaged values may have lost theirs.
    f"CREATE TABLE torn (why, {COLUMNS})",
)
# One statement is one transaction. It inserts the block only if no other writer has opened the
# journal (the epoch is ours) and no other writer has added a block (the end is where we left it).
_APPEND = f"""
    INSERT INTO blocks ({COLUMNS}) SELECT {_PLACES}
    WHERE (SELECT value FROM meta WHERE name = 'epoch') = ?
    AND (SELECT coalesce(max(last), 0) FROM blocks) = ?
"""  # noqa: S608 (constants of this package)
# On a full disk SQLite may also fail to grow its shared memory file, because it touches every page
# before it maps the file.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_BUSY_TIMEOUT_S = 2.0


class Malformed(sqlite3.DatabaseError):
    """The file contradicts itself although SQLite reported no error."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def connect(path: Path, mode: Literal["ro", "rw"]) -> sqlite3.Connection:
    """Return an autocommit connection for one thread at a time. Never creates the file."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if (
        mode == "ro"
        and not os.access(path.parent, os.W_OK)
        and not path.with_name(f"{path.name}-wal").exists()
    ):
        # On a read-only medium SQLite cannot create the shared memory file that coordinates readers
        # with a writer, and no writer can exist.
        uri += "&immutable=1"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )
    # Damaged text must reach the check of its block's hash instead of failing to decode here.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    if mode == "ro":
        # Without this SQLite refuses a truncated file as a whole, although the blocks before the
        # cut can be read and verified.
        connection.execute("PRAGMA writable_schema = ON")
    return connection


@contextmanager
def journal_errors(place: object) -> Iterator[None]:
    """Convert errors of SQLite and the operating system into journal errors that name the place."""
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
    """Return whether the file holds no table."""
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def create(connection: sqlite3.Connection) -> None:
    """Create the tables of an empty journal, inside the caller's transaction."""
    for table in _TABLES:
        connection.execute(table)
    rows = (("format", FORMAT), ("schema", VERSION), ("epoch", 0))
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a journal of a version that this code reads.

    Raises:
        JournalError: it is not a journal, or has a newer version; names the file.
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
        msg = f"{path}: is not a journal"
        raise JournalError(msg)
    if version > VERSION:
        msg = f"{path}: is a journal of schema version {version}, this code reads up to {VERSION}"
        raise JournalError(msg)


def next_block(
    connection: sqlite3.Connection, after: int, matching: str = "", values: Sequence[object] = ()
) -> Block | None:
    """Return the first block that ends after sequence number `after` and matches an SQL condition.

    Raises:
        JournalError: the block found does not follow `after`; names the block.
    """
    # All SQL of this module is built from constants of the package; values are bound.
    where = f"last > ? {matching}"
    query = f"SELECT {COLUMNS} FROM blocks WHERE {where} ORDER BY last LIMIT 1"  # noqa: S608
    block = _block(connection.execute(query, (after, *values)).fetchone())
    if block is not None and (block.last <= after or (not matching and block.first > after + 1)):
        msg = f"block {block.first}..{block.last}: does not follow {after}"
        raise JournalError(msg)
    return block


def last_block(connection: sqlite3.Connection) -> Block | None:
    """Return the last block."""
    query = f"SELECT {COLUMNS} FROM blocks ORDER BY last DESC LIMIT 1"  # noqa: S608
    return _block(connection.execute(query).fetchone())


def _block(row: tuple[Any, ...] | None) -> Block | None:
    if row is None:
        return None
    block = Block(*row)
    # Damage may change types. A number that no block has makes the chain check fail for this block.
    return block if isinstance(block.first, int) else block._replace(first=0)


def events_of(connection: sqlite3.Connection, block: Block) -> tuple[Event, ...]:
    """Return the events of a block after checking that it fits the previous block.

    Raises:
        JournalError: the block does not fit; names the block.
    """
    row = connection.execute(
        "SELECT hash FROM blocks WHERE last = ? - 1", (block.first,)
    ).fetchone()
    return unpack(block, GENESIS if block.first == 1 else row and row[0])


def insert_block(connection: sqlite3.Connection, block: Block, epoch: int) -> bool:
    """Add a block in one transaction.

    Return False if a writer newer than `epoch` has opened the journal, or if the journal does not
    end where the block begins.
    """
    return connection.execute(_APPEND, (*block, epoch, block.first - 1)).rowcount == 1


def set_aside(connection: sqlite3.Connection, block: Block, why: str) -> None:
    """Move a damaged block into the table `torn`.

    Raises:
        Malformed: SQLite returns the block but cannot find it to remove it.
    """
    insert = f"INSERT INTO torn (why, {COLUMNS}) VALUES (?, {_PLACES})"  # noqa: S608
    connection.execute(insert, (why, *block))
    if connection.execute("DELETE FROM blocks WHERE last = ?", (block.last,)).rowcount != 1:
        msg = f"{why}; and it cannot be removed"
        raise Malformed(msg)


def upgrade(connection: sqlite3.Connection) -> None:
    """Note that events of this version follow, inside the caller's transaction."""
    connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (VERSION,))


def epoch(connection: sqlite3.Connection) -> int:
    """Return the number of the newest writer."""
    return int(connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])


def raise_epoch(connection: sqlite3.Connection, above: int = 0) -> int:
    """Make the caller the newest writer; return its number, above all others and `above`."""
    connection.execute("UPDATE meta SET value = max(value, ?) + 1 WHERE name = 'epoch'", (above,))
    return epoch(connection)
