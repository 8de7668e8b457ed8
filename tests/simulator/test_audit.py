"""Audits of books against REST: a correct book stays synced, a wrong one is withdrawn."""

from __future__ import annotations

import random
import threading
from decimal import Decimal
from urllib.parse import urlsplit

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors import Event, PerpsSystem, Settings
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.process import VenueProcess
from perps_actors.simulator.venues import SERVED, side_of
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.registry import venue
from perps_actors.venues.toolkit.audit import PURPOSE, AuditedStream

START = 1_700_000_000_000_000_000
STEP = 100_000_000


class Quiet:
    """A market of one symbol in which only the best bid's size changes; REST serves `told`."""

    def __init__(self, name, seed=1):
        self.side = side_of(name)
        self.symbol = self.side.terms.symbols[0]
        made = SyntheticMarket(name, [self.symbol], self.side.terms, random.Random(seed))
        made.step(START)
        self._made, self.now = made, START
        self.book = self.told = made.depth(self.symbol)

    def nudge(self):
        (price, size), *others = self.book.bids
        change = ((price, str(int(float(size)) % 900 + 1)),)
        self.now += STEP
        last, step = self.book.last, {"last": self.book.last + 1, "venue_time_ns": self.now}
        self.book = _depth(self.book, bids=(*change, *others), **step)
        told = [level for level in self.told.bids if level[0] != price]
        self.told = _depth(self.told, bids=(*change, *told), **step)
        return self.side.streams.depth_frames(
            _depth(self.book, bids=change, asks=(), first=last + 1, previous=last, whole=False)
        )

    def instruments(self):
        return self._made.instruments()

    def depth(self, symbol):  # noqa: ARG002 - one symbol
        return self.told

    def touch(self, symbol):
        return self._made.touch(symbol)

    def venue_mark(self, symbol):
        return self._made.venue_mark(symbol)

    def open_interest(self, symbol):
        return self._made.open_interest(symbol)


def _depth(of, **changes):
    fields = {name: getattr(of, name) for name in of.__struct_fields__}
    return type(of)(**{**fields, "whole": True, **changes})


class Session:
    """An audited adapter on a served market, with REST answers that come some steps later.

    An answer has the market at the time of its request or of its arrival.
    """

    def __init__(self, name, market, *, every_s=1.0, late=2):
        known = venue(name)
        self.market, self.side, self.late = market, side_of(name), late
        self.adapter = AuditedStream(
            known.stream(known.endpoints), known.rest(known.endpoints), every_s
        )
        self.said, self.audits, self._waiting = [], 0, []

    def frames(self, frames, now_ns):
        for _, frame in frames:
            self._take(self.adapter.frame("c", frame, now_ns), now_ns)
        waiting, self._waiting = self._waiting, []
        for left, request in waiting:
            if left:
                self._waiting.append((left - 1, request))
            else:
                self._take(self._answer(request, now_ns), now_ns)

    def _take(self, outcomes, now_ns):
        for outcome in outcomes:
            if isinstance(outcome, HttpRequest) and outcome.purpose == PURPOSE:
                self.audits += 1
                self._waiting.append((self.late, outcome))
            elif isinstance(outcome, HttpRequest):
                self._take(self._answer(outcome, now_ns), now_ns)
            else:
                self.said.append(outcome)

    def _answer(self, request, now_ns):
        url = urlsplit(request.url)
        body = self.side.rest.answer(url.path, url.query, self.market, now_ns).body
        return self.adapter.answer(request, 200, body, now_ns)

    def begin(self, now_ns):
        first = self.side.streams.snapshot_frame(self.market.depth(self.side.terms.symbols[0]))
        self.frames([first] if first is not None else [], now_ns)

    def withdrawn(self):
        return [outcome for outcome in self.said if isinstance(outcome, BookWithdrawn)]


def lost(book):
    """Return a book without the tenth bid in REST."""
    return _depth(book, bids=tuple(level for index, level in enumerate(book.bids) if index != 9))


def resized(book):
    """Return a book whose fifth ask has another size in REST."""
    return _depth(
        book,
        asks=tuple(
            (price, "77777" if index == 4 else size)
            for index, (price, size) in enumerate(book.asks)
        ),
    )


def grown(book):
    """Return a book after the stream lost a bid."""
    price = between(book.bids[4][0], book.bids[5][0])
    return _depth(book, bids=(*book.bids[:5], (price, "7"), *book.bids[5:]))


@pytest.mark.parametrize("lie", [lost, resized, grown], ids=lambda lie: lie.__name__)
@pytest.mark.parametrize("name", SERVED)
def test_a_book_that_differs_from_rest_twice_is_withdrawn_and_resynchronised(name, lie) -> None:
    market = Quiet(name)
    session = Session(name, market)
    session.begin(market.now)
    for _ in range(20):
        session.frames(market.nudge(), market.now)
    assert session.withdrawn() == []
    market.told = lie(market.told)
    for _ in range(120):
        session.frames(market.nudge(), market.now)
    assert [withdrawn.cause.partition(":")[0] for withdrawn in session.withdrawn()][:1] == ["audit"]
    behind = session.said[session.said.index(session.withdrawn()[0]) + 1 :]
    anew = isinstance(behind[0], SendFrame) or (
        isinstance(behind[0], BookTop) and behind[0].snapshot
    )
    assert anew, behind[:2]


@pytest.mark.parametrize("name", SERVED)
@given(seed=st.integers(0, 2**32), late=st.integers(0, 12))
@settings(max_examples=8, deadline=None)
def test_a_correct_book_stays_synced_with_late_answers(name, seed, late) -> None:
    side = side_of(name)
    market = SyntheticMarket(name, side.terms.symbols[:1], side.terms, random.Random(seed))
    session = Session(name, market, late=late)
    market.step(START - STEP)
    session.begin(START - STEP)
    for step in range(100):
        for market_step in market.step(START + step * STEP):
            session.frames(side.streams.depth_frames(market_step.depth), START + step * STEP)
    assert session.audits >= 2
    assert session.withdrawn() == []
    assert [outcome for outcome in session.said if isinstance(outcome, InvalidInput)] == []


def test_an_answer_older_than_the_book_is_ignored() -> None:
    market = Quiet("bybit")
    session = Session("bybit", market)
    session.begin(market.now)
    old = lost(market.told)
    for _ in range(150):
        frames = market.nudge()
        market.told = old
        session.frames(frames, market.now)
    assert session.audits > 5
    assert session.withdrawn() == []


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (None, b""), (200, b"{}"), (200, b"[" * 50_000)]
)
def test_an_unreadable_answer_is_reported_as_invalid_and_audits_continue(status, body) -> None:
    market = Quiet("okx")
    session = Session("okx", market)
    session._answer = lambda request, now_ns: session.adapter.answer(request, status, body, now_ns)
    session.begin(market.now)
    for _ in range(60):
        session.frames(market.nudge(), market.now)
    invalid_inputs = [outcome for outcome in session.said if isinstance(outcome, InvalidInput)]
    assert len(invalid_inputs) >= 3
    assert session.withdrawn() == []


def test_an_audit_without_an_answer_is_abandoned_after_a_minute() -> None:
    market = Quiet("kraken_futures")
    session = Session("kraken_futures", market, late=10**9)
    session.begin(market.now)
    for _ in range(700):
        session.frames(market.nudge(), market.now)
    assert session.audits == 2


def test_the_end_of_a_connection_ends_the_audit_of_its_book() -> None:
    market = Quiet("okx")
    session = Session("okx", market, late=10**9)
    session.begin(market.now)
    for _ in range(30):
        session.frames(market.nudge(), market.now)
    assert session.audits == 1
    assert [type(outcome) for outcome in session.adapter.closed("c", market.now)] == [BookWithdrawn]
    (request,) = (request for _, request in session._waiting)
    assert list(session.adapter.answer(request, 200, b"{}", market.now)) == []


def test_a_system_audits_its_books_over_sockets_and_withdraws_no_correct_book() -> None:
    with VenueProcess.start("--venue", "okx") as served:
        base = Settings(
            venue="okx", symbols=served.symbols, endpoints=served.endpoints, provenance="synthetic"
        )
        found: list[Event] = []
        marked = threading.Semaphore(0)
        with PerpsSystem(
            attrs.evolve(base, stream=attrs.evolve(base.stream, audit_s=0.5))
        ) as system:
            system.subscribe(found.append, Event, kinds=("book_withdrawn", "input_rejected"))
            system.subscribe(lambda _: marked.release(), instruments=served.symbols[:1])
            for _ in range(50):
                assert marked.acquire(timeout=20)
            assert system.stream_statistics().invalid_inputs == 0
    assert found == []


def test_a_level_that_differs_once_withdraws_no_book() -> None:
    market = Quiet("okx")
    session = Session("okx", market)
    answers, answer = [], session._answer

    def lies_once(request, now_ns):
        answers.append(request)
        true, market.told = market.told, lost(market.told) if len(answers) == 2 else market.told
        outcomes = answer(request, now_ns)
        market.told = true
        return outcomes

    session._answer = lies_once
    session.begin(market.now)
    for _ in range(150):
        session.frames(market.nudge(), market.now)
    assert session.audits > 5
    assert session.withdrawn() == []


class Flickering(Quiet):
    """The same, with a level that appears and disappears."""

    def __init__(self, name):
        super().__init__(name)
        self._random = random.Random(1)
        self._price = between(self.book.bids[4][0], self.book.bids[5][0])

    def nudge(self):
        frames = super().nudge()
        if self._random.random() < 0.15:
            frames = [*frames, *self._flicker()]
        return frames

    def _flicker(self):
        there = [level for level in self.book.bids if level[0] == self._price]
        bids = [level for level in self.book.bids if level[0] != self._price]
        bids = sorted(
            [*bids, *([] if there else [(self._price, "7")])], key=lambda level: -float(level[0])
        )
        last = self.book.last
        self.book = self.told = _depth(self.book, bids=tuple(bids), last=last + 1)
        change = ((self._price, "0" if there else "7"),)
        numbers = {"first": last + 1, "previous": last, "whole": False}
        return self.side.streams.depth_frames(_depth(self.book, bids=change, asks=(), **numbers))


def between(one, other):
    return f"{(Decimal(one) + Decimal(other)) / 2:f}"


def test_an_answer_newer_than_the_stream_waits_for_the_stream() -> None:
    market = Flickering("okx")
    session = Session("okx", market, late=0)
    session.begin(market.now)
    held = []
    for step in range(3_000):
        # REST is a few messages ahead of the stream.
        held.append(market.nudge())
        session.frames(held.pop(0) if step >= 4 else [], market.now)
    assert session.audits > 100
    assert session.withdrawn() == []
