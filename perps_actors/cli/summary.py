"""What a run came to, for people: lines of text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from perps_actors.cli.figures import Ailment, ailments_of
from perps_actors.cli.wording import UNKNOWN, mebibytes, padded, printable, running_time, width_of
from perps_actors.host.system import PerpsSystem, SystemReport
from perps_actors.kernel.ceiling import MemoryCeiling
from perps_actors.messages.records import JournalStatus

_HEAD = ("symbol", "last mark", "source", "marks", "window", "health")
_LEFT = frozenset({"symbol", "source", "health"})
_INDENT = 10


@attrs.frozen(kw_only=True)
class Ending:
    """What the lines need beside the summary's own numbers."""

    running_ns: int
    journal_path: str | None
    sources: Mapping[str, str]
    """Of the last mark, by symbol."""
    ailments: tuple[Ailment, ...]
    ceiling: MemoryCeiling
    report: SystemReport

    @classmethod
    def of(cls, system: PerpsSystem, report: SystemReport, running_ns: int) -> Ending:
        """Return how a system that was stopped has ended."""
        symbols = system.settings.symbols
        return cls(
            running_ns=running_ns,
            journal_path=system.settings.journal.path,
            sources={
                symbol: mark.source
                for symbol in symbols
                if (mark := system.mark(symbol)) is not None
            },
            ailments=ailments_of({symbol: system.health(symbol) for symbol in symbols}),
            ceiling=system.memory_ceiling(),
            report=report,
        )


def summary_lines(summary: Mapping[str, Any], ending: Ending) -> list[str]:
    """Return the summary as lines: a table of the symbols, then what became of everything."""
    symbols = summary["symbols"]
    rows = [_row(symbol, row, ending) for symbol, row in symbols.items()]
    facts = (
        (
            "marks",
            f"{summary['marks_total']:,} of {len(symbols)} symbol{'s' if len(symbols) != 1 else ''} on {summary['venue']}",
        ),
        ("ran", running_time(ending.running_ns)),
        ("journal", _journal(summary, ending)),
        *(
            [("look", f"perps-actors events {shlex.quote(ending.journal_path)}")]
            if ending.journal_path is not None
            else []
        ),
        ("drops", f"{summary['events_dropped']:,}"),
        ("restarts", f"{summary['restarts']:,}"),
        (
            "memory",
            f"what waits in inboxes could never take more than {mebibytes(ending.ceiling.total)}",
        ),
        (
            "stop",
            "clean"
            if summary["clean_stop"]
            else f"NOT clean: {'; '.join(flaws(ending.report)) or 'unknown why'}",
        ),
    )
    return [
        *_aligned([_HEAD, *rows]),
        *map(str, ending.ailments),
        "",
        *(f"{name:<{_INDENT}}{what}" for name, what in facts),
    ]


def flaws(report: SystemReport) -> list[str]:
    """Return why a stop was not clean; nothing for one that was."""
    actors = report.actors
    found = [f"{name} left {count:,} unhandled" for name, count in actors.left]
    found += [f"{name} did not end in time" for name in actors.abandoned]
    found += [f"{name} had died too often and was given up" for name in actors.given_up]
    if actors.dead_letters:
        found.append(f"{actors.dead_letters:,} dead letters (messages that killed their actor)")
    if report.threads_left:
        found.append(f"threads left: {', '.join(report.threads_left)}")
    if report.journal.failing is not None:
        found.append(f"the journal failed: {printable(report.journal.failing)}")
    return found


def _row(symbol: str, row: Mapping[str, Any], ending: Ending) -> tuple[str, ...]:
    last, health = row["last_mark"] or UNKNOWN, row["health"] or UNKNOWN
    return (
        printable(symbol),
        last,
        ending.sources.get(symbol, UNKNOWN),
        f"{row['marks']:,}",
        str(row["window"]),
        health,
    )


def _journal(summary: Mapping[str, Any], ending: Ending) -> str:
    journal: JournalStatus = ending.report.journal
    events = f"{summary['events_recorded']:,} events"
    if ending.journal_path is None:
        return f"{events} counted, none kept; --journal FILE keeps them"
    failing = "" if journal.failing is None else f"; FAILING: {printable(journal.failing)}"
    return f"{events} in {printable(ending.journal_path)}{failing}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(width_of(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            padded(cell, width, right=name not in _LEFT)
            for cell, width, name in zip(row, widths, _HEAD, strict=True)
        ).rstrip()
        for row in rows
    ]
