"""What every venue's serving side is made of: a market as the simulator knows it, and what goes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import attrs
import msgspec

from perps_actors.market.events import Funding, Touch, VenueMark
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import DecimalText

Channel = Literal["book", "touch", "trades", "mark", "ticker", "other"]
"""What a stream carries, in words that hold for every venue; a ticker carries touch and mark."""

Levels = tuple[tuple[str, str], ...]
"""(price, quantity); the quantity is absolute, and zero where the level is gone."""


class Depth(msgspec.Struct, frozen=True, gc=False):
    """A book, or the changes of one: `first` and `previous` are those of a change."""

    symbol: str
    last: int
    bids: Levels
    asks: Levels
    venue_time_ns: int
    first: int = 0
    previous: int = 0
    """`last` of the change before: a client finds gaps by it."""
    added: frozenset[str] = frozenset()
    """Prices of a change's levels that were not there before, for venues that say so."""
    whole: bool = False
    """Whether what was read is the whole book, which a stream begins with, and not a change."""


class WholeTicker(msgspec.Struct, frozen=True, gc=False):
    """All that a ticker says of a contract at once."""

    touch: Touch
    mark: VenueMark
    funding: Funding
    open_interest: DecimalText | None


class StreamSession(Protocol):
    """One client connection: what it asked for and what it is answered.

    A venue's session inherits what is usual: frames go out to all alike and as text, and pings are those of WebSocket itself.
    """

    ping_every_s: float = 180.0
    """Binance's three minutes; sources differ, so nobody is cut for a pong of WebSocket's that does not come."""

    def streams(self) -> tuple[str, ...]:
        """Return the streams that go out on this connection."""

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a text frame of the client; an error answer if the frame is malformed."""

    def dress(self, frame: bytes) -> bytes:
        """Return a frame as this connection wants it."""
        return frame

    def packed(self, text: bytes) -> bytes | None:  # noqa: ARG002 - for those who pack
        """Return the binary frame in which a text goes out, whatever it says; None where it goes out as text."""
        return None

    def ping(self, now_ns: int) -> str | None:  # noqa: ARG002 - for those who ping
        """Return the venue's own ping, which is due at once and from then on every `ping_every_s`; None where it has none.

        Raises:
            VenueError: the client left so many unanswered that the venue ends the connection; says so in the venue's words.
        """
        return None


class MarketView(Protocol):
    """What answers are made of. None: not known (yet), which is not the same as empty."""

    def instruments(self) -> Sequence[Instrument]:
        """Return what is listed."""

    def depth(self, symbol: str) -> Depth | None:
        """Return the whole book, best levels first."""

    def touch(self, symbol: str) -> Touch | None:
        """Return the latest best bid and ask."""

    def venue_mark(self, symbol: str) -> tuple[VenueMark, Funding] | None:
        """Return the venue's latest mark with its funding."""

    def open_interest(self, symbol: str) -> DecimalText | None:
        """Return the latest open interest, in contracts."""


@attrs.frozen
class RestAnswer:
    """An HTTP answer with a JSON body."""

    status: int
    body: bytes
    retry_after_s: int | None = None


class WeightAccount(Protocol):
    """What one address has used of a venue's rate limit."""

    def charge(self, path: str, query: str, now_ns: int) -> RestAnswer | None:
        """Charge a request; return the refusal where it goes beyond the limit."""

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer carries."""
