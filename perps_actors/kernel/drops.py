"""The ledger of drops: what inboxes lost since it was last asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from perps_actors.kernel.inbox import Inbox


class Watched(Protocol):
    """Whoever has an inbox and a name: a cell, or the stream of an asyncio host."""

    @property
    def name(self) -> str:
        """What its drops are told under."""

    @property
    def inbox(self) -> Inbox:
        """What is watched."""


class DropLedger:
    """Reads the drop counters of inboxes. One reader; it outlives that reader's incarnations, so that no drop goes untold."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._cells: tuple[Watched, ...] = ()
        self._past: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    def watch(self, cells: Iterable[Watched]) -> None:
        """Watch these cells too."""
        with self._lock:
            self._cells = (*self._cells, *cells)

    def forget(self, cell: Watched) -> None:
        """Watch a closed cell no more; what it dropped stays counted."""
        with self._lock:
            self._past.update(_dropped((cell,)))
            self._cells = tuple(other for other in self._cells if other is not cell)

    def total(self) -> int:
        """Return all items ever dropped."""
        return self._all().total()

    def fresh(self) -> dict[str, int]:
        """Return the items dropped since the last call, by the cell's name; cells that dropped none are absent."""
        dropped = self._all()
        fresh, self._told = dropped - self._told, dropped
        return dict(fresh)

    def _all(self) -> Counter[str]:
        with self._lock:
            return self._past + _dropped(self._cells)


def _dropped(cells: Iterable[Watched]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for cell in cells:
        counts[cell.name] += cell.inbox.statistics().dropped
    # Those that dropped nothing leave no trace.
    return +counts
