"""`perps-actors decode`: turns the raw lines of a recording into market events."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import click
import msgspec

from perps_actors.cli.output import Bar, discard_stdout, fail, say
from perps_actors.errors import SettingsError
from perps_actors.kernel.clock import SystemClock
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.decode import decode as decode_lines
from perps_actors.venues.registry import Venue, venue

MAX_LINE = 32 * 1024 * 1024
"""Longest line in characters; a longer one is cut and therefore reported as invalid JSON."""
_PROGRESS_LINES = 256
"""How many lines are read between two reports of progress."""


class _RawFile(AbstractContextManager["_RawFile"]):
    """The lines of a plain or gzipped file. `fault` says afterwards why reading ended early."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.open("rb")
        unpacked = gzip.GzipFile(fileobj=self._bytes) if path.suffix == ".gz" else self._bytes
        # Invalid UTF-8 becomes surrogates, which the JSON decoder refuses: one line is lost.
        self._lines = io.TextIOWrapper(unpacked, encoding="utf-8", errors="surrogateescape")
        self.size = os.fstat(self._bytes.fileno()).st_size
        self.fault: str | None = None

    def lines(self, progress: Callable[[int, int], None]) -> Iterator[str]:
        """Yield each line; call `progress` now and then with the bytes read and the file's size."""
        number = 0
        try:
            while line := self._lines.readline(MAX_LINE):
                end = line
                while not end.endswith("\n") and len(end) == MAX_LINE:
                    end = self._lines.readline(MAX_LINE)
                yield line
                number += 1
                if number % _PROGRESS_LINES == 0:
                    progress(self._bytes.raw.tell(), self.size)
        except (OSError, EOFError, zlib.error) as error:
            self.fault = str(error)

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._bytes.close()


@click.command()
@click.argument("venue_name", metavar="VENUE")
@click.argument("path", metavar="RAW.jsonl[.gz]", type=click.Path(path_type=Path, readable=False))
def decode(venue_name: str, path: Path) -> None:
    """Print the market events in the raw lines of a recording as JSON lines.

    Each piece of invalid input is reported on one line of standard error; decoding goes on.
    Exit code 2: VENUE is unknown, or the file cannot be read.
    """
    try:
        known = venue(venue_name, place="argument VENUE")
        raw = _RawFile(path)
    except (SettingsError, OSError) as error:
        fail("decode", error)
    # No bar if the events themselves go to the terminal.
    with raw, Bar("decoding", "bytes", SystemClock(), hide=sys.stdout.isatty()) as bar:
        try:
            _print_events(known, raw, bar)
        except BrokenPipeError:
            discard_stdout()
            return
    if raw.fault is not None:
        say("decode", f"{path}: reading ended early: {raw.fault} (the lines before were decoded)")
        raise SystemExit(2)


def _print_events(known: Venue, raw: _RawFile, bar: Bar) -> None:
    out = sys.stdout.buffer
    encode = msgspec.json.Encoder().encode
    for event in decode_lines(known, raw.lines(bar.at)):
        if isinstance(event, InvalidInput):
            bar.clear()
            click.echo(event.what, err=True)
        else:
            out.write(encode(event) + b"\n")
    out.flush()
