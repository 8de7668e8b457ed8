"""How a verb says that it cannot go on: one line on standard error with what, where and, where it is known, what to do."""

from __future__ import annotations

import errno
import sqlite3
from typing import NoReturn

import click

from perps_actors.cli.wording import printable

_PROGRAM = "perps-actors"

_SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process holds it: end that one, or name another file",
    sqlite3.SQLITE_NOTADB: "name a journal, or for a new one a file that does not exist",
    sqlite3.SQLITE_CANTOPEN: "expected a file in a folder that may be read and written: look at its owner and mode",
    sqlite3.SQLITE_IOERR: "expected a file, and a disk that can be read",
    sqlite3.SQLITE_READONLY: "it may not be written: look at its owner and mode",
    sqlite3.SQLITE_PERM: "it may not be read or written: look at its owner and mode",
    sqlite3.SQLITE_FULL: "make room on its disk",
}
_OS_ADVICE = {
    errno.ENOENT: "look at the spelling and the folder",
    errno.EACCES: "look at its owner and mode",
    errno.EPERM: "look at its owner and mode",
    errno.EROFS: "its disk may only be read: name a file elsewhere",
    errno.EISDIR: "expected a file, not a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENOSPC: "make room on its disk",
    errno.EADDRINUSE: "another process listens there: name another port, or none to get a free one",
}


def advice(error: BaseException) -> str | None:
    """Return what a person can do about an error, as its innermost cause tells; None where nothing is known that helps."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, sqlite3.Error):
        # The lower byte is the kind of error, the others its variety.
        return _SQLITE_ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _OS_ADVICE.get(error.errno or 0) if isinstance(error, OSError) else None


def told(error: BaseException) -> str:
    """Return an error as one line, with advice."""
    what = (
        f"{error.filename}: {error.strerror}"
        if isinstance(error, OSError) and error.strerror and error.filename
        else str(error)
    )
    todo = advice(error)
    return printable(what if todo is None else f"{what} ({todo})")


def say(verb: str, what: str) -> None:
    """Print a line of a verb on standard error."""
    click.echo(f"{_PROGRAM} {verb}: {what}", err=True)


def refuse(verb: str, error: BaseException, code: int = 2) -> NoReturn:
    """Say why a verb cannot go on, and exit: 2 for input that cannot be used, 1 for what failed."""
    say(verb, told(error))
    raise SystemExit(code)
