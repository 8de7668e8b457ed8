"""What a run may have lost, by what befell it: what the invariants grant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exploration.play import Run
from perps_actors.kernel.children import Hung
from perps_actors.messages.records import Event, Record
from perps_actors.testing import InjectedCrash

STRANDED = ("before", "within, ")
"""How the error of a crash begins that came before the handler had done anything with the item in hand."""


def dead_items(run: Run, actor: str, kind: type) -> Iterator[Any]:
    """Yield the messages of a kind that an actor died of without having done anything with them."""
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


def replaced_while_hung(run: Run, actor: str) -> bool:
    """Return whether an incarnation of the actor was fenced, or abandoned at the end, in a handler."""
    assert run.report is not None
    hung = any(name == actor for name, _ in run.saboteur.hung)
    return hung and (run.runtime.abandoned > 0 or actor in run.report.actors.abandoned)


def undelivered(run: Run, actor: str) -> int:
    """Return how many items an actor's inbox dropped, or had left when it closed."""
    inbox = run.child(actor).cell.statistics().inbox
    return inbox.dropped + inbox.left


def told_events(run: Run, *kinds: str, since_ns: int = 0) -> list[Event]:
    """Return the events of these kinds that the recorder was told, from a monotonic time on, whether or not it kept them."""
    records = (
        put.message
        for put in run.runtime.notes.puts
        if put.at_ns >= since_ns and isinstance(put.message, Record)
    )
    return [event for record in records for event in record.events if event.kind in kinds]
