"""A system is set up in phases, in the order of `PHASES`. One that fails undoes those before it and names itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, Any, TypedDict

import attrs

from perps_actors.errors import (
    CompositionFailed,
    KernelError,
    PartAbsent,
    PerpsActorsError,
    SettingsError,
)
from perps_actors.feeds.boards import Board, VenueBoard
from perps_actors.feeds.memory_ceiling import memory_ceiling
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.subscribers import Subscribers
from perps_actors.host.composing.actors import ACTORS, FEEDS, ActorFactory
from perps_actors.host.composing.parts import Nobody, Parts
from perps_actors.journal.contract import CountingWriter, JournalWriter
from perps_actors.kernel.address import Address, Teller
from perps_actors.kernel.ceiling import MemoryCeiling
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.children import (
    Child,
    ChildSpec,
    ChildState,
    Incident,
    RestartPolicy,
    StopReport,
)
from perps_actors.kernel.drops import DropLedger
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.orders import Stop
from perps_actors.kernel.published import Published
from perps_actors.kernel.runtime import Runtime, ThreadedRuntime
from perps_actors.kernel.supervisor import Supervisor
from perps_actors.messages.feeds import FeedHealth
from perps_actors.messages.records import JournalStatus
from perps_actors.settings import Settings
from perps_actors.transport.wire import Network
from perps_actors.venues.registry import Venue, venue
from perps_actors.venues.toolkit.audit import AuditedStream

if TYPE_CHECKING:
    from perps_actors.messages.reconfiguration import StreamPlan
    from perps_actors.transport.broker import HostBroker
    from perps_actors.venues.contract import Endpoints, StreamAdapter

PHASES = ("venue", "runtime", "network", "journal", "actors", "supervision")
"""What is set up, in this order."""

GATE_ITEMS = 20_000
"""Items in an inbox at which sources stop reading; far below every bound, for what is already on its way."""

GATE_BYTES = 2**25
"""Bytes of frames that wait for the consumer at which sources stop reading."""


class Replacements(TypedDict, total=False):
    """Parts that a host or a test gives in place of the system's own. An actor that is None is left out.

    A factory of an actor is called with the `Parts` at its start and at each restart.
    """

    runtime: Runtime
    """What runs the actors; its own: threads."""
    network: Network
    """The outside; its own: real sockets."""
    journal: Callable[[], JournalWriter]
    """Opens the store of the journal, at each start of the recorder; its own: what the settings name."""
    random: Random
    """Of pauses between attempts; its own: from the settings' seed."""
    event_recorder: ActorFactory | None
    market_monitor: ActorFactory | None
    risk_monitor: ActorFactory | None
    mark_store: ActorFactory | None
    stream_consumer: ActorFactory | None
    quote_poller: ActorFactory | None


@attrs.frozen(kw_only=True)
class Composition:
    """A system that was set up, and not started."""

    parts: Parts
    children: tuple[Child, ...]
    """In the order in which they start."""
    supervisor: Cell
    ceiling: MemoryCeiling
    """What can wait in the inboxes at most."""
    broker: HostBroker | None

    def address(self, actor: str) -> Address:
        """Return the address of an actor by its name.

        Raises:
            PartAbsent: there is none of that name.
        """
        for child in self.children:
            if child.name == actor:
                return child.cell.address
        raise PartAbsent(part=actor, present=[child.name for child in self.children])

    def own_broker(self) -> HostBroker:
        """Return the host's own broker.

        Raises:
            PartAbsent: the system was given none.
        """
        if self.broker is None:
            raise PartAbsent(part="broker", present=[child.name for child in self.children])
        return self.broker

    def abandon(self, why: KernelError) -> StopReport:
        """Give all actors up that have not ended, because there is no supervisor that would stop them."""
        for child in self.children:
            if not child.ended:
                child.cell.retire(why)
                child.end(ChildState.ABANDONED)
        return StopReport.of(self.children)

    def end_supervisor(self) -> None:
        """Let the supervisor go, when its children have."""
        self.supervisor.address.tell(Stop())


def compose(
    settings: Settings, broker: HostBroker | None = None, replace: Replacements | None = None
) -> Composition:
    """Return a system, set up and not started.

    Raises:
        SettingsError: the venue is unknown, a symbol that it cannot have, or a part that there is not.
        CompositionFailed: a phase failed; names it, the cause is chained.
    """
    with ExitStack() as undo:
        composing = _Composing(settings, broker, replace if replace is not None else {}, undo)
        for phase in PHASES:
            try:
                getattr(composing, phase)()
            except PerpsActorsError as error:
                error.add_note(f"while setting up the phase {phase!r} of {', '.join(PHASES)}")
                raise
            except Exception as error:
                raise CompositionFailed(phase, error) from error
        undo.pop_all()
    return composing.composition()


class _Composing:
    """One method a phase."""

    def __init__(
        self, settings: Settings, broker: HostBroker | None, replace: Replacements, undo: ExitStack
    ) -> None:
        for name in replace:
            if name not in Replacements.__annotations__:
                expected = ", ".join(Replacements.__annotations__)
                raise SettingsError(
                    field="replace",
                    value=name,
                    why=f"no part of a system, expected some of {expected}",
                    place="PerpsSystem",
                )
        # Whatever a broker deals in, it is no venue of ours.
        self._settings = settings if broker is None else attrs.evolve(settings, venue="host_broker")
        self._broker = broker
        self._replace = replace
        self._undo = undo
        self._audience = Subscribers()
        self._random: Random = replace.get("random") or Random(settings.seed)  # noqa: S311 - pauses

    def venue(self) -> None:
        settings = self._settings
        self._venue: Venue = self._venue_at(settings.stream.level)
        self._endpoints: Endpoints = (
            settings.endpoints if settings.endpoints is not None else self._venue.endpoints
        )
        # A symbol that no venue can have is refused here, before anything starts.
        self._connections = len(self._venue.stream(self._endpoints).plan(settings.symbols))

    def runtime(self) -> None:
        given = self._replace.get("runtime")
        self._runtime: Runtime = given if given is not None else ThreadedRuntime(name="perps")
        if given is None:
            self._undo.callback(self._runtime.close, 1.0)

    def network(self) -> None:
        given = self._replace.get("network")
        self._network: Network = given if given is not None else self._own_network()
        if given is None:
            self._undo.callback(self._network.close, 1.0)

    def journal(self) -> None:
        self._journal = Published(
            JournalStatus(recorded=0, dropped=0, waiting=0, last_sequence=0, failing=None)
        )
        self._open_journal = self._replace.get("journal") or self._own_journal

    def actors(self) -> None:
        settings = self._settings
        plans = {name: plan for name, plan in ACTORS.items() if self._factory(name) is not None}
        cells = {
            name: self._runtime.cell(
                name,
                group=plan.group,
                policy=InboxPolicy(bound=plan.bound, conflate=not settings.lossless),
            )
            for name, plan in plans.items()
        }
        felt_at_the_edge = (
            ("stream_consumer", "mark_store", "event_recorder")
            if settings.lossless
            else ("stream_consumer",)
        )
        drops = DropLedger()
        drops.watch(cells.values())
        self._parts = Parts(
            settings=settings,
            venue=self._venue,
            endpoints=self._endpoints,
            stream_adapter=self._stream_adapter,
            runtime=self._runtime,
            network=self._network,
            random=self._random,
            open_journal=self._open_journal,
            cells=cells,
            gate=Gate(
                [cells[name].inbox for name in felt_at_the_edge if name in cells],
                GATE_ITEMS,
                GATE_BYTES,
            ),
            report=Reporter(
                recorder=cells["event_recorder"].address if "event_recorder" in cells else Nobody(),
                venue=settings.venue,
                provenance=settings.provenance,
                clock=self._runtime.clock,
                subscribers=self._audience,
            ),
            subscribers=self._audience,
            board=Board(),
            venue_board=VenueBoard(),
            journal=self._journal,
            health=Published(FeedHealth(0, ())),
            drops=drops,
            listeners=self._listeners(cells),
        )

    def supervision(self) -> None:
        supervision = self._settings.supervision
        self._children = tuple(
            Child(
                ChildSpec(
                    name=name, factory=self._bound(name), hang_after_s=supervision.hang_after_s
                ),
                cell,
            )
            for name, cell in self._parts.cells.items()
        )
        self._supervisor = self._runtime.cell("supervisor", group="supervisor")
        self._supervisor.install(
            Supervisor(
                self._children,
                policy=RestartPolicy(
                    intensity=supervision.intensity, period_s=supervision.period_s
                ),
                random=self._random,
                on_incident=self._tell_incident,
                look_every_s=supervision.look_every_s,
            )
        )

    def composition(self) -> Composition:
        ceiling = memory_ceiling(
            self._parts.cells.values(),
            connections=self._connections,
            # A snapshot of every book, and a poll.
            requests=len(self._settings.symbols) + 1,
            gate_bytes=GATE_BYTES,
        )
        return Composition(
            parts=self._parts,
            children=self._children,
            supervisor=self._supervisor,
            ceiling=ceiling,
            broker=self._broker,
        )

    # --- what the phases need

    def _venue_at(self, level: int) -> Venue:
        if self._broker is None:
            return venue(self._settings.venue, place="Settings")
        # Here, because most systems have no broker of their host's.
        from perps_actors.venues.host_broker import broker_venue  # noqa: PLC0415

        return broker_venue(level)

    def _stream_adapter(self, plan: StreamPlan) -> StreamAdapter:
        found = self._venue_at(plan.level)
        stream = found.stream(self._endpoints)
        return (
            AuditedStream(stream, found.rest(self._endpoints), plan.audit_s)
            if plan.audit_s is not None
            else stream
        )

    def _own_network(self) -> Network:
        # Here, because what is not used is slow to import.
        if self._broker is not None:
            from perps_actors.transport.broker import BrokerNetwork  # noqa: PLC0415

            return BrokerNetwork(self._broker, self._runtime.clock)
        from perps_actors.transport.network import LiveNetwork  # noqa: PLC0415

        return LiveNetwork(clock=self._runtime.clock, loop=self._runtime.io_loop(FEEDS))

    def _own_journal(self) -> JournalWriter:
        path = self._settings.journal.path
        if path is None:
            return CountingWriter(self._journal.value.last_sequence)
        # Here, because a system without a journal needs no database.
        from perps_actors.journal.sqlite_writer import SqliteJournalWriter  # noqa: PLC0415

        return SqliteJournalWriter.open(path)

    def _factory(self, actor: str) -> ActorFactory | None:
        given: ActorFactory | None = self._replace.get(actor, ACTORS[actor].factory)  # type: ignore[assignment]
        return given

    def _bound(self, actor: str) -> Callable[[], Any]:
        factory, parts = self._factory(actor), self._parts
        assert factory is not None
        return lambda: factory(parts)

    def _listeners(self, cells: dict[str, Cell]) -> list[Teller]:
        listening = [
            cells[name].address
            for name in ("risk_monitor", "market_monitor", "event_recorder")
            if name in cells
        ]
        return [*listening, self._audience]

    def _tell_incident(self, incident: Incident) -> None:
        self._parts.report.tell(
            incident.kind,
            None,
            actor=incident.actor,
            generation=incident.generation,
            restarts=incident.restarts,
            error=incident.error,
            message=None if incident.letter is None else repr(incident.letter.message)[:300],
            items_lost=0 if incident.letter is None else incident.letter.items,
        )
