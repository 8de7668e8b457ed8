"""How the actors of a system are wired, in the order in which they start: each is given the addresses it tells."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random

import attrs

from perps_actors.actors.board import Board, VenueBoard
from perps_actors.actors.ceiling import memory_ceiling
from perps_actors.actors.event_recorder import EventRecorder, RecordingPolicy
from perps_actors.actors.findings import Findings
from perps_actors.actors.lines import Lines
from perps_actors.actors.mark_store import MarkStore
from perps_actors.actors.market_monitor import MarketMonitor
from perps_actors.actors.quote_poller import QuotePoller
from perps_actors.actors.reporter import Reporter
from perps_actors.actors.rest_desk import RestDesk
from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.actors.stream_consumer import StreamConsumer
from perps_actors.errors import KernelError
from perps_actors.journal.contract import JournalWriter
from perps_actors.journal.counting import CountingWriter
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address, Teller
from perps_actors.kernel.ceiling import MemoryCeiling
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.children import Child, ChildSpec, ChildState, Incident, RestartPolicy, StopReport
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.drops import DropLedger
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.orders import Stop
from perps_actors.kernel.published import Published
from perps_actors.kernel.runtime import Runtime
from perps_actors.kernel.supervisor import Supervisor
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy
from perps_actors.market.mark_maker import MarkMaker
from perps_actors.market.window import window_length
from perps_actors.messages.feeds import FeedHealth
from perps_actors.messages.records import JournalStatus
from perps_actors.settings import Settings
from perps_actors.transport.backoff import BackoffPolicy
from perps_actors.transport.budget import RateBudget
from perps_actors.transport.etiquette import Etiquette
from perps_actors.transport.wire import Network
from perps_actors.venues.registry import Venue, venue

POLLER_SHARE = 0.25
"""Part of the venue's rate limit that polling may use; the rest is for book snapshots."""

GATE_ITEMS = 20_000
"""Items in an inbox at which sources stop reading; far below every bound, for what is already on its way."""

GATE_BYTES = 2**25
"""Bytes of frames that wait for the consumer at which sources stop reading."""


@attrs.frozen(kw_only=True)
class Composition:
    """The parts of a system."""

    children: tuple[Child, ...]
    """In the order in which they start."""
    supervisor: Address
    board: Board
    venue_board: VenueBoard
    journal: Published[JournalStatus]
    health: Published[FeedHealth]
    drops: DropLedger
    ceiling: MemoryCeiling
    """What can wait in the inboxes at most."""
    listeners: list[Teller]
    """Who is told of updated marks; the store reads it when it starts."""

    def address(self, actor: str) -> Address:
        """Return the address of an actor by its name.

        Raises:
            LookupError: there is none of that name.
        """
        for child in self.children:
            if child.name == actor:
                return child.cell.address
        msg = f"No actor {actor!r}, expected one of {', '.join(child.name for child in self.children)}"
        raise LookupError(msg)

    def abandon(self, why: KernelError) -> StopReport:
        """Give all actors up that have not ended, because there is no supervisor that would stop them."""
        for child in self.children:
            if not child.ended:
                child.cell.retire(why)
                child.end(ChildState.ABANDONED)
        return StopReport.of(self.children)

    def end_supervisor(self) -> None:
        """Let the supervisor go, when its children have."""
        self.supervisor.tell(Stop())


class _Wiring:
    """What the factories of the actors share while a system is composed."""

    def __init__(
        self, settings: Settings, runtime: Runtime, network: Network, random: Random, open_journal: Callable[[], JournalWriter] | None
    ) -> None:
        self.settings = settings
        self.runtime = runtime
        self.network = network
        self.random = random
        self.venue: Venue = venue(settings.venue, place="Settings")
        self.endpoints = settings.endpoints if settings.endpoints is not None else self.venue.endpoints
        # A symbol that no venue can have is refused here, before anything starts.
        self.connections = len(self.venue.stream(self.endpoints).plan(settings.symbols))
        self.instruments = tuple(InstrumentId(settings.venue, symbol) for symbol in settings.symbols)
        self.board, self.venue_board = Board(), VenueBoard()
        self.sessions = count(1)
        # They outlive their askers: what was spent is spent, and a refusal stands.
        shares = {"stream_consumer": 1 - POLLER_SHARE, "quote_poller": POLLER_SHARE}
        self.budgets = {name: RateBudget(int(self.venue.weight_per_minute * share), 60.0) for name, share in shares.items()}
        self.journal = Published(JournalStatus(recorded=0, dropped=0, waiting=0, last_sequence=0, failing=None))
        self.health = Published(FeedHealth(0, ()))
        self.drops = DropLedger()
        self.open_journal = open_journal if open_journal is not None else self.open_writer
        conflate = not settings.lossless
        self.cells = {
            name: runtime.cell(name, group=group, policy=InboxPolicy(bound=bound, conflate=conflate))
            for name, group, bound in (
                ("event_recorder", "recorder", 200_000),
                ("market_monitor", "marks", 200_000),
                ("risk_monitor", "marks", 200_000),
                ("mark_store", "marks", 200_000),
                ("stream_consumer", "streams", 200_000),
                ("quote_poller", "marks", 10_000),
            )
        }
        self.listeners: list[Teller] = [self.address(name) for name in ("risk_monitor", "market_monitor", "event_recorder")]
        self.drops.watch(self.cells.values())
        felt_at_the_edge = ("stream_consumer", "mark_store", "event_recorder") if settings.lossless else ("stream_consumer",)
        self.gate = Gate([self.cells[name].inbox for name in felt_at_the_edge], GATE_ITEMS, GATE_BYTES)
        self.report = Reporter(
            recorder=self.cells["event_recorder"].address,
            venue=settings.venue,
            provenance=settings.provenance,
            clock=runtime.clock,
        )

    def address(self, name: str) -> Address:
        return self.cells[name].address

    def desk(self, asker: str) -> RestDesk:
        others = [budget for name, budget in self.budgets.items() if name != asker]
        # A snapshot is asked for when a book is bad, a quote again and again.
        lasting = asker == "stream_consumer"
        etiquette = Etiquette(self.budgets[asker], BackoffPolicy(), self.random, others, lasting=lasting)
        return RestDesk(etiquette, self.network, self.runtime.clock)

    # --- one factory an actor

    def event_recorder(self) -> Actor:
        journal = self.settings.journal
        return EventRecorder(
            open_writer=self.open_journal,
            policy=RecordingPolicy(linger_s=journal.linger_s, block=journal.block, rest_marks=journal.rest_marks),
            report=self.report,
            status=self.journal,
            drops=self.drops.fresh,
        )

    def open_writer(self) -> JournalWriter:
        path = self.settings.journal.path
        if path is None:
            return CountingWriter(self.journal.value.last_sequence)
        # Here, because a system without a journal needs no database.
        from perps_actors.journal.sqlite_writer import SqliteJournalWriter  # noqa: PLC0415

        return SqliteJournalWriter.open(path)

    def market_monitor(self) -> Actor:
        limit_s = self.settings.monitor.limit_s
        return MarketMonitor(instruments=self.instruments, report=self.report, health=self.health, limit_s=limit_s)

    def risk_monitor(self) -> Actor:
        return RiskMonitor(instruments=self.instruments, limits=self.settings.risk.limits, report=self.report)

    def mark_store(self) -> Actor:
        marks = self.settings.marks
        return MarkStore(
            window_length=window_length(marks.short, marks.long),
            board=self.board,
            listeners=self.listeners,
        )

    def stream_consumer(self) -> Actor:
        stream = self.settings.stream
        adapter = self.venue.stream(self.endpoints)
        streams = stream.enabled and stream.source != "rest"
        plans = adapter.plan(self.settings.symbols) if streams else ()
        policy = LadderPolicy(
            top=stream.source if streams else "rest",
            patience_ns=int(stream.patience_s * NS_PER_S),
            climb_after=stream.climb_after,
        )

        def lines(after: Callable[[float, object], object]) -> Lines:
            return Lines(
                network=self.network,
                gate=self.gate,
                backoff=BackoffPolicy(),
                random=self.random,
                after=after,
                sessions=self.sessions,
            )

        return StreamConsumer(
            adapter=adapter,
            plans=[attrs.evolve(plan, silence_limit_s=stream.silence_s) for plan in plans],
            maker=MarkMaker(policy, self.instruments, self.runtime.clock.monotonic_ns()),
            lines=lines,
            desk=self.desk("stream_consumer"),
            findings=Findings(
                store=self.address("mark_store"),
                monitor=self.address("market_monitor"),
                report=self.report,
                venue_marks=self.venue_board.take_over(),
            ),
        )

    def quote_poller(self) -> Actor:
        return QuotePoller(
            rest=self.venue.rest(self.endpoints),
            symbols=self.settings.symbols if self.settings.poll.enabled else (),
            interval_s=self.settings.poll.interval_s,
            desk=self.desk("quote_poller"),
            offer_to=self.address("stream_consumer"),
            report=self.report,
        )

    def tell_incident(self, incident: Incident) -> None:
        self.report.tell(
            incident.kind,
            None,
            actor=incident.actor,
            generation=incident.generation,
            restarts=incident.restarts,
            error=incident.error,
            message=None if incident.letter is None else repr(incident.letter.message)[:300],
            items_lost=0 if incident.letter is None else incident.letter.items,
        )


def compose(
    settings: Settings,
    runtime: Runtime,
    network: Network,
    random: Random,
    open_journal: Callable[[], JournalWriter] | None = None,
) -> Composition:
    """Return the parts of a system, wired and not started; `open_journal`: of another store than the settings name.

    Raises:
        SettingsError: the venue is unknown.
    """
    wiring = _Wiring(settings, runtime, network, random, open_journal)
    supervision = settings.supervision
    children = tuple(
        Child(ChildSpec(name=name, factory=getattr(wiring, name), hang_after_s=supervision.hang_after_s), cell)
        for name, cell in wiring.cells.items()
    )
    cell: Cell = runtime.cell("supervisor", group="supervisor")
    policy = RestartPolicy(intensity=supervision.intensity, period_s=supervision.period_s)
    cell.install(
        Supervisor(children, policy=policy, random=random, on_incident=wiring.tell_incident, look_every_s=supervision.look_every_s)
    )
    return Composition(
        children=children,
        supervisor=cell.address,
        board=wiring.board,
        venue_board=wiring.venue_board,
        journal=wiring.journal,
        health=wiring.health,
        drops=wiring.drops,
        ceiling=memory_ceiling(
            wiring.cells.values(),
            connections=wiring.connections,
            # A snapshot of every book, and a poll.
            requests=len(settings.symbols) + 1,
            gate_bytes=GATE_BYTES,
        ),
        listeners=wiring.listeners,
    )
