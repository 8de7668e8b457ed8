"""What passes between the inside and the transport: plans and exchanges, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from perps_actors.kernel.clock import Clock
from perps_actors.market.mark import Source


@attrs.frozen(kw_only=True)
class ConnectionPlan:
    """One WebSocket connection that a venue's adapter wants open."""

    name: str
    """Stable name within the venue, e.g. `public-0`."""
    url: str
    symbols: tuple[str, ...] = ()
    """What it carries: the instruments ..."""
    sources: tuple[Source, ...] = ()
    """... and which sources of marks of each."""
    silence_limit_s: float = 20.0
    """Close when nothing (no frame, ping or pong) came for so long; a ping is sent after half of it."""
    keep_alive: tuple[str, float] | None = None
    """A text frame that the venue wants to hear at least every so many seconds, beside WebSocket's own pings; None: none."""
    max_age_s: float | None = None
    """Replace the connection after so long, before the venue cuts it; None: never."""


@attrs.frozen(kw_only=True)
class HttpRequest:
    """One REST request that an adapter wants made."""

    url: str
    """Full address with query."""
    weight: int = 1
    """What the venue charges for it against its rate limit."""
    purpose: str
    """What it is for, e.g. `depth`; tells the answer's reader how to read it."""
    symbol: str | None = None
    interval_s: int | None = None
    """Length of the candles that it asks for."""


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """What became of a request: a body, or `error` saying why there is none."""

    request: HttpRequest
    status: int | None
    body: bytes
    error: str | None
    received_ns: int
    monotonic_ns: int
    retry_after_s: float | None = None
    """What the venue asked for with 418, 429 or 503."""


def failed(request: HttpRequest, error: str, clock: Clock) -> HttpAnswer:
    """Return the answer to a request that got none."""
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
        """The handshake is done."""

    def frames(
        self, connection: str, frames: tuple[bytes, ...], received_ns: int, monotonic_ns: int
    ) -> None:
        """Data frames (text or binary) of one read of the socket, in order, with the time of that read."""

    def closed(self, connection: str, reason: str, error: bool) -> None:  # noqa: FBT001 - told, never chosen by a caller
        """The connection ended, for ever: at the other side's wish (`error` False) or for a fault. Told exactly once."""


class Link(Protocol):
    """A connection that was opened, as its owner sees it. Every call returns at once."""

    def send(self, text: str) -> None:
        """Send a text frame; a failure ends the connection and reaches the listener."""

    def close(self, reason: str) -> None:
        """End the connection; the listener's `closed` follows. Idempotent."""


class AnswerListener(Protocol):
    """Who hears of an HTTP exchange, on a thread of the network's or, when it is refused at once, on the caller's; must not block."""

    def __call__(self, answer: HttpAnswer) -> None:
        """Hear what became of the request."""


class Network(Protocol):
    """The seam to the outside: real sockets, or a test's or simulation's stand-in."""

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> Link:
        """Start to open a connection and return at once; all news of it reaches the listener."""

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Make a request on a worker and return at once; the listener gets exactly one answer, within the total deadline."""

    def close(self, deadline_s: float) -> int:
        """End every connection and worker; return how many threads did not end in time."""
