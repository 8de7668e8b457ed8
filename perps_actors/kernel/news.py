"""What a supervisor learns of its children's cells, and what it tells itself. All of it control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from perps_actors.kernel.cell import Cell
from perps_actors.kernel.life import DeadLetter


@attrs.frozen
class Started:
    """A child's `on_start` is done."""

    control = True
    name: str
    generation: int


@attrs.frozen
class Died:
    """A child's incarnation ended by an error, or could not be made."""

    control = True
    name: str
    generation: int
    error: BaseException
    letter: DeadLetter | None


@attrs.frozen
class Stopped:
    """A child's incarnation ended by an order, or by itself."""

    control = True
    name: str
    generation: int
    left: int
    error: BaseException | None


@attrs.frozen
class Revive:
    """A child's pause is over."""

    control = True
    name: str
    generation: int


@attrs.frozen
class Look:
    """Look for handlers that hang."""

    control = True


@attrs.frozen
class DeadlinePassed:
    """Whatever has not stopped by now is abandoned."""

    control = True


@attrs.frozen
class ChildOverdue:
    """A child has used up its own time to stop."""

    control = True
    name: str


class CellObserver:
    """Turns what a dispatcher sees of a cell into messages to the supervisor."""

    def __init__(self, tell: Callable[[Any], object]) -> None:
        self._tell = tell

    def started(self, cell: Cell, generation: int) -> None:
        """Tell that `on_start` is done."""
        self._tell(Started(cell.name, generation))

    def died(
        self, cell: Cell, generation: int, error: BaseException, letter: DeadLetter | None
    ) -> None:
        """Tell of a death."""
        self._tell(Died(cell.name, generation, error, letter))

    def stopped(self, cell: Cell, generation: int, left: int, error: BaseException | None) -> None:
        """Tell of an end."""
        self._tell(Stopped(cell.name, generation, left, error))
