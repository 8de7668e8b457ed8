"""What the server serves: a source of frames and answers, and a client's connection as a source sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from perps_actors.market.mark import Provenance
from perps_actors.simulator.rest_side import RestAnswer


class Connection(Protocol):
    """One client's WebSocket.

    Attributes:
        stirred: set when its subscription changed; a source sets it too, to wake the task that plays to this connection.
    """

    stirred: asyncio.Event

    def streams(self) -> tuple[str, ...]:
        """Return the streams it is subscribed to, on the path that carries them."""

    def begun(self) -> tuple[str, ...]:
        """Return the streams subscribed since this was last asked, also those that were unsubscribed in between: they begin anew."""

    async def send(self, stream: str, frame: bytes) -> None:
        """Send a frame; waits while the client does not read."""

    def abort(self) -> None:
        """Cut the connection without a close frame; what waits in it is thrown away."""


class Source(Protocol):
    """A market to serve. All of it runs on the server's event loop."""

    @property
    def provenance(self) -> Provenance:
        """`synthetic` or `recording`."""

    @property
    def symbols(self) -> Sequence[str]:
        """What it has."""

    async def run(self) -> None:
        """Do what goes on beside the connections, until cancelled or done."""

    async def play(self, connection: Connection) -> str:
        """Send a connection its frames until there will be no more; return the reason to close it with."""

    def ended(self, connection: Connection) -> None:
        """A connection that was played to is gone, for whatever reason."""

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the answer to a request."""

    def answered(self, path: str, query: str) -> None:
        """The answer to a request has been sent."""
