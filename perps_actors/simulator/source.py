"""Sources of a simulated venue's frames and answers: the interface, and the synthetic market."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from perps_actors.kernel.clock import Clock
from perps_actors.market.mark import Provenance
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.rest_side import RestAnswer
from perps_actors.simulator.venue_contract import Framed
from perps_actors.simulator.venues import VenueSide

STEP_S: Final = 0.1
"""Time between two steps of the synthetic market."""
BACKLOG_BYTES: Final = 4 * 1024 * 1024
"""A client with more unread bytes is disconnected, as venues disconnect slow clients."""


class ServedConnection(Protocol):
    """One client's WebSocket, as a source sees it.

    Attributes:
        changed: set when the subscriptions changed, or by a source that has frames for it.
    """

    changed: asyncio.Event

    def streams(self) -> tuple[str, ...]:
        """Return the subscribed streams."""

    def new_streams(self) -> tuple[str, ...]:
        """Return the streams subscribed since the last call, also if subscribed again."""

    async def send(self, stream: str, frame: bytes) -> None:
        """Send a frame; wait while the client does not read."""

    def abort(self) -> None:
        """Disconnect without a close frame; unsent frames are lost."""


class Source(Protocol):
    """A market to serve. All of its code runs on the server's event loop."""

    @property
    def provenance(self) -> Provenance:
        """`synthetic` or `recording`."""

    @property
    def symbols(self) -> Sequence[str]:
        """The listed symbols."""

    async def run(self) -> None:
        """Run the work that belongs to no connection, until it is done or cancelled."""

    async def play(self, connection: ServedConnection) -> str:
        """Send a connection its frames until there are no more; return the close reason."""

    def ended(self, connection: ServedConnection) -> None:
        """Forget a connection to which frames were played, because it is gone."""

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the answer to a request."""

    def answered(self, path: str, query: str) -> None:
        """Note that the answer to a request was sent."""


class _Outbox:
    """Frames that wait to be sent on one connection; `size` in bytes."""

    def __init__(self) -> None:
        self.frames: deque[Framed] = deque()
        self.size = 0

    def put(self, stream: str, frame: bytes) -> None:
        self.frames.append((stream, frame))
        self.size += len(frame)

    def take(self) -> Framed:
        stream, frame = self.frames.popleft()
        self.size -= len(frame)
        return stream, frame


class SyntheticVenue:
    """A source with a synthetic market that moves every `STEP_S`."""

    provenance: Provenance = "synthetic"

    def __init__(self, market: SyntheticMarket, side: VenueSide, clock: Clock) -> None:
        self.symbols = tuple(instrument.id.symbol for instrument in market.instruments())
        self._market = market
        self._side = side
        self._clock = clock
        self._outboxes: dict[ServedConnection, _Outbox] = {}
        market.step(clock.time_ns())

    async def run(self) -> None:
        """Move the market until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + STEP_S, loop.time())
            await asyncio.sleep(due - loop.time())
            for step in self._market.step(self._clock.time_ns()):
                for stream, frame in self._side.streams.frames_of(step):
                    self._put(stream, frame)

    async def play(self, connection: ServedConnection) -> str:
        """Send a connection everything from now on; never returns."""
        outbox = self._outboxes.setdefault(connection, _Outbox())
        while True:
            # Cleared before the streams are read: a change after that wakes the wait below.
            connection.changed.clear()
            for stream in connection.new_streams():
                for framed in self._side.streams.beginning_of(stream, self._market):
                    outbox.put(*framed)
            while outbox.frames:
                await connection.send(*outbox.take())
            await connection.changed.wait()

    def ended(self, connection: ServedConnection) -> None:
        """Forget a connection."""
        self._outboxes.pop(connection, None)

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the answer to a request from the present market."""
        return self._side.rest.answer(path, query, self._market, self._clock.time_ns())

    def answered(self, path: str, query: str) -> None:
        """Do nothing: no frame waits for a request."""

    def _put(self, stream: str, frame: bytes) -> None:
        for connection, outbox in self._outboxes.items():
            if stream in connection.streams():
                outbox.put(stream, frame)
                connection.changed.set()
            if outbox.size > BACKLOG_BYTES:
                connection.abort()
