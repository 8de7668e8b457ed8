"""Rules 1, 5 and 10: actors die and the system goes on; it ends in time and leaves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from exploration.invariants.losses import replaced_while_hung, told_events
from exploration.play import DEADLINE_S, RECOVERED_WITHIN_S, Run
from exploration.schedule import ACTORS
from perps_actors.kernel.children import ChildState, RestartPolicy
from perps_actors.kernel.lifecycle import Drain, Stop
from perps_actors.messages.feeds import StreamStatistics

NS_PER_S = 1_000_000_000
GRACE_S = 3.5
"""What a stop may take beyond its deadline: a handler that hangs comes back that late."""


def the_system_starts(run: Run) -> Iterator[str]:
    """A system comes up unless an actor dies at its first start, or its journal cannot be opened."""
    shut = any(fault.do == "shut" for fault in run.schedule.journal_faults)
    if not run.started and not shut and all(crash.nth for crash in run.schedule.crashes):
        yield f"{run.report}"


def the_system_recovers(run: Run) -> Iterator[str]:
    """When nothing goes wrong any more, every instrument is live on its top rung again."""
    if run.started and run.schedule.calm and run.recovered_s is None:
        health = {symbol: run.system.health(symbol) for symbol in run.system.settings.symbols}
        states = {child.name: child.state.value for child in run.children}
        yield f"not within {RECOVERED_WITHIN_S:g} s: {health}, {states}, {run.system.journal()}"


def the_dead_say_nothing(run: Run) -> Iterator[str]:
    """An incarnation that was replaced is not heard any more."""
    yield from run.runtime.notes.ghosts


def nobody_is_given_up_without_cause(run: Run) -> Iterator[str]:
    """An actor is given up only after more deaths in a period than are forgiven, and everyone else goes on."""
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
            yield f"{child.name} was restarted {child.restarts} times after {deaths[child.name]} deaths"


def who_dies_too_often_is_given_up(run: Run) -> Iterator[str]:
    """Nobody dies more often within a period than is forgiven, and lives on."""
    policy = RestartPolicy()
    died_ns: dict[str, list[int]] = {actor: [] for actor in ACTORS}
    for event in told_events(run, "actor_died"):
        died_ns[str(dict(event.data)["actor"])].append(event.received_ns)
    for actor, times in died_ns.items():
        for first, last in zip(times, times[policy.intensity + 1 :], strict=False):
            if last - first <= policy.period_s * NS_PER_S:
                yield f"{actor} died {policy.intensity + 2} times in {(last - first) / NS_PER_S} s"


def the_hung_are_replaced(run: Run) -> Iterator[str]:
    """A handler that does not come back is given up, and so is nobody else's time."""
    yield from run.runtime.notes.outlasted


def the_dead_are_replaced(run: Run) -> Iterator[str]:
    """Every death but the last of who was given up is followed by a new incarnation, while nobody stops."""
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
            yield f"{child.name} died {deaths[child.name]} times and had {child.cell.generation} incarnations"


def _wall(run: Run, monotonic_ns: int) -> int:
    clock = run.runtime.clock
    return clock.time_ns() - clock.monotonic_ns() + monotonic_ns


def every_connection_says_its_end(run: Run) -> Iterator[str]:
    """Each connection that was ever opened has one `ws_stream_exit`."""
    if replaced_while_hung(run, "stream_consumer"):
        return
    exits = len(told_events(run, "ws_stream_exit"))
    if exits != len(run.venue.opened_in):
        yield f"{len(run.venue.opened_in)} connections were opened, {exits} said their end"


def nothing_stays_open(run: Run) -> Iterator[str]:
    """After the end no connection is open and no request waits."""
    still = [link.plan.name for link in run.venue.links if not link.ended]
    if still:
        yield f"{still} are open"


def a_drain_leaves_nothing(run: Run) -> Iterator[str]:
    """A drain of living actors handles all that waits, unless one dies or hangs meanwhile."""
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
    """Whoever tells ends before those it tells: actors end in the reverse of the order in which they start."""
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
    if order != [actor for actor in ACTORS if actor in order]:
        yield f"from the last to the first that ended: {order}"


def the_end_is_bounded(run: Run) -> Iterator[str]:
    """Stopping and draining end within their deadline, and everyone is accounted for in the report."""
    assert run.report is not None
    took_s = (run.ended_ns - run.end_ns) / NS_PER_S
    if took_s > DEADLINE_S + GRACE_S:
        yield f"{run.schedule.end} took {took_s} s"
    actors = run.report.actors
    named = sorted((*actors.finished, *actors.abandoned, *actors.given_up))
    if named != sorted(ACTORS):
        yield f"the report names {named}"
    if run.started and not run.schedule.hangs() and not run.schedule.stalls and actors.abandoned:
        yield f"{actors.abandoned} were abandoned though nothing hung"


def every_question_ends(run: Run) -> Iterator[str]:
    """Whoever asked has an answer, or learns that nobody is there."""
    for asked in run.asked:
        if not asked.answer.settled():
            yield f"{asked.actor} never answered {asked.question}"


def complaints_are_told(run: Run) -> Iterator[str]:
    """What could not be used is told, a second later at most, or at the end."""
    if not run.recovered_s or run.child("stream_consumer").restarts:
        return
    last = [asked.outcome for asked in run.asked if isinstance(asked.outcome, StreamStatistics)]
    told = sum(int(dict(event.data)["count"]) for event in told_events(run, "input_rejected"))
    if last and last[-1].invalid_inputs > told:
        yield f"{last[-1].invalid_inputs} complaints, {told} told"


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
    complaints_are_told,
    judgements_go_on,
)
