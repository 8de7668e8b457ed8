"""A runtime that notes every message and its sender, without asking the actors.

The invariants are checked against these notes.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import attrs
from pykka._envelope import Envelope

from exploration.schedule import SOURCES
from perps_actors.kernel.address import Address
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import current_lease
from perps_actors.kernel.lifecycle import TurnResult
from perps_actors.kernel.messages import CONTROL, LIFECYCLE, traits_of, weight_of
from perps_actors.kernel.timers import Timer
from perps_actors.testing import Harm, HarmfulRuntime
from perps_actors.testing.harm import HarmedCell


class Turn(NamedTuple):
    """An actor handles a message."""

    number: int
    actor: str
    generation: int
    message: Any


class Put(NamedTuple):
    """A message was told to an actor."""

    turn: Turn | None
    """The turn in which it was told; None: the outside or the kernel told it."""
    to: str
    message: Any
    taken: bool
    at_ns: int


@attrs.define
class Notes:
    """The notes of a run."""

    puts: list[Put] = attrs.Factory(list)
    told: Counter[str] = attrs.Factory(Counter)
    """Items told, by receiver, without lifecycle messages and timers."""
    timers: Counter[str] = attrs.Factory(Counter)
    """Messages of timers that were handled, by actor."""
    handled: list[tuple[Turn, int]] = attrs.Factory(list)
    """Every message that was given to a handler, with the monotonic time."""
    ghosts: list[str] = attrs.Factory(list)
    """Messages of incarnations that had been replaced."""
    overtaken: list[str] = attrs.Factory(list)
    """Data messages that were handled while control messages waited."""
    outlasted: list[str] = attrs.Factory(list)
    """Actors that hung and were not replaced."""
    turn: Turn | None = None
    turns: int = 0
    of_the_dead: bool = False
    """Whether the message in hand comes from a timer of an earlier incarnation."""
    struck: dict[int, Harm] = attrs.Factory(dict)
    """The failure of a turn, by the turn's number."""
    control: Counter[str] = attrs.Factory(Counter)
    """Waiting control messages, by actor."""


class WatchedCell(HarmedCell):
    """A cell that notes its messages."""

    notes: Notes

    def step(self, actor: Any, entry: Any) -> TurnResult | None:
        """Note a message and handle it."""
        notes, before = self.notes, self.notes.turn
        message, timer = _opened(entry)
        notes.timers[self.name] += timer is not None
        notes.turns += 1
        notes.turn = Turn(notes.turns, self.name, self.generation, message)
        notes.handled.append((notes.turn, self.runtime.clock.monotonic_ns()))
        lease = None if timer is None else timer._lease  # noqa: SLF001
        notes.of_the_dead = lease not in (None, actor.actor_inbox)
        traits = traits_of(type(message))
        if traits & CONTROL and not traits & LIFECYCLE:
            notes.control[self.name] -= 1
        elif not traits & LIFECYCLE and notes.control[self.name]:
            notes.overtaken.append(
                f"{self.name} handled {type(message).__name__} while control waited"
            )
        try:
            return super().step(actor, entry)
        finally:
            notes.turn = before


def _opened(entry: Any) -> tuple[Any, Timer | None]:
    """Return the message of an entry, and the timer that sent it."""
    if not isinstance(entry, Envelope):
        return entry, None
    reply: object = entry.reply_to
    return entry.message, reply if isinstance(reply, Timer) else None


class WatchedRuntime(HarmfulRuntime):
    """Runs cells and notes the messages that they are told.

    Args:
        seed: seed of the order in which cells run.
        bound: items that inboxes of store, monitors and recorder hold; None: as composed.
    """

    cell_class = WatchedCell

    def __init__(self, *, seed: int, bound: int | None) -> None:
        super().__init__(seed=seed, max_steps=100_000)
        self.notes = Notes()
        self._bound = bound

    def harm_to(self, actor: str, message: Any) -> Harm | None:
        """Return and note the failure of a turn, and note a message of an earlier incarnation."""
        if self.notes.of_the_dead:
            self.notes.ghosts.append(
                f"{actor} handled {message!r} of a timer of an earlier incarnation"
            )
        harm = super().harm_to(actor, message)
        if harm is not None and self.notes.turn is not None:
            self.notes.struck[self.notes.turn.number] = harm
        return harm

    def hang(self, cell: Cell, seconds: float) -> None:
        """Let the running handler hang, and note if the actor was not replaced."""
        actor, began_ns = cell.actor, self.clock.monotonic_ns()
        super().hang(cell, seconds)
        if (
            actor is not None
            and not actor.actor_inbox.void
            and self.clock.monotonic_ns() - began_ns >= seconds * NS_PER_S
        ):
            self.notes.outlasted.append(cell.name)

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell that notes its messages."""
        if (
            self._bound is not None
            and policy is not None
            and name.partition(":")[0] not in (*SOURCES, "supervisor")
        ):
            policy = attrs.evolve(policy, bound=self._bound)
        cell = super().cell(name, group=group, policy=policy)
        assert isinstance(cell, WatchedCell)
        cell.notes = self.notes
        self._watch(cell)
        return cell

    def _watch(self, cell: Cell) -> None:
        notes, put, name, clock = self.notes, cell.inbox.put, cell.name, self.clock

        def noted(entry: Any) -> bool:
            message, timer = _opened(entry)
            traits = traits_of(type(message))
            if traits & CONTROL and not traits & LIFECYCLE:
                notes.control[name] += 1
            if timer is not None or traits & LIFECYCLE:
                return put(entry)
            notes.told[name] += weight_of(message)
            taken = put(entry)
            lease = current_lease()
            if lease is not None and taken and (lease.cell is None or _replaced(lease.cell, lease)):
                notes.ghosts.append(f"{lease.cell} told {name} {type(message).__name__}")
            notes.puts.append(
                Put(
                    notes.turn if lease is not None else None,
                    name,
                    message,
                    taken,
                    clock.monotonic_ns(),
                )
            )
            return taken

        # All senders use this attribute. The address made before this keeps a reference to the old
        # one, so it is replaced.
        cell.inbox.put = noted  # type: ignore[method-assign]
        cell.address = Address(cell)


def _replaced(cell: object, lease: object) -> bool:
    assert isinstance(cell, Cell)
    return cell.actor is None or cell.actor.actor_inbox is not lease
