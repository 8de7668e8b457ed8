"""Every part of a system can be replaced or left out; a phase that fails undoes those before it and names itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from perps_actors import CompositionFailed, PartAbsent, PerpsSystem, Settings, SettingsError
from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.feeds.reporter import Reporter
from perps_actors.journal.contract import CountingWriter
from perps_actors.testing import FakeNetwork, SimulatedRuntime
from perps_actors.trading.staleness import StalenessLimits

SETTINGS = Settings(symbols=("BTCUSDT",), provenance="synthetic")
TOUCH = b'{"e":"bookTicker","E":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}'
ACTORS = (
    "event_recorder",
    "market_monitor",
    "risk_monitor",
    "mark_store",
    "stream_consumer",
    "quote_poller",
)


def simulated(
    settings: Settings = SETTINGS, **parts: Any
) -> tuple[PerpsSystem, FakeNetwork, SimulatedRuntime]:
    runtime = SimulatedRuntime()
    network = FakeNetwork(runtime.clock)
    return (
        PerpsSystem(settings, replace={"runtime": runtime, "network": network, **parts}),
        network,
        runtime,
    )


def test_an_actor_of_the_hosts_own_takes_the_place_of_ours() -> None:
    made = []

    def strict(*, settings: Settings, report: Reporter) -> RiskMonitor:
        made.append(settings)
        return RiskMonitor(
            instruments=tuple(settings.instruments),
            limits=StalenessLimits(soft_s=1, hard_s=1),
            report=report,
        )

    system, network, runtime = simulated(risk_monitor=strict)
    with system:
        network.deliver("public-0", TOUCH)
        runtime.advance(2)
        assert not system.verdict("BTCUSDT").may_open
    assert made == [SETTINGS]


@pytest.mark.parametrize("absent", ACTORS)
def test_a_system_goes_on_without_any_one_of_its_actors_and_says_what_it_lacks(absent) -> None:
    system, network, runtime = simulated(**{absent: None})
    with system:
        if absent != "stream_consumer":
            network.deliver("public-0", TOUCH)
        runtime.advance(20)
        with pytest.raises(PartAbsent, match=f"This system has no {absent}; it has ") as caught:
            system.ask(absent, object())
        assert caught.value.part == absent
        assert [actor.name for actor in system.statistics().actors] == [
            name for name in ACTORS if name != absent
        ]
        system.reconfigure(Settings(symbols=("ETHUSDT",), provenance="synthetic"))
    assert system.drain().actors.clean


def test_what_is_no_part_yet_is_absent_too() -> None:
    system, _, _ = simulated()
    with system:
        with pytest.raises(PartAbsent, match="no executor"):
            system.ask("executor", object())
        with pytest.raises(PartAbsent, match="no broker"):
            _ = system.broker


def test_the_journal_may_be_a_store_of_the_hosts_own() -> None:
    opened = []

    def journal() -> CountingWriter:
        opened.append(CountingWriter(41))
        return opened[-1]

    system, network, runtime = simulated(journal=journal)
    with system:
        network.deliver("public-0", TOUCH)
        runtime.settle()
    assert len(opened) == 1
    assert system.journal().last_sequence > 41


def test_a_part_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"clocks.*expected some of runtime, network, journal"):
        simulated(clocks=None)


def test_a_venue_that_there_is_not_is_refused_with_the_phase() -> None:
    with pytest.raises(SettingsError, match="expected one of binance_futures") as caught:
        PerpsSystem(Settings(venue="nowhere", symbols=("A",)))
    assert caught.value.__notes__ == [
        "while setting up the phase 'venue' of venue, runtime, network, journal, actors, supervision"
    ]


def test_a_phase_that_fails_names_itself_and_undoes_those_before_it(monkeypatch) -> None:
    closed = []

    class Broken:
        def __init__(self, **_: object) -> None:
            raise OSError(24, "too many open files")

    monkeypatch.setattr("perps_actors.transport.network.LiveNetwork", Broken)
    monkeypatch.setattr(
        "perps_actors.kernel.runtime.ThreadedRuntime.close",
        lambda _, deadline_s: closed.append(deadline_s),
    )
    with pytest.raises(
        CompositionFailed, match=r"Phase 'network' failed: OSError: .*too many open files"
    ) as caught:
        PerpsSystem(SETTINGS)
    assert caught.value.phase == "network"
    assert isinstance(caught.value.__cause__, OSError)
    assert len(closed) == 1


def test_a_system_that_was_only_made_has_no_thread_but_its_supervisors() -> None:
    before = set(threading.enumerate())
    system = PerpsSystem(SETTINGS)
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"perps-supervisor"}
    assert system.stop().clean
