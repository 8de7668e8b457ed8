"""Rules 2, 7, 8: the marks are true, and what is read is what was told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from exploration.invariants.losses import replaced_while_hung, told_events
from exploration.play import Run
from perps_actors.market.feed_state import Health
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import RecordMarks
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import MarkSettings

NS_PER_S = 1_000_000_000


def every_mark_is_true(run: Run) -> Iterator[str]:
    """Every mark equals what the market was at the venue time that it names, by its own source."""
    for put in run.runtime.notes.puts:
        if isinstance(put.message, RecordMarks):
            for mark in put.message.marks:
                if not run.venue.truth.has(mark):
                    yield f"{mark} never was so"


def marks_keep_their_order(run: Run) -> Iterator[str]:
    """Marks of an instrument are recorded in the order in which they were received."""
    last: dict[InstrumentId, int] = {}
    for mark in run.marks:
        if mark.monotonic_ns < last.get(mark.instrument, 0):
            yield f"{mark} came after one received at {last[mark.instrument]}"
        last[mark.instrument] = mark.monotonic_ns


def the_board_shows_what_was_told(run: Run) -> Iterator[str]:
    """The window of an instrument is the newest of the marks that a listener was told of, and the count is of all of them."""
    if replaced_while_hung(run, "mark_store"):
        return
    length = _window_length(run.system.settings.marks)
    told: dict[InstrumentId, list[Mark]] = {instrument: [] for instrument in run.instruments}
    for mark in run.marks:
        told[mark.instrument].append(mark)
    for instrument, marks in told.items():
        window = run.system.window(instrument.symbol)
        if list(window) != marks[-length:]:
            yield f"the window of {instrument} holds {len(window)} marks that are not the newest of {len(marks)}"
        if run.system.count(instrument.symbol) != len(marks):
            yield f"{run.system.count(instrument.symbol)} marks of {instrument} were counted, {len(marks)} told"


def _window_length(settings: MarkSettings) -> int:
    # The design's own words: max(short, long) + 5.
    return max(settings.short, settings.long) + 5


def live_means_a_fresh_mark(run: Run) -> Iterator[str]:
    """A feed is called live only on a mark that was no older than the limit when it was judged."""
    limit_ns = run.schedule.limit_s * NS_PER_S
    newest: dict[InstrumentId, list[int]] = {instrument: [] for instrument in run.instruments}
    for mark in run.marks:
        newest[mark.instrument].append(mark.monotonic_ns)
    for look in run.looks:
        judged_ns = look.health.judged_ns
        for instrument, judged in look.health.judgements:
            if judged.health is Health.LIVE and not any(
                judged_ns - limit_ns <= at_ns <= judged_ns for at_ns in newest[instrument]
            ):
                yield f"{instrument} was called live at {judged_ns} without a mark in {run.schedule.limit_s} s"


def no_position_is_opened_on_an_old_mark(run: Run) -> Iterator[str]:
    """A verdict allows a position only on a mark within the hard limit."""
    handled_ns = {
        id(turn.message): at_ns
        for turn, at_ns in run.runtime.notes.handled
        if isinstance(turn.message, GetVerdict)
    }
    hard_ns = run.schedule.hard_s * NS_PER_S
    marks = run.marks
    for asked in run.asked:
        verdict = asked.outcome
        if isinstance(verdict, Verdict) and verdict.may_open:
            at_ns = handled_ns[id(asked.question)]
            if not any(
                mark.instrument == verdict.instrument
                and at_ns - hard_ns <= mark.monotonic_ns <= at_ns
                for mark in marks
            ):
                yield f"{verdict} at {at_ns}, without a mark in {run.schedule.hard_s} s"


def stale_marks_are_told(run: Run) -> Iterator[str]:
    """An instrument without a mark beyond the hard limit is told to be stale within two seconds, while its monitor lives and has time."""
    child = run.child("risk_monitor")
    if (
        child.restarts
        or child.cell.statistics().inbox.dropped
        or run.schedule.stalls
        or run.schedule.hangs()
        or not run.started
    ):
        return
    began_ns = next(
        at_ns for turn, at_ns in run.runtime.notes.handled if turn.actor == "risk_monitor"
    )
    wall_ns = run.runtime.clock.time_ns() - run.runtime.clock.monotonic_ns()
    told = told_events(run, "stale_mark_price")
    for instrument in run.instruments:
        times = [
            began_ns,
            *(mark.monotonic_ns for mark in run.marks if mark.instrument == instrument),
            run.end_ns,
        ]
        for since_ns, until_ns in pairwise(times):
            stale_ns = since_ns + int(run.schedule.hard_s * NS_PER_S)
            edges = (
                event.received_ns - wall_ns for event in told if event.symbol == instrument.symbol
            )
            if until_ns - stale_ns > 2 * NS_PER_S and not any(
                stale_ns < edge_ns <= until_ns for edge_ns in edges
            ):
                yield f"{instrument} had no mark from {since_ns} to {until_ns} and nobody was told"


MARKS = (
    every_mark_is_true,
    marks_keep_their_order,
    the_board_shows_what_was_told,
    live_means_a_fresh_mark,
    no_position_is_opened_on_an_old_mark,
    stale_marks_are_told,
)
