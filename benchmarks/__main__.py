"""Run the benchmarks: one JSON object a line, `ratio` being the median of per-round ratios to the baseline of the same run.

Usage: python -m benchmarks [--quick] [--peers PYTHON] [NAME ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import (
    ask,
    decode,
    end_to_end,
    host_loop,
    idle,
    import_time,
    latency,
    memory,
    restart,
    tell,
    thousand_actors,
)
from benchmarks.result import Result

Measure = Callable[..., Iterator[Result]]

BENCHMARKS: dict[str, Measure] = {
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
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few rounds of few messages: does it run, is it in the right region",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="PYTHON",
        help="of an environment with peers.txt: adds decode, decode_interpreted",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHMARKS)}, decode, decode_interpreted; default all",
    )
    given = parser.parse_args()
    known = dict(BENCHMARKS)
    if given.peers is not None:
        known["decode"] = partial(decode.measure, peers=given.peers)
        known["decode_interpreted"] = partial(decode.measure_interpreted, peers=given.peers)
    for name in given.names or known:
        if name not in known:
            parser.error(f"no benchmark {name!r}, expected {', '.join(known)}")
        for result in known[name](quick=given.quick):
            result.show()


main()
