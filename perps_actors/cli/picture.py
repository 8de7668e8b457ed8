"""The live table as lines of styled text, fitted to a terminal: plain values, nothing of how they reach it."""

from __future__ import annotations

from collections import Counter

from perps_actors.cli.columns import GAP, Column, Layout
from perps_actors.cli.figures import Ailment, Figures, Row, Whole
from perps_actors.cli.progress import bar_text
from perps_actors.cli.wording import (
    age,
    cut,
    folded,
    mebibytes,
    padded,
    printable,
    rate,
    running_time,
    width_of,
)
from perps_actors.market.feed_state import Health

Span = tuple[str, str]
"""Text and its style; names of styles and of the terminal's own colours only, so that they show on light and on dark."""
Line = tuple[Span, ...]

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
MOST_AILMENTS = 4
"""Causes that are told; the worst come first."""


def picture(figures: Figures, layout: Layout, width: int, height: int) -> tuple[Line, ...]:
    """Return the picture for a terminal of that size: at most `height` lines of at most `width` columns."""
    head, ailments, foot = (
        _title(figures.whole, width),
        _ailments(figures.ailments, width),
        _foot(figures.whole, width),
    )
    below = [(), *ailments, *([()] if ailments else []), *foot]
    room = height - len(head) - len(("blank", "names")) - len(below)
    if len(figures.rows) > room or figures.hidden:
        room = max(room - 1, 1)
    rows, hidden = figures.rows[:room], Counter(dict(figures.hidden))
    hidden.update(
        "unknown" if row.health is None else row.health.value for row in figures.rows[room:]
    )
    fitted = layout.fit(rows, width)
    lines = [*head, (), _names(fitted, width), *(_row(row, fitted, width) for row in rows)]
    if hidden:
        states = ", ".join(f"{count} {state}" for state, count in hidden.most_common())
        lines.append(((cut(f"and {hidden.total()} more: {states}", width), PLAIN),))
    # In a terminal that is too low for it all, the foot is what matters least.
    return tuple([*lines, *below][:height])


def _title(whole: Whole, width: int) -> list[Line]:
    name = f"{whole.venue} ({whole.provenance})"
    about = f"  running {running_time(whole.running_ns)}  Ctrl-C stops"
    lines: list[Line] = [
        ((cut(name, width), STRONG), (cut(about, max(0, width - width_of(name))), PLAIN))
    ]
    if whole.frames is not None:
        lines.append(((bar_text("recording", *whole.frames, "frames", width), PLAIN),))
    return lines


def _names(fitted: tuple[tuple[Column, int], ...], width: int) -> Line:
    names = (padded(column.name, size, right=column.right) for column, size in fitted)
    return ((cut((" " * GAP).join(names).rstrip(), width), STRONG),)


def _row(row: Row, fitted: tuple[tuple[Column, int], ...], width: int) -> Line:
    spans: list[Span] = []
    left = width
    for column, size in fitted:
        text = cut(
            " " * (GAP if spans else 0) + padded(column.text(row), size, right=column.right), left
        )
        left -= width_of(text)
        spans.append((text, STYLE_OF[row.health] if column.name == "health" else PLAIN))
    return tuple(spans)


def _ailments(ailments: tuple[Ailment, ...], width: int) -> list[Line]:
    lines: list[Line] = []
    for ailment in ailments[:MOST_AILMENTS]:
        text, state = cut(str(ailment), width), len(ailment.health.value)
        lines.append(((text[:state], STYLE_OF[ailment.health]), (text[state:], PLAIN)))
    return lines


def _foot(whole: Whole, width: int) -> list[Line]:
    waiting = f"inbox {whole.waiting:,}" + (
        f" ({age(whole.oldest_age_ns)})" if whole.waiting else ""
    )
    state = "ok" if whole.kept else "not kept"
    calm = (
        waiting,
        f"restarts {whole.restarts}",
        f"drops {whole.dropped:,}",
        f"journal {rate(whole.events_per_s)}/s {state if whole.failing is None else 'FAILING'}",
        f"ceiling {mebibytes(whole.ceiling_bytes)}",
    )
    lines: list[Line] = [((text, PLAIN),) for text in folded(calm, width)]
    if whole.failing is not None:
        lines.append(((cut(f"journal: {printable(whole.failing)}", width), ALARM),))
    return lines
