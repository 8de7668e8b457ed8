"""A runtime that notes who told whom what, without asking the actors: what the invariants are held against."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import attrs
from pykka._envelope import Envelope

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
    """One actor handles one message."""

    number: int
    actor: str
    generation: int
    message: Any


class Put(NamedTuple):
    """Somebody told an actor something."""

    turn: Turn | None
    """Who told it; None: the outside, or the kernel."""
    to: str
    message: Any
    taken: bool
    at_ns: int


@attrs.define
class Notes:
    """What was seen of a run."""

    puts: list[Put] = attrs.Factory(list)
    told: Counter[str] = attrs.Factory(Counter)
    """Items told, by the receiver; orders and timers apart."""
    timers: Counter[str] = attrs.Factory(Counter)
    """Timers' messages handled, by actor."""
    handled: list[tuple[Turn, int]] = attrs.Factory(list)
    """Every message that a handler got, with the monotonic time."""
    ghosts: list[str] = attrs.Factory(list)
    """Who was heard though it had been replaced."""
    overtaken: list[str] = attrs.Factory(list)
    """Data that was handled while control waited."""
    outlasted: list[str] = attrs.Factory(list)
    """Who hung to the end of its time and was not replaced."""
    turn: Turn | None = None
    turns: int = 0
    of_the_dead: bool = False
    """Whether the message in hand is a timer's of an incarnation before."""
    struck: dict[int, Harm] = attrs.Factory(dict)
    """What befell the actor in a turn, by the turn's number."""
    control: Counter[str] = attrs.Factory(Counter)
    """Control messages that wait, by actor."""


class WatchedCell(HarmedCell):
    """A cell whose messages are noted."""

    notes: Notes

    def step(self, actor: Any, entry: Any) -> TurnResult | None:
        """Handle one message, and note that it was."""
        notes, before = self.notes, self.notes.turn
        message, timer = _opened(entry)
        notes.timers[self.name] += timer is not None
        notes.turns += 1
        notes.turn = Turn(notes.turns, self.name, self.generation, message)
        notes.handled.append((notes.turn, self.runtime.clock.monotonic_ns()))
        notes.of_the_dead = timer is not None and timer._lease not in (None, actor.actor_inbox)  # noqa: SLF001
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
    """Return the message of an entry, and the timer that told it."""
    if not isinstance(entry, Envelope):
        return entry, None
    reply: object = entry.reply_to
    return entry.message, reply if isinstance(reply, Timer) else None


class WatchedRuntime(HarmfulRuntime):
    """Runs cells and notes what they are told.

    Args:
        seed: of the order.
        bound: items that the inboxes of all but the sources and the supervisor hold; None: as composed.
    """

    cell_class = WatchedCell

    def __init__(self, *, seed: int, bound: int | None) -> None:
        super().__init__(seed=seed, max_steps=100_000)
        self.notes = Notes()
        self._bound = bound

    def harm_to(self, actor: str, message: Any) -> Harm | None:
        """Return what is to befall, and note it; and note when what is about to be handled is none of the living one's business."""
        if self.notes.of_the_dead:
            self.notes.ghosts.append(
                f"{actor} handled {message!r}, a timer's of an incarnation before"
            )
        harm = super().harm_to(actor, message)
        if harm is not None and self.notes.turn is not None:
            self.notes.struck[self.notes.turn.number] = harm
        return harm

    def hang(self, cell: Cell, seconds: float) -> None:
        """Let the handler that runs hang, and note if nobody minded."""
        actor, began_ns = cell.actor, self.clock.monotonic_ns()
        super().hang(cell, seconds)
        if (
            actor is not None
            and not actor.actor_inbox.void
            and self.clock.monotonic_ns() - began_ns >= seconds * NS_PER_S
        ):
            self.notes.outlasted.append(cell.name)

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell whose messages are noted."""
        if (
            self._bound is not None
            and policy is not None
            and name not in {"stream_consumer", "quote_poller", "supervisor"}
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

        # Everyone who tells goes through this attribute; the address has it by heart already.
        cell.inbox.put = noted  # type: ignore[method-assign]
        cell.address = Address(cell)


def _replaced(cell: object, lease: object) -> bool:
    assert isinstance(cell, Cell)
    return cell.actor is None or cell.actor.actor_inbox is not lease
