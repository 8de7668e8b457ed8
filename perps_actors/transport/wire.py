"""The interface between actors and network: plans, requests, answers and protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from perps_actors.kernel.clock import Clock
from perps_actors.market.mark import Source


@attrs.frozen(kw_only=True)
class ConnectionPlan:
    """A WebSocket connection that a venue's adapter needs."""

    name: str
    """Stable name within the venue, e.g. `public-0`."""
    url: str
    symbols: tuple[str, ...] = ()
    """The symbols that it carries ..."""
    sources: tuple[Source, ...] = ()
    """... and the sources of marks of each."""
    silence_limit_s: float = 20.0
    """Close after so long without a frame, ping or pong; a ping is sent after half of it."""
    keep_alive: tuple[str, float] | None = None
    """A text frame that the venue expects at least every so many seconds; None: none."""
    max_age_s: float | None = None
    """Replace the connection after so long, before the venue closes it; None: never."""


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A REST request of an adapter."""

    url: str
    """Full address with query."""
    weight: int = 1
    """Its cost in the venue's rate limit."""
    purpose: str
    """E.g. `depth`; determines how the answer is read."""
    symbol: str | None = None
    interval_s: int | None = None
    """Length of the requested candles."""


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """The answer to a request: a body, or `error` with the reason why there is none."""

    request: HttpRequest
    status: int | None
    body: bytes
    error: str | None
    received_ns: int
    monotonic_ns: int
    retry_after_s: float | None = None
    """Of the header Retry-After."""


def failed(request: HttpRequest, error: str, clock: Clock) -> HttpAnswer:
    """Return the answer to a request that failed."""
    return HttpAnswer(
        request=request,
        status=None,
        body=b"",
        error=error[:300],
        received_ns=clock.time_ns(),
        monotonic_ns=clock.monotonic_ns(),
    )


class StreamListener(Protocol):
    """Who is told about a connection. No method may block: the network's thread calls them."""

    def has_room(self, resume: Callable[[], None]) -> bool:
        """Return whether there is room for more frames; asked before each read.

        If there is none, `resume` is called once, on any thread, when there is again.
        """

    def opened(self, connection: str) -> None:
        """Note that the handshake is done."""

    def frames(
        self, connection: str, frames: tuple[bytes, ...], received_ns: int, monotonic_ns: int
    ) -> None:
        """Take the data frames (text or binary) of one read, with the time of the read."""

    def closed(self, connection: str, reason: str, error: bool) -> None:  # noqa: FBT001
        """Note that the connection ended, by request (`error` False) or by a fault. Called once."""


class Link(Protocol):
    """A connection as its owner sees it. Every call returns at once, on any thread."""

    def send(self, text: str) -> None:
        """Send a text frame; a failure ends the connection and reaches the listener."""

    def close(self, reason: str) -> None:
        """End the connection; the listener's `closed` follows. Idempotent."""


class AnswerListener(Protocol):
    """Takes the answer to a request, on any thread. Must not block."""

    def __call__(self, answer: HttpAnswer) -> None:
        """Take the answer."""


class Network(Protocol):
    """All input and output of a system: real sockets, a host's broker, or a simulation."""

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> Link:
        """Start to open a connection and return at once; the listener is told the rest."""

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Make a request and return at once; the listener gets one answer, by the deadline."""

    def close(self, deadline_s: float) -> int:
        """End every connection and worker; return how many did not end in time."""
