"""Rebuilding a journal that SQLite itself cannot write any more, e.g. a file that was cut short."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from perps_actors.errors import JournalError
from perps_actors.journal import schema
from perps_actors.journal.contract import Repair


def rescue(path: Path) -> Repair:
    """Put in the place of a malformed journal one of the blocks before the damage; keep the malformed one beside it.

    Args:
        path: the journal; the malformed file becomes `<path>.damaged-1`, or the next number that is free.

    Raises:
        JournalError: it is no journal, or not even that can be told; the file is left as it is.
        sqlite3.Error: the new file cannot be written.
        OSError: as above.
    """
    rescued = path.with_name(f"{path.name}.rescued")
    rescued.unlink(missing_ok=True)
    os.close(os.open(rescued, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        last, why = _copy(path, rescued)
        aside = _free_name(path)
        # The old log must be gone before the new file is in place: SQLite would play it into whatever file bears the name.
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
    """Copy blocks as long as they fit; return the last sequence number and what came then."""
    last, why = 0, "nothing that could be read"
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
    # A rename is only durable once its folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
