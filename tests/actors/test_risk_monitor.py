from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.feeds.reporter import Reporter
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.risk import GetVerdict
from perps_actors.testing import Probe, SimulatedRuntime
from perps_actors.trading.staleness import StalenessLimits

S = 1_000_000_000
KINDS = ("ageing_mark_price", "stale_mark_price", "mark_fresh_again")


@pytest.fixture
def monitor(bench, btc, eth):
    return bench.run(
        RiskMonitor(instruments=[btc, eth], limits=StalenessLimits(), report=bench.report)
    )


@pytest.fixture
def marked(bench, monitor, mark):
    """Marks these symbols now."""

    def tell(*symbols):
        now_ns = bench.clock.monotonic_ns()
        bench.tell(
            monitor,
            MarksUpdated(tuple(mark(1, symbol, at_ns=now_ns) for symbol in symbols), "synthetic"),
        )

    return tell


def edges(bench):
    return [(event.kind, event.symbol) for event in bench.events(*KINDS)]


def test_each_limit_is_told_once_when_it_is_passed_and_the_return_once(bench, marked) -> None:
    marked("BTCUSDT", "ETHUSDT")
    bench.runtime.advance(180)
    marked("ETHUSDT")
    assert edges(bench) == []
    bench.runtime.advance(180)
    assert edges(bench) == [("ageing_mark_price", "BTCUSDT")]
    bench.runtime.advance(1)
    marked("ETHUSDT")
    assert edges(bench)[1:] == [
        ("stale_mark_price", "BTCUSDT"),
        ("ageing_mark_price", "ETHUSDT"),
        ("mark_fresh_again", "ETHUSDT"),
    ]
    bench.runtime.advance(60)
    marked("BTCUSDT")
    bench.runtime.advance(60)
    assert edges(bench)[4:] == [("mark_fresh_again", "BTCUSDT")]


def test_a_staleness_event_has_age_limit_and_action(bench, marked) -> None:
    marked("BTCUSDT", "ETHUSDT")
    bench.runtime.advance(361)
    marked("BTCUSDT")
    told = [event for event in bench.told_of(*KINDS) if event[1] == "BTCUSDT"]
    assert told == [
        (
            "ageing_mark_price",
            "BTCUSDT",
            {"age_seconds": 181.0, "limit_seconds": 180.0, "action": "none"},
        ),
        (
            "stale_mark_price",
            "BTCUSDT",
            {"age_seconds": 361.0, "limit_seconds": 360.0, "action": "halt_new_orders"},
        ),
        (
            "mark_fresh_again",
            "BTCUSDT",
            {"age_seconds": 0.0, "limit_seconds": 180.0, "action": "none"},
        ),
    ]
    event = bench.events("stale_mark_price")[0]
    assert (event.venue, event.provenance, event.received_ns) == (
        "binance_futures",
        "synthetic",
        bench.clock.time_ns(),
    )


def test_an_instrument_that_is_never_marked_goes_stale_too(bench, monitor, btc, eth) -> None:
    bench.runtime.advance(361)
    assert sorted(edges(bench)) == sorted(
        (kind, i.symbol) for i in (btc, eth) for kind in ("ageing_mark_price", "stale_mark_price")
    )
    verdict = bench.ask(monitor, GetVerdict(btc))
    assert (verdict.may_open, verdict.reason, verdict.mark_age_s) == (False, "no mark yet", None)


def test_nothing_may_be_opened_before_the_first_mark_or_beyond_the_hard_limit(
    bench, monitor, marked, btc
) -> None:
    assert not bench.ask(monitor, GetVerdict(btc)).may_open
    marked("BTCUSDT")
    assert bench.ask(monitor, GetVerdict(btc)).may_open
    bench.runtime.advance(360)
    verdict = bench.ask(monitor, GetVerdict(btc))
    assert (verdict.may_open, verdict.reason, verdict.mark_age_s) == (True, "fresh mark", 360.0)
    bench.clock.advance(1)
    verdict = bench.ask(monitor, GetVerdict(btc))
    assert (verdict.may_open, verdict.reason) == (False, "stale mark")
    marked("BTCUSDT")
    assert bench.ask(monitor, GetVerdict(btc)).may_open


def test_nothing_may_be_opened_in_an_instrument_that_nobody_watches(bench, monitor, marked) -> None:
    marked("BTCUSDT")
    assert not bench.ask(monitor, GetVerdict(InstrumentId("binance_futures", "DOGEUSDT"))).may_open


@given(soft_s=st.integers(1, 500), more_s=st.integers(0, 500), age_s=st.integers(0, 1_100))
def test_the_verdict_turns_exactly_at_the_hard_limit(soft_s, more_s, age_s) -> None:
    # A bench of its own for each example: a fixture would be shared by all.
    runtime, recorder = SimulatedRuntime(), Probe()
    btc = InstrumentId("v", "BTC")
    report = Reporter(recorder=recorder, venue="v", provenance="synthetic", clock=runtime.clock)
    limits = StalenessLimits(soft_s=soft_s, hard_s=soft_s + more_s)
    monitor = RiskMonitor(instruments=[btc], limits=limits, report=report)
    cell = runtime.cell("risk_monitor")
    cell.install(monitor)
    cell.address.tell(MarksUpdated((Mark(btc, 1, "book", None, 1, 0),), "synthetic"))
    runtime.advance(age_s)
    assert cell.address.ask(GetVerdict(btc), timeout=0.0).may_open is (age_s <= soft_s + more_s)
    kinds = [event.kind for record in recorder.told for event in record.events]
    stale = age_s > soft_s + more_s
    assert ("stale_mark_price" in kinds) is stale
    assert len(kinds) == (0 if age_s <= soft_s else 1 if not stale or more_s == 0 else 2)


def test_steps_of_the_wall_clock_make_nothing_old_or_fresh(bench, monitor, marked, btc) -> None:
    marked("BTCUSDT", "ETHUSDT")
    bench.clock.step_wall(10_000 * S)
    bench.runtime.advance(100)
    assert edges(bench) == []
    assert bench.ask(monitor, GetVerdict(btc)).mark_age_s == 100.0
    bench.clock.step_wall(-20_000 * S)
    bench.runtime.advance(261)
    assert ("stale_mark_price", "BTCUSDT") in edges(bench)
    assert not bench.ask(monitor, GetVerdict(btc)).may_open


def test_staleness_is_told_when_everybody_else_is_dead(world) -> None:
    world.book("BTCUSDT", 100, 102)
    for child in world.system._composition.children:
        if child.name not in {"risk_monitor", "event_recorder"}:
            child.cell.retire(RuntimeError("gone"))
            child.state = type(child.state).GIVEN_UP
    world.advance(362)
    stale = [event.symbol for event in world.events("stale_mark_price")]
    assert sorted(stale) == ["BTCUSDT", "ETHUSDT"]
    assert not world.system.verdict("BTCUSDT").may_open
