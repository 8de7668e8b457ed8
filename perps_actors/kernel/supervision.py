"""The messages of a supervisor. All of them are control messages.

A host sends commands, each with the future on which it waits. The cells of the children report what
happens to them. The supervisor sends itself reminders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from perps_actors.kernel.address import Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.children import Child
from perps_actors.kernel.lifecycle import DeadLetter


@attrs.frozen
class StartChildren:
    """Start all children, each once the one before it is up.

    `done` gets None, or `StartFailed` after the children that were up have stopped.
    """

    control = True
    done: Answer


@attrs.frozen(kw_only=True)
class StopChildren:
    """Stop all children in reverse order within the deadline; `done` gets a `StopReport`.

    Repeated, it gets the same report; the earlier deadline holds, and an order to stop overrides
    one to drain.
    """

    control = True
    drain: bool
    """Handle what waits first; else go ahead of it and report it as left."""
    deadline_s: float
    done: Answer


@attrs.frozen
class AddChild:
    """Add a child, last in the order, and start it.

    `done` gets None once it is up, or `StartFailed`, and the child is forgotten.
    """

    control = True
    child: Child
    done: Answer


@attrs.frozen(kw_only=True)
class RemoveChild:
    """Stop one child and forget it. `done` gets the number of items it left.

    A child that has not stopped after `stop_s` seconds, or after the stop deadline of its own, is
    abandoned.
    """

    control = True
    name: str
    drain: bool
    done: Answer
    stop_s: float | None = None


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
    """The time to stop is over: abandon the children that have not stopped."""

    control = True


@attrs.frozen
class ChildOverdue:
    """A child has used up its own time to stop."""

    control = True
    name: str


class ChildObserver:
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
