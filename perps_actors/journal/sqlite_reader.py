"""The reader of the journal in SQLite: it reads while a writer writes, and after a crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from perps_actors.errors import JournalError
from perps_actors.journal import schema
from perps_actors.journal.blocks import Block, json_text
from perps_actors.messages.records import Event

_INT64_MAX = 2**63 - 1


class SqliteJournalReader:
    """Reads a journal and never changes it. Used by one thread at a time; also a context manager.

    Args:
        path: the journal's file.

    Raises:
        JournalError: the file is missing, unreadable, not a journal, or of a newer version; names
            the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with schema.journal_errors(self._path):
            self._path.stat()
            self._connection = schema.connect(self._path, "ro")
            try:
                schema.check(self._connection, self._path)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def events(
        self,
        kind: str | None = None,
        symbol: str | None = None,
        since_ns: int | None = None,
        after: int = 0,
    ) -> Iterator[tuple[int, Event]]:
        """Yield sequence numbers and events in order, up to the last one written by then.

        The reader holds no lock between blocks, so an unfinished iterator does not keep the writer
        from checkpointing its log. Blocks without a matching event are skipped unread. Every block
        that is read is checked against the hash of the previous block.

        Args:
            kind: yield only events of this kind.
            symbol: yield only events of this symbol, in the venue's spelling; `bybit:BTCUSDT` for
                the symbol of one venue.
            since_ns: yield only events received at or after this wall time (ns since 1970).
            after: yield only events with a higher sequence number.

        Raises:
            JournalError: a block is damaged (names file and block), or the file cannot be read.
        """
        for block, events in self._blocks(kind, symbol, since_ns, after):
            for sequence, event in enumerate(events, block.first):
                if (
                    sequence > after
                    and (kind is None or event.kind == kind)
                    and (
                        symbol is None or symbol in (event.symbol, f"{event.venue}:{event.symbol}")
                    )
                    and (since_ns is None or event.received_ns >= since_ns)
                ):
                    yield sequence, event

    def _blocks(
        self, kind: str | None, symbol: str | None, since_ns: int | None, after: int
    ) -> Iterator[tuple[Block, tuple[Event, ...]]]:
        matching, values = "", list[Any]()
        if since_ns is not None:
            matching += " AND latest_ns >= ?"
            values.append(max(-_INT64_MAX, min(since_ns, _INT64_MAX)))
        if kind is not None:
            matching += " AND instr(kinds, ?)"
            values.append(json_text(kind))
        if symbol is not None:
            # The text before a colon may be a venue, or a part of the symbol.
            matching += " AND (instr(instruments, ?) OR instr(instruments, ?))"
            values += [json_text(symbol), json_text(symbol.partition(":")[2] or symbol)]
        while True:
            with self._errors(after):
                block = schema.next_block(self._connection, after, matching, values)
                if block is None:
                    return
                events = schema.events_of(self._connection, block)
            yield block, events
            after = block.last

    @contextmanager
    def _errors(self, after: int) -> Iterator[None]:
        try:
            with schema.journal_errors(f"after event {after}"):
                yield
        except JournalError as error:
            msg = f"{self._path}: {error}"
            raise JournalError(msg) from error

    def _number(self, query: str) -> int:
        with schema.journal_errors(self._path):
            return int(self._connection.execute(query).fetchone()[0])

    def last_sequence(self) -> int:
        """Return the sequence number of the last event; 0 for none.

        Raises:
            JournalError: the file cannot be read.
        """
        return self._number("SELECT coalesce(max(last), 0) FROM blocks")

    def count(self) -> int:
        """Return the number of events, counted block by block.

        Raises:
            JournalError: the file cannot be read.
        """
        return self._number("SELECT coalesce(sum(last - first + 1), 0) FROM blocks")

    def close(self) -> None:
        """Close the file. Idempotent."""
        with schema.journal_errors(self._path):
            self._connection.close()
