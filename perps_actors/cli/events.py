"""`perps-actors events`: prints the events of a journal."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Signal

import click

from perps_actors.cli.output import discard_stdout, exit_on_sigterm, fail
from perps_actors.errors import JournalError, SettingsError
from perps_actors.journal.event_text import json_line, parse_since, plain_line
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.messages.records import Event

POLL_S = 0.2
"""Pause between two reads of `--follow`."""


@click.command()
@click.argument("journal", type=click.Path(path_type=Path, readable=False))
@click.option("--kind", metavar="K", help="Only events of this kind.")
@click.option(
    "--symbol",
    metavar="S",
    help="Only events of this symbol, in the venue's spelling; VENUE:S for one venue.",
)
@click.option(
    "--since",
    metavar="T",
    help="Only events received at or after T: ISO 8601 (UTC by default) or nanoseconds since 1970.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--follow", is_flag=True, help="Print new events as they arrive, until Ctrl-C.")
@click.pass_context
def events(
    context: click.Context,
    *,
    journal: Path,
    kind: str | None,
    symbol: str | None,
    since: str | None,
    as_json: bool,
    follow: bool,
) -> None:
    """Print the events in JOURNAL, oldest first. JOURNAL may be in use by a running system.

    Exit code 2: JOURNAL cannot be read, or T is not a time.
    """
    line = json_line if as_json else plain_line
    after = 0
    if follow:
        exit_on_sigterm()
    try:
        since_ns = None if since is None else parse_since(since)
        with SqliteJournalReader(journal) as reader:
            while True:
                # Read before the events: events that a filter skips need not be read again.
                end = reader.last_sequence() if follow else after
                printed = _print(reader.events(kind, symbol, since_ns, after), line)
                if not follow or _reader_gone():
                    return
                after = max(end, printed)
                Signal().wait(POLL_S)
    except (JournalError, SettingsError) as error:
        fail("events", error)
    except BrokenPipeError:
        discard_stdout()
    except KeyboardInterrupt:
        context.exit(130)


def _print(found: Iterator[tuple[int, Event]], line: Callable[[int, Event], str]) -> int:
    """Print each event; return the sequence number of the last one, 0 for none."""
    out = sys.stdout.buffer
    sequence = 0
    try:
        for sequence, event in found:
            out.write(f"{line(sequence, event)}\n".encode())
    finally:
        out.flush()
    return sequence


def _reader_gone() -> bool:
    """Return whether the reader of standard output is gone, without waiting for a write to fail."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
