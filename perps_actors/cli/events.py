"""`perps-actors events`: what a journal holds, as lines on standard output."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Signal

import click

from perps_actors.cli.pipe import let_go_of_stdout
from perps_actors.cli.refusal import refuse
from perps_actors.errors import JournalError, SettingsError
from perps_actors.journal.event_text import json_line, parse_since, plain_line
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.messages.records import Event

POLL_S = 0.2
"""How long `--follow` waits before it looks again."""


@click.command()
@click.argument("journal", type=click.Path(path_type=Path, readable=False))
@click.option("--kind", metavar="K", help="Only events of this kind.")
@click.option("--symbol", metavar="S", help="Only events of this symbol, in the venue's spelling.")
@click.option(
    "--since",
    metavar="T",
    help="Only events received since: ISO 8601 (UTC if it does not say), or nanoseconds since 1970.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--follow", is_flag=True, help="Go on with new events as they come, until Ctrl-C.")
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
    """Print the events in JOURNAL, oldest first, also while it is written.

    Exit code 2: JOURNAL cannot be read, or T is no time.
    """
    line = json_line if as_json else plain_line
    after = 0
    try:
        since_ns = None if since is None else parse_since(since)
        with SqliteJournalReader(journal) as reader:
            while True:
                # Looked up before: with a filter, what was skipped need not be looked at again.
                end = reader.last_sequence() if follow else after
                printed = _print(reader.events(kind, symbol, since_ns, after), line)
                if not follow or _reader_gone():
                    return
                after = max(end, printed)
                Signal().wait(POLL_S)
    except (JournalError, SettingsError) as error:
        refuse("events", error)
    except BrokenPipeError:
        let_go_of_stdout()
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
    """Return whether nobody reads standard output any more, which a write would tell only when the next event comes."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
