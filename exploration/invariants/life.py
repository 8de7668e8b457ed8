"""Rules 1, 5 and 10: the system survives the deaths of its actors, and its end is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from exploration.invariants.losses import replaced_while_hung, told_events
from exploration.play import DEADLINE_S, RECOVERED_WITHIN_S, Run
from perps_actors.kernel.children import ChildState, RestartPolicy
from perps_actors.kernel.lifecycle import Drain, Stop
from perps_actors.messages.feeds import StreamStatistics

NS_PER_S = 1_000_000_000
RECORDER = "event_recorder"
GRACE_S = 3.5
"""Seconds beyond its deadline that a stop may take, because a hung handler returns late."""


def the_system_starts(run: Run) -> Iterator[str]:
    """A system starts unless an actor dies at its start or the journal cannot be opened."""
    shut = any(fault.do == "shut" for fault in run.schedule.journal_faults)
    if not run.started and not shut and all(crash.nth for crash in run.schedule.crashes):
        yield f"{run.report}"


def the_system_recovers(run: Run) -> Iterator[str]:
    """After the last failure every instrument becomes live on its best source again."""
    if run.started and run.schedule.calm and run.recovered_s is None:
        health = {str(each): run.system.health(each) for each in run.system.instruments}
        states = {child.name: child.state.value for child in run.children}
        yield f"not within {RECOVERED_WITHIN_S:g} s: {health}, {states}, {run.system.journal()}"


def the_dead_say_nothing(run: Run) -> Iterator[str]:
    """Messages of a replaced incarnation are refused."""
    yield from run.runtime.notes.ghosts


def nobody_is_given_up_without_cause(run: Run) -> Iterator[str]:
    """An actor is given up only after more deaths in a period than the policy allows."""
    policy = RestartPolicy()
    deaths = Counter(str(dict(event.data)["actor"]) for event in told_events(run, "actor_died"))
    for child in run.children:
        if (
            child.state is ChildState.GIVEN_UP
            and run.started
            and deaths[child.name] <= policy.intensity
        ):
            yield f"{child.name} was given up after {deaths[child.name]} deaths"
        if child.restarts > deaths[child.name]:
            died = deaths[child.name]
            yield f"{child.name} was restarted {child.restarts} times after {died} deaths"


def who_dies_too_often_is_given_up(run: Run) -> Iterator[str]:
    """An actor that dies more often in a period than the policy allows is given up."""
    policy = RestartPolicy()
    died_ns: dict[str, list[int]] = {child.name: [] for child in run.children}
    for event in told_events(run, "actor_died"):
        died_ns[str(dict(event.data)["actor"])].append(event.received_ns)
    for actor, times in died_ns.items():
        for first, last in zip(times, times[policy.intensity + 1 :], strict=False):
            if last - first <= policy.period_s * NS_PER_S:
                seconds = (last - first) / NS_PER_S
                yield f"{actor} died {policy.intensity + 2} times in {seconds} s"


def the_hung_are_replaced(run: Run) -> Iterator[str]:
    """An actor whose handler does not return is replaced."""
    yield from run.runtime.notes.outlasted


def the_dead_are_replaced(run: Run) -> Iterator[str]:
    """Every death is followed by a new incarnation, unless the actor was given up."""
    if run.recovered_s is None:
        return
    given_up = {str(dict(event.data)["actor"]) for event in told_events(run, "actor_given_up")}
    deaths = Counter(
        str(dict(event.data)["actor"])
        for event in told_events(run, "actor_died")
        if event.received_ns < _wall(run, run.end_ns)
    )
    for child in run.children:
        if child.name not in given_up and child.cell.generation < deaths[child.name] + 1:
            lives = child.cell.generation
            yield f"{child.name} died {deaths[child.name]} times and had {lives} incarnations"


def _wall(run: Run, monotonic_ns: int) -> int:
    clock = run.runtime.clock
    return clock.time_ns() - clock.monotonic_ns() + monotonic_ns


def every_connection_says_its_end(run: Run) -> Iterator[str]:
    """Each connection that was opened has one `ws_stream_exit` event."""
    exits = Counter(event.venue for event in told_events(run, "ws_stream_exit"))
    for market in run.markets:
        opened, name = len(market.venue.opened_in), market.venue.name
        if exits[name] != opened and not replaced_while_hung(run, market.consumer):
            yield f"{opened} connections to {name} were opened, {exits[name]} ended"


def nothing_stays_open(run: Run) -> Iterator[str]:
    """After the end no connection is open."""
    links = [link for market in run.markets for link in market.venue.links]
    still = [link.plan.name for link in links if not link.ended]
    if still:
        yield f"{still} are open"


def a_drain_leaves_nothing(run: Run) -> Iterator[str]:
    """A drain handles all waiting messages, unless an actor dies or hangs meanwhile."""
    assert run.report is not None
    if (
        run.schedule.end != "drain"
        or not run.well_at_end
        or run.schedule.hangs()
        or told_events(run, "actor_died", since_ns=run.end_ns)
    ):
        return
    actors = run.report.actors
    late = Counter(
        put.to for put in run.runtime.notes.puts if put.turn is None and put.at_ns >= run.end_ns
    )
    if (
        any(items > late[actor] for actor, items in actors.left)
        or actors.abandoned
        or run.report.threads_left
    ):
        yield f"{run.report}"


def actors_end_in_reverse(run: Run) -> Iterator[str]:
    """Actors end in the reverse of the order in which they started."""
    assert run.report is not None
    ended = {
        turn.actor: turn.number
        for turn, _ in run.runtime.notes.handled
        if isinstance(turn.message, Stop | Drain)
    }
    order = sorted(
        (actor for actor in ended if actor in run.report.actors.finished),
        key=lambda actor: -ended[actor],
    )
    if order != [child.name for child in run.children if child.name in order]:
        yield f"from the last to the first that ended: {order}"


def the_end_is_bounded(run: Run) -> Iterator[str]:
    """Stopping and draining end within their deadline, and the report names every actor."""
    assert run.report is not None
    took_s = (run.ended_ns - run.end_ns) / NS_PER_S
    if took_s > DEADLINE_S + GRACE_S:
        yield f"{run.schedule.end} took {took_s} s"
    actors = run.report.actors
    named = sorted((*actors.finished, *actors.abandoned, *actors.given_up))
    if named != sorted(child.name for child in run.children):
        yield f"the report names {named}"
    if run.started and not run.schedule.hangs() and not run.schedule.stalls and actors.abandoned:
        yield f"{actors.abandoned} were abandoned though nothing hung"


def every_question_ends(run: Run) -> Iterator[str]:
    """Every question has an answer or an error."""
    for asked in run.asked:
        if not asked.answer.settled():
            yield f"{asked.actor} never answered {asked.question}"


def invalid_input_is_reported(run: Run) -> Iterator[str]:
    """Invalid input is reported a second later at most, or at the end."""
    if not run.recovered_s:
        return
    for market in run.markets:
        last = [
            asked.outcome
            for asked in run.asked
            if asked.actor == market.consumer and isinstance(asked.outcome, StreamStatistics)
        ]
        told = sum(
            int(dict(event.data)["count"])
            for event in told_events(run, "input_rejected")
            if event.venue == market.venue.name
        )
        if last and last[-1].invalid_inputs > told and not run.child(market.consumer).restarts:
            yield f"{last[-1].invalid_inputs} invalid inputs of {market.venue.name}, {told} told"


def one_item_is_one_death(run: Run) -> Iterator[str]:
    """An actor dies no more often than a failure struck it: a poisoned item kills it once."""
    if run.schedule.hangs():
        return
    turns = {turn.number: turn.actor for turn, _ in run.runtime.notes.handled}
    strikes = Counter(turns[number] for number in run.runtime.notes.struck)
    deaths = Counter(str(dict(event.data)["actor"]) for event in told_events(run, "actor_died"))
    for actor, died in deaths.items():
        # A journal that fails, or that cannot be opened, kills the recorder too.
        if died > strikes[actor] and not (actor == RECORDER and run.schedule.journal_faults):
            yield f"{actor} died {died} times of {strikes[actor]} failures"


def judgements_go_on(run: Run) -> Iterator[str]:
    """The market monitor judges the feeds every second while it lives."""
    if run.recovered_s is None or run.child("market_monitor").state is ChildState.GIVEN_UP:
        return
    for look in run.looks:
        if (
            look.now_ns > run.calm_ns + 2 * NS_PER_S
            and look.now_ns < run.end_ns
            and look.now_ns - look.health.judged_ns > 2.5 * NS_PER_S
        ):
            yield f"at {look.now_ns} the last judgement was of {look.health.judged_ns}"


LIFE = (
    the_system_starts,
    the_system_recovers,
    the_dead_say_nothing,
    nobody_is_given_up_without_cause,
    who_dies_too_often_is_given_up,
    the_hung_are_replaced,
    the_dead_are_replaced,
    every_connection_says_its_end,
    nothing_stays_open,
    a_drain_leaves_nothing,
    actors_end_in_reverse,
    the_end_is_bounded,
    every_question_ends,
    invalid_input_is_reported,
    one_item_is_one_death,
    judgements_go_on,
)
