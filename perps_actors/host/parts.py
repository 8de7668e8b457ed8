"""The parts that actors are made with. Factories get them by the names of the attributes here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from random import Random
from typing import Any, ClassVar

import attrs

from perps_actors.errors import SettingsError
from perps_actors.feeds.boards import Board, VenueBoard
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.feeds.subscribers import Subscribers
from perps_actors.journal.contract import JournalWriter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Published, Teller
from perps_actors.kernel.clock import Clock
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.statistics import DropLedger
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.control import StreamPlan
from perps_actors.messages.feeds import FeedHealth
from perps_actors.messages.records import JournalStatus
from perps_actors.settings import HOST_BROKER, Market, Settings
from perps_actors.transport.rate_limits import BackoffPolicy, Priority, RateLimits, RequestPacing
from perps_actors.transport.wire import Network
from perps_actors.venues.contract import Endpoints, RestAdapter, StreamAdapter
from perps_actors.venues.registry import VENUES, Venue, venue


class Absent:
    """Stands for an actor that is not part of the system."""

    def tell(self, message: Any) -> bool:  # noqa: ARG002 - the protocol's name
        """Drop the message."""
        return False


@attrs.define(kw_only=True, slots=False)
class SystemParts:
    """Parts that all actors of a system share."""

    PROVIDES: ClassVar = ("instruments",)
    """Names of parts that are not fields."""

    settings: Settings
    """The settings in force; replaced when a host changes them."""
    clock: Clock
    random: Random
    report: Reporter
    board: Board
    health: Published[FeedHealth]
    journal_status: Published[JournalStatus]
    open_journal: Callable[[], JournalWriter]
    drops: DropLedger
    subscribers: Subscribers
    listeners: list[Teller]
    """Told `MarksUpdated`; the store reads the list when it starts."""
    rate_limits: RateLimits = attrs.Factory(RateLimits)
    """One limiter per REST address, for all requests of the system. It outlives the actors."""

    def use(self, settings: Settings) -> None:
        """Put other settings in force for the actors that start from now on, and for readers."""
        self.settings = settings
        self.instruments = settings.instruments
        names: dict[str, tuple[InstrumentId, ...]] = {}
        for instrument in self.instruments:
            names[instrument.symbol] = (*names.get(instrument.symbol, ()), instrument)
        self._named = names
        markets = settings.resolved()
        self.report.venue = settings.venues
        self.report.provenances = {
            instrument: markets[market].provenance or settings.provenance
            for instrument, market in self.instruments.items()
        }

    def instrument(self, text: str) -> InstrumentId:
        """Return the instrument that a host names: `bybit:BTCUSDT`, or `BTCUSDT` while one has it.

        Raises:
            SettingsError: several have the symbol, or none has while there are several venues.
        """
        found = self._named.get(text, ())
        if len(found) == 1:
            return found[0]
        prefix, colon, symbol = text.partition(":")
        venues = dict.fromkeys(instrument.venue for instrument in self.instruments)
        if not found and colon and (prefix in venues or prefix in VENUES):
            return InstrumentId(prefix, symbol)
        if not found and len(venues) == 1:
            return InstrumentId(next(iter(venues)), text)
        candidates = [str(each) for each in found] or [f"{name}:{text}" for name in venues]
        why = f"is ambiguous, expected one of {', '.join(candidates)}"
        raise SettingsError(field="instrument", value=text, why=why, place="PerpsSystem")


def venue_of(market: Market, level: int | None = None) -> Venue:
    """Return the venue of a market, or the adapter of its broker at a depth level.

    Raises:
        SettingsError: no venue has that name.
    """
    if market.broker is None:
        return venue(market.venue, place="Settings")
    # Imported here, because most systems have no broker of their host.
    from perps_actors.venues.host_broker import broker_venue  # noqa: PLC0415

    assert market.stream is not None, "a resolved market has its settings of streams"
    return broker_venue(level if level is not None else market.stream.level)


def with_broker(settings: Settings, broker: Any) -> Settings:
    """Return the settings of a system whose one market is a broker object of the host.

    Raises:
        SettingsError: there are several markets.
    """
    if broker is None:
        return settings
    if len(settings.markets) > 1:
        why = "goes with one market; give each market its own: Market(..., broker=...)"
        raise SettingsError(field="broker", value=broker, why=why, place="PerpsSystem")
    if settings.markets:
        (market,) = settings.markets
        return attrs.evolve(settings, markets=(attrs.evolve(market, broker=broker),))
    return attrs.evolve(settings, venue=HOST_BROKER)


def markets_of(settings: Settings, broker: Any) -> dict[str, Market]:
    """Return the markets by name, the one of the host's broker with its broker.

    Raises:
        SettingsError: a venue that is not known, or a symbol that it cannot have.
    """
    markets = {
        name: market if broker is None else attrs.evolve(market, broker=broker)
        for name, market in settings.resolved().items()
    }
    for market in markets.values():
        venue = venue_of(market)
        venue.stream(market.endpoints or venue.endpoints).plan(market.symbols)
    return markets


def provenances(markets: Mapping[str, Market]) -> set[str | None]:
    """Return the provenances of markets."""
    return {market.provenance for market in markets.values()}


@attrs.define(kw_only=True, slots=False)
class MarketParts:
    """Parts of one market, for its own actors."""

    PROVIDES: ClassVar = ("rest", "make_stream", "scheduler")
    """Names of parts that are not fields."""

    name: str
    market: Market
    """Its settings in force; replaced when a host changes them."""
    venue: Venue
    endpoints: Endpoints
    network: Network
    clock: Clock
    random: Random
    report: Reporter
    venue_board: VenueBoard
    rate_limits: RateLimits
    gate: Gate = attrs.field(init=False)
    """Holds sockets back while inboxes are full."""
    sessions: Iterator[int] = attrs.Factory(lambda: count(1))
    """Numbers of the connection attempts."""

    @property
    def rest(self) -> RestAdapter:
        """Return the venue's REST adapter."""
        return self.venue.rest(self.endpoints)

    def make_stream(self, plan: StreamPlan) -> StreamAdapter:
        """Return a new stream adapter of the venue for a plan."""
        found = venue_of(self.market, plan.level)
        stream = found.stream(self.endpoints)
        if plan.audit_s is None:
            return stream
        # Imported here, because most systems audit no books.
        from perps_actors.venues.toolkit.audit import AuditedStream  # noqa: PLC0415

        return AuditedStream(stream, found.rest(self.endpoints), plan.audit_s)

    def scheduler(self, priority: Priority) -> RequestScheduler:
        """Return a scheduler of REST requests within the rate limit of the venue's address."""
        limiter = self.rate_limits.of(self.endpoints.rest, self.venue.weight_per_minute)
        pacing = RequestPacing(limiter, priority, BackoffPolicy(), self.random)
        return RequestScheduler(pacing, self.network, self.clock)

    @property
    def connections(self) -> int:
        """Return how many connections the market's symbols need."""
        return len(self.venue.stream(self.endpoints).plan(self.market.symbols))


def arguments(
    system: SystemParts, market: MarketParts | None, actors: Mapping[str, Teller]
) -> Mapping[str, Any]:
    """Return everything that a factory may ask for, by name."""
    own = {} if market is None else _attributes(market)
    return {**actors, **_attributes(system), **own}


def _attributes(parts: SystemParts | MarketParts) -> dict[str, Any]:
    fields = [field.name for field in attrs.fields(type(parts))]
    return {name: getattr(parts, name) for name in (*fields, *parts.PROVIDES)}


def wanted(make: Callable[..., Actor], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known arguments that a factory takes.

    Raises:
        TypeError: the factory takes an unknown argument without a default.
    """
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(make).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return dict(known)
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            continue
        if name in known:
            given[name] = known[name]
        elif parameter.default is inspect.Parameter.empty:
            msg = f"{make!r} takes {name!r}, expected some of {', '.join(sorted(known))}"
            raise TypeError(msg)
    return given
