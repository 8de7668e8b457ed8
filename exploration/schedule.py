"""A schedule: everything that is decided about a run before it begins.

A schedule consists of plain values. It is drawn from a seed or written down in a test.
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal, get_args

import attrs

from perps_actors.host.composition import START_ORDER
from perps_actors.market.mark import RUNGS, Source
from perps_actors.settings import (
    JournalSettings,
    Market,
    MarkSettings,
    MonitorSettings,
    PollSettings,
    RiskSettings,
    Settings,
    StreamSettings,
)
from perps_actors.testing import FaultKind, Moment, WireFault

ELSEWHERE = "ELSEWHERE"
"""A symbol that no venue lists."""
FIRST = "binance_futures"
"""Venue of the first market."""
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SECOND = {"bybit": "BTCUSDT", "okx": "BTC-USDT-SWAP"}
"""Venues that a second market may have, and its symbol there. Their wire formats differ."""
ACTORS = tuple(spec.name for spec in START_ORDER)
"""In a system of two markets these names mean the actors of the first."""
SOURCES = tuple(spec.name for spec in START_ORDER if spec.per_market)
"""Actors of which each market has its own."""
GROUPS = (*dict.fromkeys(spec.group for spec in START_ORDER), "supervisor")
CRASHES: tuple[Moment, ...] = ("before", "within", "after")
HANGS: tuple[Moment, ...] = ("hang_before", "hang_after")
TWO_MARKETS_EVERY = 6
"""One of this many seeds has two markets."""
POISON_EVERY = 10
"""One of this many seeds has frames that kill the consumer."""
HANG_SLACK_S = 36.0
"""How much longer a run lasts if an actor hangs: longer than the limit for one handler."""


JournalFaultKind = Literal["full", "shut", "broken"]


@attrs.frozen
class Crash:
    """A failure of an actor at its `nth` message.

    Messages are counted from 0 over all incarnations of the actor; `on_start` counts as one.
    """

    actor: str
    nth: int
    moment: Moment
    item: int = 0
    since_s: float = 0.0
    """Messages count from this second on."""


@attrs.frozen
class Stall:
    """The thread of a group of actors does not run for a while."""

    at_s: float
    group: str
    for_s: float


@attrs.frozen
class JournalFault:
    """The journal fails for a while.

    `full`: it cannot be written. `shut`: it cannot be opened either. `broken`: it raises an error
    that is not a `JournalError`.
    """

    at_s: float
    do: JournalFaultKind
    for_s: float


SettingsKind = Literal["level", "symbols", "poll", "journal", "switch"]


@attrs.frozen
class SettingsChange:
    """The host changes settings.

    `level`: the streams restart. `switch`: they stop, or start again. `symbols`: a symbol that is
    not listed comes or goes. `poll`, `journal`: another pace.
    """

    at_s: float
    what: SettingsKind

    def applied_to(self, settings: Settings) -> Settings:
        """Return the settings with this change."""
        changes: dict[SettingsKind, dict[str, Any]] = {
            "level": {"stream": attrs.evolve(settings.stream, level=settings.stream.level + 1)},
            "switch": {
                "stream": attrs.evolve(settings.stream, enabled=not settings.stream.enabled)
            },
            "symbols": _with_or_without_elsewhere(settings),
            "poll": {"poll": attrs.evolve(settings.poll, interval_s=settings.poll.interval_s / 2)},
            "journal": {"journal": attrs.evolve(settings.journal, linger_s=0.005, block=3)},
        }
        return attrs.evolve(settings, **changes[self.what])


def _with_or_without_elsewhere(settings: Settings) -> dict[str, Any]:
    first, *others = settings.as_markets()
    symbols = first.symbols[:-1] if ELSEWHERE in first.symbols else (*first.symbols, ELSEWHERE)
    if not settings.markets:
        return {"symbols": symbols}
    return {"markets": (attrs.evolve(first, symbols=symbols), *others)}


@attrs.frozen(kw_only=True)
class Schedule:
    """One run: its settings and its failures. Equal schedules give equal runs."""

    seed: int = 0
    symbols: int = 1
    source: Source = "book"
    lossless: bool = False
    patience_s: float = 2.0
    climb_after: int = 3
    silence_s: float = 3.0
    poll_s: float | None = 2.0
    """None: no polling."""
    limit_s: float = 2.0
    soft_s: float = 3.0
    hard_s: float = 6.0
    long: int = 20
    linger_s: float = 0.02
    block: int = 100
    rest_marks: bool = False
    bound: int | None = None
    """Items that inboxes of store, monitors and recorder hold; None: the system's own bounds."""
    step_s: float = 0.1
    faults: tuple[WireFault, ...] = ()
    crashes: tuple[Crash, ...] = ()
    stalls: tuple[Stall, ...] = ()
    journal_faults: tuple[JournalFault, ...] = ()
    settings_changes: tuple[SettingsChange, ...] = ()
    hung_write: int | None = None
    """Number of the write of the journal that hangs for a while; None: none."""
    rough_s: float = 8.0
    """Seconds in which failures may happen."""
    calm: bool = True
    """Whether the system is given time to recover before it is told to end."""
    end: Literal["drain", "stop"] = "drain"
    last_crashes: tuple[Crash, ...] = ()
    """As `crashes`, counted from the moment at which the system is told to end."""
    second: str | None = None
    """Venue of a second market with one symbol; None: there is one market."""
    second_faults: tuple[WireFault, ...] = ()
    """Faults of the second venue; `faults` are those of the first."""

    def settings(self) -> Settings:
        """Return the settings of the system."""
        poll = PollSettings(
            enabled=self.poll_s is not None,
            interval_s=self.poll_s if self.poll_s is not None else 1.0,
        )
        symbols = SYMBOLS[: self.symbols]
        second = None if self.second is None else Market(self.second, (SECOND[self.second],))
        return Settings(
            symbols=symbols if second is None else (),
            markets=() if second is None else (Market(FIRST, symbols), second),
            provenance="recording" if self.lossless else "synthetic",
            lossless=self.lossless,
            seed=self.seed,
            marks=MarkSettings(short=2, long=self.long),
            stream=StreamSettings(
                source=self.source,
                patience_s=self.patience_s,
                climb_after=self.climb_after,
                silence_s=self.silence_s,
            ),
            poll=poll,
            risk=RiskSettings(stale_soft_s=self.soft_s, stale_hard_s=self.hard_s),
            monitor=MonitorSettings(limit_s=self.limit_s),
            journal=JournalSettings(
                linger_s=self.linger_s, block=self.block, rest_marks=self.rest_marks
            ),
        )

    @property
    def rough_until_s(self) -> float:
        """When the last of its faults is over."""
        faults = (*self.faults, *self.second_faults)
        ends = [self.rough_s, *(fault.end_s for fault in faults)]
        ends += [stall.at_s + stall.for_s for stall in self.stalls]
        return max(*ends, *(fault.at_s + fault.for_s for fault in self.journal_faults), 0.0)

    def hangs(self) -> bool:
        """Return whether anything in it hangs."""
        crashes = (*self.crashes, *self.last_crashes)
        return self.hung_write is not None or any(crash.moment in HANGS for crash in crashes)

    def code(self) -> str:
        """Return the schedule as Python source, without fields that have their default."""
        given = {
            field.name: value
            for field in attrs.fields(Schedule)
            if (value := getattr(self, field.name)) != field.default
        }
        return f"Schedule({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def drawn(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    random = Random(seed)
    symbols, rough_s = random.randint(1, 3), random.uniform(6.0, 24.0)
    hangs, stalls = random.random() < 0.08, _stalls(random, rough_s)
    soft_s = random.choice((0.5, 1.5, 3.0, 180.0))
    crashes = _crashes(random, random.choice((0, 1, 2, 3, 6)), 400)
    if random.random() < 0.05:
        crashes += _storm(random)
    if stalls and random.random() < 0.4:
        crashes.append(_at_the_end_of(random, stalls[0]))
    settings: dict[str, Any] = {
        "seed": seed,
        "symbols": symbols,
        "source": random.choice((*RUNGS, "book", "book", "touch")),
        "lossless": random.random() < 0.4,
        "patience_s": random.choice((0.5, 1.5, 3.0)),
        "climb_after": random.randint(1, 6),
        "silence_s": random.choice((1.0, 2.5, 5.0)),
        "poll_s": random.choice((0.6, 1.0, 2.5)) if random.random() < 0.9 else None,
        "limit_s": random.choice((0.5, 2.0, 5.0)),
        "soft_s": soft_s,
        "hard_s": soft_s * random.choice((1, 2)),
        "long": random.choice((2, 5, 20)),
        "linger_s": random.choice((0.001, 0.02, 0.3)),
        "block": random.choice((1, 7, 1000)),
        "rest_marks": random.random() < 0.5,
        "bound": random.choice((4, 15, 60)) if random.random() < 0.4 else None,
        "step_s": 0.5 if hangs else random.choice((0.1, 0.1, 0.2)),
    }
    _make_livable(settings)
    schedule = Schedule(
        **settings,
        faults=_faults(random, rough_s),
        crashes=tuple(crashes + (_hangs(random) if hangs else [])),
        stalls=stalls,
        journal_faults=_journal_faults(random, rough_s),
        hung_write=random.randrange(1, 40) if hangs and random.random() < 0.4 else None,
        rough_s=rough_s + (HANG_SLACK_S if hangs else 0.0),
        calm=random.random() < 0.75,
        end=random.choice(("drain", "drain", "stop")),
        settings_changes=_settings_changes(random, rough_s),
        last_crashes=tuple(
            attrs.evolve(crash, nth=crash.nth - 1)
            for crash in _crashes(random, random.choice((0, 0, 0, 1, 2)), 10)
        ),
    )
    if seed % TWO_MARKETS_EVERY == 0:
        return _with_two_markets(schedule)
    return _with_poisoned_frames(schedule) if seed % POISON_EVERY == 3 else schedule


def _with_poisoned_frames(schedule: Schedule) -> Schedule:
    """Let single frames kill the consumer while touches are the only active source.

    Every touch makes a mark then, so that a frame that is lost with a poisoned one is noticed.
    """
    random = Random(schedule.seed)
    crashes = [
        Crash("stream_consumer", random.randint(10, 150), "within", random.randint(1, 3))
        for _ in range(4)
    ]
    return attrs.evolve(
        schedule,
        source="touch",
        faults=(),
        settings_changes=(),
        crashes=(*schedule.crashes, *crashes),
    )


def _with_two_markets(schedule: Schedule) -> Schedule:
    """Add a second market.

    In half of the cases all failures are at the first venue or in the actors of its market, so
    that the second market must not notice them.
    """
    random = Random(schedule.seed)
    second = random.choice(sorted(SECOND))
    if random.random() < 0.5:
        of_second = [
            attrs.evolve(crash, actor=f"{random.choice(SOURCES)}:{second}")
            for crash in _crashes(random, random.choice((0, 1, 2)), 100)
        ]
        return attrs.evolve(
            schedule,
            second=second,
            second_faults=_faults(random, schedule.rough_s),
            crashes=(*schedule.crashes, *of_second),
        )
    crashes = [
        attrs.evolve(crash, actor=random.choice(SOURCES))
        for crash in schedule.crashes
        if crash.moment not in HANGS and crash.nth
    ]
    kind: FaultKind = random.choice(("silence", "refuse", "cut", "rest_refuse"))
    outage = WireFault(at_s=2.0, do=kind, for_s=10.0)
    if kind == "rest_refuse":
        # Only a market that is polled needs requests while its streams work.
        schedule = attrs.evolve(schedule, source="rest", poll_s=0.6, limit_s=2.5)
    return attrs.evolve(
        schedule,
        second=second,
        faults=(*schedule.faults, outage),
        crashes=tuple(crashes),
        stalls=(),
        journal_faults=(),
        settings_changes=(),
        last_crashes=(),
        hung_write=None,
        bound=None,
    )


def _make_livable(settings: dict[str, Any]) -> None:
    """Set limits that a healthy market of that pace keeps, so that at rest every feed is live."""
    source, step_s = settings["source"], settings["step_s"]
    if source == "rest":
        settings["poll_s"] = settings["poll_s"] or 1.0
        settings["limit_s"] = 2.5 * settings["poll_s"]
    # Two of five steps of the market have no trade.
    settings["limit_s"] = max(settings["limit_s"], step_s * (12 if source == "trades" else 4))
    settings["patience_s"] = max(settings["patience_s"], 3 * step_s)


def _nth(random: Random, most: int) -> int:
    """Return the number of a message, as often below the square root of `most` as above."""
    return int(most ** random.random())


def _crashes(random: Random, count: int, most: int) -> list[Crash]:
    return [
        Crash(
            random.choice(ACTORS), _nth(random, most), random.choice(CRASHES), random.randrange(8)
        )
        for _ in range(count)
    ] + (
        [Crash(random.choice(ACTORS), 0, "before")] if most > 100 and random.random() < 0.02 else []
    )


def _storm(random: Random) -> list[Crash]:
    actor, first = random.choice(ACTORS), _nth(random, 100)
    return [Crash(actor, first + n, "before") for n in range(random.choice((5, 8)))]


def _at_the_end_of(random: Random, stall: Stall) -> Crash:
    """Return a crash at one of the messages that wait for an actor after a stall."""
    held = [spec.name for spec in START_ORDER if spec.group == stall.group]
    actor = random.choice(held or ACTORS)
    return Crash(
        actor,
        random.randrange(4),
        random.choice(CRASHES),
        random.randrange(4),
        round(stall.at_s + stall.for_s, 2),
    )


def _hangs(random: Random) -> list[Crash]:
    # Not the recorder: it hangs in a write, as it does in practice.
    return [Crash(random.choice(ACTORS[1:]), _nth(random, 200), random.choice(HANGS))]


def _faults(random: Random, rough_s: float) -> tuple[WireFault, ...]:
    kinds: tuple[FaultKind, ...] = get_args(FaultKind)
    return tuple(
        WireFault(
            at_s=round(random.uniform(0.0, rough_s), 2),
            do=random.choice(kinds),
            for_s=round(min(random.choice((0.3, 1.0, 4.0)), rough_s), 2),
            share=random.choice((0.05, 0.3, 1.0)),
        )
        for _ in range(random.choice((0, 1, 2, 4, 8)))
    )


def _stalls(random: Random, rough_s: float) -> tuple[Stall, ...]:
    """Return some stalls, often one at the end of the failures, so that many messages wait then."""
    starts = [random.uniform(0.0, rough_s) for _ in range(random.choice((0, 1, 2, 4)))]
    if random.random() < 0.3:
        starts.append(rough_s - 0.7)
    return tuple(
        Stall(round(at_s, 2), random.choice(GROUPS), random.choice((0.2, 0.6, 1.0, 3.0)))
        for at_s in starts
    )


def _settings_changes(random: Random, rough_s: float) -> tuple[SettingsChange, ...]:
    times = sorted(
        round(random.uniform(0.0, rough_s), 2) for _ in range(random.choice((0, 0, 0, 1, 2, 4)))
    )
    return tuple(SettingsChange(at_s, random.choice(get_args(SettingsKind))) for at_s in times)


def _journal_faults(random: Random, rough_s: float) -> tuple[JournalFault, ...]:
    if random.random() < 0.75:
        return ()
    do: JournalFaultKind = random.choice(("full", "full", "shut", "broken"))
    return (
        JournalFault(
            round(random.uniform(0.5, rough_s), 2),
            do,
            random.choice((0.5, 2.0)) if do == "full" else 0.1,
        ),
    )
