"""The ledger of drops: what inboxes lost since it was last asked."""

from __future__ import annotations

from collections.abc import Iterable

from perps_actors.kernel.cell import Cell


class DropLedger:
    """Reads the drop counters of cells. One reader; it outlives that reader's incarnations, so that no drop goes untold."""

    def __init__(self) -> None:
        self._cells: tuple[Cell, ...] = ()
        self._told: dict[str, int] = {}

    def watch(self, cells: Iterable[Cell]) -> None:
        """Watch these cells."""
        self._cells = tuple(cells)

    def total(self) -> int:
        """Return all items ever dropped."""
        return sum(cell.inbox.statistics().dropped for cell in self._cells)

    def fresh(self) -> dict[str, int]:
        """Return the items dropped since the last call, by the cell's name; cells that dropped none are absent."""
        fresh: dict[str, int] = {}
        for cell in self._cells:
            dropped = cell.inbox.statistics().dropped
            lost = dropped - self._told.get(cell.name, 0)
            if lost:
                fresh[cell.name] = lost
                self._told[cell.name] = dropped
        return fresh
