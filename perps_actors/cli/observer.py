"""The figures of the live table, read from the running system; nothing about drawing."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Self

import attrs

from perps_actors.actors import stream_consumer
from perps_actors.cli.wording import printable
from perps_actors.errors import PerpsActorsError
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.market.feed_state import Health, Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.feeds import GetTops, Tops

HEALTH_EVERY_NS = NS_PER_S
"""How often the health of all feeds is read: as often as the market monitor updates it."""
WORST_FIRST = (Health.DOWN, Health.GAPPED, Health.STALE, Health.QUIET, Health.WAITING)
"""The states in which no marks arrive."""
MOST_NAMED = 3
"""How many instruments the line about a problem names."""
RATE_OVER_NS = 3 * NS_PER_S
"""Period of a rate: long enough to be readable, short enough to follow changes."""
PRICES_EVERY_S = 1.0
PRICES_VALID_NS = 3 * NS_PER_S
"""Best prices older than this are not shown."""

BestPrices = Mapping[InstrumentId, tuple[str, str]]
"""Best bid and best ask of each synced book, as the venue writes them."""


@attrs.frozen(kw_only=True)
class Row:
    """One instrument. None means that the value is not known."""

    venue: str
    symbol: str
    mark: Decimal | None
    """Our mid price; the exchange's own mark price is `venue_mark`."""
    source: str | None
    age_ns: int | None
    """Age of the mark's data by the venue's own time, corrected by the venue's offset."""
    venue_mark: Decimal | None
    places: int | None
    """Decimals of its prices: the most that its marks have had, so that they stay aligned."""
    bid: Decimal | None
    ask: Decimal | None
    held: int
    length: int
    """Marks in the window now, and in a full window."""
    marks_per_s: float | None
    health: Health | None

    @property
    def spread_bp(self) -> float | None:
        """Best ask less best bid, in basis points of their mid; None without a mid above zero."""
        if self.bid is None or self.ask is None or self.bid + self.ask <= 0:
            return None
        return float((self.ask - self.bid) * 20_000 / (self.bid + self.ask))


@attrs.frozen(kw_only=True)
class Problem:
    """Feeds that deliver no marks and share a state of health and its cause."""

    health: Health
    cause: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line: the state, the instruments, the cause."""
        named = self.names if len(self.names) <= MOST_NAMED else self.names[: MOST_NAMED - 1]
        others = f" and {len(self.names) - len(named)} more" if len(named) < len(self.names) else ""
        return f"{self.health.value} {printable(', '.join(named))}{others}: {printable(self.cause)}"


@attrs.frozen(kw_only=True)
class SystemFigures:
    """Figures of the system as a whole."""

    markets: tuple[tuple[str, str], ...]
    """Venue and provenance of each market."""
    running_ns: int
    queued: int
    """Items in all inboxes."""
    oldest_age_ns: int | None
    restarts: int
    dropped: int
    events_per_s: float | None
    journal_kept: bool
    """Whether the journal is a file."""
    journal_error: str | None
    """Why the last commit failed."""
    queue_limit_bytes: int
    """The most memory that queued items could take; not the memory in use."""
    frames: tuple[int, int] | None
    """Frames of the recordings sent so far, and in total; None without a recording."""


@attrs.frozen(kw_only=True)
class Figures:
    """Figures of a running system at one moment."""

    rows: tuple[Row, ...]
    hidden: tuple[tuple[str, int], ...]
    """How many instruments without a row are in each state of health."""
    problems: tuple[Problem, ...]
    """Of all instruments, the worst first."""
    system: SystemFigures


def names_of(instruments: tuple[InstrumentId, ...]) -> dict[InstrumentId, str]:
    """Return each instrument's name: its symbol, or `venue:symbol` if there are several venues."""
    several = len({instrument.venue for instrument in instruments}) > 1
    return {each: str(each) if several else each.symbol for each in instruments}


def ask_best_prices(system: PerpsSystem) -> Tops:
    """Ask the stream consumer of every market for its best prices; may raise as `ask` does."""
    consumers = [
        actor.name
        for actor in system.statistics().actors
        if actor.name.partition(":")[0] == stream_consumer.SPEC.name
    ]
    answers = [system.ask(consumer, GetTops()) for consumer in consumers]
    return Tops(tuple(top for answer in answers for top in answer.tops))


def problems_of(judgements: Mapping[str, Judgement | None]) -> tuple[Problem, ...]:
    """Return the feeds without marks, grouped by state and cause, the worst first."""
    groups: defaultdict[tuple[Health, str], list[str]] = defaultdict(list)
    for name, judgement in judgements.items():
        if judgement is not None and judgement.health in WORST_FIRST:
            groups[judgement.health, judgement.cause].append(name)
    found = [
        Problem(health=health, cause=cause, names=tuple(names))
        for (health, cause), names in groups.items()
    ]
    return tuple(sorted(found, key=lambda problem: WORST_FIRST.index(problem.health)))


class Rate:
    """Growth per second of one counter, over `RATE_OVER_NS` or the last two readings if longer."""

    def __init__(self) -> None:
        self._readings: deque[tuple[int, int]] = deque()

    def of(self, now_ns: int, count: int) -> float | None:
        """Add a reading and return the growth per second; None before the second reading.

        Args:
            now_ns: monotonic time of the reading.
            count: the counter. If it fell, as after a restart of its owner, the rate starts over.
        """
        readings = self._readings
        if readings and count < readings[-1][1]:
            readings.clear()
        readings.append((now_ns, count))
        while len(readings) > 2 and readings[1][0] <= now_ns - RATE_OVER_NS:
            readings.popleft()
        passed_ns = now_ns - readings[0][0]
        return (count - readings[0][1]) * NS_PER_S / passed_ns if passed_ns > 0 else None


class BestPriceWatch:
    """Asks for the best prices on a thread of its own, so that a late answer delays nothing else.

    Neither the table nor Ctrl-C waits for an answer. The thread ends after the context is left,
    as soon as the question that is open then is answered.

    Args:
        ask: returns the `Tops` of all books; may block, may raise errors of this package.
        clock: measures how old an answer is.
        every_s: pause between an answer and the next question, in seconds.
    """

    def __init__(
        self, ask: Callable[[], Tops], clock: Clock, *, every_s: float = PRICES_EVERY_S
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._every_s = every_s
        # Replaced as a whole by the asking thread, so that readers never see half an answer.
        self._answer: tuple[int, BestPrices] = (clock.monotonic_ns(), {})
        self._over = threading.Event()
        self.thread = threading.Thread(
            target=self._keep_asking, name="perps-best-prices", daemon=True
        )

    def latest(self) -> BestPrices:
        """Return the prices of the last answer; empty if it is older than `PRICES_VALID_NS`."""
        answered_ns, prices = self._answer
        return prices if self._clock.monotonic_ns() - answered_ns <= PRICES_VALID_NS else {}

    def _keep_asking(self) -> None:
        while not self._over.is_set():
            self._ask_once()
            self._over.wait(self._every_s)

    def _ask_once(self) -> None:
        try:
            tops = self._ask().tops
        except PerpsActorsError:
            return  # the last answer expires by itself
        self._answer = (
            self._clock.monotonic_ns(),
            {instrument: (bid[0], ask[0]) for instrument, (bid, ask) in tops},
        )

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()


class Observer:
    """Reads the figures of a running system, and keeps the readings that its rates need.

    Args:
        system: a running system.
        clock: measures ages and rates.
        prices: returns the best prices that are known now.
        frames: returns how many frames of a recording were sent, and how many there are.
    """

    def __init__(
        self,
        system: PerpsSystem,
        clock: Clock,
        prices: Callable[[], BestPrices],
        frames: Callable[[], tuple[int, int] | None],
    ) -> None:
        self._system = system
        self._clock = clock
        self._prices = prices
        self._frames = frames
        self._started_ns = clock.monotonic_ns()
        self._health_read_ns: int | None = None
        self._judgements: dict[InstrumentId, Judgement | None] = {}
        self._marks: defaultdict[InstrumentId, Rate] = defaultdict(Rate)
        self._places: dict[InstrumentId, int] = {}
        self._events = Rate()

    def look(self, most_rows: int) -> Figures:
        """Return the figures of this moment, with at most `most_rows` instruments."""
        now_ns = self._clock.monotonic_ns()
        instruments = self._system.instruments
        self._read_health(now_ns, instruments)
        prices, shown = self._prices(), max(0, most_rows)
        hidden = Counter(
            "unknown" if (found := self._judgements[each]) is None else found.health.value
            for each in instruments[shown:]
        )
        names = names_of(instruments)
        return Figures(
            rows=tuple(self._row(each, prices, now_ns) for each in instruments[:shown]),
            hidden=tuple(hidden.most_common()),
            problems=problems_of({names[each]: self._judgements[each] for each in instruments}),
            system=self._whole(now_ns),
        )

    def _read_health(self, now_ns: int, instruments: tuple[InstrumentId, ...]) -> None:
        if (
            self._health_read_ns is None
            or now_ns - self._health_read_ns >= HEALTH_EVERY_NS
            or self._judgements.keys() != set(instruments)
        ):
            self._health_read_ns = now_ns
            self._judgements = {each: self._system.health(each) for each in instruments}

    def _row(self, instrument: InstrumentId, prices: BestPrices, now_ns: int) -> Row:
        system, judgement = self._system, self._judgements[instrument]
        mark, venue_mark = system.mark(instrument), system.venue_mark(instrument)
        bid, ask = prices.get(instrument, (None, None))
        if mark is not None:
            places = -int(mark.mark.normalize().as_tuple().exponent)
            self._places[instrument] = max(self._places.get(instrument, 0), places)
        return Row(
            venue=instrument.venue,
            symbol=instrument.symbol,
            mark=None if mark is None else mark.mark,
            source=None if mark is None else mark.source,
            age_ns=None if mark is None else now_ns - mark.as_of_ns,
            venue_mark=None if venue_mark is None else _decimal(venue_mark.mark),
            places=self._places.get(instrument),
            bid=_decimal(bid),
            ask=_decimal(ask),
            held=len(system.window(instrument)),
            length=max(system.settings.marks.short, system.settings.marks.long) + 5,
            marks_per_s=self._marks[instrument].of(now_ns, system.count(instrument)),
            health=None if judgement is None else judgement.health,
        )

    def _whole(self, now_ns: int) -> SystemFigures:
        system = self._system
        statistics, journal = system.statistics(), system.journal()
        return SystemFigures(
            markets=tuple(
                (market.venue, market.provenance or system.settings.provenance)
                for market in system.settings.resolved().values()
            ),
            running_ns=now_ns - self._started_ns,
            queued=statistics.waiting,
            oldest_age_ns=statistics.oldest_age_ns,
            restarts=statistics.restarts,
            dropped=statistics.dropped,
            events_per_s=self._events.of(now_ns, journal.recorded),
            journal_kept=system.settings.journal.path is not None,
            journal_error=journal.failing,
            queue_limit_bytes=system.memory_ceiling().total,
            frames=self._frames(),
        )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
