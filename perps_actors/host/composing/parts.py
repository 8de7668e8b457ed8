"""The parts that the actors of a system share, as their factories find them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any

import attrs

from perps_actors.feeds.boards import Board, VenueBoard
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.feeds.subscribers import Subscribers
from perps_actors.journal.contract import JournalWriter
from perps_actors.kernel.address import Teller
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.drops import DropLedger
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.published import Published
from perps_actors.kernel.runtime import Runtime
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.feeds import FeedHealth
from perps_actors.messages.reconfiguration import StreamPlan
from perps_actors.messages.records import JournalStatus
from perps_actors.settings import Settings
from perps_actors.transport.rate_limits import BackoffPolicy, Priority, RateLimits, RequestPacing
from perps_actors.transport.wire import Network
from perps_actors.venues.contract import Endpoints, StreamAdapter
from perps_actors.venues.registry import Venue


class Nobody:
    """Who is told in place of an actor that is not part of the system."""

    def tell(self, message: Any) -> bool:  # noqa: ARG002 - the protocol's name
        """Hear nothing."""
        return False


@attrs.define(kw_only=True)
class Parts:
    """What the factories of the actors share. `settings` is replaced when a host changes them; everything else stays."""

    settings: Settings
    venue: Venue
    endpoints: Endpoints
    stream_adapter: Callable[[StreamPlan], StreamAdapter]
    """Makes the state machine of the venue's streams, for a plan."""
    runtime: Runtime
    network: Network
    random: Random
    open_journal: Callable[[], JournalWriter]
    cells: dict[str, Cell]
    """By the name of the actor, in the order in which they start."""
    gate: Gate
    """Where sources stop reading while the inside is full."""
    report: Reporter
    subscribers: Subscribers
    board: Board
    venue_board: VenueBoard
    journal: Published[JournalStatus]
    health: Published[FeedHealth]
    drops: DropLedger
    listeners: list[Teller]
    """Who is told of updated marks; the store reads it when it starts."""
    rate_limits: RateLimits = attrs.Factory(RateLimits)
    """One limiter per REST address, for all requests of the system."""
    sessions: Iterator[int] = attrs.Factory(lambda: count(1))
    """Numbers of the connections' attempts."""

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """What the settings name."""
        return tuple(InstrumentId(self.settings.venue, symbol) for symbol in self.settings.symbols)

    def address(self, actor: str) -> Teller:
        """Return where an actor of that name is told things; nobody hears it when it is not part of the system."""
        cell = self.cells.get(actor)
        return cell.address if cell is not None else Nobody()

    def scheduler(self, priority: Priority) -> RequestScheduler:
        """Return how an actor makes REST requests within the rate limit of the venue's address."""
        limiter = self.rate_limits.of(self.endpoints.rest, self.venue.weight_per_minute)
        pacing = RequestPacing(limiter, priority, BackoffPolicy(), self.random)
        return RequestScheduler(pacing, self.network, self.runtime.clock)
