"""Keep marks of a broker of your own: any object with blocking iterators and quotes in place of a venue.

Its order books fail at first, on the first iteration, as generators do: marks fall to the polled quotes and climb back by themselves.

Run: python examples/own_broker.py
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from random import Random
from typing import Any

from perps_actors import Mark, PerpsSystem, PollSettings, Settings, StreamSettings


class RandomWalk:
    """A broker whose price walks at random. Its methods are called on threads of the system's, and may block and raise."""

    def __init__(self) -> None:
        self._random = Random(7)
        self._price = 50_000.0
        self._calls = itertools.count()
        self._pause = threading.Event()

    def get_quote(self, symbol: str) -> dict[str, Any]:
        """Return what a REST call would bring."""
        return {"symbol": symbol, "bid": self._price - 1, "ask": self._price + 1}

    def stream_orderbook(self, symbols: list[str], level: int = 1) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - best prices at any level
        """Yield best bid and ask; the first two calls fail."""
        if next(self._calls) < 2:
            raise ConnectionResetError
        for _ in range(300):
            self._pause.wait(0.01)
            self._price = round(self._price + self._random.gauss(0, 5), 2)
            for symbol in symbols:
                yield {
                    "product_id": symbol,
                    "best_bid": self._price - 1,
                    "best_ask": self._price + 1,
                }

    def stream_trades(self, symbols: list[str]) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - nobody trades
        """Yield nothing: not every broker has trades."""
        return iter(())


class Climb:
    """Told of every mark on a thread of its own; notes where they come from until they have climbed back."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.done = threading.Event()

    def __call__(self, mark: Mark) -> None:
        """Note where the mark comes from."""
        if self.sources[-1:] != [mark.source]:
            self.sources.append(mark.source)
        if self.sources[-2:] == ["rest", "book"]:
            self.done.set()


def main() -> None:
    """Watch the marks until they come from the order book again."""
    poll, stream = PollSettings(interval_s=0.05), StreamSettings(patience_s=0.05)
    settings = Settings(symbols=("BTC-PERP",), venue="host_broker", poll=poll, stream=stream)
    climb = Climb()
    perps = PerpsSystem(settings, broker=RandomWalk())
    perps.subscribe(climb)  # before the start: nothing is missed
    with perps:
        climb.done.wait(30)
        mark, marks = perps.mark("BTC-PERP"), len(perps.window("BTC-PERP"))
    assert mark is not None
    print(
        f"BTC-PERP {mark.mark} from the {mark.source}, {marks} marks in the window; sources: {', then '.join(climb.sources)}"
    )


if __name__ == "__main__":
    main()
