"""The name of a system is in its events, log records, thread names and statistics."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import subprocess
import sys
import threading
from pathlib import Path

import perps_actors
from perps_actors import Endpoints, Event, PerpsSystem, Settings
from perps_actors.settings import JournalSettings, PollSettings, StreamSettings
from perps_actors.simulator.process import VenueProcess

NOWHERE = Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9")


def test_two_systems_of_a_process_are_told_apart_everywhere(tmp_path: Path, caplog) -> None:
    before, events = set(threading.enumerate()), []
    with VenueProcess.start() as venue, caplog.at_level(logging.INFO, "perps_actors.events"):
        names_before = set(threading.enumerate())
        settings = Settings(
            name="desk",
            symbols=venue.symbols[:1],
            endpoints=venue.endpoints,
            provenance="synthetic",
            poll=PollSettings(interval_s=0.1),
            stream=StreamSettings(enabled=True),
            journal=JournalSettings(path=str(tmp_path / "events.journal")),
        )
        config = tmp_path / "perps.toml"
        config.write_text('symbols = ["X"]\n')
        with PerpsSystem(settings) as perps:
            perps.subscribe(events.append, Event)
            perps.follow(config)
            while not perps.marks:
                perps.flush()
            threads = {thread.name for thread in set(threading.enumerate()) - names_before}
            assert perps.statistics().name == "desk"
    assert threads
    assert {name.partition("-")[0] for name in threads} == {"desk"}
    assert events
    assert {event.system for event in events} == {"desk"}
    records = [record for record in caplog.records if record.name == "perps_actors.events"]
    assert {record.event_system for record in records} == {"desk"}
    assert set(threading.enumerate()) <= before


def test_the_version_is_that_of_the_installed_package() -> None:
    assert perps_actors.__version__ == importlib.metadata.version("perps-actors")


def test_the_package_runs_as_a_module_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perps_actors", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"perps-actors {perps_actors.__version__}\n", "")


def test_a_thread_for_an_asyncio_host_has_the_systems_name() -> None:
    seen: set[str] = set()

    async def host() -> None:
        system = PerpsSystem(
            Settings(name="desk", symbols=("A",), provenance="synthetic", endpoints=NOWHERE),
            replace={"event_recorder": None},
        )
        start = system.start

        def watched() -> PerpsSystem:
            seen.add(threading.current_thread().name)
            return start()

        system.start = watched  # type: ignore[method-assign]
        async with system:
            pass

    asyncio.run(host())
    assert seen == {"desk-host-call"}
