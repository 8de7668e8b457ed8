"""Reads one market's streams: the venue's adapter, and the ladders that choose the source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from perps_actors.feeds.consumer_outputs import ConsumerOutputs
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.market.age import VenueOffset
from perps_actors.market.events import BookWithdrawn, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy, RungChange
from perps_actors.market.mark import RUNGS, Mark, Source
from perps_actors.market.mark_maker import MARKED, MarkMaker
from perps_actors.messages.control import StreamPlan
from perps_actors.messages.feeds import Tops
from perps_actors.settings import Market
from perps_actors.transport.wire import ConnectionPlan, HttpAnswer, HttpRequest
from perps_actors.venues.contract import InvalidInput, SendFrame, StreamAdapter


class StreamReader:
    """Makes marks from what the connections of a plan bring, and passes on everything else.

    Args:
        plan: what is streamed.
        make_stream: makes the venue's adapter for a plan.
        outputs: receive marks, withdrawn books, invalid input.
        send: sends a text frame on a connection.
        request: makes a REST request.
    """

    def __init__(
        self,
        plan: StreamPlan,
        make_stream: Callable[[StreamPlan], StreamAdapter],
        outputs: ConsumerOutputs,
        *,
        send: Callable[[str, str], object],
        request: Callable[[HttpRequest], object],
    ) -> None:
        self._make_stream = make_stream
        self._outputs = outputs
        self._venue = outputs.report.venue
        self._clock = outputs.report.clock
        self._send = send
        self._request = request
        self._offset: VenueOffset | None = None
        self._marks: list[Mark] = []
        self.frames = 0
        """Frames read so far."""
        self._use(plan)

    def _use(self, plan: StreamPlan) -> None:
        self._plan = plan
        self._offset = (self._offset or VenueOffset()) if plan.aged else None
        self._adapter = self._make_stream(plan)
        offered = {source for connection in self.connections() for source in connection.sources}
        rungs = tuple(rung for rung in RUNGS if rung in {*offered, "rest"})
        self._maker = MarkMaker(
            attrs.evolve(plan.ladder, rungs=rungs),
            self._instruments(),
            self._clock.monotonic_ns(),
            self._offset,
        )

    def _instruments(self) -> list[InstrumentId]:
        return [InstrumentId(self._venue, symbol) for symbol in self._plan.symbols]

    # --- the plan

    def connections(self) -> list[ConnectionPlan]:
        """Return the connections of the plan."""
        plans = self._adapter.plan(self._plan.symbols) if self._plan.streaming else ()
        return [attrs.evolve(plan, silence_limit_s=self._plan.silence_s) for plan in plans]

    def amended(self, plan: StreamPlan) -> bool:
        """Follow another plan if only its symbols are others; return whether it is followed."""
        if attrs.evolve(plan, symbols=self._plan.symbols) != self._plan:
            return False
        self._plan = plan
        self._maker.watch(self._instruments(), self._clock.monotonic_ns())
        return True

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that turn a connection of one plan into one of another, or None."""
        return self._adapter.amend(before, after)

    def replace(self, plan: StreamPlan) -> None:
        """Follow another plan from its beginning: books are lost, ladders start at their top."""
        stood: dict[InstrumentId, Source] = dict(self._maker.rungs())
        self._use(plan)
        moved = [
            (instrument, RungChange(stood[instrument], rung, "settings changed"))
            for instrument, rung in self._maker.rungs()
            if stood.get(instrument, rung) != rung
        ]
        self._outputs.marks([], moved)

    def rungs(self) -> tuple[tuple[InstrumentId, Source], ...]:
        """Return the active source of each instrument."""
        return self._maker.rungs()

    def tops(self) -> Tops:
        """Return the best levels of the synced books."""
        tops = (
            (instrument, self._adapter.depth(instrument.symbol, 1))
            for instrument in self._instruments()
        )
        return Tops(
            tuple(
                (instrument, (bids[0], asks[0]))
                for instrument, (bids, asks) in tops
                if bids and asks
            )
        )

    def take_offset_rise_ns(self) -> int | None:
        """Return by how much the venue's offset rose within an hour, once per rise."""
        return self._offset.take_rise_ns() if self._offset is not None else None

    # --- input

    def frame(self, connection: str, frame: bytes, received_ns: int, monotonic_ns: int) -> None:
        """Read a frame. Its marks wait for `tell_marks`."""
        self.frames += 1
        self._sort(self._adapter.frame(connection, frame, received_ns), monotonic_ns)

    def admit(self, mark: Mark, newest_venue_time_ns: int | None) -> None:
        """Take a polled mark, if polling is the active source. It waits for `tell_marks`."""
        # The newest row of the answer shows the offset of the venue's clock. It is noted before
        # every mark, so that an old row which comes first does not pass for a new one.
        if newest_venue_time_ns is not None:
            self._maker.note_time(mark.monotonic_ns, newest_venue_time_ns)
        admitted = self._maker.admit(mark)
        if admitted is not None:
            self._marks.append(admitted)

    def answered(self, answer: HttpAnswer, requests: RequestScheduler) -> None:
        """Read the answer to a request, and note with the scheduler whether it was usable."""
        outcomes = self._adapter.answer(
            answer.request, answer.status, answer.body, answer.received_ns
        )
        # Before the outcomes, because one of them may be the next request, which has to be paced.
        usable = not any(outcome.__class__ is InvalidInput for outcome in outcomes)
        requests.answered(answer, usable=usable)
        self._take(outcomes, answer.monotonic_ns)

    def opened(self, connection: str, monotonic_ns: int) -> None:
        """Note that a connection is open."""
        self._take(self._adapter.opened(connection, self._clock.time_ns()), monotonic_ns)

    def closed(self, connection: ConnectionPlan, failed: str | None, *, ended: bool) -> None:
        """Note that a connection is closed.

        Args:
            connection: its plan.
            failed: why it failed; None if it was closed without an error.
            ended: whether no connection will be opened any more.
        """
        if failed is not None:
            self._maker.fail_all(connection.symbols, connection.sources, failed)
        if not ended:
            outcomes = self._adapter.closed(connection.name, self._clock.time_ns())
            self._take(outcomes, self._clock.monotonic_ns())

    # --- output

    def tell_marks(self) -> None:
        """Tell the marks and the changes of active sources since the last call."""
        marks, self._marks = self._marks, []
        self._outputs.marks(marks, self._maker.take_changes())

    def _take(self, outcomes: Iterable[Any], monotonic_ns: int) -> None:
        self._sort(outcomes, monotonic_ns)
        self.tell_marks()

    def _sort(self, outcomes: Iterable[Any], monotonic_ns: int) -> None:
        for outcome in outcomes:
            kind = outcome.__class__
            if kind not in MARKED:
                self._act_on(outcome)
            elif (mark := self._maker.of(outcome, monotonic_ns)) is not None:
                self._marks.append(mark)

    def _act_on(self, outcome: Any) -> None:
        match outcome:
            case VenueMark():
                self._outputs.venue_mark(outcome)
            case BookWithdrawn():
                self._outputs.withdrawn(outcome)
            case HttpRequest():
                self._request(outcome)
            case SendFrame(connection, text):
                self._send(connection, text)
            case InvalidInput(what):
                self._outputs.invalid_input(what)


def stream_plan(market: Market) -> StreamPlan:
    """Return the plan of streams from the settings of a market."""
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
