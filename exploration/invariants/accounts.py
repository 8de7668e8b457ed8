"""Rule 3: every message is accounted for."""

from __future__ import annotations

from collections.abc import Iterator

from exploration.invariants.losses import dead_items, undelivered
from exploration.play import Run
from perps_actors.kernel.messages import Batch
from perps_actors.messages.marks import RecordMarks


def every_message_is_accounted_for(run: Run) -> Iterator[str]:
    """What an actor was told was handled, or dropped and counted, or is a dead letter, or was left: as its senders count it."""
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
            yield f"{child.name} was told {notes.told[child.name]} items, accounts for {accounted}: {statistics}"


def nothing_waits_behind_a_closed_door(run: Run) -> Iterator[str]:
    """After the end nothing waits in any inbox, and every inbox is closed."""
    for child in run.children:
        if len(child.cell.inbox) or not child.cell.inbox.closed:
            yield f"{child.name} holds {len(child.cell.inbox)} items, closed: {child.cell.inbox.closed}"


def dead_letters_are_as_many_as_are_counted(run: Run) -> Iterator[str]:
    """The items of the dead letters are those that the cells count as dead."""
    for child in run.children:
        letters = sum(letter.items for letter in child.letters)
        # The record keeps the last hundred; a hung actor that was abandoned at the end has a letter that nobody took in.
        if len(child.letters) < 100 and letters > child.cell.statistics().dead:
            yield f"{child.name}: {letters} items in letters, {child.cell.statistics().dead} counted"


def one_item_dies_at_a_time(run: Run) -> Iterator[str]:
    """A message that kills its actor loses one item of a batch, and its neighbours live."""
    for child in run.children:
        for letter in child.letters:
            message = letter.message
            if isinstance(message, Batch) and len(message.items) != 1:
                yield f"{child.name} lost {len(message.items)} items at once"


def what_killed_is_never_delivered_again(run: Run) -> Iterator[str]:
    """A message that an actor died of is set aside at once."""
    handled: dict[int, int] = {}
    for turn, _ in run.runtime.notes.handled:
        handled[id(turn.message)] = handled.get(id(turn.message), 0) + 1
    for child in run.children:
        for letter in child.letters:
            if not isinstance(letter.message, Batch) and handled.get(id(letter.message), 0) > 1:
                yield f"{child.name} got {letter.message!r} again"


def marks_reach_the_store_once(run: Run) -> Iterator[str]:
    """Of the marks that were told to the store none is recorded twice, and those missing died, were dropped or were left."""
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
        yield "a mark was recorded that nobody told"
    if {id(mark) for mark in dead} & {id(mark) for mark in recorded}:
        yield "a mark that the store died of was recorded"
    missing = len(told) - len(recorded)
    if not len(dead) <= missing <= len(dead) + undelivered(run, "mark_store"):
        yield f"{missing} marks never were recorded, {len(dead)} died, {undelivered(run, 'mark_store')} were dropped or left"


def nothing_is_dropped_without_pressure(run: Run) -> Iterator[str]:
    """No inbox drops or merges away anything while its bound is far."""
    for child in run.children:
        dropped = child.cell.statistics().inbox.dropped
        if dropped and run.schedule.bound is None:
            yield f"{child.name} dropped {dropped}"


def control_goes_ahead(run: Run) -> Iterator[str]:
    """No data is handled while control waits."""
    yield from run.runtime.notes.overtaken


ACCOUNTS = (
    every_message_is_accounted_for,
    nothing_waits_behind_a_closed_door,
    dead_letters_are_as_many_as_are_counted,
    one_item_dies_at_a_time,
    what_killed_is_never_delivered_again,
    marks_reach_the_store_once,
    nothing_is_dropped_without_pressure,
    control_goes_ahead,
)
