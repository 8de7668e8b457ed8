"""One item of a batch kills its actor: the item is lost alone, and the actor dies once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import attrs
import pytest

from perps_actors.actors.event_recorder import EventRecorder
from perps_actors.actors.mark_store import MarkStore
from perps_actors.actors.market_monitor import MarketMonitor
from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.actors.stream_consumer import StreamConsumer
from perps_actors.actors.subscriber import Reception, Subscriber
from perps_actors.feeds.boards import Board
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.journal.group import RecordingPolicy
from perps_actors.kernel import (
    Actor,
    Batch,
    Cell,
    DeadLetter,
    Published,
    SimulatedRuntime,
    ThreadedRuntime,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy
from perps_actors.market.mark import Mark
from perps_actors.messages.control import StreamPlan
from perps_actors.messages.feeds import FeedHealth, FramesArrived, GetFeedHealth
from perps_actors.messages.interest import MarksHeard
from perps_actors.messages.marks import MarksUpdated, OfferMarks, RecordMarks
from perps_actors.messages.records import Event, Flush, JournalStatus
from perps_actors.messages.risk import GetVerdict
from perps_actors.testing import FakeNetwork, Probe
from perps_actors.trading.staleness import StalenessLimits
from perps_actors.transport.rate_limits import BackoffPolicy, Priority, RateLimiter, RequestPacing
from perps_actors.venues.registry import venue

VENUE = "binance_futures"
SYMBOLS = tuple(f"C{number}USDT" for number in range(6))
POISONED = 2
LIMIT_S = 10.0


class Journal:
    """A journal in memory, for any number of recorders after each other."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.repaired = None

    @property
    def last_sequence(self) -> int:
        return len(self.events)

    def write(self, events: Any) -> int:
        self.events.extend(events)
        return self.last_sequence

    def close(self) -> None:
        """Keep all for the next recorder."""


@attrs.define
class Place:
    """One actor on a runtime, revived when it dies, with probes where other actors would be."""

    runtime: Any
    make: Callable[[Place], Actor]
    told: Probe = attrs.Factory(Probe)
    board: Board = attrs.Factory(Board)
    journal: Journal = attrs.Factory(Journal)
    letters: list[DeadLetter | None] = attrs.Factory(list)
    sessions: Iterator[int] = attrs.Factory(lambda: count(1))
    health: Published[FeedHealth] = attrs.Factory(lambda: Published(FeedHealth(0, ())))
    status: Published[JournalStatus] = attrs.Factory(
        lambda: Published(
            JournalStatus(recorded=0, dropped=0, waiting=0, last_sequence=0, failing=None)
        )
    )
    cell: Any = None

    @property
    def report(self) -> Reporter:
        clock = self.runtime.clock
        return Reporter(recorder=Probe(), venue=VENUE, provenance="synthetic", clock=clock)

    def handle(self, batch: Batch) -> None:
        """Have the actor handle a batch, and all that is left of it when it dies."""
        self.cell = self.runtime.cell("actor")
        self.cell.watcher = self
        self.cell.install(self.make(self))
        self.cell.address.tell(batch)
        self.ask("a message that no actor knows, behind the batch")

    def ask(self, question: Any) -> Any:
        return self.runtime.wait(self.cell.address.put_question(question), LIMIT_S)

    def started(self, *_: object) -> None: ...

    def stopped(self, *_: object) -> None: ...

    def died(self, cell: Cell, _: int, __: BaseException, letter: DeadLetter | None) -> None:
        self.letters.append(letter)
        cell.install(self.make(self))


@pytest.fixture(params=["simulated", "threads"])
def place(request) -> Iterator[Callable[[Callable[[Place], Actor]], Place]]:
    runtime: Any = (
        SimulatedRuntime() if request.param == "simulated" else ThreadedRuntime(name="poison")
    )
    yield lambda make: Place(runtime, make)
    assert runtime.close(LIMIT_S) == ()


def instruments() -> list[InstrumentId]:
    return [InstrumentId(VENUE, symbol) for symbol in SYMBOLS]


def marks(place: Place, source: Any = "book") -> tuple[Mark, ...]:
    """Return one mark an instrument; the poisoned one is none."""
    now_ns = place.runtime.clock.monotonic_ns()
    made: list[Any] = [
        Mark(InstrumentId(VENUE, symbol), Decimal(1 + number), source, None, number + 1, now_ns)
        for number, symbol in enumerate(SYMBOLS)
    ]
    made[POISONED] = None
    return tuple(made)


def check_that_one_item_died(place: Place, batch: Batch, *, other_messages: int = 1) -> None:
    (letter,) = place.letters
    assert letter is not None
    assert (letter.message, letter.items) == (batch.with_items(batch.items[POISONED:][:1]), 1)
    statistics = place.cell.statistics()
    # The question behind the batch is one of the other messages.
    assert (statistics.handled, statistics.dead) == (len(SYMBOLS) - 1 + other_messages, 1)
    assert statistics.restarts == 1


def store(place: Place) -> MarkStore:
    return MarkStore(window_length=9, board=place.board, listeners=[place.told])


def test_the_mark_store_keeps_all_other_marks_and_tells_them(place) -> None:
    here = place(store)
    batch = RecordMarks(marks(here), "synthetic")
    here.handle(batch)
    check_that_one_item_died(here, batch)
    others = [mark for mark in batch.marks if mark is not None]
    assert [here.board.mark(mark.instrument) for mark in others] == others
    assert [mark for update in here.told.of(MarksUpdated) for mark in update.marks] == others


def risk_monitor(place: Place) -> RiskMonitor:
    return RiskMonitor(instruments=instruments(), limits=StalenessLimits(), report=place.report)


def test_the_risk_monitor_judges_by_the_marks_behind_the_poisoned_one(place) -> None:
    here = place(risk_monitor)
    batch = MarksUpdated(marks(here), "synthetic")
    here.handle(batch)
    check_that_one_item_died(here, batch)
    verdicts = [here.ask(GetVerdict(instrument)).may_open for instrument in instruments()]
    # A restart forgets the times of all marks before it.
    assert verdicts == [False, False, False, True, True, True]


def market_monitor(place: Place) -> MarketMonitor:
    return MarketMonitor(
        instruments=dict.fromkeys(instruments(), VENUE), report=place.report, health=place.health
    )


def test_the_market_monitor_judges_by_the_marks_behind_the_poisoned_one(place) -> None:
    here = place(market_monitor)
    batch = MarksUpdated(marks(here), "synthetic")
    here.handle(batch)
    check_that_one_item_died(here, batch)
    health = dict(here.ask(GetFeedHealth()).judgements)
    assert [health[instrument].health.value for instrument in instruments()] == [
        *["waiting"] * 3,
        *["live"] * 3,
    ]


def recorder(place: Place) -> EventRecorder:
    return EventRecorder(
        open_writer=lambda: place.journal,
        policy=RecordingPolicy(),
        report=place.report,
        status=place.status,
    )


def test_the_event_recorder_journals_all_other_marks(place) -> None:
    here = place(recorder)
    batch = MarksUpdated(marks(here), "synthetic")
    here.handle(batch)
    check_that_one_item_died(here, batch)
    assert here.ask(Flush()) == len(SYMBOLS) - 1
    assert [event.symbol for event in here.journal.events] == [
        symbol for number, symbol in enumerate(SYMBOLS) if number != POISONED
    ]


POLLED = StreamPlan(symbols=SYMBOLS, streaming=False)


def consumer(place: Place, plan: StreamPlan = POLLED) -> StreamConsumer:
    network = FakeNetwork(place.runtime.clock)
    pacing = RequestPacing(RateLimiter(1200), Priority.SNAPSHOT, BackoffPolicy(), Random(0))
    known = venue(VENUE)
    return StreamConsumer(
        plan=plan,
        make_stream=lambda _: known.stream(known.endpoints),
        network=network,
        requests=RequestScheduler(pacing, network, place.runtime.clock),
        mark_store=place.told,
        market_monitor=Probe(),
        report=place.report,
        sessions=place.sessions,
    )


def test_the_stream_consumer_passes_on_all_other_polled_marks(place) -> None:
    here = place(consumer)
    batch = OfferMarks(marks(here, "rest"))
    here.handle(batch)
    check_that_one_item_died(here, batch)
    recorded = [mark for message in here.told.of(RecordMarks) for mark in message.marks]
    assert recorded == [mark for mark in batch.marks if mark is not None]


def streaming_consumer(place: Place) -> StreamConsumer:
    return consumer(place, StreamPlan(symbols=SYMBOLS, ladder=LadderPolicy(top="touch")))


def test_the_stream_consumer_tells_the_marks_of_the_frames_before_the_poisoned_one(place) -> None:
    here = place(streaming_consumer)
    frames: list[Any] = [
        b'{"stream":"%s@bookTicker","data":{"e":"bookTicker","u":1,"s":"%s","b":"1","B":"1",'
        b'"a":"3","A":"1","T":1,"E":1}}' % (symbol.lower().encode(), symbol.encode())
        for symbol in SYMBOLS
    ]
    frames[POISONED] = None
    batch = FramesArrived("public-0", 1, tuple(frames), 1, here.runtime.clock.monotonic_ns())
    here.handle(batch)
    # Two connections were opened by each of two incarnations.
    check_that_one_item_died(here, batch, other_messages=5)
    # The next incarnation opens connections of its own and ignores frames of the one before it.
    recorded = [mark for message in here.told.of(RecordMarks) for mark in message.marks]
    assert [mark.instrument.symbol for mark in recorded] == list(SYMBOLS[:POISONED])


def test_a_subscriber_receives_all_other_items_and_does_not_die(place) -> None:
    received: list[Mark] = []
    reception = Reception()

    def receive(mark: Mark) -> None:
        received.append(mark.instrument and mark)

    def subscriber(here: Place) -> Subscriber:
        return Subscriber(
            receive, name="test", report=here.report, reception=reception, remove=lambda: None
        )

    here = place(subscriber)
    batch = MarksHeard(marks(here))
    here.handle(batch)
    assert received == [mark for mark in batch.items if mark is not None]
    assert (here.letters, reception.failures) == ([], 1)
