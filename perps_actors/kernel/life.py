"""What others learn of an actor's life: its dispatcher, who watches it, and what becomes of a message that killed it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from perps_actors.kernel.cell import Cell


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that killed its actor, or was in the hands of one that was fenced. It is never delivered again."""

    actor: str
    generation: int
    message: Any
    error: BaseException
    items: int


class Watcher(Protocol):
    """Who is told of a cell's life; called on the dispatcher's thread, must not block."""

    def started(self, cell: Cell, generation: int) -> None:
        """`on_start` is done."""

    def died(
        self, cell: Cell, generation: int, error: BaseException, letter: DeadLetter | None
    ) -> None:
        """The incarnation ended by an error; the inbox waits for the next one."""

    def stopped(self, cell: Cell, generation: int, left: int, error: BaseException | None) -> None:
        """The incarnation ended as it was told to. `error`: what its `on_stop` raised, or that it hung."""


class TurnResult(Enum):
    """What became of a turn."""

    IDLE = "idle"
    MORE = "more"
    FENCED = "fenced"
    """The incarnation was replaced while it was in a handler; the thread that ran it must not touch anything any more."""
