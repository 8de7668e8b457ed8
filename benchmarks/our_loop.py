"""An asyncio host of the full system under a flood: how late its loop is, and what its own work took of that.

Usage: python -m benchmarks.our_loop ADDRESS COUNT

Prints one JSON object, in milliseconds: `late_*`, by how much a timer of 1 ms came too late; `held_*`, the CPU time for which one
callback held the loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from benchmarks.our_pipeline import system_on
from perps_actors import AsyncPerps

ENOUGH_S = 120.0


async def watch(late_ms: list[float]) -> None:
    """Note how late each timer of a millisecond comes."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + 0.001
        await asyncio.sleep(0.001)
        late_ms.append(1000 * (loop.time() - due_s))


def hold(held_ms: list[float]) -> None:
    """Have every callback of every loop note the CPU time that it took: time that it waited for the interpreter is not in it."""
    plain = asyncio.Handle._run  # noqa: SLF001 - the one place through which a loop runs anything

    def run(handle: asyncio.Handle) -> None:
        began_ns = time.thread_time_ns()
        plain(handle)
        held_ms.append((time.thread_time_ns() - began_ns) / 1e6)

    asyncio.Handle._run = run  # type: ignore[assignment, method-assign] # noqa: SLF001


async def read(perps: AsyncPerps, count: int) -> int:
    """Read the stream until the venue has sent all; return how many marks were read."""
    read, symbol = 0, perps.settings.symbols[0]
    async for _ in perps.stream():
        read += 1
        if perps.count(symbol) >= count:
            break
    return read


def quantiles(values: list[float], name: str) -> dict[str, float]:
    """Return median, 99th percentile and maximum."""
    ordered = sorted(values)
    return {
        f"{name}_p50": ordered[len(ordered) // 2],
        f"{name}_p99": ordered[int(len(ordered) * 0.99)],
        f"{name}_max": ordered[-1],
    }


async def host(address: str, count: int) -> dict[str, float]:
    """Host the system until it has recorded `count` marks."""
    late_ms: list[float] = []
    held_ms: list[float] = []
    hold(held_ms)
    watching = asyncio.ensure_future(watch(late_ms))
    async with system_on(address, None) as perps:
        began_s = time.perf_counter()
        marks = await asyncio.wait_for(read(perps, count), ENOUGH_S)
        seconds = time.perf_counter() - began_s
    watching.cancel()
    return {
        **quantiles(late_ms, "late"),
        **quantiles(held_ms, "held"),
        "marks_a_second": marks / seconds,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(host(sys.argv[1], int(sys.argv[2])))))
