"""A simulated runtime that harms its actors: they crash at any message, hang in handlers, get no time of their thread.

The actors' classes stay as they are. An incarnation that moves into a `HarmfulRuntime` is given a subclass of its own class, made
on the spot, that stands between the cell and the handlers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, cast

import attrs

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.cell import Cell, Incarnation
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.lease import enter
from perps_actors.kernel.lifecycle import START
from perps_actors.kernel.simulated import SimulatedRuntime

Moment = Literal["before", "within", "after", "hang_before", "hang_after"]
"""
`before`: the handler crashes before it did anything; `within`: when it takes up one item of a batch; `after`: when all is done;
`hang_before`, `hang_after`: it does not come back for a while, and then goes on as if nothing had been.
"""

LATE_S = 2.5
"""How long a handler goes on hanging once its actor was replaced."""


class InjectedCrash(Exception):
    """The error of a crash that a test asked for."""


@attrs.frozen
class Harm:
    """What is to befall the handling of one message."""

    moment: Moment
    item: int = 0
    """Which item of a batch, counted around its length, for `within`."""
    hang_s: float = 60.0
    """How long it hangs when nobody replaces it."""


def no_harm(actor: str, message: Any) -> Harm | None:  # noqa: ARG001 - as whoever does harm is called
    """Let the message be handled."""
    return None


class HarmedCell(Cell):
    """A cell whose incarnations can be harmed."""

    def install(self, actor: Incarnation) -> None:
        """Let an incarnation live here, with the harm between it and its messages."""
        actor.__class__ = _harmed(type(cast("Actor", actor)))
        super().install(actor)


class HarmfulRuntime(SimulatedRuntime):
    """Runs cells as `SimulatedRuntime` does and asks `harm` about each message before an actor handles it.

    Args:
        seed: of the order.
        harm: gets the actor's name and the message (`orders.START` for its `on_start`), and returns what is to befall it, or None.
        max_steps: as in `SimulatedRuntime`.
    """

    cell_class = HarmedCell

    def __init__(
        self,
        *,
        seed: int = 0,
        harm: Callable[[str, Any], Harm | None] = no_harm,
        max_steps: int = 1_000_000,
    ) -> None:
        super().__init__(seed=seed, max_steps=max_steps)
        self.harm = harm
        self._held: dict[str, object] = {}
        self._parked: dict[Cell, None] = {}
        self._hanging = False

    def harm_to(self, actor: str, message: Any) -> Harm | None:
        """Return what is to befall an actor at a message."""
        return self.harm(actor, message)

    def schedule(self, cell: Cell) -> None:
        """Have the cell run when the seed chooses it, once its thread has time."""
        if cell.group in self._held:
            self._parked[cell] = None
        else:
            super().schedule(cell)

    def abandon_thread_of(self, cell: Cell) -> None:
        """Give the cell's group a thread that has time."""
        super().abandon_thread_of(cell)
        self._release(cell.group, self._held.get(cell.group))

    def stall(self, group: str, seconds: float) -> None:
        """Give the thread of a group of cells no time for so long, as a slow disk or a busy machine does."""
        token = self._hold(group)
        self.at(seconds, lambda: self._release(group, token))

    def hang(self, cell: Cell, seconds: float) -> None:
        """Let the handler that runs hang: the others go on, until it was replaced or `seconds` have passed. One hangs at a time."""
        actor = cell.actor
        if self._hanging or actor is None:
            return
        self._hanging = True
        before, token = enter(None), self._hold(cell.group)
        try:
            until_ns = self.clock.monotonic_ns() + int(seconds * NS_PER_S)
            while self.clock.monotonic_ns() < until_ns and not actor.actor_inbox.void:
                self.advance(0.5)
            if actor.actor_inbox.void:
                self.advance(LATE_S)
        finally:
            self._hanging = False
            self._release(cell.group, token)
            enter(before)

    def _hold(self, group: str) -> object:
        if group in self._held:
            return None
        token = self._held[group] = object()
        for cell in [cell for cell in self._ready if cell.group == group]:
            del self._ready[cell]
            self._parked[cell] = None
        return token

    def _release(self, group: str, token: object) -> None:
        if token is None or self._held.get(group) is not token:
            return
        del self._held[group]
        for cell in [cell for cell in self._parked if cell.group == group]:
            del self._parked[cell]
            self.schedule(cell)


class _Harmed(Actor):
    """Stands between the cell and an actor's handlers."""

    _batch: Any = None
    _at = 0
    _harm: Harm | None = None

    def on_start(self) -> None:
        self._handle(START, super().on_start)

    def on_receive(self, message: Any) -> Any:
        if self._batch is not None:
            return super().on_receive(message)  # an item of an actor that has no `on_item`
        return self._handle(message, lambda: super(_Harmed, self).on_receive(message))

    def on_item(self, batch: Any, item: Any) -> None:
        if self._batch is None:
            self._batch, self._at = batch, 0
            self._before(batch)
        harm = self._harm
        if (
            harm is not None
            and harm.moment == "within"
            and self._at == harm.item % len(batch.items)
        ):
            self._harm = None
            raise _crash_at(self._at)
        self._at += 1
        super().on_item(batch, item)

    def on_batch_end(self, batch: Any) -> None:
        self._batch, harm, self._harm = None, self._harm, None
        super().on_batch_end(batch)
        self._after(harm)

    def _handle(self, message: Any, handle: Callable[[], Any]) -> Any:
        self._before(message)
        harm, self._harm = self._harm, None
        answer = handle()
        self._after(harm)
        return answer

    def _before(self, message: Any) -> None:
        runtime = cast("HarmfulRuntime", self.cell.runtime)
        harm = runtime.harm_to(self.cell.name, message)
        if harm is None:
            return
        if harm.moment == "before":
            raise InjectedCrash(harm.moment)
        if harm.moment == "hang_before":
            runtime.hang(self.cell, harm.hang_s)
        else:
            self._harm = harm

    def _after(self, harm: Harm | None) -> None:
        if harm is None:
            return
        if harm.moment == "hang_after":
            cast("HarmfulRuntime", self.cell.runtime).hang(self.cell, harm.hang_s)
        else:
            raise InjectedCrash(harm.moment)


def _crash_at(index: int) -> InjectedCrash:
    return InjectedCrash(f"within, item {index}")


@cache
def _harmed(cls: type[Actor]) -> type[Actor]:
    return type(cls.__name__, (_Harmed, cls), {})
