"""Run the benchmarks and print one JSON object per line.

{"benchmark", "variant", "value", "unit", "baseline", "ratio"}: the ratio is the median of the
rounds' ratios to the baseline of the same run, and larger is better. Baseline and ratio are null
where a benchmark has no baseline.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import ask, decode, tell, whole_system
from benchmarks.harness import Result

BENCHMARKS: dict[str, Callable[..., Iterator[Result]]] = {
    "end_to_end": whole_system.end_to_end,
    "latency": whole_system.latency,
    "tell": tell.measure,
    "ask": ask.measure,
    "idle": whole_system.idle,
    "threads": whole_system.threads,
    "memory": whole_system.memory,
    "import": whole_system.import_time,
    "decode": decode.measure,
}


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few short rounds, which check that everything runs"
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="PYTHON",
        help="a Python that has peers.txt installed: compares decode, adds decode_interpreted",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    given = parser.parse_args()
    known = dict(BENCHMARKS)
    if given.peers is not None:
        known["decode"] = partial(decode.measure, peers=given.peers)
        known["decode_interpreted"] = partial(decode.measure_interpreted, peers=given.peers)
    for name in given.names:
        if name not in known:
            parser.error(f"expected a benchmark of {', '.join(known)}, was {name!r}")
    for name in given.names or known:
        for result in known[name](quick=given.quick):
            result.show()


main()
