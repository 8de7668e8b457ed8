"""`perps-actors decode`: a recording's raw lines to market events on standard output."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import click
import msgspec

from perps_actors.cli.pipe import let_go_of_stdout
from perps_actors.cli.progress import Bar
from perps_actors.cli.refusal import refuse, say
from perps_actors.errors import SettingsError
from perps_actors.kernel.clock import SystemClock
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.decode import decode as decode_lines
from perps_actors.venues.registry import Venue, venue

MAX_LINE = 32 * 1024 * 1024
"""Characters of a line; what is longer is cut, and complained of as no JSON."""
_TOLD_EVERY = 256
"""ConnectionPool between two looks at how far the file was read."""


class _Raw:
    """The lines of a file, packed or not, as far as it can be read; `fault` says afterwards why no further."""

    def __init__(self, path: Path) -> None:
        self._bytes = path.open("rb")
        # Bytes that are no UTF-8 become surrogates, which no JSON decoder takes: a complaint for that line alone.
        self._lines = io.TextIOWrapper(
            self._unpacked(path), encoding="utf-8", errors="surrogateescape"
        )
        self.size = os.fstat(self._bytes.fileno()).st_size
        self.fault: str | None = None

    def _unpacked(self, path: Path) -> io.BufferedReader | gzip.GzipFile:
        if path.suffix != ".gz":
            return self._bytes
        if self._bytes.peek(2)[:2] not in (b"\x1f\x8b", b""):
            self._bytes.close()
            msg = f"{path}: not a gzip file"
            raise gzip.BadGzipFile(msg)
        return gzip.GzipFile(fileobj=self._bytes)

    def lines(self, tell: Callable[[int, int], None]) -> Iterator[str]:
        """Yield each line; tell now and then how many bytes of the file were read, of how many."""
        number = 0
        try:
            while line := self._lines.readline(MAX_LINE):
                end = line
                while not end.endswith("\n") and len(end) == MAX_LINE:
                    end = self._lines.readline(MAX_LINE)
                yield line
                number += 1
                if number % _TOLD_EVERY == 0:
                    tell(self._bytes.raw.tell(), self.size)
        except (OSError, EOFError, zlib.error) as error:
            self.fault = str(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._bytes.close()


@click.command()
@click.argument("venue_name", metavar="VENUE")
@click.argument("path", metavar="RAW.jsonl[.gz]", type=click.Path(path_type=Path, readable=False))
def decode(venue_name: str, path: Path) -> None:
    """Print the market events in the raw lines of a recording as JSON lines.

    Bad input is one line on standard error each and ends nothing. Exit code 2: VENUE or RAW cannot be used.
    """
    try:
        known = venue(venue_name, place="argument VENUE")
        raw = _Raw(path)
    except (SettingsError, OSError) as error:
        refuse("decode", error)
    # Where the events themselves come by on the terminal, they are the progress.
    with raw, Bar("decoding", "bytes", SystemClock(), hide=sys.stdout.isatty()) as bar:
        try:
            _print_events(known, raw, bar)
        except BrokenPipeError:
            let_go_of_stdout()
            return
    if raw.fault is not None:
        say("decode", f"{path}: cannot be read on: {raw.fault} (what came before it was decoded)")
        raise SystemExit(2)


def _print_events(known: Venue, raw: _Raw, bar: Bar) -> None:
    out = sys.stdout.buffer
    encode = msgspec.json.Encoder().encode
    for event in decode_lines(known, raw.lines(bar.at)):
        if isinstance(event, InvalidInput):
            bar.clear()
            click.echo(event.what, err=True)
        else:
            out.write(encode(event) + b"\n")
    out.flush()
