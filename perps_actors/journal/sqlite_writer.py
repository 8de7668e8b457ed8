"""The writer of the journal in SQLite: one block a transaction, on disk when `write` returns."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from perps_actors.errors import JournalError, JournalFenced
from perps_actors.journal import schema
from perps_actors.journal.blocks import GENESIS, pack
from perps_actors.journal.contract import Repair
from perps_actors.journal.rescue import rescue
from perps_actors.kernel.lease import refuse_fenced
from perps_actors.messages.records import Event


class SqliteJournalWriter:
    """Writes a journal; made by `open`. Used by one thread at a time, which need not be the one that opened it.

    SQLite in WAL with `synchronous=FULL`: every commit is synced, readers are never held up and hold up nobody.
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
        """Open a journal, or create it for its owner alone (mode 0600), and fence every writer that opened it before.

        Args:
            path: the file; two more beside it (`-wal`, `-shm`) come and go.
            max_bytes: size of the file (without its `-wal`) beyond which it counts as full; None for what the disk has.

        Raises:
            JournalFull: no space left.
            JournalError: it cannot be opened, is no journal, or is one of a newer version; names the file.
            Fenced: the present thread works for an incarnation that has been replaced, whose successor must not be fenced.
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
            msg = f"{self._path}: cannot keep a write-ahead log here (journal mode is {mode})"
            raise JournalError(msg)
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA fullfsync = ON")
        if max_bytes is not None:
            (page_size,) = execute("PRAGMA page_size").fetchone()
            execute(f"PRAGMA max_page_count = {max_bytes // page_size}")

    def _take_over(self) -> None:
        """Fence older writers and find the end, in one transaction, so that none of them adds a block in between."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        # Behind the lock: who is replaced from here on has its successor wait for this transaction's end.
        refuse_fenced()
        if schema.is_blank(connection):
            schema.create(connection)
        schema.check(connection, self._path)
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
        """Sequence number of the last event that is safe; 0 for none."""
        return self._last

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next event will get."""
        return self._last + 1

    @property
    def repaired(self) -> Repair | None:
        """What was damaged and set aside at opening; None when all was sound."""
        return self._repaired

    def write(self, events: Sequence[Event]) -> int:
        """Keep these events as one block and return the last sequence number; without events nothing is written.

        Raises:
            JournalFull: no space left; nothing was written, the same call succeeds once there is some.
            JournalFenced: a newer writer has opened the journal; nothing was written.
            EventUnfit: an event holds what cannot be kept; nothing was written.
            JournalError: closed, or anything else that kept it from writing; nothing was written.
        """
        if not events:
            return self._last
        block = pack(self._last + 1, self._hash, events)
        with schema.journal_errors(self._path):
            written = schema.insert_block(self._connection, block, self._epoch)
        if not written:
            msg = f"{self._path}: another writer has taken over"
            raise JournalFenced(msg)
        self._last, self._hash = block.last, block.hash
        return block.last

    def close(self) -> None:
        """Fold the write-ahead log into the file if that is possible, and close it; may be called again."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
