"""Embed a system in a threaded program: be told of marks and events, read the window, get a verdict before you trade.

Run: python examples/embed.py STREAM_URL REST_URL SYMBOL
where the addresses are those that `perps-actors simulate` prints; without `endpoints` the live venue would be used.
"""

from __future__ import annotations

import queue
import sys

from perps_actors import Endpoints, Event, Mark, PerpsSystem, Settings

ENOUGH = 30
"""More than a window holds."""


def main(stream: str, rest: str, symbol: str) -> None:
    """Keep the marks of one symbol until there are enough of them."""
    settings = Settings(
        symbols=(symbol,), provenance="synthetic", endpoints=Endpoints(stream=stream, rest=rest)
    )
    marks: queue.SimpleQueue[Mark] = queue.SimpleQueue()
    with PerpsSystem(settings) as perps:
        # Each callable has a thread and an inbox of its own: it may block, and it may ask the system.
        perps.subscribe(
            lambda event: print(event.kind, event.symbol, dict(event.data)["cause"]),
            Event,
            kinds=("feed_health",),
        )
        told = perps.subscribe(marks.put, instruments=(symbol,))
        for _ in range(ENOUGH):
            last = marks.get(timeout=30)
        told.close()
        window, verdict = perps.window(symbol), perps.verdict(symbol)
    print(
        f"{symbol} {last.mark} from the {last.source}; {len(window)} marks from {window[0].mark} to {window[-1].mark}"
    )
    print(f"may open a position: {verdict.may_open} ({verdict.reason})")


if __name__ == "__main__":
    main(*sys.argv[1:4])
