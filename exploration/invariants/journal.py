"""The journal: it holds every event once, reports every loss, and each event has its origin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from exploration.invariants.losses import dead_items, replaced_while_hung, undelivered
from exploration.play import Run
from exploration.schedule import ELSEWHERE
from perps_actors.kernel.lifecycle import Drain, Stop
from perps_actors.market.numbers import plain
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Event, Record

RECORDER = "event_recorder"
OWN_KINDS = frozenset({"hole", "event_unfit", "journal_repaired"})
"""Events that the recorder makes itself."""
MARK_KINDS = frozenset({"ws_mark_update", "rest_mark_update"})
_TELLS = re.compile(r"urn:uuid|0x[0-9a-f]{6,}|Thread-|object at ")

Key = tuple[Any, ...]


def _mark_keys(message: MarksUpdated, run: Run) -> Iterator[Key]:
    for mark in message.marks:
        if mark.source != "rest" or run.schedule.rest_marks:
            yield (
                mark.instrument.venue,
                mark.instrument.symbol,
                mark.source,
                mark.venue_time_ns,
                mark.received_ns,
                plain(mark.mark),
            )


def _event_key(event: Event) -> Key:
    return (
        event.venue,
        event.symbol,
        event.source,
        event.venue_time_ns,
        event.received_ns,
        dict(event.data)["mark"],
    )


def each_mark_is_journalled_once(run: Run) -> Iterator[str]:
    """Every mark sent to the recorder is in the journal once, or its loss is explained."""
    told: Counter[Key] = Counter()
    for put in run.runtime.notes.puts:
        if put.to == RECORDER and isinstance(put.message, MarksUpdated):
            told.update(_mark_keys(put.message, run))
    journalled = Counter(
        _event_key(event) for event in run.journal.events if event.kind in MARK_KINDS
    )
    dead = Counter(
        key
        for message in dead_items(run, RECORDER, MarksUpdated)
        for key in _mark_keys(message, run)
    )
    yield from _compare(run, told, journalled, dead, "mark")


def each_event_is_journalled_once(run: Run) -> Iterator[str]:
    """Every event sent to the recorder is in the journal once, or its loss is explained."""
    told: Counter[Key] = Counter()
    for put in run.runtime.notes.puts:
        if put.to == RECORDER and isinstance(put.message, Record):
            told.update(map(repr, put.message.events))  # type: ignore[arg-type]
    journalled = Counter(
        repr(event) for event in run.journal.events if event.kind not in MARK_KINDS | OWN_KINDS
    )
    dead = Counter(
        repr(event) for message in dead_items(run, RECORDER, Record) for event in message.events
    )
    yield from _compare(run, told, journalled, dead, "event")  # type: ignore[arg-type]


def marks_are_journalled_in_order(run: Run) -> Iterator[str]:
    """The marks of an instrument are journalled in the order in which they were received."""
    last: dict[tuple[str, str | None], int] = {}
    for event in run.journal.events:
        if event.kind in MARK_KINDS:
            instrument = (event.venue, event.symbol)
            if event.received_ns < last.get(instrument, 0):
                yield f"{event} after one received at {last[instrument]}"
            last[instrument] = event.received_ns


def _compare(
    run: Run, told: Counter[Key], journalled: Counter[Key], dead: Counter[Key], what: str
) -> Iterator[str]:
    extra = journalled - told
    if extra:
        yield f"{what} journalled more often than told: {next(iter(extra))}"
    if (hung := replaced_while_hung(run, RECORDER)) is False and dead - (told - journalled):
        killer = next(iter(dead - (told - journalled)))
        yield f"{what} journalled though the recorder died of it: {killer}"
    missing = (told - journalled).total()
    granted = (
        dead.total()
        + undelivered(run, RECORDER) * _most_in_one(run)
        + run.system.journal().dropped
        + hung
    )
    if missing > granted:
        yield f"{missing} {what}s are missing from the journal, {granted} are explained"


def _most_in_one(run: Run) -> int:
    """Return the number of events in the largest `Record`, which is one item in an inbox."""
    return max(
        (
            len(put.message.events)
            for put in run.runtime.notes.puts
            if isinstance(put.message, Record)
        ),
        default=1,
    )


def the_journal_counts_right(run: Run) -> Iterator[str]:
    """The recorder's count of recorded events is that of the journal."""
    status = run.system.journal()
    held = len(run.journal.events)
    if not replaced_while_hung(run, RECORDER) and (status.recorded, status.last_sequence) != (
        held,
        held,
    ):
        yield f"{status}, but the journal holds {held}"


def a_sound_journal_loses_nothing(run: Run) -> Iterator[str]:
    """A journal that can be written loses nothing, however often the recorder dies."""
    status = run.system.journal()
    if (
        status.dropped
        and not run.schedule.journal_faults
        and not replaced_while_hung(run, RECORDER)
    ):
        yield f"{status}"


def drops_are_journalled(run: Run) -> Iterator[str]:
    """The holes in the journal add up to the items that inboxes dropped."""
    holes: Counter[str] = Counter()
    for event in run.events("hole"):
        data = dict(event.data)
        holes[str(data["inbox"])] += int(data["dropped"])
    whole = _recorder_was_well(run)
    for child in run.children:
        dropped = child.cell.statistics().inbox.dropped
        if holes[child.name] > dropped or (whole and holes[child.name] != dropped):
            yield f"{child.name} dropped {dropped}, the journal tells of {holes[child.name]}"


def _recorder_was_well(run: Run) -> bool:
    """Return whether the recorder ended when told to, and the journal took all of its events."""
    status = run.system.journal()
    last = [turn.message for turn, _ in run.runtime.notes.handled if turn.actor == RECORDER][-1:]
    finished = any(isinstance(message, Stop | Drain) for message in last)
    return (
        finished
        and not status.dropped
        and not replaced_while_hung(run, RECORDER)
        and not run.saboteur.struck_at_end
    )


def holes_of_the_journal_add_up(run: Run) -> Iterator[str]:
    """Events that the journal lost are reported in it, or counted as still unreported."""
    status = run.system.journal()
    told = sum(
        int(dict(event.data)["dropped"])
        for event in run.events("hole")
        if dict(event.data)["inbox"] == "journal"
    )
    if (
        not replaced_while_hung(run, RECORDER)
        and not told <= status.dropped <= told + status.unreported
    ):
        yield f"the journal tells of {told} lost events, {status}"


def holes_are_at_most_one_a_second(run: Run) -> Iterator[str]:
    """An inbox has one hole per second, and one more at a stop and at each recorder's death."""
    seconds: Counter[tuple[str, int]] = Counter()
    for event in run.events("hole"):
        seconds[str(dict(event.data)["inbox"]), event.received_ns // 1_000_000_000] += 1
    for (inbox, second), count in seconds.items():
        if inbox != "journal" and count > 2 + run.child(RECORDER).restarts:
            yield f"{count} holes of {inbox} in second {second}"


def events_say_where_they_come_from(run: Run) -> Iterator[str]:
    """Every event has the run's provenance and a market's venue, and no name of this process."""
    symbols = {market.venue.name: {None, ELSEWHERE, *market.symbols} for market in run.markets}
    for event in run.journal.events:
        if event.provenance != run.system.settings.provenance:
            yield f"{event} in a run of {run.system.settings.provenance}"
        if event.symbol not in symbols.get(event.venue, {None}):
            yield f"{event} in a run of {', '.join(symbols)}"
        if _TELLS.search(repr(event)):
            yield f"{event} has a name that is known in this process only"


JOURNAL = (
    each_mark_is_journalled_once,
    each_event_is_journalled_once,
    marks_are_journalled_in_order,
    the_journal_counts_right,
    a_sound_journal_loses_nothing,
    drops_are_journalled,
    holes_of_the_journal_add_up,
    holes_are_at_most_one_a_second,
    events_say_where_they_come_from,
)
