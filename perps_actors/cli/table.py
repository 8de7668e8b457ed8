"""The live table: columns, lines of styled text that fit the terminal, and drawing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Self

import attrs
from rich.console import Console
from rich.live import Live
from rich.text import Text

from perps_actors.cli import wording
from perps_actors.cli.observer import Figures, Observer, Problem, Row, SystemFigures
from perps_actors.cli.output import bar_text
from perps_actors.cli.wording import cut, mebibytes, padded, printable, rate, width_of
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.market.feed_state import Health
from perps_actors.market.numbers import plain

GAP = 2
"""Blanks between columns."""
DRAWN_EVERY_NS = NS_PER_S // 4
PRINTED_EVERY_NS = 10 * NS_PER_S
"""How often the table is printed on a terminal that cannot redraw it (`TERM=dumb`)."""
MOST_PROBLEMS = 4
"""How many problems are shown, the worst first."""

Span = tuple[str, str]
"""Text and its style: only style names and the terminal's own colours, readable on any ground."""
StyledLine = tuple[Span, ...]

PLAIN, STRONG, ALARM = "", "bold", "bold red"
STYLE_OF = {
    Health.LIVE: "green",
    Health.QUIET: "cyan",
    Health.WAITING: "cyan",
    Health.ENDED: "cyan",
    Health.STALE: "magenta",
    Health.GAPPED: "magenta",
    Health.DOWN: ALARM,
    None: PLAIN,
}


@attrs.frozen(kw_only=True)
class Column:
    """One column of the table."""

    name: str
    text: Callable[[Row], str]
    least: int = 0
    """Minimal width, so that the column does not jump with its content."""
    most: int = 16
    """Maximal width while other columns need the room."""
    right: bool = True
    """Whether it is aligned on the right, as numbers are."""
    rank: int = 0
    """Columns of the highest rank are left out first; those of rank 0 never."""
    shrinks_to: int | None = None
    """Width to which a column of rank 0 is cut when not even those fit; None: never cut."""


def price(value: Decimal | None, places: int | None) -> str:
    """Return a price with `places` decimals, or with its own if None."""
    if value is None:
        return wording.UNKNOWN
    return plain(value) if places is None else f"{value:.{places}f}"


VENUE = Column(
    name="venue", text=lambda row: printable(row.venue), most=15, right=False, shrinks_to=6
)
"""Shown if the system has several venues; wider than `most` where there is room."""
COLUMNS = (
    # The settings allow symbols of at most 40 characters.
    Column(
        name="symbol", text=lambda row: printable(row.symbol), most=40, right=False, shrinks_to=8
    ),
    Column(name="mark", text=lambda row: price(row.mark, row.places), least=9),
    Column(name="bid", text=lambda row: price(row.bid, row.places), least=9, rank=6),
    Column(name="ask", text=lambda row: price(row.ask, row.places), least=9, rank=6),
    Column(name="source", text=lambda row: row.source or wording.UNKNOWN, right=False, rank=2),
    Column(name="age", text=lambda row: wording.age(row.age_ns), least=5),
    Column(name="venue mark", text=lambda row: price(row.venue_mark, row.places), rank=4),
    Column(name="bp", text=lambda row: wording.basis_points(row.spread_bp), least=5, rank=3),
    Column(name="window", text=lambda row: f"{row.held}/{row.length}", rank=5),
    Column(name="marks/s", text=lambda row: rate(row.marks_per_s), rank=1),
    Column(
        name="health",
        text=lambda row: wording.UNKNOWN if row.health is None else row.health.value,
        least=7,
        right=False,
    ),
)
"""From left to right. `bp`: the spread of the book in basis points of its mid."""

Fitted = tuple[tuple[Column, int], ...]
"""Columns with their widths."""


class Layout:
    """Fits the columns to a terminal. A column never gets narrower again, so that nothing jumps."""

    def __init__(self, columns: Sequence[Column] = COLUMNS) -> None:
        self._columns = columns
        self._widths: dict[str, int] = {}
        self._needed: dict[str, int] = {}

    def fit(self, rows: Sequence[Row], width: int, *, with_venue: bool = False) -> Fitted:
        """Return the columns that fit into `width`; those of rank 0 even if they do not."""
        columns = [*([VENUE] if with_venue else []), *self._columns]
        for column in columns:
            name = column.name
            needed = max((width_of(column.text(row)) for row in rows), default=0)
            self._needed[name] = max(needed, self._needed.get(name, 0))
            self._widths[name] = max(len(name), column.least, min(self._needed[name], column.most))
        widths = {column.name: self._widths[column.name] for column in columns}

        def excess() -> int:
            return sum(widths[each.name] + GAP for each in columns) - GAP - width

        for rank in sorted({column.rank for column in columns} - {0}, reverse=True):
            if excess() <= 0:
                break
            columns = [column for column in columns if column.rank != rank]
        for column in columns:
            if column.shrinks_to is not None and excess() > 0:
                least = min(column.shrinks_to, widths[column.name])
                widths[column.name] = max(least, widths[column.name] - excess())
        if with_venue and excess() < 0:
            whole = max(widths["venue"], self._needed["venue"])
            widths["venue"] = min(widths["venue"] - excess(), whole)
        return tuple((column, widths[column.name]) for column in columns)


def table_lines(
    figures: Figures, layout: Layout, width: int, height: int
) -> tuple[StyledLine, ...]:
    """Return the table: at most `height` lines of at most `width` columns."""
    head = _title(figures.system, width)
    problems = _problems(figures.problems, width)
    below = [(), *problems, *([()] if problems else []), *_foot(figures.system, width)]
    room = height - len(head) - len(("blank line", "column names")) - len(below)
    if len(figures.rows) > room or figures.hidden:
        room = max(room - 1, 1)
    rows, hidden = figures.rows[:room], Counter(dict(figures.hidden))
    hidden.update(
        "unknown" if row.health is None else row.health.value for row in figures.rows[room:]
    )
    venues = {venue for venue, _ in figures.system.markets}
    fitted = layout.fit(rows, width, with_venue=len(venues) > 1)
    lines = [*head, (), _names(fitted, width), *(_row(row, fitted, width) for row in rows)]
    if hidden:
        states = ", ".join(f"{count} {state}" for state, count in hidden.most_common())
        lines.append(((cut(f"and {hidden.total()} more: {states}", width), PLAIN),))
    # The foot matters least, so it is cut off on a terminal with too few lines.
    return tuple([*lines, *below][:height])


def _title(system: SystemFigures, width: int) -> list[StyledLine]:
    name = ", ".join(dict.fromkeys(f"{venue} ({kind})" for venue, kind in system.markets))
    about = f"  running {wording.running_time(system.running_ns)}  Ctrl-C stops"
    lines: list[StyledLine] = [
        ((cut(name, width), STRONG), (cut(about, max(0, width - width_of(name))), PLAIN))
    ]
    if system.frames is not None:
        lines.append(((bar_text("recording", *system.frames, "frames", width), PLAIN),))
    return lines


def _names(fitted: Fitted, width: int) -> StyledLine:
    names = (padded(column.name, size, right=column.right) for column, size in fitted)
    return ((cut((" " * GAP).join(names).rstrip(), width), STRONG),)


def _row(row: Row, fitted: Fitted, width: int) -> StyledLine:
    spans: list[Span] = []
    left = width
    for column, size in fitted:
        text = cut(
            " " * (GAP if spans else 0) + padded(column.text(row), size, right=column.right), left
        )
        left -= width_of(text)
        spans.append((text, STYLE_OF[row.health] if column.name == "health" else PLAIN))
    return tuple(spans)


def _problems(problems: Sequence[Problem], width: int) -> list[StyledLine]:
    lines: list[StyledLine] = []
    for problem in problems[:MOST_PROBLEMS]:
        text, state = cut(str(problem), width), len(problem.health.value)
        lines.append(((text[:state], STYLE_OF[problem.health]), (text[state:], PLAIN)))
    return lines


def _foot(system: SystemFigures, width: int) -> list[StyledLine]:
    oldest = f" ({wording.age(system.oldest_age_ns)})" if system.queued else ""
    state = "ok" if system.journal_kept else "not kept"
    parts = (
        f"queued {system.queued:,}{oldest}",
        f"restarts {system.restarts}",
        f"dropped {system.dropped:,}",
        f"journal {rate(system.events_per_s)}/s {'FAILING' if system.journal_error else state}",
        f"queue limit {mebibytes(system.queue_limit_bytes)}",
    )
    lines: list[StyledLine] = [((text, PLAIN),) for text in wording.folded(parts, width)]
    if system.journal_error is not None:
        lines.append(((cut(f"journal: {printable(system.journal_error)}", width), ALARM),))
    return lines


class LiveTable:
    """Shows a running system while the context is open, on the terminal's alternate screen."""

    def __init__(self, observer: Observer, clock: Clock, console: Console) -> None:
        self._observer = observer
        self._clock = clock
        self._console = console
        self._layout = Layout()
        self._stack = ExitStack()
        self._live: Live | None = None
        self._due_ns = clock.monotonic_ns()

    def refresh(self) -> None:
        """Show the present state if a redraw is due: at most four times a second."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._due_ns:
            return
        if self._live is None:
            self._due_ns = now_ns + PRINTED_EVERY_NS
            self._console.print(self.drawn(), soft_wrap=True)
        else:
            self._due_ns = now_ns + DRAWN_EVERY_NS
            self._live.update(self.drawn(), refresh=True)

    def drawn(self) -> Text:
        """Return the table for the console's present size."""
        width, height = self._console.size
        lines = table_lines(self._observer.look(height), self._layout, width, height)
        return Text("\n", no_wrap=True, overflow="crop").join(
            Text.assemble(*line) for line in lines
        )

    def __enter__(self) -> Self:
        if not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._stack.enter_context(self._live)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
