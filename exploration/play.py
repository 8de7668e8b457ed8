"""Plays a schedule: runs a whole system against simulated venues and makes it fail as planned."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import attrs

from exploration.memory import MemoryJournal
from exploration.schedule import FIRST, HANGS, SECOND, SYMBOLS, Crash, Schedule
from exploration.watch import Turn, WatchedRuntime
from perps_actors.errors import PerpsActorsError, ReconfigureFailed
from perps_actors.host.readings import SystemReport
from perps_actors.host.subscriptions import Subscription
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.address import Answer
from perps_actors.kernel.children import Child, ChildState
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.market.feed_state import Health
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import (
    FeedHealth,
    GetFeedHealth,
    GetPollStatistics,
    GetStreamStatistics,
)
from perps_actors.messages.marks import GetMarkStatistics, GetWindow, MarksUpdated
from perps_actors.messages.records import Event, Flush
from perps_actors.messages.risk import GetVerdict
from perps_actors.settings import Settings
from perps_actors.testing import Harm, Probe, SimulatedNetwork, SimulatedVenue, WireFault
from perps_actors.testing.simulated_link import SimulatedLink
from perps_actors.transport.wire import AnswerListener, ConnectionPlan, HttpRequest, StreamListener

LOOK_EVERY_S = 0.5
RECOVERED_WITHIN_S = 60.0
RECONFIGURE_TRIES = 10
DEADLINE_S = 8.0


@attrs.frozen
class Look:
    """The readings of a host at one moment."""

    now_ns: int
    health: FeedHealth
    newest_ns: dict[InstrumentId, int]
    """Monotonic time of the newest mark that was told to a listener."""


@attrs.frozen
class Asked:
    """A question of the host to an actor."""

    actor: str
    question: Any
    answer: Answer

    @property
    def outcome(self) -> Any:
        """The answer; None: an error, or no answer yet."""
        with suppress(PerpsActorsError, Exception):
            return self.answer.get(timeout=0)
        return None


@attrs.frozen(kw_only=True)
class PlayedMarket:
    """A market of a run: its venue, its instruments and the names of its actors."""

    venue: WatchedVenue
    symbols: tuple[str, ...]
    consumer: str
    poller: str


class FailingCallable:
    """A callable of the host that keeps the marks that it gets and raises at some of them."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []

    def __call__(self, mark: Mark) -> None:
        """Keep the mark; raise at one in seven."""
        self.marks.append(mark)
        if len(self.marks) % 7 == 0:
            msg = "the callable fails at this mark"
            raise ValueError(msg)


@attrs.define(kw_only=True)
class Run:
    """A played schedule, with everything that the invariants need to know."""

    schedule: Schedule
    runtime: WatchedRuntime
    markets: tuple[PlayedMarket, ...]
    journal: MemoryJournal
    system: PerpsSystem
    saboteur: Saboteur
    heard: Probe = attrs.Factory(Probe)
    """A listener of the host, which was told every mark of the store."""
    received: FailingCallable = attrs.Factory(FailingCallable)
    subscription: Subscription | None = None
    """A subscription of the host, whose callable fails at some marks."""
    looks: list[Look] = attrs.Factory(list)
    asked: list[Asked] = attrs.Factory(list)
    calm_ns: int = 0
    """Monotonic time of the last failure."""
    recovered_s: float | None = None
    """Seconds until it had recovered; None: it did not, or had no time for it."""
    started: bool = False
    end_ns: int = 0
    """Monotonic time at which it was told to end."""
    well_at_end: bool = False
    """Whether all actors were alive when it was told to end."""
    ended_ns: int = 0
    report: SystemReport | None = None

    def venue_of(self, instrument: InstrumentId) -> WatchedVenue:
        """Return the venue of an instrument."""
        return next(m.venue for m in self.markets if m.venue.name == instrument.venue)

    @property
    def polls(self) -> tuple[int, ...]:
        """Number of polls at each venue."""
        return tuple(market.venue.polls for market in self.markets)

    @property
    def now_s(self) -> float:
        """Seconds since the venues began."""
        return self.markets[0].venue.now_s

    @property
    def children(self) -> tuple[Child, ...]:
        """The records of all actors, in the order of their start."""
        return self.system._composition.children  # noqa: SLF001 - the invariants need the records

    def child(self, actor: str) -> Child:
        """Return the record of one actor."""
        return next(child for child in self.children if child.name == actor)

    @property
    def marks(self) -> list[Mark]:
        """All recorded marks, in order."""
        return [mark for message in self.heard.of(MarksUpdated) for mark in message.marks]

    def events(self, kind: str) -> list[Event]:
        """Return the events of a kind in the journal."""
        return [event for event in self.journal.events if event.kind == kind]

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """The instruments of all markets."""
        return tuple(
            InstrumentId(market.venue.name, symbol)
            for market in self.markets
            for symbol in market.symbols
        )

    def digest(self) -> str:
        """Return a hash of the trace and of every event in the journal."""
        hashed = hashlib.sha256(self.runtime.trace().encode())
        for event in self.journal.events:
            hashed.update(repr(event).encode())
        return hashed.hexdigest()


class WatchedVenue(SimulatedVenue):
    """A simulated venue that notes the turn in which each connection was opened.

    The turn of session n is in `opened_in[n - 1]`.
    """

    def __init__(
        self,
        runtime: WatchedRuntime,
        schedule: Schedule,
        name: str,
        symbols: tuple[str, ...],
        faults: tuple[WireFault, ...],
    ) -> None:
        self.opened_in: list[Turn | None] = []
        self.asked: list[tuple[HttpRequest, int]] = []
        """Every request, with its monotonic time."""
        self._notes = runtime.notes
        super().__init__(
            runtime,
            symbols,
            seed=schedule.seed,
            faults=faults,
            step_s=schedule.step_s,
            venue=name,
        )

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> SimulatedLink:
        """Note the turn and open a connection."""
        self.opened_in.append(self._notes.turn)
        return super().open(plan, listener)

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Note the time and take a request."""
        self.asked.append((request, self._runtime.clock.monotonic_ns()))
        super().request(request, listener)

    @property
    def polls(self) -> int:
        """Number of polls that it was asked for."""
        return sum(request.purpose == "quotes" for request, _ in self.asked)


class Saboteur:
    """Lets actors fail at the messages that a schedule names."""

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        self._last = schedule.last_crashes
        self._clock = clock
        self._due = _due(schedule.crashes)
        self.hung: list[tuple[str, str]] = []
        """(actor, moment) of every hang."""
        self.ending = False
        self.struck_at_end: Counter[str] = Counter()

    def __call__(self, actor: str, message: Any) -> Harm | None:  # noqa: ARG002 - they are counted
        """Return the failure of the actor at this message."""
        now_s = self._clock.monotonic_ns() / NS_PER_S
        struck = None
        for due in self._due.get(actor.removesuffix(f":{FIRST}"), ()):
            if now_s >= due.crash.since_s:
                struck = due.crash if due.left == 0 else struck
                due.left -= 1
        if struck is None:
            return None
        if self.ending:
            self.struck_at_end[actor] += 1
        if struck.moment in HANGS:
            self.hung.append((actor, struck.moment))
        return Harm(struck.moment, struck.item)

    def pause(self) -> None:
        """Stop the failures for now."""
        self._due = {}

    def resume(self) -> None:
        """Start the failures that are planned for the end."""
        self.ending = True
        self._due = _due(self._last)


@attrs.define
class _Due:
    """A crash to come."""

    crash: Crash
    left: int
    """Messages of its actor before it."""


def _due(crashes: Iterable[Crash]) -> dict[str, list[_Due]]:
    due: dict[str, list[_Due]] = {}
    for crash in crashes:
        due.setdefault(crash.actor, []).append(_Due(crash, crash.nth))
    return due


def play(schedule: Schedule) -> Run:
    """Play a schedule to its end."""
    runtime = WatchedRuntime(seed=schedule.seed, bound=schedule.bound)
    runtime.harm = saboteur = Saboteur(schedule, runtime.clock)
    markets = _markets(schedule, runtime)
    first = markets[0].venue
    network = SimulatedNetwork(*(m.venue for m in markets)) if len(markets) > 1 else first
    journal = MemoryJournal(schedule.journal_faults, lambda: first.now_s)
    system = PerpsSystem(
        schedule.settings(),
        replace={"network": network, "runtime": runtime, "journal": journal.open},
    )
    run = Run(
        schedule=schedule,
        runtime=runtime,
        markets=markets,
        journal=journal,
        system=system,
        saboteur=saboteur,
    )
    journal.on_write = partial(_hang_in_write, run)
    system.listen(run.heard)
    run.subscription = system.subscribe(run.received)
    for stall in schedule.stalls:
        runtime.at(stall.at_s, partial(runtime.stall, stall.group, stall.for_s))
    with suppress(PerpsActorsError):
        system.start()
        run.started = True
        _live(run)
    _end(run)
    return run


def _markets(schedule: Schedule, runtime: WatchedRuntime) -> tuple[PlayedMarket, ...]:
    planned = [(FIRST, SYMBOLS[: schedule.symbols], schedule.faults)]
    if schedule.second is not None:
        planned.append((schedule.second, (SECOND[schedule.second],), schedule.second_faults))
    return tuple(
        PlayedMarket(
            venue=WatchedVenue(runtime, schedule, name, symbols, faults),
            symbols=symbols,
            consumer="stream_consumer" if len(planned) == 1 else f"stream_consumer:{name}",
            poller="quote_poller" if len(planned) == 1 else f"quote_poller:{name}",
        )
        for name, symbols, faults in planned
    )


def _hang_in_write(run: Run, number: int) -> None:
    """Let the recorder hang in the write that the schedule names."""
    if number == run.schedule.hung_write:
        run.saboteur.hung.append(("event_recorder", "write"))
        run.runtime.hang(run.child("event_recorder").cell, 60.0)


def _live(run: Run) -> None:
    schedule, runtime = run.schedule, run.runtime
    host = Host(run)
    host.look()
    for change in schedule.settings_changes:
        runtime.advance(max(0.0, min(change.at_s, schedule.rough_s) - run.now_s))
        _reconfigure(run, change.applied_to(run.system.settings))
    runtime.advance(max(0.0, schedule.rough_s - run.now_s))
    if not schedule.calm:
        return
    run.saboteur.pause()
    _reconfigure(run, schedule.settings())
    runtime.advance(max(0.0, schedule.rough_until_s - run.now_s))
    run.calm_ns, polls = runtime.clock.monotonic_ns(), run.polls
    for waited in range(int(RECOVERED_WITHIN_S / LOOK_EVERY_S)):
        runtime.advance(LOOK_EVERY_S)
        if _is_well(run, polls):
            run.recovered_s = (waited + 1) * LOOK_EVERY_S
            return


def _reconfigure(run: Run, settings: Settings) -> None:
    """Change settings, and try again while an actor that is dead or hangs does not take them."""
    for _ in range(RECONFIGURE_TRIES):
        with suppress(ReconfigureFailed):
            run.system.reconfigure(settings)
            return
        run.runtime.advance(LOOK_EVERY_S)


def _is_well(run: Run, polls_before: tuple[int, ...]) -> bool:
    """Return whether all instruments are live on their best source, with polls and journal."""
    if any(child.state is ChildState.GIVEN_UP for child in run.children):
        return True
    system = run.system
    fresh = {
        mark.instrument
        for mark in run.marks
        if mark.source == run.schedule.source and mark.monotonic_ns > run.calm_ns
    }
    health = [system.health(instrument) for instrument in system.instruments]
    return (
        fresh == set(run.instruments)
        and all(judged is not None and judged.health is Health.LIVE for judged in health)
        and (
            run.schedule.poll_s is None
            or all(now > before for now, before in zip(run.polls, polls_before, strict=True))
        )
        and system.journal().failing is None
        and all(child.state is ChildState.RUNNING for child in run.children)
    )


def _end(run: Run) -> None:
    clock = run.runtime.clock
    run.saboteur.resume()
    run.end_ns = clock.monotonic_ns()
    run.well_at_end = all(
        child.state is ChildState.RUNNING and child.cell.actor is not None for child in run.children
    )
    run.report = (
        run.system.drain(DEADLINE_S) if run.schedule.end == "drain" else run.system.stop(DEADLINE_S)
    )
    run.ended_ns = clock.monotonic_ns()


class Host:
    """A host that reads and asks twice a second."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._random = Random(run.schedule.seed)
        self._seen = 0
        self._newest_ns: dict[InstrumentId, int] = {}

    def look(self) -> None:
        """Read, ask, and set the timer for the next look."""
        run = self._run
        self._hear()
        # The façade does not tell the time of a judgement.
        health = run.system._composition.parts.health.value  # noqa: SLF001
        run.looks.append(Look(run.runtime.clock.monotonic_ns(), health, dict(self._newest_ns)))
        self._ask()
        run.runtime.at(LOOK_EVERY_S, self.look)

    def _hear(self) -> None:
        """Note the marks that were told since the last look."""
        told = self._run.heard.told
        for message in told[self._seen :]:
            for mark in message.marks:
                self._newest_ns[mark.instrument] = max(
                    mark.monotonic_ns, self._newest_ns.get(mark.instrument, 0)
                )
        self._seen = len(told)

    def _ask(self) -> None:
        run = self._run
        instrument = self._random.choice(run.instruments)
        market = self._random.choice(run.markets)
        questions: tuple[tuple[str, object], ...] = (
            ("mark_store", GetWindow(instrument)),
            ("mark_store", GetMarkStatistics()),
            ("market_monitor", GetFeedHealth()),
            ("event_recorder", Flush()),
            (market.consumer, GetStreamStatistics()),
            (market.poller, GetPollStatistics()),
        )
        for actor, question in (
            ("risk_monitor", GetVerdict(instrument)),
            self._random.choice(questions),
        ):
            answer = run.child(actor).cell.address.put_question(question)
            run.asked.append(Asked(actor, question, answer))
