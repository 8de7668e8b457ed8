"""Rule 3: every message is accounted for."""

from __future__ import annotations

from collections.abc import Iterator

from exploration.invariants.losses import dead_items, undelivered
from exploration.play import Run
from perps_actors.kernel.messages import Batch
from perps_actors.messages.marks import RecordMarks


def every_message_is_accounted_for(run: Run) -> Iterator[str]:
    """Every message was handled, dropped and counted, a dead letter, or left over."""
    notes = run.runtime.notes
    for child in run.children:
        statistics = child.cell.statistics()
        inbox = statistics.inbox
        accounted = (
            statistics.handled
            + statistics.dead
            - notes.timers[child.name]
            + inbox.dropped
            + inbox.left
            + inbox.length
        )
        if accounted != notes.told[child.name]:
            told = notes.told[child.name]
            yield f"{child.name} was told {told} items, accounts for {accounted}: {statistics}"


def inboxes_end_closed_and_empty(run: Run) -> Iterator[str]:
    """After the end every inbox is closed and empty."""
    for child in run.children:
        if len(child.cell.inbox) or not child.cell.inbox.closed:
            inbox = child.cell.inbox
            yield f"{child.name} holds {len(inbox)} items, closed: {inbox.closed}"


def dead_letters_are_as_many_as_are_counted(run: Run) -> Iterator[str]:
    """Cells count as many dead items as there are in dead letters."""
    for child in run.children:
        letters = sum(letter.items for letter in child.letters)
        dead = child.cell.statistics().dead
        # The record keeps the last hundred. The letter of a hung actor that was abandoned at the
        # end is not in it.
        if len(child.letters) < 100 and letters > dead:
            yield f"{child.name}: {letters} items in letters, {dead} counted"


def one_item_dies_at_a_time(run: Run) -> Iterator[str]:
    """A batch that kills its actor loses one item."""
    for child in run.children:
        for letter in child.letters:
            message = letter.message
            if isinstance(message, Batch) and len(message.items) != 1:
                yield f"{child.name} lost {len(message.items)} items at once"


def what_killed_is_never_delivered_again(run: Run) -> Iterator[str]:
    """A message that killed an actor is not delivered again."""
    handled: dict[int, int] = {}
    for turn, _ in run.runtime.notes.handled:
        handled[id(turn.message)] = handled.get(id(turn.message), 0) + 1
    for child in run.children:
        for letter in child.letters:
            if not isinstance(letter.message, Batch) and handled.get(id(letter.message), 0) > 1:
                yield f"{child.name} got {letter.message!r} again"


def marks_reach_the_store_once(run: Run) -> Iterator[str]:
    """The store records every mark once, unless it died, was dropped or was left over."""
    told = [
        mark
        for put in run.runtime.notes.puts
        if put.to == "mark_store" and isinstance(put.message, RecordMarks)
        for mark in put.message.marks
    ]
    recorded = run.marks
    dead = [
        mark for message in dead_items(run, "mark_store", RecordMarks) for mark in message.marks
    ]
    identities = {id(mark) for mark in told}
    twice = len(recorded) - len({id(mark) for mark in recorded})
    if twice:
        yield f"{twice} marks were recorded twice"
    if any(id(mark) not in identities for mark in recorded):
        yield "a mark was recorded that had not been told"
    if {id(mark) for mark in dead} & {id(mark) for mark in recorded}:
        yield "a mark that killed the store was recorded"
    missing = len(told) - len(recorded)
    if not len(dead) <= missing <= len(dead) + undelivered(run, "mark_store"):
        lost = undelivered(run, "mark_store")
        yield f"{missing} marks were not recorded, {len(dead)} died, {lost} were dropped or left"


def nothing_is_dropped_without_pressure(run: Run) -> Iterator[str]:
    """No inbox drops or merges anything while it is far from its bound."""
    for child in run.children:
        dropped = child.cell.statistics().inbox.dropped
        if dropped and run.schedule.bound is None:
            yield f"{child.name} dropped {dropped}"


def control_goes_ahead(run: Run) -> Iterator[str]:
    """No data message is handled while a control message waits."""
    yield from run.runtime.notes.overtaken


ACCOUNTS = (
    every_message_is_accounted_for,
    inboxes_end_closed_and_empty,
    dead_letters_are_as_many_as_are_counted,
    one_item_dies_at_a_time,
    what_killed_is_never_delivered_again,
    marks_reach_the_store_once,
    nothing_is_dropped_without_pressure,
    control_goes_ahead,
)
