"""Embed a system in a program of your own: marks by look-up, updates by being told, a verdict before you trade.

Run: python examples/embed.py STREAM_URL REST_URL SYMBOL
where the addresses are those that `perps-actors simulate` prints; without them the live venue would be used.
"""

from __future__ import annotations

import sys
import threading

from perps_actors import PerpsSystem, Settings
from perps_actors.messages.marks import MarksUpdated
from perps_actors.venues.contract import Endpoints


class Counter:
    """Told of every update, on the store's own thread: it must not block."""

    def __init__(self, enough: int) -> None:
        self.count = 0
        self.enough = threading.Event()
        self._enough = enough

    def tell(self, message: MarksUpdated) -> None:
        """Count the marks."""
        self.count += len(message.marks)
        if self.count >= self._enough:
            self.enough.set()


def main(stream: str, rest: str, symbol: str) -> None:
    """Keep the marks of one symbol until there are enough of them."""
    settings = Settings(symbols=(symbol,), provenance="synthetic", endpoints=Endpoints(stream=stream, rest=rest))
    perps = PerpsSystem(settings)
    counter = Counter(enough=25)
    perps.listen(counter)
    with perps:
        counter.enough.wait(30)
        mark, verdict = perps.mark(symbol), perps.verdict(symbol)
    assert mark is not None
    print(f"{symbol} {mark.mark} from the {mark.source}; may open a position: {verdict.may_open} ({verdict.reason})")


if __name__ == "__main__":
    main(*sys.argv[1:4])
