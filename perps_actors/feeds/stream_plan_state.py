"""What a plan of streams is followed with: the venue's adapter, and the ladders that decide which of its events are marks. Plain."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.market.age import VenueOffset
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy, RungChange
from perps_actors.market.mark import RUNGS
from perps_actors.market.mark_maker import MarkMaker
from perps_actors.messages.feeds import Tops
from perps_actors.messages.reconfiguration import StreamPlan
from perps_actors.settings import Market
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import StreamAdapter


class Streams:
    """The adapter and the mark maker of one plan, and of later ones that differ from it in their symbols alone."""

    def __init__(
        self,
        plan: StreamPlan,
        venue: str,
        make: Callable[[StreamPlan], StreamAdapter],
        clock: Clock,
        offset: VenueOffset | None = None,
    ) -> None:
        self.plan = plan
        self._offset = (offset or VenueOffset()) if plan.aged else None
        self.adapter = make(plan)
        self._venue = venue
        self._make = make
        self._clock = clock
        offered = {source for connection in self.connections() for source in connection.sources} | {
            "rest"
        }
        ladder = attrs.evolve(plan.ladder, rungs=tuple(rung for rung in RUNGS if rung in offered))
        self.maker = MarkMaker(ladder, self._instruments(), clock.monotonic_ns(), self._offset)

    def _instruments(self) -> list[InstrumentId]:
        return [InstrumentId(self._venue, symbol) for symbol in self.plan.symbols]

    def connections(self) -> list[ConnectionPlan]:
        """Return the connections that the plan wants open."""
        plans = self.adapter.plan(self.plan.symbols) if self.plan.streaming else ()
        return [attrs.evolve(plan, silence_limit_s=self.plan.silence_s) for plan in plans]

    def amended(self, plan: StreamPlan) -> bool:
        """Follow another plan if it differs in its symbols alone; return whether it does."""
        if attrs.evolve(plan, symbols=self.plan.symbols) != self.plan:
            return False
        self.plan = plan
        self.maker.watch(self._instruments(), self._clock.monotonic_ns())
        return True

    def anew(self, plan: StreamPlan) -> Streams:
        """Return what another plan is followed with, from its beginning."""
        return Streams(plan, self._venue, self._make, self._clock, self._offset)

    def take_offset_rise_ns(self) -> int | None:
        """Return by how much the venue's offset rose within an hour, once per rise."""
        return self._offset.take_rise_ns() if self._offset is not None else None

    def moved_from(self, before: Streams) -> list[tuple[InstrumentId, RungChange]]:
        """Return which instruments stand on another rung than they stood on before."""
        stood = dict(before.maker.rungs())
        return [
            (instrument, RungChange(stood[instrument], rung, "settings changed"))
            for instrument, rung in self.maker.rungs()
            if stood.get(instrument, rung) != rung
        ]

    def tops(self) -> Tops:
        """Return the best levels of the books that are good."""
        tops = (
            (instrument, self.adapter.depth(instrument.symbol, 1))
            for instrument in self._instruments()
        )
        return Tops(
            tuple(
                (instrument, (bids[0], asks[0]))
                for instrument, (bids, asks) in tops
                if bids and asks
            )
        )


def stream_plan(market: Market) -> StreamPlan:
    """Return what the settings of a market want streamed."""
    stream = market.stream
    assert stream is not None, "a resolved market has its settings of streams"
    streaming = stream.enabled and stream.source != "rest"
    return StreamPlan(
        symbols=market.symbols,
        streaming=streaming,
        ladder=LadderPolicy(
            top=stream.source if streaming else "rest",
            patience_ns=int(stream.patience_s * NS_PER_S),
            climb_after=stream.climb_after,
        ),
        silence_s=stream.silence_s,
        audit_s=stream.audit_s,
        aged=market.provenance not in {"recording", "replay"},
        level=stream.level,
    )
