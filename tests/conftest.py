"""Checks that no test leaves a thread or a registered actor, and a whole system for tests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pykka
import pytest

from perps_actors.host.system import PerpsSystem
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.messages.records import Event
from perps_actors.settings import JournalSettings, Settings
from perps_actors.testing import FakeNetwork, Probe, SimulatedRuntime

PATIENCE_S = 3.0
FOREIGN = ("Thread-", "Dummy-", "asyncio_", "ThreadPoolExecutor", "pytest", "MainThread")
"""Names that the interpreter and the libraries give."""


def _ours() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith(FOREIGN)}


@pytest.fixture(autouse=True)
def nothing_lives_on() -> Iterator[None]:
    before = _ours()
    yield
    end = time.monotonic() + PATIENCE_S
    for thread in _ours() - before:
        thread.join(max(0.0, end - time.monotonic()))
    assert sorted(thread.name for thread in _ours() - before) == []
    registered = pykka.ActorRegistry.get_all()
    pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)
    assert registered == []


class World:
    """A system on one seeded thread and a manual clock, with a network that the test controls.

    Frames are Binance's; every one carries the wall time of the clock as its venue time.
    """

    def __init__(
        self,
        path: Path,
        *,
        seed: int = 0,
        symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"),
        **settings: Any,
    ) -> None:
        journal = settings.setdefault("journal", JournalSettings(path=str(path)))
        self.path = journal.path
        self.runtime = SimulatedRuntime(seed=seed)
        self.clock = self.runtime.clock
        self.network = FakeNetwork(self.clock)
        settings = Settings(
            **{"symbols": symbols, "provenance": "synthetic", "seed": seed, **settings}
        )
        self.system = PerpsSystem(
            settings, replace={"network": self.network, "runtime": self.runtime}
        )
        self.told = Probe()
        self.system.listen(self.told)
        self._last_ids: dict[str, int] = {}

    def start(self) -> World:
        self.system.start()
        self.runtime.settle()
        return self

    def advance(self, seconds: float) -> None:
        self.runtime.advance(seconds)

    def address(self, actor: str) -> Any:
        return self.system._composition.address(actor)

    def tell(self, actor: str, message: object) -> None:
        self.address(actor).tell(message)
        self.runtime.settle()

    # --- what the venue sends

    def frame(self, symbol: str, kind: str, stream: str, **data: Any) -> bytes:
        now_ms = self.clock.time_ns() // 1_000_000
        return json.dumps(
            {
                "stream": f"{symbol.lower()}@{stream}",
                "data": {"e": kind, "E": now_ms, "T": now_ms, "s": symbol, **data},
            }
        ).encode()

    def touch_frame(self, symbol: str, bid: object, ask: object) -> bytes:
        return self.frame(
            symbol, "bookTicker", "bookTicker", u=1, b=str(bid), B="1", a=str(ask), A="1"
        )

    def depth_frame(
        self, symbol: str, bids: Any = (), asks: Any = (), *, previous: int | None = None
    ) -> bytes:
        last = self._last_ids.get(symbol, 100)
        self._last_ids[symbol] = last + 1
        rows = {"b": [[str(p), str(q)] for p, q in bids], "a": [[str(p), str(q)] for p, q in asks]}
        before = last if previous is None else previous
        return self.frame(
            symbol, "depthUpdate", "depth@100ms", U=last + 1, u=last + 1, pu=before, **rows
        )

    def trade_frame(self, symbol: str, price: object) -> bytes:
        return self.frame(
            symbol, "aggTrade", "aggTrade", a=1, p=str(price), q="1", f=1, l=1, m=False
        )

    def public(self, *frames: bytes) -> None:
        self.network.deliver("public-0", *frames)
        self.runtime.settle()

    def market(self, *frames: bytes) -> None:
        self.network.deliver("market-0", *frames)
        self.runtime.settle()

    def touch(self, symbol: str, bid: object, ask: object) -> None:
        self.public(self.touch_frame(symbol, bid, ask))

    def trade(self, symbol: str, price: object) -> None:
        self.market(self.trade_frame(symbol, price))

    def depth(
        self, symbol: str, bids: Any = (), asks: Any = (), *, previous: int | None = None
    ) -> None:
        self.public(self.depth_frame(symbol, bids, asks, previous=previous))

    def snapshot(self, symbol: str, bid: object, ask: object) -> None:
        """Answer the request for a book's snapshot so that it joins the last depth frame sent."""
        now_ms = self.clock.time_ns() // 1_000_000
        body = {
            "lastUpdateId": self._last_ids[symbol],
            "E": now_ms,
            "T": now_ms,
            "bids": [[str(bid), "1"]],
            "asks": [[str(ask), "1"]],
        }
        self.network.answer("depth", json.dumps(body).encode(), symbol=symbol)
        self.runtime.settle()

    def book(self, symbol: str, bid: object, ask: object) -> None:
        """Bring a book up: a first depth frame, and its snapshot."""
        self.depth(symbol)
        self.snapshot(symbol, bid, ask)

    def poll(self, *rows: tuple[str, object, object]) -> None:
        """Answer the poll that waits."""
        now_ms = self.clock.time_ns() // 1_000_000
        body = [
            {
                "symbol": s,
                "bidPrice": str(b),
                "bidQty": "1",
                "askPrice": str(a),
                "askQty": "1",
                "time": now_ms,
            }
            for s, b, a in rows
        ]
        self.network.answer("quotes", json.dumps(body).encode())
        self.runtime.settle()

    def waiting(self, purpose: str) -> int:
        """Return how many requests of that purpose wait for their answer."""
        return sum(request.purpose == purpose for request, _ in self.network.requests)

    # --- what came of it

    def marks(self, symbol: str) -> list[Decimal]:
        return [mark.mark for mark in self.system.window(symbol)]

    def source(self, symbol: str) -> str | None:
        mark = self.system.mark(symbol)
        return None if mark is None else mark.source

    def events(self, *kinds: str) -> list[Event]:
        """Return what the journal holds, of these kinds (or all), in order."""
        if not self.address("event_recorder")._cell.inbox.closed:
            self.system.flush()
        with SqliteJournalReader(self.path) as reader:
            return [event for _, event in reader.events() if not kinds or event.kind in kinds]

    def told_of(self, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
        return [(event.kind, dict(event.data)) for event in self.events(*kinds)]


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes started systems under the simulated runtime; each is stopped after the test."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(tmp_path / f"world-{len(made)}.journal", **settings))
        return made[-1].start()

    yield make
    for world in made:
        world.system.stop()


@pytest.fixture
def world(worlds: Callable[..., World]) -> World:
    return worlds()
