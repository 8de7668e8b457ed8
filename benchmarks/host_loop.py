"""The loop of an asyncio host that reads every mark under a flood, against the limit of 5 ms.

`held`: for how long one callback holds the loop, which is ours to bound. `late`: by how much a timer of a millisecond comes too late,
in which the interpreter's switching between busy threads (5 ms each by default) has its part.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.processes import python, ticker_server
from benchmarks.result import Result, of_rounds
from benchmarks.ticker_server import SYMBOLS

LIMIT_MS = 5.0


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield the longest hold, and median and 99th percentile of the lateness."""
    count, rounds = (10_000, 1) if quick else (60_000, 3)
    figures: dict[str, list[tuple[float, float]]] = {"held_max": [], "late_p50": [], "late_p99": []}
    for _ in range(rounds):
        with ticker_server(count * len(SYMBOLS)) as address:
            measured = python("benchmarks.our_loop", address, str(count))
        for variant, rows in figures.items():
            rows.append((measured[variant], LIMIT_MS))
    for variant, rows in figures.items():
        yield of_rounds("host_loop", variant, "ms", rows, smaller_is_better=True)
