"""Systems embedded in a host's process: each test has a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from itertools import pairwise

import pykka
import pytest

from perps_actors import PerpsSystem, Settings
from perps_actors.errors import AskRefused
from perps_actors.settings import StreamSettings
from perps_actors.simulator.process import VenueProcess
from perps_actors.testing import FakeNetwork, SimulatedRuntime
from perps_actors.venues.contract import Endpoints

PRELUDE = """
import sys, threading, time
from perps_actors import PerpsSystem, Settings
from perps_actors.venues.contract import Endpoints

def settings(**more):
    endpoints = Endpoints(stream=sys.argv[1], rest=sys.argv[2])
    return Settings(symbols=("BTCUSDT",), endpoints=endpoints, provenance="synthetic", **more)

def wait_for_marks(system):
    end = time.monotonic() + 15
    while system.mark("BTCUSDT") is None and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert system.mark("BTCUSDT") is not None
"""


@pytest.fixture(scope="module")
def venue():
    with VenueProcess.start() as started:
        yield started


def host(endpoints: Endpoints, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PRELUDE + program, endpoints.stream, endpoints.rest]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def silent(done: subprocess.CompletedProcess[str]) -> bool:
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return True


def test_without_logging_configured_no_failure_prints_anything(
    venue,
) -> None:
    assert silent(
        host(
            venue.endpoints,
            """
from perps_actors.messages.feeds import FramesArrived
from perps_actors.messages.marks import OfferMarks, RecordMarks
from perps_actors.market.mark import Mark
with PerpsSystem(settings()) as system:
    wait_for_marks(system)
    deaths = 0
    poisoned = RecordMarks((Mark(None, 1, "book", None, 1, 1),), "synthetic")
    for actor, poison in (("mark_store", poisoned),
                          ("stream_consumer", OfferMarks((None,))),
                          ("risk_monitor", RecordMarks((None,), "synthetic"))):
        system._composition.address(actor).tell(poison)
    end = time.monotonic() + 15
    while system.restarts < 2 and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert system.restarts >= 2, system.restarts
""",
        )
    )


def test_an_unreachable_venue_prints_nothing() -> None:
    nowhere = Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9")
    assert silent(
        host(
            nowhere,
            """
with PerpsSystem(settings()) as system:
    end = time.monotonic() + 15
    while not system.stream_statistics().reconnects and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert system.stream_statistics().reconnects
    assert system.mark("BTCUSDT") is None and not system.verdict("BTCUSDT").may_open
""",
        )
    )


def test_a_host_that_forgets_to_stop_still_exits_quietly(venue) -> None:
    assert silent(
        host(venue.endpoints, "system = PerpsSystem(settings()).start()\nwait_for_marks(system)\n")
    )


def test_neither_signals_nor_exit_handlers_nor_loggers_of_the_host_are_touched(venue) -> None:
    assert silent(
        host(
            venue.endpoints,
            """
import atexit, logging, signal
before = {n: signal.getsignal(n) for n in signal.valid_signals()}
handlers, level = list(logging.root.handlers), logging.root.level
register, exits = atexit.register, []
def registered(work, *a, **k):
    exits.append(getattr(work, "__module__", ""))
    return register(work, *a, **k)
atexit.register = registered
with PerpsSystem(settings()) as system:
    wait_for_marks(system)
assert {n: signal.getsignal(n) for n in signal.valid_signals()} == before
assert (list(logging.root.handlers), logging.root.level) == (handlers, level)
loggers = logging.root.manager.loggerDict.items()
ours = {name: logger for name, logger in loggers if name.startswith("perps")}
handlers = [h for logger in ours.values() for h in getattr(logger, "handlers", ())]
assert [type(handler) for handler in handlers] == [logging.NullHandler]
assert all(logger.level == logging.NOTSET and logger.propagate for logger in ours.values())
assert [module for module in exits if module.startswith("perps")] == []
""",
        )
    )


def test_pykkas_stop_all_does_not_stop_the_actors_of_a_system(venue) -> None:
    class HostsOwn(pykka.ThreadingActor):
        pass

    settings = Settings(symbols=venue.symbols, endpoints=venue.endpoints, provenance="synthetic")
    with PerpsSystem(settings) as system:
        HostsOwn.start()
        assert [ref.actor_class for ref in pykka.ActorRegistry.get_all()] == [HostsOwn]
        assert pykka.ActorRegistry.stop_all(timeout=5) == [True]
        assert system.verdict(venue.symbols[0]).instrument.symbol == venue.symbols[0]
        system.flush()
    assert system.drain().clean


def test_one_of_two_systems_ends_and_the_other_continues(venue) -> None:
    settings = Settings(symbols=venue.symbols, endpoints=venue.endpoints, provenance="synthetic")
    with PerpsSystem(settings) as first:
        with PerpsSystem(settings) as second:
            assert second.verdict(venue.symbols[0]).reason
        assert second.drain().clean
        assert first.verdict(venue.symbols[0]).reason
    assert first.drain().clean


def test_marks_and_windows_can_be_read_from_any_thread_while_they_are_written(venue) -> None:
    settings = Settings(symbols=venue.symbols, endpoints=venue.endpoints, provenance="synthetic")
    ended, faults = threading.Event(), []

    def read(system: PerpsSystem) -> None:
        try:
            while not ended.is_set():
                for symbol in venue.symbols:
                    window = system.window(symbol)
                    assert len(window) <= 25
                    assert all(a.monotonic_ns <= b.monotonic_ns for a, b in pairwise(window))
                    assert system.count(symbol) >= 0
                    system.health(symbol)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            faults.append(error)

    with PerpsSystem(settings) as system:
        readers = [threading.Thread(target=read, args=(system,)) for _ in range(3)]
        for reader in readers:
            reader.start()
        pause = threading.Event()
        for _ in range(1000):
            if system.count(venue.symbols[0]) >= 10:
                break
            pause.wait(0.01)
        ended.set()
        for reader in readers:
            reader.join()
    assert faults == []
    assert system.count(venue.symbols[0]) >= 10


def test_a_question_inside_a_listener_is_refused() -> None:
    runtime = SimulatedRuntime()
    network = FakeNetwork(runtime.clock)
    settings = Settings(symbols=("BTCUSDT",), stream=StreamSettings(source="touch"))
    system = PerpsSystem(settings, replace={"network": network, "runtime": runtime})
    refused = []

    class Asking:
        def tell(self, _: object) -> None:
            with pytest.raises(AskRefused):
                system.verdict("BTCUSDT")
            refused.append(True)

    system.listen(Asking())
    with system:
        network.deliver(
            "public-0", b'{"e":"bookTicker","E":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}'
        )
    assert refused == [True]
    assert system.count("BTCUSDT") == 1
