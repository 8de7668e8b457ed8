"""The columns of the live table: what stands in them, how wide they are, which of them a narrow terminal has room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs

from perps_actors.cli import wording
from perps_actors.cli.figures import Row
from perps_actors.market.numbers import plain

GAP = 2
"""Blanks between columns."""


@attrs.frozen(kw_only=True)
class Column:
    """One column."""

    name: str
    text: Callable[[Row], str]
    least: int = 0
    """Its width at least, so that it does not jump with what stands in it."""
    most: int = 16
    right: bool = True
    """Whether it is aligned on the right, as numbers are."""
    rank: int = 0
    """The higher, the sooner it is left out; 0: never."""


def price(value: Decimal | None, places: int | None) -> str:
    """Return a price with so many decimals, None: with those that it has."""
    if value is None:
        return wording.UNKNOWN
    return plain(value) if places is None else f"{value:.{places}f}"


COLUMNS = (
    Column(name="symbol", text=lambda row: wording.printable(row.symbol), right=False),
    Column(name="mark", text=lambda row: price(row.mark, row.places), least=9),
    Column(name="source", text=lambda row: row.source or wording.UNKNOWN, right=False, rank=3),
    Column(name="age", text=lambda row: wording.age(row.age_ns), least=5),
    Column(name="venue mark", text=lambda row: price(row.venue_mark, row.places), rank=5),
    Column(name="bp", text=lambda row: wording.basis_points(row.spread_bp), least=5, rank=4),
    Column(name="window", text=lambda row: f"{row.held}/{row.length}", rank=6),
    Column(name="marks/s", text=lambda row: wording.rate(row.marks_per_s), rank=2),
    Column(
        name="health",
        text=lambda row: wording.UNKNOWN if row.health is None else row.health.value,
        least=7,
        right=False,
    ),
)
"""All of them, from left to right. `bp`: the spread in basis points of the mid."""


class Layout:
    """Fits the columns to a terminal. A column that had to be wide once stays so: what is looked at does not jump."""

    def __init__(self, columns: Sequence[Column] = COLUMNS) -> None:
        self._columns = columns
        self._widths = {column.name: max(len(column.name), column.least) for column in columns}

    def fit(self, rows: Sequence[Row], width: int) -> tuple[tuple[Column, int], ...]:
        """Return the columns that fit into `width`, with the width of each; those of rank 0 also where they do not."""
        for column in self._columns:
            needed = max((wording.width_of(column.text(row)) for row in rows), default=0)
            self._widths[column.name] = max(self._widths[column.name], min(needed, column.most))
        kept = list(self._columns)
        for column in sorted(self._columns, key=lambda column: -column.rank):
            if (
                column.rank == 0
                or sum(self._widths[each.name] + GAP for each in kept) - GAP <= width
            ):
                break
            kept.remove(column)
        return tuple((column, self._widths[column.name]) for column in kept)
