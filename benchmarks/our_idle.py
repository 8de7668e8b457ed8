"""The full system, with journal, connected to a server that sends nothing and answers polls with nothing.

Usage: python -m benchmarks.our_idle ADDRESS SECONDS

Prints one JSON object: the CPU time of this process over so many seconds, in percent of a core.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time

from benchmarks.our_pipeline import system_on

SETTLE_S = 1.5


def main() -> None:
    address, seconds = sys.argv[1], float(sys.argv[2])
    pause = threading.Event()
    with tempfile.TemporaryDirectory() as folder, system_on(address, f"{folder}/events.journal"):
        pause.wait(SETTLE_S)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        pause.wait(seconds)
        percent = 100 * (time.process_time() - cpu_s) / (time.perf_counter() - began_s)
    print(json.dumps({"percent": percent}))


if __name__ == "__main__":
    main()
