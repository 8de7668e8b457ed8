"""Checks a journal: reads it, which verifies the chain of hashes, and counts its events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from perps_actors.errors import JournalError
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.messages.records import JournalStatus


def journal_faults(path: Path, status: JournalStatus) -> Iterator[str]:
    """Yield the faults of the journal of a system that has ended."""
    expected = 0
    try:
        with SqliteJournalReader(path) as reader:
            for sequence, _ in reader.events():
                expected += 1
                if sequence != expected:
                    yield f"the journal goes on with {sequence} where {expected} was due"
                    return
    except JournalError as error:
        yield f"the journal cannot be read: {error}"
        return
    if status.last_sequence != expected:
        yield f"the journal ends with {expected}, its status says {status}"
    # A write in which the writer was fenced may have succeeded, so there may be more than counted.
    if status.recorded > expected:
        yield f"the journal holds {expected} events, its status says {status}"
