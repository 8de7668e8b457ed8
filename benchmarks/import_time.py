"""Time that `import perps_actors` takes in a fresh interpreter, against the limit of 0.2 s."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.processes import output_of
from benchmarks.result import Result, of_rounds

LIMIT_S = 0.2
PROGRAM = (
    "import time; t = time.perf_counter(); import perps_actors; print(time.perf_counter() - t)"
)


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield the seconds."""
    rounds = [
        (float(output_of(sys.executable, "-c", PROGRAM)), LIMIT_S) for _ in range(3 if quick else 9)
    ]
    yield of_rounds("import", "perps_actors", "s", rounds, smaller_is_better=True)
