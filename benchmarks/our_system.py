"""The full system as a client of the ticker server, in a process of its own.

Usage: python -m benchmarks.our_system throughput ADDRESS COUNT [MEASURE_FROM]
       python -m benchmarks.our_system latency ADDRESS COUNT
       python -m benchmarks.our_system idle ADDRESS SECONDS
       python -m benchmarks.our_system threads - SECONDS

Each prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.harness import quantiles
from benchmarks.ticker_server import SYMBOLS, since
from perps_actors import PerpsSystem, Settings
from perps_actors.messages.marks import MarksUpdated
from perps_actors.settings import JournalSettings, StreamSettings
from perps_actors.simulator.process import VenueProcess
from perps_actors.venues.bybit import stream as bybit
from perps_actors.venues.contract import Endpoints

LOOK_EVERY_S = 0.002
SETTLE_S = 1.5
LIMIT_S = 120.0


def system_on(address: str, journal: str | None) -> PerpsSystem:
    """Return a system with all monitors that reads touches from the ticker server."""
    return PerpsSystem(
        Settings(
            symbols=SYMBOLS,
            provenance="synthetic",
            lossless=True,
            endpoints=Endpoints(stream=f"ws://{address}", rest=f"http://{address}"),
            stream=StreamSettings(source="touch"),
            journal=JournalSettings(path=journal),
        )
    )


def throughput(address: str, count: int, measure_from: int | None = None) -> dict[str, float]:
    """Return the CPU seconds from the first mark to the last journalled one.

    `grown_kib` is the growth of resident memory since the mark `measure_from`.
    """
    pause = threading.Event()

    def marks() -> int:
        return sum(perps.count(symbol) for symbol in SYMBOLS)

    with (
        tempfile.TemporaryDirectory() as folder,
        system_on(address, f"{folder}/events.journal") as perps,
    ):
        while not marks():
            pause.wait(LOOK_EVERY_S)
        cpu_s, first, memory = time.process_time(), marks(), None
        while perps.journal().recorded < count:
            if memory is None and marks() >= (measure_from or count):
                memory = resident_kib()
            pause.wait(LOOK_EVERY_S)
        cpu_s = time.process_time() - cpu_s
        grown = resident_kib() - memory if memory is not None else 0
        assert marks() == count, marks()
        assert perps.dropped == 0, perps.dropped
        return {"count": count - first, "cpu": cpu_s, "grown_kib": grown}


def resident_kib() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 1024


class Stopwatch:
    """A listener of the store. It gets each update on the thread that wrote the board."""

    def __init__(self, count: int) -> None:
        self.taken_ns: list[int] = []
        self.done = threading.Event()
        self._count = count

    def tell(self, message: MarksUpdated) -> None:
        """Note how long the marks took from the stamps in their frames.

        The adapter reads a stamp as milliseconds, so it comes back times a million.
        """
        self.taken_ns += [since((mark.venue_time_ns or 0) // 1_000_000) for mark in message.marks]
        if len(self.taken_ns) >= self._count:
            self.done.set()


def latency(address: str, count: int) -> dict[str, float]:
    """Return p50 and p99 in microseconds from the stamp in a frame to its mark on the board."""
    stopwatch = Stopwatch(count)
    perps = system_on(address, None)
    perps.listen(stopwatch)
    with perps:
        if not stopwatch.done.wait(LIMIT_S):
            sys.exit(f"only {len(stopwatch.taken_ns)} of {count} marks came")
    return quantiles(stopwatch.taken_ns)


def idle(address: str, seconds: int) -> dict[str, float]:
    """Return the CPU time in percent of a core while the venue sends nothing."""
    pause = threading.Event()
    with tempfile.TemporaryDirectory() as folder, system_on(address, f"{folder}/events.journal"):
        pause.wait(SETTLE_S)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        pause.wait(seconds)
        spent_s = time.process_time() - cpu_s
    return {"percent": 100 * spent_s / (time.perf_counter() - began_s)}


def threads(_: str, seconds: int) -> dict[str, float]:
    """Return how many threads a system with 20 synced connections adds to the process.

    The simulated venue gives each symbol a connection of its own. Workers that make REST requests
    are not counted: they are as many as requests are made at once.
    """
    vars(bybit)["SYMBOLS_PER_CONNECTION"] = 1
    symbols = tuple(f"COIN{number}USDT" for number in range(20))
    assert len(bybit.BybitStream().plan(symbols)) == len(symbols)
    pause = threading.Event()
    with VenueProcess.start("--venue", "bybit", "--symbols", ",".join(symbols)) as venue:
        before = set(threading.enumerate())
        settings = Settings(
            venue="bybit",
            symbols=symbols,
            provenance="synthetic",
            endpoints=venue.endpoints,
            stream=StreamSettings(source="book"),
        )
        with PerpsSystem(settings) as perps:
            began_s = time.monotonic()
            while not all((mark := perps.mark(s)) and mark.source == "book" for s in symbols):
                assert time.monotonic() - began_s < LIMIT_S, "not synced"
                pause.wait(LOOK_EVERY_S)
            pause.wait(max(0.0, seconds - (time.monotonic() - began_s)))
            added = [thread.name for thread in set(threading.enumerate()) - before]
    return {"threads": sum("perps-http-" not in name or name.endswith("watch") for name in added)}


if __name__ == "__main__":
    measures = {"throughput": throughput, "latency": latency, "idle": idle, "threads": threads}
    print(json.dumps(measures[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))))
