"""Parts of a system can be replaced or left out; a phase that fails undoes the phases before it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import perps_actors
from perps_actors import (
    CompositionFailed,
    PartAbsent,
    PerpsSystem,
    Settings,
    SettingsError,
    StartFailed,
)
from perps_actors.actors.risk_monitor import RiskMonitor
from perps_actors.feeds.reporter import Reporter
from perps_actors.journal.contract import CountingWriter
from perps_actors.kernel.actor import Actor
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


def test_an_actor_of_the_host_replaces_the_systems_own() -> None:
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
def test_a_system_works_without_any_one_actor_and_names_the_missing_one(absent) -> None:
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


def test_an_actor_or_broker_that_the_system_lacks_is_absent() -> None:
    system, _, _ = simulated()
    with system:
        with pytest.raises(PartAbsent, match="no executor"):
            system.ask("executor", object())
        with pytest.raises(PartAbsent, match="no broker"):
            _ = system.broker


def test_the_journal_may_be_a_store_of_the_host() -> None:
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


def test_an_unknown_name_to_replace_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"clocks.*expected some of runtime, network, journal"):
        simulated(clocks=None)


def test_an_unknown_venue_is_refused_with_the_phase() -> None:
    with pytest.raises(SettingsError, match="expected one of binance_futures") as caught:
        PerpsSystem(Settings(venue="nowhere", symbols=("A",)))
    assert caught.value.__notes__ == [
        (
            "while setting up the phase 'venue' of"
            " venue, runtime, network, journal, actors, supervision"
        )
    ]


def test_a_failing_phase_is_named_and_the_phases_before_it_are_undone(monkeypatch) -> None:
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


def test_a_system_that_was_not_started_has_no_thread_but_its_supervisors() -> None:
    before = set(threading.enumerate())
    system = PerpsSystem(SETTINGS)
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"perps-supervisor"}
    assert system.stop().clean


# --- a new actor

NEW_ACTOR = '''
from perps_actors.feeds.actor_spec import FEEDS, ActorSpec
from perps_actors.kernel.actor import Actor
from perps_actors.messages.marks import MarksUpdated


class MarkCounter(Actor):
    """Counts marks."""

    def __init__(self, *, report):
        super().__init__()
        self.report = report
        self.counted = 0

    def on_item(self, batch, item):
        self.counted += 1

    def on_receive(self, message):
        return self.counted


SPEC = ActorSpec(
    name="mark_counter",
    make=MarkCounter,
    group=FEEDS,
    listens_to=(MarksUpdated,),
)
'''
PROGRAM = """
from perps_actors import PerpsSystem, Settings, StreamSettings
from perps_actors.kernel.actor import Actor
from perps_actors.testing import FakeNetwork, SimulatedRuntime

runtime = SimulatedRuntime()
network = FakeNetwork(runtime.clock)
stream = StreamSettings(source="touch")
settings = Settings(symbols=("BTCUSDT",), provenance="synthetic", stream=stream)
with PerpsSystem(settings, replace={"runtime": runtime, "network": network}) as perps:
    network.deliver("public-0", %r)
    runtime.settle()
    print([actor.name for actor in perps.statistics().actors])
    print(perps.ask("mark_counter", "how many"), perps.__module__)
    print([row.name for row in perps.memory_ceiling().rows])
"""


def test_an_actor_is_added_by_its_module_and_its_place_in_the_start_order(tmp_path) -> None:
    package = tmp_path / "perps_actors"
    shutil.copytree(
        Path(perps_actors.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "actors" / "mark_counter.py").write_text(NEW_ACTOR)
    composition = package / "host" / "composition.py"
    text = composition.read_text().replace(
        "    quote_poller,\n", "    mark_counter,\n    quote_poller,\n", 1
    )
    composition.write_text(
        text.replace("    mark_store.SPEC,\n", "    mark_counter.SPEC,\n    mark_store.SPEC,\n", 1)
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % TOUCH],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    names, counted, rows = done.stdout.splitlines()
    assert names == str([*ACTORS[:3], "mark_counter", *ACTORS[3:]])
    assert counted == "1 perps_actors.host.system"
    assert "mark_counter" in rows


def test_a_factory_that_takes_an_unknown_part_is_refused_with_the_parts_there_are() -> None:
    def strict(*, moon_phase: object) -> Actor:
        raise NotImplementedError(moon_phase)

    system, _, _ = simulated(risk_monitor=strict)
    with pytest.raises(StartFailed, match=r"'moon_phase', expected some of .*board, clock"):
        system.start()
