"""Rules 2, 7, 8: marks are true, and readings agree with the marks that were told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from exploration.invariants.losses import items_taken, replaced_while_hung, told_events
from exploration.play import Run
from perps_actors.market.feed_state import Health
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import FeedHealth, GetFeedHealth
from perps_actors.messages.interest import MarksHeard
from perps_actors.messages.marks import MarksUpdated, RecordMarks
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import MarkSettings

NS_PER_S = 1_000_000_000


def every_mark_is_true(run: Run) -> Iterator[str]:
    """Every mark equals the market's price at the mark's venue time, by the mark's own source."""
    for put in run.runtime.notes.puts:
        if isinstance(put.message, RecordMarks):
            for mark in put.message.marks:
                if not run.venue_of(mark.instrument).truth.has(mark):
                    yield f"{mark} was never a price of the market"


def marks_keep_their_order(run: Run) -> Iterator[str]:
    """Marks of an instrument are recorded in the order in which they were received."""
    last: dict[InstrumentId, int] = {}
    for mark in run.marks:
        if mark.monotonic_ns < last.get(mark.instrument, 0):
            yield f"{mark} came after one received at {last[mark.instrument]}"
        last[mark.instrument] = mark.monotonic_ns


def the_board_shows_what_was_told(run: Run) -> Iterator[str]:
    """A window holds the newest marks that a listener was told, and the count is that of all."""
    if replaced_while_hung(run, "mark_store"):
        return
    length = _window_length(run.system.settings.marks)
    told: dict[InstrumentId, list[Mark]] = {instrument: [] for instrument in run.instruments}
    for mark in run.marks:
        told[mark.instrument].append(mark)
    for instrument, marks in told.items():
        window, count = run.system.window(instrument), run.system.count(instrument)
        if list(window) != marks[-length:]:
            yield f"{instrument}: {len(window)} marks that are not the newest of {len(marks)}"
        if count != len(marks):
            yield f"{count} marks of {instrument} were counted, {len(marks)} told"


def _window_length(settings: MarkSettings) -> int:
    # The rule of the design, without the code that is tested.
    return max(settings.short, settings.long) + 5


def live_means_a_fresh_mark(run: Run) -> Iterator[str]:
    """A feed is live only with a mark that was no older than the limit when it was judged."""
    limit_ns = run.schedule.limit_s * NS_PER_S
    newest: dict[InstrumentId, list[int]] = {instrument: [] for instrument in run.instruments}
    for mark in run.marks:
        newest[mark.instrument].append(mark.as_of_ns)
    for look in run.looks:
        judged_ns = look.health.judged_ns
        for instrument, judged in look.health.judgements:
            if judged.health is Health.LIVE and not any(
                judged_ns - limit_ns <= at_ns <= judged_ns for at_ns in newest[instrument]
            ):
                yield f"{instrument} was live at {judged_ns} without a mark in {limit_ns} ns"


def no_position_is_opened_on_an_old_mark(run: Run) -> Iterator[str]:
    """A verdict permits a position only with a mark within the hard limit."""
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
                mark.instrument == verdict.instrument and at_ns - hard_ns <= mark.as_of_ns <= at_ns
                for mark in marks
            ):
                yield f"{verdict} at {at_ns}, without a mark in {run.schedule.hard_s} s"


def a_subscriber_gets_every_mark_once(run: Run) -> Iterator[str]:
    """A subscriber's callable gets each mark of its inbox, in order, even after it raised."""
    subscription = run.subscription
    assert subscription is not None
    told = [
        mark
        for put in run.runtime.notes.puts
        if put.to == subscription.name and isinstance(put.message, MarksHeard)
        for mark in put.message.items
    ]
    inbox = subscription.child.cell.statistics().inbox
    got, lost = run.received.marks, inbox.dropped + inbox.left + inbox.length
    if len(got) != len(told) - lost or (not lost and got != told):
        yield f"{len(told)} marks were told, {lost} lost, {len(got)} received: {inbox}"


def stale_marks_are_told(run: Run) -> Iterator[str]:
    """An instrument without a mark is reported as stale within two seconds of the hard limit.

    A mark that arrives older than the limit does not end a stale period, which is reported once.
    """
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
    hard_ns = int(run.schedule.hard_s * NS_PER_S)
    fresh = [mark for mark in run.marks if mark.lag_ns <= hard_ns]
    for instrument in run.instruments:
        times = [
            began_ns,
            *(mark.as_of_ns for mark in fresh if mark.instrument == instrument),
            run.end_ns,
        ]
        for since_ns, until_ns in pairwise(times):
            stale_ns = since_ns + hard_ns
            edges = (
                event.received_ns - wall_ns
                for event in told
                if (event.venue, event.symbol) == (instrument.venue, instrument.symbol)
            )
            if until_ns - stale_ns > 2 * NS_PER_S and not any(
                stale_ns < edge_ns <= until_ns for edge_ns in edges
            ):
                yield f"{instrument} had no mark from {since_ns} to {until_ns}, without a report"


def monitors_know_the_newest_mark(run: Run) -> Iterator[str]:
    """Risk and market monitor answer with the age of the newest mark that they handled.

    A monitor handles all items of a batch but one that kills it; its next incarnation handles the
    items after that.
    """
    if run.schedule.hangs():
        return
    for monitor in ("risk_monitor", "market_monitor"):
        known = _known_at_questions(run, monitor)
        for asked in run.asked:
            if id(asked.question) not in known:
                continue
            at_ns, newest_ns = known[id(asked.question)]
            for instrument, age_ns in _ages_ns(asked.outcome):
                mark_ns = newest_ns.get(instrument)
                expected_ns = None if mark_ns is None else at_ns - mark_ns
                if age_ns != expected_ns and instrument in run.instruments:
                    yield (
                        f"{monitor}: {instrument} was marked {age_ns} ns ago at {at_ns}, "
                        f"expected {expected_ns}"
                    )


def _known_at_questions(run: Run, monitor: str) -> dict[int, tuple[int, dict[InstrumentId, int]]]:
    """Return when each question was handled, and the newest marks that its incarnation knew."""
    newest_ns: dict[InstrumentId, int] = {}
    generation = 0
    known: dict[int, tuple[int, dict[InstrumentId, int]]] = {}
    for turn, at_ns in run.runtime.notes.handled:
        if turn.actor != monitor:
            continue
        if turn.generation != generation:
            generation, newest_ns = turn.generation, {}
        if isinstance(turn.message, MarksUpdated):
            newest_ns |= {m.instrument: m.as_of_ns for m in items_taken(run, turn)}
        elif isinstance(turn.message, GetVerdict | GetFeedHealth):
            known[id(turn.message)] = (at_ns, newest_ns.copy())
    return known


def _ages_ns(outcome: Any) -> Iterator[tuple[InstrumentId, int | None]]:
    if isinstance(outcome, Verdict):
        age_s = outcome.mark_age_s
        yield outcome.instrument, None if age_s is None else round(age_s * NS_PER_S)
    elif isinstance(outcome, FeedHealth):
        for instrument, judgement in outcome.judgements:
            yield instrument, judgement.age_ns


MARKS = (
    every_mark_is_true,
    marks_keep_their_order,
    the_board_shows_what_was_told,
    live_means_a_fresh_mark,
    no_position_is_opened_on_an_old_mark,
    stale_marks_are_told,
    a_subscriber_gets_every_mark_once,
    monitors_know_the_newest_mark,
)
