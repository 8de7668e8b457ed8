"""`perps-actors decode`: a recording's raw lines to market events on standard output."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
import msgspec

from perps_actors.cli.pipe import let_go_of_stdout
from perps_actors.errors import SettingsError
from perps_actors.venues.contract import Complaint
from perps_actors.venues.decode import decode as decode_lines
from perps_actors.venues.registry import Venue, venue

MAX_LINE = 32 * 1024 * 1024
"""Characters of a line; what is longer is cut, and complained of as no JSON."""


class _Lines:
    """The lines of a file as far as it can be read; `fault` says afterwards why no further."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.fault: str | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            while line := self._file.readline(MAX_LINE):
                end = line
                while not end.endswith("\n") and len(end) == MAX_LINE:
                    end = self._file.readline(MAX_LINE)
                yield line
        except (OSError, EOFError, zlib.error) as error:
            self.fault = str(error)


@click.command()
@click.argument("venue_name", metavar="VENUE")
@click.argument("raw", metavar="RAW.jsonl[.gz]", type=click.Path(path_type=Path))
def decode(venue_name: str, raw: Path) -> None:
    """Print the market events in the raw lines of a recording as JSON lines.

    Bad input is one line on standard error each and ends nothing. Exit code 2: VENUE or RAW cannot be used.
    """
    try:
        known = venue(venue_name, place="argument VENUE")
        file = _open(raw)
    except (SettingsError, OSError) as error:
        _refuse(str(error))
    with file:
        lines = _Lines(file)
        try:
            _print_events(known, lines)
        except BrokenPipeError:
            let_go_of_stdout()
            return
    if lines.fault is not None:
        _refuse(f"{raw}: cannot be read on: {lines.fault}")


def _open(raw: Path) -> IO[str]:
    # Bytes that are no UTF-8 become surrogates, which no JSON decoder takes: a complaint for that line alone.
    if raw.suffix != ".gz":
        return raw.open(encoding="utf-8", errors="surrogateescape")
    with raw.open("rb") as file:
        if file.read(2) not in (b"\x1f\x8b", b""):
            msg = f"{raw}: not a gzip file"
            raise gzip.BadGzipFile(msg)
    return io.TextIOWrapper(gzip.GzipFile(raw), encoding="utf-8", errors="surrogateescape")


def _print_events(known: Venue, lines: _Lines) -> None:
    out = sys.stdout.buffer
    encode = msgspec.json.Encoder().encode
    for event in decode_lines(known, lines):
        if isinstance(event, Complaint):
            click.echo(event.what, err=True)
        else:
            out.write(encode(event) + b"\n")
    out.flush()


def _refuse(why: str) -> None:
    click.echo(f"perps-actors decode: {why}", err=True)
    raise SystemExit(2)
