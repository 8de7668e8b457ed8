"""The summary of a run as lines of text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from perps_actors.cli.observer import Problem, names_of, problems_of
from perps_actors.cli.wording import UNKNOWN, mebibytes, padded, printable, running_time, width_of
from perps_actors.host.readings import SystemReport
from perps_actors.host.session import key_of
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.statistics import MemoryCeiling
from perps_actors.messages.records import JournalStatus

_HEAD = ("symbol", "last mark", "source", "marks", "window", "health")
_LEFT = frozenset({"symbol", "source", "health"})
_INDENT = 10


@attrs.frozen(kw_only=True)
class Ending:
    """Facts about a finished run that the JSON summary does not hold."""

    running_ns: int
    journal_path: str | None
    sources: Mapping[str, str]
    """Source of the last mark, by the keys of the summary's `symbols`."""
    problems: tuple[Problem, ...]
    ceiling: MemoryCeiling
    report: SystemReport

    @classmethod
    def of(cls, system: PerpsSystem, report: SystemReport, running_ns: int) -> Ending:
        """Return the facts about a stopped system."""
        names = names_of(system.instruments)
        return cls(
            running_ns=running_ns,
            journal_path=system.settings.journal.path,
            sources={
                key_of(system, each): mark.source
                for each in names
                if (mark := system.mark(each)) is not None
            },
            problems=problems_of({name: system.health(each) for each, name in names.items()}),
            ceiling=system.memory_ceiling(),
            report=report,
        )


def summary_lines(summary: Mapping[str, Any], ending: Ending) -> list[str]:
    """Return the summary as lines: a table of the symbols, then one line per fact."""
    symbols = summary["symbols"]
    rows = [_row(symbol, row, ending) for symbol, row in symbols.items()]
    count = f"{len(symbols)} symbol{'s' if len(symbols) != 1 else ''}"
    facts = (
        (
            "marks",
            f"{summary['marks_total']:,} for {count} on {summary['venue'].replace(',', ', ')}",
        ),
        ("ran", running_time(ending.running_ns)),
        ("journal", _journal(summary, ending)),
        *(
            [("read", f"perps-actors events {shlex.quote(ending.journal_path)}")]
            if ending.journal_path is not None
            else []
        ),
        ("dropped", f"{summary['events_dropped']:,}"),
        ("restarts", f"{summary['restarts']:,}"),
        (
            "memory",
            f"limit for queued messages {mebibytes(ending.ceiling.total)} (not memory in use)",
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
        *map(str, ending.problems),
        "",
        *(f"{name:<{_INDENT}}{what}" for name, what in facts),
    ]


def flaws(report: SystemReport) -> list[str]:
    """Return why a stop was not clean; empty if it was."""
    actors = report.actors
    found = [f"{name} left {count:,} messages unhandled" for name, count in actors.left]
    found += [f"{name} did not end in time" for name in actors.abandoned]
    found += [f"{name} crashed too often and was not restarted" for name in actors.given_up]
    if actors.dead_letters:
        found.append(f"{actors.dead_letters:,} dead letters (messages that crashed their actor)")
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
        return f"{events} counted, not kept (--journal FILE keeps them)"
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
