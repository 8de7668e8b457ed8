"""The synthetic venue: serves a market that moves every 100 ms."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from perps_actors.kernel.clock import Clock
from perps_actors.market.mark import Provenance
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.rest_side import RestAnswer
from perps_actors.simulator.source import Connection
from perps_actors.simulator.venues import VenueSide

STEP_S: Final = 0.1
BACKLOG_BYTES: Final = 4 * 1024 * 1024
"""A client with more unread bytes is disconnected, as venues disconnect slow clients."""


class _Outbox:
    """Frames that wait to be sent on one connection; `size` in bytes."""

    def __init__(self) -> None:
        self.frames: deque[tuple[str, bytes]] = deque()
        self.size = 0

    def put(self, stream: str, frame: bytes) -> None:
        self.frames.append((stream, frame))
        self.size += len(frame)

    def take(self) -> tuple[str, bytes]:
        stream, frame = self.frames.popleft()
        self.size -= len(frame)
        return stream, frame


class SyntheticVenue:
    """A source with a synthetic market."""

    provenance: Provenance = "synthetic"

    def __init__(self, market: SyntheticMarket, side: VenueSide, clock: Clock) -> None:
        self.symbols = tuple(instrument.id.symbol for instrument in market.instruments())
        self._market = market
        self._side = side
        self._clock = clock
        self._open: dict[Connection, _Outbox] = {}
        market.step(clock.time_ns())

    async def run(self) -> None:
        """Move the market ten times a second until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + STEP_S, loop.time())
            await asyncio.sleep(due - loop.time())
            for happening in self._market.step(self._clock.time_ns()):
                for stream, frame in self._side.streams.frames_of(happening):
                    self._put(stream, frame)

    async def play(self, connection: Connection) -> str:
        """Send a connection everything from now on; never returns."""
        outbox = self._open.setdefault(connection, _Outbox())
        while True:
            connection.stirred.clear()
            self._begin(connection.begun(), outbox)
            while outbox.frames:
                await connection.send(*outbox.take())
            await connection.stirred.wait()

    def ended(self, connection: Connection) -> None:
        """Forget a connection."""
        self._open.pop(connection, None)

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the answer to a request from the present market."""
        return self._side.rest.answer(path, query, self._market, self._clock.time_ns())

    def answered(self, path: str, query: str) -> None:
        """Do nothing: no frame waits for a request."""

    def _begin(self, streams: Sequence[str], outbox: _Outbox) -> None:
        """Put the first frames of newly subscribed streams into the outbox."""
        for stream in streams:
            for framed in self._side.streams.beginning_of(stream, self._market):
                outbox.put(*framed)

    def _put(self, stream: str, frame: bytes) -> None:
        for connection, outbox in self._open.items():
            if stream in connection.streams():
                outbox.put(stream, frame)
                connection.stirred.set()
            if outbox.size > BACKLOG_BYTES:
                connection.abort()
