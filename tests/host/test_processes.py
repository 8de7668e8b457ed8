"""Forked and spawned processes, and hundreds of systems: they share and leave nothing."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perps_actors import Event, ForkedSystem, PerpsSystem, Settings, log_event
from perps_actors.kernel.clock import SystemClock
from perps_actors.settings import PollSettings
from perps_actors.simulator.process import VenueProcess
from perps_actors.testing import FakeNetwork

LIMIT_S = 30.0


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with VenueProcess.start() as process:
        yield process


def settings_on(venue: VenueProcess) -> Settings:
    return Settings(symbols=venue.symbols, endpoints=venue.endpoints, provenance="synthetic")


def mark_of(settings: Settings) -> str:
    """Return what the first mark of a system of one's own comes from."""
    marked = threading.Event()
    system = PerpsSystem(settings)
    system.subscribe(lambda _: marked.set())
    with system:
        assert marked.wait(LIMIT_S)
        return next(iter(system.marks.values())).instrument.venue


def _reported(work: Callable[..., Any], arguments: tuple[Any, ...], queue: Any) -> None:
    try:
        queue.put(work(*arguments))
    except Exception as error:  # noqa: BLE001 - shown by the test
        queue.put(repr(error))


def in_a_child(method: str, work: Callable[..., Any], *arguments: Any) -> Any:
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_reported, args=(work, arguments, queue))
    child.start()
    answer = queue.get(timeout=LIMIT_S)
    child.join(LIMIT_S)
    assert child.exitcode == 0
    return answer


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_runs_its_own_system_beside_its_parents(venue, method) -> None:
    with PerpsSystem(settings_on(venue)) as parents:
        assert in_a_child(method, mark_of, settings_on(venue)) == "binance_futures"
        assert parents.verdict("BTCUSDT").reason


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_cannot_use_its_parents_system(venue) -> None:
    with PerpsSystem(settings_on(venue)) as parents:

        def use() -> list[str]:
            said = []
            for attempt in (
                lambda: parents.mark("BTCUSDT"),
                lambda: parents.verdict("BTCUSDT"),
                parents.drain,
            ):
                try:
                    attempt()
                except ForkedSystem as error:
                    said.append(str(error))
            return said

        assert len(in_a_child("fork", use)) == 3
        assert parents.verdict("BTCUSDT").reason


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_a_thousand_starts_and_stops_leave_no_thread_no_descriptor_and_no_memory() -> None:
    settings = Settings(
        symbols=("BTCUSDT",), provenance="synthetic", poll=PollSettings(interval_s=60)
    )

    def live_and_end() -> None:
        system = PerpsSystem(settings, replace={"network": FakeNetwork(SystemClock())})
        system.subscribe(lambda _: None)
        system.start()
        assert system.stop().threads_left == ()

    for _ in range(100):
        live_and_end()
    gc.collect()
    threads, descriptors, resident_kib = threading.active_count(), _descriptors(), _resident_kib()
    for _ in range(900):
        live_and_end()
    gc.collect()
    assert threading.active_count() == threads
    assert _descriptors() == descriptors
    assert _resident_kib() - resident_kib < 8 * 1024


# --- logging


def test_events_reach_the_logs_of_a_host_that_has_set_them_up_with_their_fields(
    venue, caplog
) -> None:
    caplog.set_level(logging.INFO, logger="perps_actors")
    told = threading.Event()
    system = PerpsSystem(settings_on(venue))
    system.subscribe(lambda _: told.set(), Event, kinds=("feed_health",))
    with system:
        assert told.wait(LIMIT_S)
    (record, *_) = [r for r in caplog.records if getattr(r, "event_kind", "") == "feed_health"]
    assert record.name == "perps_actors.events"
    assert (record.levelno, record.event_venue, record.event_provenance) == (
        logging.INFO,
        "binance_futures",
        "synthetic",
    )
    assert record.event_data["health"] == "live"
    assert "feed_health" in record.getMessage()
    assert record.event_symbol in record.getMessage()


def test_events_for_operators_are_logged_as_warnings(caplog) -> None:
    from perps_actors.messages.records import event  # noqa: PLC0415

    log_event(
        event(
            "actor_died",
            venue="v",
            received_ns=1,
            provenance="live",
            actor="mark_store",
            error=None,
        )
    )
    log_event(event("rung_changed", venue="v", received_ns=1, provenance="live"))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "actor_died v actor=mark_store")
    ]
