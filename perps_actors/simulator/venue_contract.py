"""What every venue's serving side is made of: a market as the simulator knows it, and what goes out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl

import attrs
import msgspec

from perps_actors.market.book import Level
from perps_actors.market.candle import Candle
from perps_actors.market.events import Funding, FundingPaid, Touch, VenueMark
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import DecimalText

Channel = Literal["book", "touch", "trades", "mark", "ticker", "other"]
"""What a stream carries, in words that hold for every venue; a ticker carries touch and mark."""

Levels = tuple[tuple[str, str], ...]
"""(price, quantity); the quantity is absolute, and zero where the level is gone."""


def paired(levels: Iterable[Level]) -> Levels:
    """Return levels that an adapter's record has, as the simulator's market has them."""
    return tuple((level.price, level.size) for level in levels)


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

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> Sequence[Candle] | None:
        """Return the candles that open in a span of time and have begun, oldest first."""

    def fundings(self, symbol: str, since_ns: int, until_ns: int) -> Sequence[FundingPaid] | None:
        """Return the fundings that were settled in a span of time, oldest first."""


Row = TypeVar("Row")


class Span(NamedTuple):
    """What a request asks of the past: a span of time, and at most so many rows of it."""

    since_ns: int
    until_ns: int
    most: int

    def candles(
        self, market: MarketView, symbol: str, interval_s: int | None
    ) -> Sequence[Candle] | None:
        """Return the candles that open in it; None where they are not known, or for a length that there is not."""
        return (
            market.candles(symbol, interval_s, self.since_ns, self.until_ns)
            if interval_s is not None
            else None
        )

    def fundings(self, market: MarketView, symbol: str) -> Sequence[FundingPaid] | None:
        """Return the fundings that were settled in it; None where they are not known."""
        return market.fundings(symbol, self.since_ns, self.until_ns)

    def cut(self, rows: Sequence[Row], *, oldest: bool) -> Sequence[Row]:
        """Return as many rows as are asked for: the oldest of them, or the newest."""
        return rows[: self.most] if oldest else rows[max(0, len(rows) - self.most) :]


def span_of(
    params: Mapping[str, str],
    names: tuple[str, str, str],
    unit_ns: int,
    now_ns: int,
    *,
    usual: int,
    most: int,
) -> Span:
    """Return the span that a request names; what it does not name, or not in digits, is all until now, and the usual number.

    Args:
        params: of the request.
        names: of the first moment, of the last one, which belongs to the span, and of the number of rows.
        unit_ns: what moments are counted in, in nanoseconds.
        now_ns: the time.
        usual: rows where no number is named.
        most: rows beyond which the venue never goes.
    """
    since, until, count = (
        int(text) if (text := params.get(name, ""))[:20].isdecimal() and len(text) < 20 else None
        for name in names
    )
    return Span(
        since * unit_ns if since is not None else 0,
        (until + 1) * unit_ns if until is not None else now_ns + 1,
        min(count if count is not None else usual, most),
    )


def listed_as(symbol: str, market: MarketView) -> Instrument | None:
    """Return what is listed under a symbol; None where nothing is."""
    return next((listed for listed in market.instruments() if listed.id.symbol == symbol), None)


class RestAnswers:
    """What REST answers of most venues have alike, as a recording looks at them."""

    beside_the_point: tuple[str, ...] = ()
    """Parameters that only shape the answer."""

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return what makes two requests the same one: path and parameters, but for those that only shape the answer."""
        return (
            path,
            *(
                f"{name}={value}"
                for name, value in sorted(parse_qsl(query))
                if name not in self.beside_the_point
            ),
        )

    def snapshot_symbol(self, path: str, query: str) -> str | None:  # noqa: ARG002 - for those whose books begin with an answer
        """Return the symbol whose book a request asks for; None where no client waits for an answer to begin a book."""
        return None


def json_number(text: str) -> msgspec.Raw:
    """Return a number as JSON has it, with all its digits."""
    return msgspec.Raw(text.encode())


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
