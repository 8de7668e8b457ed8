"""The actors of a system in the order in which they start, with one factory each: who is given what, and tells whom."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from perps_actors.actors.event_recorder import EventRecorder
from perps_actors.actors.mark_store import MarkStore
from perps_actors.actors.market_monitor import MarketMonitor
from perps_actors.actors.quote_poller import QuotePoller
from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.actors.stream_consumer import StreamConsumer
from perps_actors.feeds.connection_pool import ConnectionPool
from perps_actors.feeds.consumer_outputs import ConsumerOutputs
from perps_actors.feeds.stream_plan_state import Streams
from perps_actors.host.composing.parts import Parts
from perps_actors.journal.group import RecordingPolicy
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.ladder import LadderPolicy
from perps_actors.market.window import window_length
from perps_actors.messages.reconfiguration import StreamPlan
from perps_actors.settings import Settings
from perps_actors.transport.rate_limits import BackoffPolicy, Priority

ActorFactory = Callable[[Parts], Actor]
"""Makes a new incarnation of an actor; called at its start and at each restart, so it reads the settings of the moment."""


def event_recorder(parts: Parts) -> Actor:
    """Return the recorder, on the system's journal."""
    journal = parts.settings.journal
    return EventRecorder(
        open_writer=parts.open_journal,
        policy=RecordingPolicy(
            linger_s=journal.linger_s, block=journal.block, rest_marks=journal.rest_marks
        ),
        report=parts.report,
        status=parts.journal,
        drops=parts.drops.fresh,
    )


def market_monitor(parts: Parts) -> Actor:
    """Return the monitor of feeds."""
    return MarketMonitor(
        instruments=parts.instruments,
        report=parts.report,
        health=parts.health,
        limit_s=parts.settings.monitor.limit_s,
    )


def risk_monitor(parts: Parts) -> Actor:
    """Return the monitor of risk."""
    return RiskMonitor(
        instruments=parts.instruments, limits=parts.settings.risk.limits, report=parts.report
    )


def mark_store(parts: Parts) -> Actor:
    """Return the store, on the system's board."""
    marks = parts.settings.marks
    return MarkStore(
        window_length=window_length(marks.short, marks.long),
        board=parts.board,
        listeners=parts.listeners,
    )


def stream_consumer(parts: Parts) -> Actor:
    """Return the consumer of the venue's streams."""

    def lines(after: Callable[[float, object], object]) -> ConnectionPool:
        return ConnectionPool(
            network=parts.network,
            gate=parts.gate,
            backoff=BackoffPolicy(),
            random=parts.random,
            after=after,
            sessions=parts.sessions,
        )

    return StreamConsumer(
        streams=Streams(
            stream_plan(parts.settings),
            parts.settings.venue,
            parts.stream_adapter,
            parts.runtime.clock,
        ),
        lines=lines,
        scheduler=parts.scheduler(Priority.SNAPSHOT),
        outputs=ConsumerOutputs(
            store=parts.address("mark_store"),
            monitor=parts.address("market_monitor"),
            report=parts.report,
            venue_marks=parts.venue_board.take_over(),
        ),
    )


def quote_poller(parts: Parts) -> Actor:
    """Return the poller of quotes."""
    return QuotePoller(
        rest=parts.venue.rest(parts.endpoints),
        symbols=polled(parts.settings),
        interval_s=parts.settings.poll.interval_s,
        scheduler=parts.scheduler(Priority.QUOTE),
        offer_to=parts.address("stream_consumer"),
        report=parts.report,
    )


def stream_plan(settings: Settings) -> StreamPlan:
    """Return what the settings want streamed."""
    stream = settings.stream
    streaming = stream.enabled and stream.source != "rest"
    return StreamPlan(
        symbols=settings.symbols,
        streaming=streaming,
        ladder=LadderPolicy(
            top=stream.source if streaming else "rest",
            patience_ns=int(stream.patience_s * NS_PER_S),
            climb_after=stream.climb_after,
        ),
        silence_s=stream.silence_s,
        audit_s=stream.audit_s,
        level=stream.level,
    )


def polled(settings: Settings) -> tuple[str, ...]:
    """Return the symbols that the settings want polled."""
    return settings.symbols if settings.poll.enabled else ()


FEEDS = "feeds"
"""The group of the actors between socket and board; its thread also waits for the sockets."""


@attrs.frozen
class ActorPlan:
    """Where an actor lives: actors of one group share a thread; beyond `bound` items its inbox applies its policy."""

    factory: ActorFactory
    group: str
    bound: int = 200_000


ACTORS = {
    "event_recorder": ActorPlan(event_recorder, "recorder"),
    "market_monitor": ActorPlan(market_monitor, FEEDS),
    "risk_monitor": ActorPlan(risk_monitor, FEEDS),
    "mark_store": ActorPlan(mark_store, FEEDS),
    "stream_consumer": ActorPlan(stream_consumer, FEEDS),
    "quote_poller": ActorPlan(quote_poller, FEEDS, bound=10_000),
}
"""In the order in which they start; they are stopped in reverse, so that whoever tells ends before those it tells."""
