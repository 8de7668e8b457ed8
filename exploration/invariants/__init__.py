"""The invariants of every run. Each is a function that yields violations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from exploration.invariants.accounts import ACCOUNTS
from exploration.invariants.journal import JOURNAL
from exploration.invariants.life import LIFE
from exploration.invariants.marks import MARKS
from exploration.invariants.sources import SOURCES
from exploration.play import Run

Invariant = Callable[[Run], Iterable[str]]

INVARIANTS: tuple[Invariant, ...] = (*ACCOUNTS, *MARKS, *SOURCES, *JOURNAL, *LIFE)


@attrs.frozen
class Violation:
    """An invariant that a run broke."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


def violations(run: Run) -> list[Violation]:
    """Return the violations of a run, at most one per invariant."""
    found = ((invariant.__name__, next(iter(invariant(run)), None)) for invariant in INVARIANTS)
    return [Violation(name, what) for name, what in found if what is not None]
