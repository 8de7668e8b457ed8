"""From a loopback WebSocket to the fsynced journal, messages per CPU-second of the client, beside the original's way."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.processes import BASELINE, output_of, python, ticker_server
from benchmarks.result import Result, of_rounds


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield the figure of each transport."""
    count, rounds = (20_000, 1) if quick else (60_000, 5)
    figures = []
    for _ in range(rounds):
        with ticker_server(count) as address:
            ours = python("benchmarks.our_pipeline", address, str(count))
            theirs = output_of(
                sys.executable, str(BASELINE), f"ws://{address}/public/stream", str(count)
            )
        figures.append((ours["count"] / ours["cpu"], theirs["count"] / theirs["cpu"]))
    yield of_rounds("end_to_end", "websocket-client", "messages/CPU-s", figures)
