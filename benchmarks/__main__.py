"""Run the benchmarks: one JSON object a line, `ratio` being the median of per-round ratios to the baseline of the same run.

Usage: python -m benchmarks [--quick] [NAME ...]
"""

from __future__ import annotations

import argparse

from benchmarks import ask, end_to_end, host_loop, idle, import_time, latency, memory, restart, tell, thousand_actors

BENCHMARKS = {
    "end_to_end": end_to_end.measure,
    "latency": latency.measure,
    "tell": tell.measure,
    "ask": ask.measure,
    "idle": idle.measure,
    "restart": restart.measure,
    "thousand_actors": thousand_actors.measure,
    "host_loop": host_loop.measure,
    "memory": memory.measure,
    "import": import_time.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds of few messages: does it run, is it in the right region")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default all")
    given = parser.parse_args()
    for name in given.names or BENCHMARKS:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark {name!r}, expected {', '.join(BENCHMARKS)}")
        for result in BENCHMARKS[name](quick=given.quick):
            result.show()


main()
