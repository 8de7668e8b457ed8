"""The writer of the journal in SQLite, and the repair of a damaged file.

Each block is one transaction and is on disk when `write` returns.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

from perps_actors.errors import JournalError, JournalFenced
from perps_actors.journal import schema
from perps_actors.journal.blocks import GENESIS, pack
from perps_actors.journal.contract import Repair
from perps_actors.kernel.lease import refuse_fenced
from perps_actors.messages.records import Event


class SqliteJournalWriter:
    """Writes a journal; made by `open`. Used by one thread at a time, which may change.

    SQLite runs in WAL mode with `synchronous=FULL`: every commit is synced, and readers and the
    writer never block each other.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, repaired: Repair | None) -> None:
        self._path = path
        self._connection = connection
        self._epoch = 0
        self._last = 0
        self._hash = GENESIS
        self._repaired = repaired

    @classmethod
    def open(cls, path: str | Path, *, max_bytes: int | None = None) -> SqliteJournalWriter:
        """Open or create a journal (mode 0600) and fence every writer that opened it before.

        Args:
            path: the file. Two more files (`-wal`, `-shm`) exist beside it while it is open.
            max_bytes: size of the file, without its `-wal`, that counts as full; None for no limit.

        Raises:
            JournalFull: no space is left.
            JournalError: the file cannot be opened, is not a journal, or has a newer version; names
                the file.
            Fenced: the calling thread works for an actor that has been replaced; it must not fence
                its replacement.
        """
        path = Path(path)
        with schema.journal_errors(path):
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            try:
                return cls._opened(path, max_bytes)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
                    raise
            refuse_fenced()
            return cls._opened(path, max_bytes, rescue(path))

    @classmethod
    def _opened(
        cls, path: Path, max_bytes: int | None, repaired: Repair | None = None
    ) -> SqliteJournalWriter:
        connection = schema.connect(path, "rw")
        try:
            writer = cls(path, connection, repaired)
            writer._prepare(max_bytes)
            writer._take_over()
        except BaseException:
            connection.close()
            raise
        return writer

    def _prepare(self, max_bytes: int | None) -> None:
        execute = self._connection.execute
        if not schema.is_blank(self._connection):
            schema.check(self._connection, self._path)
        (mode,) = execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            msg = f"{self._path}: SQLite's WAL mode is not available here (journal mode is {mode})"
            raise JournalError(msg)
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA fullfsync = ON")
        if max_bytes is not None:
            (page_size,) = execute("PRAGMA page_size").fetchone()
            execute(f"PRAGMA max_page_count = {max_bytes // page_size}")

    def _take_over(self) -> None:
        """Fence older writers and find the end in one transaction: no block comes between."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        # Check the lease inside the transaction. If this actor was replaced before, it stops here.
        # If it is replaced from now on, its replacement waits for SQLite's lock until this
        # transaction ends, and then raises the epoch above ours. Either way the replacement wins.
        refuse_fenced()
        if schema.is_blank(connection):
            schema.create(connection)
        schema.check(connection, self._path)
        schema.upgrade(connection)
        self._epoch = schema.raise_epoch(connection)
        self._find_end()
        connection.execute("COMMIT")

    def _find_end(self) -> None:
        torn: list[tuple[int, str]] = []
        while (block := schema.last_block(self._connection)) is not None:
            try:
                schema.events_of(self._connection, block)
            except JournalError as error:
                schema.set_aside(self._connection, block, str(error))
                torn.append((block.last, str(error)))
            else:
                self._last, self._hash = block.last, block.hash
                break
        if torn:
            what = "; ".join(why for _, why in torn)
            self._repaired = Repair(
                f"{self._path}: cut at the end and kept in table torn: {what}",
                torn[0][0] - self._last,
            )

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last durable event; 0 for none."""
        return self._last

    @property
    def next_sequence(self) -> int:
        """Sequence number of the next event."""
        return self._last + 1

    @property
    def repaired(self) -> Repair | None:
        """The damage that was cut off on opening; None if there was none."""
        return self._repaired

    def write(self, events: Sequence[Event]) -> int:
        """Write the events as one block and return the last sequence number.

        An error means that no event was written. An empty batch writes nothing.

        Raises:
            JournalFull: no space is left; the same call succeeds once there is space.
            JournalFenced: a newer writer has opened the journal.
            EventUnfit: an event holds a value that cannot be stored.
            JournalError: the writer is closed, or any other failure.
        """
        if not events:
            return self._last
        block = pack(self._last + 1, self._hash, events)
        with schema.journal_errors(self._path):
            written = schema.insert_block(self._connection, block, self._epoch)
        if not written:
            msg = f"{self._path}: another writer has opened the journal"
            raise JournalFenced(msg)
        self._last, self._hash = block.last, block.hash
        return block.last

    def close(self) -> None:
        """Checkpoint the write-ahead log if possible, and close the file. Idempotent."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()


def rescue(path: Path) -> Repair:
    """Replace a malformed journal by the blocks before the damage, and keep the malformed file.

    SQLite itself cannot write a malformed file any more, e.g. one that was truncated.

    Args:
        path: the journal. The malformed file becomes `<path>.damaged-1`, or the next free number.

    Raises:
        JournalError: the file is not recognisable as a journal; it is left unchanged.
        sqlite3.Error: the new file cannot be written.
        OSError: the new file cannot be written.
    """
    rescued = path.with_name(f"{path.name}.rescued")
    rescued.unlink(missing_ok=True)
    os.close(os.open(rescued, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        last, why = _copy(path, rescued)
        aside = _free_name(path)
        # Remove the old write-ahead log before the new file is in place, because SQLite would
        # replay it into any file of that name.
        os.link(path, aside)
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            log.rename(f"{aside}-wal")
        log.unlink(missing_ok=True)
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        rescued.replace(path)
    finally:
        rescued.unlink(missing_ok=True)
    _sync(path.parent)
    return Repair(f"{path}: cut after event {last} and kept as {aside.name}: {why}", None)


def _copy(source: Path, target: Path) -> tuple[int, str]:
    """Copy blocks until one does not fit; return the last sequence number and the reason."""
    last, why = 0, "no more blocks can be read"
    with closing(schema.connect(source, "ro")) as old, closing(schema.connect(target, "rw")) as new:
        schema.check(old, source)
        new.execute("BEGIN IMMEDIATE")
        schema.create(new)
        writer = schema.raise_epoch(new, above=schema.epoch(old))
        while True:
            try:
                block = schema.next_block(old, last)
                if block is None:
                    break
                schema.events_of(old, block)
            except (sqlite3.Error, JournalError) as error:
                why = str(error)
                break
            schema.insert_block(new, block, writer)
            last = block.last
        new.execute("COMMIT")
    return last, why


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return next(name for name in names if not name.exists())


def _sync(folder: Path) -> None:
    # A rename is durable only after its folder is synced.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
