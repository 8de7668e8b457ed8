"""The full system as a client of the ticker server: from its socket to the fsynced journal, with all monitors.

Usage: python -m benchmarks.our_pipeline ADDRESS COUNT [MEASURE_FROM]

Prints one JSON object: count, CPU seconds of this process from the first mark to the last journalled one, and the growth of its
memory (KiB) from the mark MEASURE_FROM to the last.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.ticker_server import SYMBOLS
from perps_actors import PerpsSystem, Settings
from perps_actors.settings import JournalSettings, StreamSettings
from perps_actors.venues.contract import Endpoints

LOOK_EVERY_S = 0.002


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def system_on(address: str, journal: str | None) -> PerpsSystem:
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


def main() -> None:
    address, count = sys.argv[1], int(sys.argv[2])
    measure_from = int(sys.argv[3]) if len(sys.argv) > 3 else count
    pause = threading.Event()

    def marks() -> int:
        return sum(perps.count(symbol) for symbol in SYMBOLS)

    with (
        tempfile.TemporaryDirectory() as folder,
        system_on(address, f"{folder}/events.journal") as perps,
    ):
        while not marks():
            pause.wait(LOOK_EVERY_S)
        cpu, first = cpu_seconds(), marks()
        memory = 0
        while perps.journal().recorded < count:
            if not memory and marks() >= measure_from:
                memory = resident_kib()
            pause.wait(LOOK_EVERY_S)
        cpu = cpu_seconds() - cpu
        grown = resident_kib() - memory if memory else 0
        assert marks() == count, marks()
        assert perps.dropped == 0, perps.dropped
        print(json.dumps({"count": count - first, "cpu": cpu, "grown_kib": grown}))


if __name__ == "__main__":
    main()
