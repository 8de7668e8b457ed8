"""Benchmarks of whole systems on a loopback socket, and of the import."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator

from benchmarks.harness import Result, compared, measured, output_of, python, ticker_server

RATE = 1_000
IMPORT = "import time; t = time.perf_counter(); import perps_actors; print(time.perf_counter() - t)"


def end_to_end(*, quick: bool) -> Iterator[Result]:
    """Yield messages per CPU-second of the client, from the socket to the fsynced journal."""
    count, rounds = (20_000, 1) if quick else (60_000, 5)
    figures = []
    for _ in range(rounds):
        with ticker_server(count) as address:
            ours = python("our_system", "throughput", address, str(count))
            url = f"ws://{address}/public/stream"
            original = python("original", "throughput", url, str(count))
        figures.append((ours["count"] / ours["cpu"], original["count"] / original["cpu"]))
    yield compared("end_to_end", "websocket-client", "messages/CPU-s", figures)


def latency(*, quick: bool) -> Iterator[Result]:
    """Yield microseconds from the server's send to the mark on the board, at 1,000 messages/s.

    The variants `one-thread-*` compare with a loop that has no actors.
    """
    count, rounds = (2_000, 1) if quick else (10_000, 5)
    figures: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(rounds):
        with ticker_server(count, RATE) as address:
            url = f"ws://{address}/public/stream"
            ours = python("our_system", "latency", address, str(count))
            original = python("original", "latency", url, str(count))
            one_thread = python("one_thread", url, str(count))
        for quantile in ("p50", "p99"):
            figures[quantile].append((ours[quantile], original[quantile]))
            figures[f"one-thread-{quantile}"].append((ours[quantile], one_thread[quantile]))
    for variant, rows in figures.items():
        yield compared("latency", variant, "us", rows, smaller_is_better=True)


def idle(*, quick: bool) -> Iterator[Result]:
    """Yield the CPU time of a system whose venue sends nothing, in percent of a core."""
    seconds, rounds = (3, 1) if quick else (20, 3)
    figures = []
    for _ in range(rounds):
        with ticker_server(0) as address:
            figures.append(python("our_system", "idle", address, str(seconds))["percent"])
    yield measured("idle", "whole-system", "% of a core", figures)


def threads(*, quick: bool) -> Iterator[Result]:
    """Yield the threads that a system with 20 synced connections has added after a minute."""
    added = python("our_system", "threads", "-", "3" if quick else "60")["threads"]
    yield measured("threads", "20-connections", "threads", [added])


def memory(*, quick: bool) -> Iterator[Result]:
    """Yield the growth of resident memory from the first million marks to the fifth."""
    first, last = (50_000, 250_000) if quick else (1_000_000, 5_000_000)
    with ticker_server(last) as address:
        ours = python("our_system", "throughput", address, str(last), str(first))
    yield measured("memory", "marks", "MiB", [ours["grown_kib"] / 1024])


def import_time(*, quick: bool) -> Iterator[Result]:
    """Yield the seconds that `import perps_actors` takes in a fresh interpreter.

    The bytecode is cached, as it is after an installation. Here that takes a folder of its own,
    because a checkout may have none and the environment may forbid to write it.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPYCACHEPREFIX"] = folder
        command = (sys.executable, "-c", IMPORT)
        output_of(*command, environment=environment)
        rounds = [output_of(*command, environment=environment) for _ in range(3 if quick else 9)]
    yield measured("import", "perps_actors", "s", rounds)
