"""What the live table shows, as values: looked up in the running system, nothing of how it is drawn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal

import attrs

from perps_actors.cli.rates import Rate
from perps_actors.cli.wording import printable
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.market.feed_state import Health, Judgement
from perps_actors.market.instrument import InstrumentId

JUDGED_EVERY_NS = NS_PER_S
"""How often the health of all feeds is looked up: as often as it is judged."""
SICKEST_FIRST = (Health.DOWN, Health.GAPPED, Health.STALE, Health.QUIET, Health.WAITING)
"""The states in which no marks arrive."""
MOST_NAMED = 3
"""Symbols that an ailment names."""

BestPrices = Mapping[InstrumentId, tuple[str, str]]
"""Best bid and best ask of the books that are good, as the venue writes them."""


@attrs.frozen(kw_only=True)
class Row:
    """One instrument. None is what is not known."""

    symbol: str
    mark: Decimal | None
    source: str | None
    age_ns: int | None
    venue_mark: Decimal | None
    places: int | None
    """Decimals to show prices with: the most that its marks have had, so that they stay in line; None before the first."""
    spread_bp: float | None
    """Best ask less best bid, in basis points of their mid."""
    held: int
    length: int
    """Marks in the window now, and when it is full."""
    marks_per_s: float | None
    health: Health | None


@attrs.frozen(kw_only=True)
class Ailment:
    """Feeds without marks that have the same state of health for the same cause."""

    health: Health
    cause: str
    symbols: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as a line: the state, of whom, and why."""
        named = self.symbols if len(self.symbols) <= MOST_NAMED else self.symbols[: MOST_NAMED - 1]
        others = (
            f" and {len(self.symbols) - len(named)} more" if len(named) < len(self.symbols) else ""
        )
        return f"{self.health.value} {printable(', '.join(named))}{others}: {printable(self.cause)}"


@attrs.frozen(kw_only=True)
class Whole:
    """The system as a whole."""

    venue: str
    provenance: str
    running_ns: int
    waiting: int
    """Items in all inboxes."""
    oldest_age_ns: int | None
    restarts: int
    dropped: int
    events_per_s: float | None
    kept: bool
    """Whether the journal is a file."""
    failing: str | None
    """Why the journal's last commit failed."""
    ceiling_bytes: int
    frames: tuple[int, int] | None
    """Of a recording: frames sent, of how many; None when there is none."""


@attrs.frozen(kw_only=True)
class Figures:
    """One look at a running system."""

    rows: tuple[Row, ...]
    hidden: tuple[tuple[str, int], ...]
    """Symbols without a row, by their state of health."""
    ailments: tuple[Ailment, ...]
    """Of all symbols, the worst first."""
    whole: Whole


def spread_bp(bid: str, ask: str) -> float | None:
    """Return (ask - bid) in basis points of the mid; None where there is no mid above zero."""
    low, high = Decimal(bid), Decimal(ask)
    return float((high - low) * 20_000 / (high + low)) if high + low > 0 else None


def ailments_of(judgements: Mapping[str, Judgement | None]) -> tuple[Ailment, ...]:
    """Return the feeds in which no marks arrive, by state and cause, the worst first."""
    sick: defaultdict[tuple[Health, str], list[str]] = defaultdict(list)
    for symbol, judgement in judgements.items():
        if judgement is not None and judgement.health in SICKEST_FIRST:
            sick[judgement.health, judgement.cause].append(symbol)
    found = [
        Ailment(health=health, cause=cause, symbols=tuple(symbols))
        for (health, cause), symbols in sick.items()
    ]
    return tuple(sorted(found, key=lambda ailment: SICKEST_FIRST.index(ailment.health)))


class Observer:
    """Looks at a system; remembers what rates need.

    Args:
        system: a running one.
        clock: judges ages and rates.
        prices: best prices of the moment; none of what is not known.
        frames: how much of a recording was sent, of how much.
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
        self._judged_ns: int | None = None
        self._judgements: dict[str, Judgement | None] = {}
        self._marks: defaultdict[str, Rate] = defaultdict(Rate)
        self._places: dict[str, int] = {}
        self._events = Rate()

    def look(self, most_rows: int) -> Figures:
        """Return the figures of this moment, with rows of at most so many symbols, in the order of the settings."""
        now_ns = self._clock.monotonic_ns()
        symbols = self._system.settings.symbols
        self._judge(now_ns, symbols)
        prices, shown = self._prices(), max(0, most_rows)
        hidden = Counter(
            "unknown" if (found := self._judgements[symbol]) is None else found.health.value
            for symbol in symbols[shown:]
        )
        return Figures(
            rows=tuple(self._row(symbol, prices, now_ns) for symbol in symbols[:shown]),
            hidden=tuple(hidden.most_common()),
            ailments=ailments_of(self._judgements),
            whole=self._whole(now_ns),
        )

    def _judge(self, now_ns: int, symbols: tuple[str, ...]) -> None:
        if (
            self._judged_ns is None
            or now_ns - self._judged_ns >= JUDGED_EVERY_NS
            or self._judgements.keys() != set(symbols)
        ):
            self._judged_ns = now_ns
            self._judgements = {symbol: self._system.health(symbol) for symbol in symbols}

    def _row(self, symbol: str, prices: BestPrices, now_ns: int) -> Row:
        system, judgement = self._system, self._judgements[symbol]
        mark, venue_mark = system.mark(symbol), system.venue_mark(symbol)
        best = prices.get(system.instrument(symbol))
        if mark is not None:
            self._places[symbol] = max(
                self._places.get(symbol, 0), -int(mark.mark.normalize().as_tuple().exponent)
            )
        return Row(
            symbol=symbol,
            mark=None if mark is None else mark.mark,
            source=None if mark is None else mark.source,
            age_ns=None if mark is None else now_ns - mark.monotonic_ns,
            venue_mark=None
            if venue_mark is None or venue_mark.mark is None
            else Decimal(venue_mark.mark),
            places=self._places.get(symbol),
            spread_bp=None if best is None else spread_bp(*best),
            held=len(system.window(symbol)),
            length=max(system.settings.marks.short, system.settings.marks.long) + 5,
            marks_per_s=self._marks[symbol].of(now_ns, system.count(symbol)),
            health=None if judgement is None else judgement.health,
        )

    def _whole(self, now_ns: int) -> Whole:
        system = self._system
        statistics, journal = system.statistics(), system.journal()
        return Whole(
            venue=system.settings.venue,
            provenance=system.settings.provenance,
            running_ns=now_ns - self._started_ns,
            waiting=statistics.waiting,
            oldest_age_ns=statistics.oldest_age_ns,
            restarts=statistics.restarts,
            dropped=statistics.dropped,
            events_per_s=self._events.of(now_ns, journal.recorded),
            kept=system.settings.journal.path is not None,
            failing=journal.failing,
            ceiling_bytes=system.memory_ceiling().total,
            frames=self._frames(),
        )
