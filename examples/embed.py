"""Embed a system in a threaded program: get marks and events, read a window, check risk.

Run: python examples/embed.py STREAM_URL REST_URL SYMBOL
e.g. with the addresses that `perps-actors simulate` prints.
Without `endpoints` in the settings, the system would use the live venue.
"""

from __future__ import annotations

import queue
import sys

from perps_actors import Endpoints, Event, Mark, PerpsSystem, Settings

ENOUGH = 30
"""Marks to wait for; more than a window holds."""


def main(stream: str, rest: str, symbol: str) -> None:
    """Keep the marks of one symbol until there are enough of them."""
    settings = Settings(
        symbols=(symbol,), provenance="synthetic", endpoints=Endpoints(stream=stream, rest=rest)
    )
    marks: queue.SimpleQueue[Mark] = queue.SimpleQueue()
    with PerpsSystem(settings) as perps:
        # Each callable has a thread and an inbox of its own: it may block and ask the system.
        perps.subscribe(
            lambda event: print(event.kind, event.symbol, dict(event.data)["cause"]),
            Event,
            kinds=("feed_health",),
        )
        subscription = perps.subscribe(marks.put, instruments=(symbol,))
        for _ in range(ENOUGH):
            last = marks.get(timeout=30)
        subscription.close()
        window, verdict = perps.window(symbol), perps.verdict(symbol)
    span = f"{len(window)} marks from {window[0].mark} to {window[-1].mark}"
    print(f"{symbol} {last.mark} from the {last.source}; {span}")
    print(f"may open a position: {verdict.may_open} ({verdict.reason})")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
