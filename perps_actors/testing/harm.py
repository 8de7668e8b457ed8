"""A simulated runtime that injects faults into actors: crashes, hangs, stalled threads.

The actors' classes stay unchanged. The runtime gives each incarnation a subclass of its own class,
which stands between the cell and the handlers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, cast

import attrs

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.lease import enter
from perps_actors.kernel.lifecycle import START, Incarnation
from perps_actors.kernel.simulated import SimulatedRuntime

Moment = Literal["before", "within", "after", "hang_before", "hang_after"]
"""
`before`: the handler crashes before it starts; `within`: at one item of a batch; `after`: when it
is done; `hang_before`, `hang_after`: it hangs for a while and then continues.
"""

LATE_S = 2.5
"""Seconds for which a handler still hangs after its actor was replaced."""


class InjectedCrash(Exception):
    """An injected crash."""


@attrs.frozen
class Harm:
    """A fault in the handling of one message."""

    moment: Moment
    item: int = 0
    """Index of the item for `within`, modulo the length of the batch."""
    hang_s: float = 60.0
    """Longest hang, if the actor is not replaced before."""


def no_harm(actor: str, message: Any) -> Harm | None:  # noqa: ARG001 - signature of `harm`
    """Inject no fault."""
    return None


class HarmedCell(Cell):
    """A cell with faults injected between it and its incarnations."""

    def install(self, actor: Incarnation) -> None:
        """Install an incarnation with faults between it and its messages."""
        actor.__class__ = _harmed(type(cast("Actor", actor)))
        super().install(actor)


class HarmfulRuntime(SimulatedRuntime):
    """A `SimulatedRuntime` that asks `harm` before each message for a fault to inject.

    Args:
        seed: seed of the order.
        harm: called with an actor's name and a message (`lifecycle.START` for `on_start`); returns
            the fault to inject, or None.
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
        """Return the fault to inject into an actor at a message."""
        return self.harm(actor, message)

    def schedule(self, cell: Cell) -> None:
        """Run the cell when the seed chooses it, unless its thread is stalled."""
        if cell.group in self._held:
            self._parked[cell] = None
        else:
            super().schedule(cell)

    def abandon_thread_of(self, cell: Cell) -> None:
        """Give the cell's group a new thread, which is not stalled."""
        super().abandon_thread_of(cell)
        self._release(cell.group, self._held.get(cell.group))

    def stall(self, group: str, seconds: float) -> None:
        """Stall the thread of a group of cells, as a slow disk or a busy machine does."""
        token = self._hold(group)
        self.at(seconds, lambda: self._release(group, token))

    def hang(self, cell: Cell, seconds: float) -> None:
        """Let the running handler hang until its actor is replaced or `seconds` have passed.

        Other groups continue meanwhile. One handler hangs at a time.
        """
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
    """Injects faults between the cell and an actor's handlers.

    Its names are mangled, because they must not meet those of the actor's class.
    """

    __batch: Any = None
    __at = 0
    __harm: Harm | None = None

    def on_start(self) -> None:
        self.__handle(START, super().on_start)

    def on_receive(self, message: Any) -> Any:
        if self.__batch is not None:
            return super().on_receive(message)  # an item of an actor that has no `on_item`
        return self.__handle(message, lambda: super(_Harmed, self).on_receive(message))

    def on_item(self, batch: Any, item: Any) -> None:
        if self.__batch is None:
            self.__batch, self.__at = batch, 0
            self.__before(batch)
        harm = self.__harm
        if (
            harm is not None
            and harm.moment == "within"
            and self.__at == harm.item % len(batch.items)
        ):
            self.__harm = None
            msg = f"within, item {self.__at}"
            raise InjectedCrash(msg)
        self.__at += 1
        super().on_item(batch, item)

    def on_batch_end(self, batch: Any) -> None:
        self.__batch, harm, self.__harm = None, self.__harm, None
        super().on_batch_end(batch)
        self.__after(harm)

    def __handle(self, message: Any, handle: Callable[[], Any]) -> Any:
        self.__before(message)
        harm, self.__harm = self.__harm, None
        answer = handle()
        self.__after(harm)
        return answer

    def __before(self, message: Any) -> None:
        runtime = cast("HarmfulRuntime", self.cell.runtime)
        harm = runtime.harm_to(self.cell.name, message)
        if harm is None:
            return
        if harm.moment == "before":
            raise InjectedCrash(harm.moment)
        if harm.moment == "hang_before":
            runtime.hang(self.cell, harm.hang_s)
        else:
            self.__harm = harm

    def __after(self, harm: Harm | None) -> None:
        if harm is None:
            return
        if harm.moment == "hang_after":
            cast("HarmfulRuntime", self.cell.runtime).hang(self.cell, harm.hang_s)
        else:
            raise InjectedCrash(harm.moment)


@cache
def _harmed(cls: type[Actor]) -> type[Actor]:
    return type(cls.__name__, (_Harmed, cls), {})
