"""From the server's send to the mark on the board, at 1,000 messages a second, beside the original's way to its window."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.processes import python, ticker_server
from benchmarks.result import Result, of_rounds

RATE = 1_000


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield p50 and p99."""
    count, rounds = (2_000, 1) if quick else (10_000, 3)
    figures: dict[str, list[tuple[float, float]]] = {"p50": [], "p99": []}
    for _ in range(rounds):
        with ticker_server(count, RATE) as address:
            ours = python("benchmarks.our_latency", address, str(count))
            theirs = python(
                "benchmarks.original_latency", f"ws://{address}/public/stream", str(count)
            )
        for quantile, rows in figures.items():
            rows.append((ours[quantile], theirs[quantile]))
    for quantile, rows in figures.items():
        yield of_rounds("latency", quantile, "us", rows, smaller_is_better=True)
