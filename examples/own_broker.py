"""Keep the marks of your own broker: an object with blocking iterators and quotes, not a venue.

Its order books fail at first, so marks come from polled quotes until the books work.

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
    """A broker with a random price. Its methods may block and raise."""

    def __init__(self) -> None:
        self._random = Random(7)
        self._price = 50_000.0
        self._calls = itertools.count()
        self._pause = threading.Event()

    def get_quote(self, symbol: str) -> dict[str, Any]:
        """Return best bid and ask, as a REST call would."""
        return {"symbol": symbol, "bid": self._price - 1, "ask": self._price + 1}

    def stream_orderbook(self, symbols: list[str], level: int = 1) -> Iterator[dict[str, Any]]:
        """Yield best bid and ask; the first two calls fail."""
        del level  # it has best prices only
        if next(self._calls) < 2:
            raise ConnectionResetError
        for _ in range(300):
            self._pause.wait(0.01)
            self._price = round(self._price + self._random.gauss(0, 5), 2)
            bid, ask = self._price - 1, self._price + 1
            for symbol in symbols:
                yield {"product_id": symbol, "best_bid": bid, "best_ask": ask}

    def stream_trades(self, symbols: list[str]) -> Iterator[dict[str, Any]]:
        """Yield nothing: this broker has no trades."""
        del symbols
        return iter(())


class Climb:
    """Notes the sources of marks until they come from the books again."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.done = threading.Event()

    def __call__(self, mark: Mark) -> None:
        """Note the source of a mark."""
        if self.sources[-1:] != [mark.source]:
            self.sources.append(mark.source)
        if self.sources[-2:] == ["rest", "book"]:
            self.done.set()


def main() -> None:
    """Run until marks come from the order book again."""
    poll, stream = PollSettings(interval_s=0.05), StreamSettings(patience_s=0.05)
    settings = Settings(symbols=("BTC-PERP",), venue="host_broker", poll=poll, stream=stream)
    climb, perps = Climb(), PerpsSystem(settings, broker=RandomWalk())
    perps.subscribe(climb)  # before the start, so that it misses no mark
    with perps:
        climb.done.wait(30)
        mark, marks = perps.mark("BTC-PERP"), len(perps.window("BTC-PERP"))
    assert mark is not None
    sources = ", then ".join(climb.sources)
    print(f"BTC-PERP {mark.mark} from the {mark.source}, {marks} marks in the window; {sources}")


if __name__ == "__main__":
    main()
