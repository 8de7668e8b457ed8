"""Standard error and standard output: error lines with advice, a progress bar, a closed pipe."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import sys
from contextlib import AbstractContextManager
from typing import IO, NoReturn

import click

from perps_actors.cli.wording import cut, printable
from perps_actors.kernel.clock import NS_PER_S, Clock

_PROGRAM = "perps-actors"
_PROGRESS_EVERY_NS = NS_PER_S // 4
_LONGEST_BAR = 30

_SQLITE_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process holds it: end that process, or name another file",
    sqlite3.SQLITE_NOTADB: "name a journal, or for a new journal a file that does not exist",
    sqlite3.SQLITE_CANTOPEN: "expected a file in a writable folder: check its owner and mode",
    sqlite3.SQLITE_IOERR: "expected a file, on a disk that can be read",
    sqlite3.SQLITE_READONLY: "it is not writable: check its owner and mode",
    sqlite3.SQLITE_PERM: "it is not readable or not writable: check its owner and mode",
    sqlite3.SQLITE_FULL: "make room on its disk",
}
_OS_ADVICE = {
    errno.ENOENT: "check the spelling and the folder",
    errno.EACCES: "check its owner and mode",
    errno.EPERM: "check its owner and mode",
    errno.EROFS: "its disk is read-only: name a file elsewhere",
    errno.EISDIR: "expected a file, not a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENOSPC: "make room on its disk",
    errno.EADDRINUSE: "another process listens there: name another port, or none for a free one",
}


def advice(error: BaseException) -> str | None:
    """Return what a person can do about an error's innermost cause; None if nothing is known."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, sqlite3.Error):
        # The lower byte is the primary result code, the others extend it.
        return _SQLITE_ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _OS_ADVICE.get(error.errno or 0) if isinstance(error, OSError) else None


def describe(error: BaseException) -> str:
    """Return an error as one line, with advice."""
    what = (
        f"{error.filename}: {error.strerror}"
        if isinstance(error, OSError) and error.strerror and error.filename
        else str(error)
    )
    todo = advice(error)
    return printable(what if todo is None else f"{what} ({todo})")


def say(command: str, what: str) -> None:
    """Print a line of a command on standard error."""
    click.echo(f"{_PROGRAM} {command}: {what}", err=True)


def fail(command: str, error: BaseException, code: int = 2) -> NoReturn:
    """Print why a command cannot go on, and exit: 2 for unusable input, 1 for a failure."""
    say(command, describe(error))
    raise SystemExit(code)


def exit_on_sigterm() -> None:
    """Let SIGTERM end a command that runs until Ctrl-C, with exit code 0 after cleaning up."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))


def discard_stdout() -> None:
    """Send buffered output to /dev/null after the reader of a pipe, such as `head`, has closed it.

    Otherwise the interpreter fails to flush it at exit and reports an error.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def bar_text(what: str, done: int, total: int, unit: str, width: int) -> str:
    """Return a bar of at most `width` columns: `decoding [###-------]  30%  3 of 10 lines`."""
    part = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    # Rounded down, so that 100% means that everything is done.
    numbers = f"{int(part * 100):>3}%  {done:,} of {total:,} {unit}"
    length = min(_LONGEST_BAR, width - len(what) - len(numbers) - 5)
    filled = int(part * length)
    bar = f"[{'#' * filled}{'-' * (length - filled)}] " if length >= 5 else ""
    return cut(f"{what} {bar}{numbers}", width)


class Bar(AbstractContextManager["Bar"]):
    """A progress bar for work whose size is known.

    It is drawn on a terminal only, at most four times a second, and erased when the context ends.

    Args:
        what: the work, e.g. `decoding`.
        unit: unit of the numbers, e.g. `bytes`.
        clock: says when the next redraw is due.
        hide: draw nothing at all.
        out: where to draw; standard error by default.
    """

    def __init__(
        self, what: str, unit: str, clock: Clock, *, hide: bool = False, out: IO[str] | None = None
    ) -> None:
        self._what = what
        self._unit = unit
        self._clock = clock
        self._out = sys.stderr if out is None else out
        self._shown = self._out.isatty() and not hide
        self._due_ns = clock.monotonic_ns()
        self._drawn = 0

    def at(self, done: int, total: int) -> None:
        """Draw the progress if a redraw is due and `total` is above zero."""
        now_ns = self._clock.monotonic_ns()
        if not self._shown or total <= 0 or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + _PROGRESS_EVERY_NS
        # The last column stays free, because writing it makes a terminal go on to the next line.
        width = os.get_terminal_size(self._out.fileno()).columns - 1
        text = bar_text(self._what, done, total, self._unit, width)
        self._write("\r" + text + " " * (self._drawn - len(text)))
        self._drawn = len(text)

    def clear(self) -> None:
        """Erase the bar to make room for another line; the next redraw brings it back."""
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def __exit__(self, *_: object) -> None:
        self.clear()
