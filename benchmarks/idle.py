"""CPU that the whole system takes while its venue has nothing to say, in percent of a core, against the limit of 0.5 %."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.processes import python, ticker_server
from benchmarks.result import Result, of_rounds

LIMIT_PERCENT = 0.5


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield the percentage."""
    seconds, rounds = (3, 1) if quick else (20, 3)
    figures = []
    for _ in range(rounds):
        with ticker_server(0) as address:
            figures.append(
                (python("benchmarks.our_idle", address, str(seconds))["percent"], LIMIT_PERCENT)
            )
    yield of_rounds("idle", "whole-system", "% of a core", figures, smaller_is_better=True)
