"""Growth of resident memory from the first million marks to the fifth, against the limit of 5 MiB."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.processes import python, ticker_server
from benchmarks.result import Result, of_rounds

LIMIT_MIB = 5.0


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield the growth in MiB; nothing at all counts as a page of it."""
    first, last = (50_000, 250_000) if quick else (1_000_000, 5_000_000)
    with ticker_server(last) as address:
        ours = python("benchmarks.our_pipeline", address, str(last), str(first))
    grown_mib = max(ours["grown_kib"], 4) / 1024
    yield of_rounds("memory", "marks", "MiB", [(grown_mib, LIMIT_MIB)], smaller_is_better=True)
