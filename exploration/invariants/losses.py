"""The losses that the failures of a run explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exploration.play import Run
from exploration.watch import Turn
from perps_actors.kernel.children import Hung
from perps_actors.messages.records import Event, Record
from perps_actors.testing import InjectedCrash

STRANDED = ("before", "within, ")
"""Beginnings of the errors of crashes before the item in hand was handled."""


def dead_items(run: Run, actor: str, kind: type) -> Iterator[Any]:
    """Yield the messages of a class that killed an actor before it had handled them."""
    hung_before = (actor, "hang_before") in run.saboteur.hung
    for letter in run.child(actor).letters:
        error = letter.error
        undone = (
            str(error).startswith(STRANDED)
            if isinstance(error, InjectedCrash)
            else hung_before and isinstance(error, Hung)
        )
        if undone and isinstance(letter.message, kind):
            yield letter.message


def items_taken(run: Run, turn: Turn) -> tuple[Any, ...]:
    """Return the items of a batch that the actor handled in a turn: those before a failure."""
    items: tuple[Any, ...] = turn.message.items
    harm = run.runtime.notes.struck.get(turn.number)
    if harm is None or harm.moment == "after":
        return items
    return items[: harm.item % len(items)] if harm.moment == "within" else ()


def replaced_while_hung(run: Run, actor: str) -> bool:
    """Return whether an incarnation of the actor was fenced or abandoned while it hung."""
    assert run.report is not None
    hung = any(name == actor for name, _ in run.saboteur.hung)
    return hung and (run.runtime.abandoned > 0 or actor in run.report.actors.abandoned)


def undelivered(run: Run, actor: str) -> int:
    """Return the number of items that an inbox dropped or that were left when it closed."""
    inbox = run.child(actor).cell.statistics().inbox
    return inbox.dropped + inbox.left


def told_events(run: Run, *kinds: str, since_ns: int = 0) -> list[Event]:
    """Return the events of these kinds that were sent to the recorder since a monotonic time."""
    records = (
        put.message
        for put in run.runtime.notes.puts
        if put.at_ns >= since_ns and isinstance(put.message, Record)
    )
    return [event for record in records for event in record.events if event.kind in kinds]
