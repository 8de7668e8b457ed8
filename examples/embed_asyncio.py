"""Embed a system in an asyncio program: every call that waits is awaited, so the loop never blocks.

Run: python examples/embed_asyncio.py STREAM_URL REST_URL SYMBOL
e.g. with the addresses that `perps-actors simulate` prints.
Without `endpoints` in the settings, the system would use the live venue.
"""

from __future__ import annotations

import asyncio
import sys

from perps_actors import AsyncPerps, Endpoints, Event, PerpsSystem, Settings


async def show_health(perps: AsyncPerps) -> None:
    """Print every change in the health of a feed, until the system ends."""
    async for event in perps.stream(Event, kinds=("feed_health",)):
        print(event.kind, event.symbol, dict(event.data)["cause"])


async def highest(perps: AsyncPerps, symbol: str, count: int) -> None:
    """Print each new high among the next `count` marks."""
    high = None
    async with perps.stream(instruments=(symbol,)) as marks:
        async for mark in marks:
            count -= 1
            if high is None or mark.mark > high:
                high = mark.mark
                print(f"new high: {symbol} {high}")
            if count == 0:
                return


async def main(stream: str, rest: str, symbol: str) -> None:
    """Watch the marks of one symbol, and ask whether risk allows a position."""
    settings = Settings(
        symbols=(symbol,), provenance="synthetic", endpoints=Endpoints(stream=stream, rest=rest)
    )
    async with PerpsSystem(settings) as perps:
        health = asyncio.create_task(show_health(perps))
        await asyncio.wait_for(highest(perps, symbol, count=30), timeout=30)
        verdict = await perps.verdict(symbol)
    await health  # the stream of events ended with the system
    print(f"may open a position: {verdict.may_open} ({verdict.reason})")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
