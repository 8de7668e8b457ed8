"""Latency of the full system as a client of the ticker server.

Usage: python -m benchmarks.our_latency ADDRESS COUNT

Prints one JSON object: p50 and p99 in microseconds from the stamp in a frame to the moment its mark was on the board.
"""

from __future__ import annotations

import json
import sys
import threading

from benchmarks.our_pipeline import system_on
from benchmarks.quantiles import quantiles
from benchmarks.ticker_server import since
from perps_actors.messages.marks import MarksUpdated


class Stopwatch:
    """Told of every update of the board, on the thread that made it."""

    def __init__(self, count: int) -> None:
        self.taken_ns: list[int] = []
        self.done = threading.Event()
        self._count = count

    def tell(self, message: MarksUpdated) -> None:
        """Note how long the marks took; `E` is in milliseconds to the adapter, so a stamp comes back times a million."""
        self.taken_ns += [since((mark.venue_time_ns or 0) // 1_000_000) for mark in message.marks]
        if len(self.taken_ns) >= self._count:
            self.done.set()


def main() -> None:
    address, count = sys.argv[1], int(sys.argv[2])
    stopwatch = Stopwatch(count)
    perps = system_on(address, None)
    perps.listen(stopwatch)
    with perps:
        if not stopwatch.done.wait(120):
            sys.exit(f"only {len(stopwatch.taken_ns)} of {count} marks came")
    print(json.dumps(quantiles(stopwatch.taken_ns)))


if __name__ == "__main__":
    main()
