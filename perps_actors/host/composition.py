"""Composes a system: makes its parts in named phases and gives each actor the parts it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from typing import Any

import attrs

from perps_actors.actors import (
    event_recorder,
    mark_store,
    market_monitor,
    quote_poller,
    risk_monitor,
    stream_consumer,
)
from perps_actors.errors import (
    CompositionFailed,
    KernelError,
    PartAbsent,
    PerpsActorsError,
    SettingsError,
)
from perps_actors.feeds.actor_spec import ANSWER_BYTES, EVENT_BYTES, FEEDS, ActorSpec
from perps_actors.feeds.boards import Board, VenueBoard
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.subscribers import Subscribers
from perps_actors.host.parts import (
    Absent,
    MarketParts,
    SystemParts,
    arguments,
    markets_of,
    provenances,
    venue_of,
    wanted,
    with_broker,
)
from perps_actors.journal.contract import CountingWriter, JournalWriter
from perps_actors.journal.group import RecordingPolicy
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address, Published, Teller
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.children import (
    Child,
    ChildSpec,
    ChildState,
    Incident,
    RestartPolicy,
    StopReport,
)
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lifecycle import Stop
from perps_actors.kernel.runtime import Runtime, ThreadedRuntime
from perps_actors.kernel.statistics import CeilingRow, DropLedger, MemoryCeiling
from perps_actors.kernel.supervisor import Supervisor
from perps_actors.messages.feeds import FeedHealth
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import JournalStatus
from perps_actors.settings import Market, Settings
from perps_actors.transport.limits import READ_BYTES, Limits
from perps_actors.transport.wire import Network

START_ORDER: tuple[ActorSpec, ...] = (
    event_recorder.SPEC,
    market_monitor.SPEC,
    risk_monitor.SPEC,
    mark_store.SPEC,
    stream_consumer.SPEC,
    quote_poller.SPEC,
)
"""The actors in the order in which they start. They stop in reverse, senders before receivers."""

PHASES = ("venue", "runtime", "network", "journal", "actors", "supervision")
"""The phases of composing a system, in this order."""

REPLACEABLE = ("runtime", "network", "journal", "random", *(spec.name for spec in START_ORDER))
"""Names that `replace` may have."""

GATE_ITEMS = 20_000
"""Items in an inbox at which sockets stop reading; far below every bound, so that data already on
their way still fit."""

GATE_BYTES = 2**25
"""Bytes of frames waiting for a consumer at which its sockets stop reading."""


@attrs.frozen(eq=False)
class Member:
    """An actor of a composed system."""

    spec: ActorSpec
    market: str | None
    """Name of its market; None: it serves the whole system."""
    child: Child


@attrs.define(kw_only=True, eq=False)
class Composition:
    """A system that is set up.

    One host thread at a time changes it (`PerpsSystem.reconfigure` takes a lock), while others read
    it without a lock. So `members` and `markets` are replaced whole and never changed in place:
    a reader that iterates over the old ones sees a complete system.
    """

    parts: SystemParts
    markets: dict[str, MarketParts]
    runtime: Runtime
    supervisor: Cell
    network: Network | None
    """Carries all markets without a broker of the host; made for the first such market."""
    broker: Any
    """The host's own broker of a system with one market."""
    replace: Mapping[str, Any]
    conflate: bool
    """Whether waiting marks are merged: only while all markets have the same provenance, because a
    merged message has one."""
    plain: str | None
    """The market whose actors have no market in their names, because it was the only one."""
    members: tuple[Member, ...] = ()
    """In the order in which they were started."""

    @property
    def children(self) -> tuple[Child, ...]:
        """Return the supervised actors, first started first."""
        return tuple(member.child for member in self.members)

    def find(self, actor: str) -> Member:
        """Return an actor by name, `stream_consumer` or `stream_consumer:bybit`.

        Raises:
            PartAbsent: there is none of that name.
            SettingsError: several markets have one.
        """
        name, _, market = actor.partition(":")
        found = [
            member
            for member in self.members
            if member.spec.name == name and market in ("", member.market)
        ]
        if not found:
            raise PartAbsent(part=actor, present=[child.name for child in self.children])
        if len(found) > 1:
            names = ", ".join(f"{name}:{member.market}" for member in found)
            why = f"is ambiguous, expected one of {names}"
            raise SettingsError(field="actor", value=actor, why=why, place="PerpsSystem")
        return found[0]

    def address(self, actor: str) -> Address:
        """Return the address of an actor; errors as of `find`."""
        return self.find(actor).child.cell.address

    def listening_to(self, kind: type) -> Iterator[Member]:
        """Yield the actors that listen to messages of a class, first started first."""
        return (member for member in self.members if kind in member.spec.listens_to)

    def own_broker(self) -> Any:
        """Return the host's own broker.

        Raises:
            PartAbsent: the system was given none, or each market its own.
        """
        brokers = [parts.market.broker for parts in self.markets.values()]
        if len(brokers) != 1 or brokers[0] is None:
            raise PartAbsent(part="broker", present=[child.name for child in self.children])
        return brokers[0]

    # --- markets

    def add_market(self, name: str, market: Market) -> tuple[Member, ...]:
        """Make the parts and actors of a market, not started."""
        parts, settings = self.parts, self.parts.settings
        venue = venue_of(market)
        own = MarketParts(
            name=name,
            market=market,
            venue=venue,
            endpoints=market.endpoints if market.endpoints is not None else venue.endpoints,
            network=self._network_of(market),
            clock=parts.clock,
            random=parts.random,
            report=attrs.evolve(
                parts.report,
                venue=market.venue,
                provenance=market.provenance or settings.provenance,
                provenances={},
            ),
            venue_board=VenueBoard(),
            rate_limits=parts.rate_limits,
        )
        self.markets = {**self.markets, name: own}
        added = self.add_actors(name)
        # Sockets stop reading while the consumer's inbox is full; in lossless mode, any inbox.
        felt = [
            member.child.cell.inbox
            for member in self.members
            if (member in added and member.spec.reads_frames)
            or (settings.lossless and member.market is None)
        ]
        own.gate = Gate(felt, GATE_ITEMS, GATE_BYTES)
        return added

    def add_actors(self, market: str | None) -> tuple[Member, ...]:
        """Make the actors of a market, or those of the whole system (None), not started."""
        added = []
        for spec in START_ORDER:
            name = spec.name if market in (None, self.plain) else f"{spec.name}:{market}"
            given = self.replace.get(
                f"{spec.name}:{market}", self.replace.get(spec.name, spec.make)
            )
            if given is None or spec.per_market is (market is None):
                continue
            policy = InboxPolicy(bound=spec.bound, conflate=self.conflate)
            cell = self.runtime.cell(name, group=spec.group, policy=policy)
            child = ChildSpec(
                name=name,
                factory=partial(self._make, given, market),
                hang_after_s=self.parts.settings.supervision.hang_after_s,
            )
            added.append(Member(spec, market, Child(child, cell)))
        self.parts.drops.watch(member.child.cell for member in added)
        self.members = (*self.members, *added)
        return tuple(added)

    def forget_market(self, name: str) -> None:
        """Release what is left of a market whose actors have stopped."""
        gone = [member for member in self.members if member.market == name]
        self.members = tuple(member for member in self.members if member.market != name)
        for member in gone:
            self.runtime.release(member.child.cell)
            self.parts.drops.forget(member.child.cell)
        network = self.markets[name].network
        self.markets = {other: own for other, own in self.markets.items() if other != name}
        if network is not self.network:
            network.close(1.0)

    def _network_of(self, market: Market) -> Network:
        if market.broker is not None and "network" not in self.replace:
            # Imported here, because most systems have no broker of their host.
            from perps_actors.transport.broker import BrokerNetwork  # noqa: PLC0415

            return BrokerNetwork(market.broker, self.parts.clock, name=self.parts.settings.name)
        if self.network is None:
            self.network = _live_network(self.runtime, self.parts.settings.name)
        return self.network

    def _make(self, factory: Callable[..., Actor], market: str | None) -> Actor:
        actors: dict[str, Teller] = {spec.name: Absent() for spec in START_ORDER}
        for member in self.members:
            if member.market in (None, market):
                actors[member.spec.name] = member.child.cell.address
        own = None if market is None else self.markets[market]
        return factory(**wanted(factory, arguments(self.parts, own, actors)))

    # --- the end

    def abandon(self, why: KernelError) -> StopReport:
        """Give up all actors that have not ended, because no supervisor will stop them."""
        for child in self.children:
            if not child.ended:
                child.cell.retire(why)
                child.end(ChildState.ABANDONED)
        return StopReport.of(self.children)

    def close_networks(self, deadline_s: float) -> int:
        """Close all networks; return how many threads did not end within `deadline_s` seconds."""
        networks = {id(own.network): own.network for own in self.markets.values()}
        if self.network is not None:
            networks[id(self.network)] = self.network
        return sum(network.close(deadline_s) for network in networks.values())

    def end_supervisor(self) -> None:
        """Stop the supervisor, whose children have ended."""
        self.supervisor.address.tell(Stop())

    # --- memory

    def ceiling(self) -> MemoryCeiling:
        """Return how much memory can wait in the inboxes at most."""
        limits = Limits()
        rows = [self._ceiling_row(member, limits) for member in self.members]
        # Beyond this bound, sheddable events are dropped; other events are few.
        backlog = RecordingPolicy().backlog
        rows.append(CeilingRow(name="journal backlog", items=backlog, item_bytes=EVENT_BYTES))
        # A snapshot of every book, and a poll of each market.
        requests = len(self.parts.instruments) + len(self.markets)
        held = requests * limits.max_answer_bytes
        rows.append(
            CeilingRow(name="answers", items=requests, item_bytes=ANSWER_BYTES, held_bytes=held)
        )
        return MemoryCeiling(tuple(rows))

    def _ceiling_row(self, member: Member, limits: Limits) -> CeilingRow:
        held = 0
        if member.spec.reads_frames and member.market is not None:
            # Each connection may bring one more read after the gate has shut.
            reads = self.markets[member.market].connections * (
                limits.max_message_bytes + READ_BYTES
            )
            held = GATE_BYTES + reads
        cell = member.child.cell
        return CeilingRow(
            name=cell.name,
            items=cell.inbox.policy.most_items,
            item_bytes=member.spec.item_bytes,
            held_bytes=held,
        )


def _live_network(runtime: Runtime, name: str) -> Network:
    # Imported here, because a system that brings its own network does not need it.
    from perps_actors.transport.network import LiveNetwork  # noqa: PLC0415

    return LiveNetwork(clock=runtime.clock, name=name, loop=runtime.io_loop(FEEDS))


def compose(
    settings: Settings, broker: Any = None, replace: Mapping[str, Any] | None = None
) -> Composition:
    """Return a system, set up and not started. A phase that fails undoes the phases before it.

    Raises:
        SettingsError: an unknown venue or name to replace, or a symbol that no venue has.
        CompositionFailed: a phase failed; names the phase, the cause is chained.
    """
    replace = replace if replace is not None else {}
    _refuse_unknown(replace)
    with ExitStack() as undo:
        with _phase("venue"):
            settings = with_broker(settings, broker)
            markets = markets_of(settings, broker)
        with _phase("runtime"):
            runtime: Runtime | None = replace.get("runtime")
            if runtime is None:
                runtime = ThreadedRuntime(name=settings.name)
                undo.callback(runtime.close, 1.0)
        with _phase("network"):
            network: Network | None = replace.get("network")
            if network is None and any(market.broker is None for market in markets.values()):
                network = _live_network(runtime, settings.name)
                undo.callback(network.close, 1.0)
        with _phase("journal"):
            status = Published(
                JournalStatus(recorded=0, dropped=0, waiting=0, last_sequence=0, failing=None)
            )
            open_journal = replace.get("journal") or partial(_open, settings.journal.path, status)
        with _phase("actors"):
            parts = _shared_parts(settings, runtime, status, open_journal, replace.get("random"))
            composition = Composition(
                parts=parts,
                markets={},
                runtime=runtime,
                supervisor=runtime.cell("supervisor", group="supervisor"),
                network=network,
                broker=broker,
                replace=replace,
                conflate=not settings.lossless and len(provenances(markets)) == 1,
                plain=next(iter(markets)) if len(markets) == 1 else None,
            )
            composition.add_actors(None)
            _connect(composition)
            for name, market in markets.items():
                composition.add_market(name, market)
        with _phase("supervision"):
            composition.supervisor.install(_supervisor(composition))
        undo.pop_all()
    return composition


@contextmanager
def _phase(name: str) -> Iterator[None]:
    try:
        yield
    except PerpsActorsError as error:
        error.add_note(f"while setting up the phase {name!r} of {', '.join(PHASES)}")
        raise
    except Exception as error:
        raise CompositionFailed(name, error) from error


def _refuse_unknown(replace: Iterable[str]) -> None:
    for name in replace:
        if name.partition(":")[0] not in REPLACEABLE:
            why = f"no part of a system, expected some of {', '.join(REPLACEABLE)}"
            raise SettingsError(field="replace", value=name, why=why, place="PerpsSystem")


def _open(path: str | None, status: Published[JournalStatus]) -> JournalWriter:
    if path is None:
        return CountingWriter(status.value.last_sequence)
    # Imported here, because a system without a journal needs no database.
    from perps_actors.journal.sqlite_writer import SqliteJournalWriter  # noqa: PLC0415

    return SqliteJournalWriter.open(path)


def _shared_parts(
    settings: Settings,
    runtime: Runtime,
    status: Published[JournalStatus],
    open_journal: Callable[[], JournalWriter],
    random: Random | None,
) -> SystemParts:
    subscribers = Subscribers()
    report = Reporter(
        recorder=Absent(),
        system=settings.name,
        venue=settings.venues,
        provenance=settings.provenance,
        clock=runtime.clock,
        subscribers=subscribers,
    )
    parts = SystemParts(
        settings=settings,
        clock=runtime.clock,
        random=random or Random(settings.seed),  # noqa: S311 - pauses
        report=report,
        board=Board(),
        health=Published(FeedHealth(0, ())),
        journal_status=status,
        open_journal=open_journal,
        drops=DropLedger(),
        subscribers=subscribers,
        listeners=[],
    )
    parts.use(settings)
    return parts


def _connect(composition: Composition) -> None:
    """Tell the reporter where the recorder is, and the store who listens to marks."""
    parts = composition.parts
    for member in composition.members:
        if member.spec is event_recorder.SPEC:
            parts.report.recorder = member.child.cell.address
    listening = composition.listening_to(MarksUpdated)
    parts.listeners.extend(member.child.cell.address for member in listening)
    parts.listeners.append(parts.subscribers)


def _supervisor(composition: Composition) -> Supervisor:
    supervision = composition.parts.settings.supervision
    return Supervisor(
        composition.children,
        policy=RestartPolicy(intensity=supervision.intensity, period_s=supervision.period_s),
        random=composition.parts.random,
        on_incident=partial(report_incident, composition.parts.report),
        look_every_s=supervision.look_every_s,
    )


def report_incident(report: Reporter, incident: Incident) -> None:
    """Report an event of what happened to an actor."""
    letter = incident.letter
    report.tell(
        incident.kind,
        None,
        actor=incident.actor,
        generation=incident.generation,
        restarts=incident.restarts,
        error=incident.error,
        message=None if letter is None else repr(letter.message)[:300],
        items_lost=0 if letter is None else letter.items,
    )
