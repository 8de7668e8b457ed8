"""Each adapter reads its simulated venue: frame by frame, and as a system over sockets."""

from __future__ import annotations

import random
import threading
from decimal import Decimal
from urllib.parse import urlsplit

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors import PerpsSystem, Settings
from perps_actors.market.events import BookTop, Touch, Trade, VenueMark
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.process import VenueProcess
from perps_actors.simulator.venues import SERVED, side_of
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.registry import venue

START = 1_700_000_000_000_000_000
STEP = 100_000_000


def kept(event):
    return event if isinstance(event, InvalidInput) else type(event).__name__


@pytest.mark.parametrize("name", SERVED)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_the_adapter_reads_the_served_market(name, seed, steps) -> None:
    side, known = side_of(name), venue(name)
    market = SyntheticMarket(name, side.terms.symbols, side.terms, random.Random(seed))
    adapter, said = known.stream(known.endpoints), []
    market.step(START - STEP)
    for symbol in side.terms.symbols:
        for channel in ("book", "mark", "ticker"):
            for _, frame in side.streams.first_frames(channel, symbol, market):
                said += adapter.frame("c", frame, START - STEP)
    for step in range(steps):
        now_ns = START + step * STEP
        for market_step in market.step(now_ns):
            symbol = market_step.depth.symbol
            written = [frame for _, frame in side.streams.frames_of(market_step)]
            outcomes = [
                outcome for frame in written for outcome in adapter.frame("c", frame, now_ns)
            ]
            for request in [outcome for outcome in outcomes if isinstance(outcome, HttpRequest)]:
                url = urlsplit(request.url)
                outcomes += adapter.answer(
                    request, 200, side.rest.answer(url.path, url.query, market, now_ns).body, now_ns
                )
            said += outcomes
            assert [o for o in outcomes if isinstance(o, Trade)] == [
                attrs_of(trade, now_ns) for trade in market_step.trades
            ]
            (touch,) = [o for o in outcomes if isinstance(o, Touch)]
            assert (touch.bid, touch.ask, touch.venue_time_ns) == (
                market_step.touch.bid,
                market_step.touch.ask,
                now_ns,
            )
            top = [o for o in outcomes if isinstance(o, BookTop)][-1]
            assert (top.bid, top.ask) == (market_step.touch.bid, market_step.touch.ask)
            bids, asks = adapter.depth(symbol, 100)
            served = market.depth(symbol)
            assert (tuple(bids), tuple(asks)) == (served.bids, served.asks)
            # Separate streams of mark and index give one event each, with the last value of the
            # other; a ticker with both repeats the last mark.
            marks = [o.mark for o in outcomes if isinstance(o, VenueMark)]
            expected = market_step.ticker.mark.mark
            assert (
                marks[-1:] == [expected]
                if market_step.mark is not None
                else set(marks) <= {expected}
            )
    assert [outcome for outcome in said if isinstance(outcome, InvalidInput)] == []


def attrs_of(trade: Trade, received_ns: int) -> Trade:
    return Trade(
        trade.instrument,
        trade.side,
        trade.price,
        trade.amount,
        trade.trade_id,
        trade.venue_time_ns,
        received_ns,
        backlog=trade.backlog,
    )


@pytest.mark.parametrize("name", SERVED)
def test_the_adapter_reads_the_listed_instruments(name) -> None:
    side, known = side_of(name), venue(name)
    market = SyntheticMarket(name, side.terms.symbols, side.terms, random.Random(1))
    rest = known.rest(known.endpoints)
    listed = []
    for request in rest.instruments():
        url = urlsplit(request.url)
        listed += rest.read_instruments(side.rest.answer(url.path, url.query, market, START).body)
    assert tuple(listed) == market.instruments()


@pytest.mark.parametrize("name", SERVED)
def test_a_system_makes_marks_from_every_source_of_a_served_venue(name) -> None:
    with VenueProcess.start("--venue", name) as served:
        for source in ("book", "touch", "trades", "rest"):
            marked = threading.Event()
            base = Settings(
                venue=name,
                symbols=served.symbols,
                endpoints=served.endpoints,
                provenance="synthetic",
            )
            system = PerpsSystem(
                attrs.evolve(base, stream=attrs.evolve(base.stream, source=source))
            )
            system.subscribe(lambda _, marked=marked: marked.set(), instruments=served.symbols[:1])
            with system:
                assert marked.wait(20), source
                assert system.mark(served.symbols[0]).source == source
                assert system.mark(served.symbols[0]).mark > Decimal(0)
                assert system.stream_statistics().invalid_inputs == 0


@pytest.mark.parametrize("name", SERVED)
def test_an_unlisted_symbol_does_not_affect_listed_ones(name) -> None:
    symbols = side_of(name).terms.symbols[:2]
    with VenueProcess.start("--venue", name, "--symbols", symbols[0]) as served:
        marked = threading.Semaphore(0)
        system = PerpsSystem(
            Settings(
                venue=name, symbols=symbols, endpoints=served.endpoints, provenance="synthetic"
            )
        )
        system.subscribe(lambda _: marked.release(), instruments=symbols[:1])
        with system:
            for _ in range(8):
                assert marked.acquire(timeout=20)
            assert system.mark(symbols[0]).source == "book"
            assert system.mark(symbols[1]) is None
            assert system.stream_statistics().reconnects == 0
