"""What every venue adapter is: text in, outcomes out. It opens nothing, never sleeps and reads no clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal, NamedTuple, Protocol

import attrs

from perps_actors.market.book import Level
from perps_actors.market.events import MarketEvent
from perps_actors.market.instrument import Instrument
from perps_actors.transport.wire import ConnectionPlan, HttpRequest


@attrs.frozen(kw_only=True)
class Endpoints:
    """Where a venue lives: base addresses without trailing slash."""

    stream: str
    """`wss://host[:port]`; `ws://` on loopback only."""
    rest: str
    """`https://host[:port]`; `http://` on loopback only."""


@attrs.frozen
class SendFrame:
    """A text frame the adapter wants sent on a connection."""

    connection: str
    text: str


def _one_line(text: str) -> str:
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())[:200]


@attrs.frozen
class InvalidInput:
    """Input that could not be used, and why. It changes nothing but the counters."""

    what: str = attrs.field(converter=_one_line)
    """One line of at most 200 characters: expectation, what came (shortened), where."""
    symbol: str | None = None


Outcome = MarketEvent | SendFrame | HttpRequest | InvalidInput
"""What an adapter answers to a piece of input."""


UNASKED: Final = frozenset({"candles"})
"""Channels of streams that are subscribed by those only who name them: no mark is made of them."""

Polled = Literal["mark", "index", "funding", "open_interest"]
"""What REST may have of an instrument beside its quote."""

Streamed = Literal[
    "book",
    "touch",
    "trades",
    "mark",
    "index",
    "funding",
    "funding_time",
    "predicted_funding",
    "open_interest",
    "liquidations",
    "candles",
]
"""What a venue's streams may have of an instrument."""


class BookSnapshot(NamedTuple):
    """A book as REST has it, of levels that a book can have."""

    bids: Sequence[Level]
    asks: Sequence[Level]
    sequence: int | None
    venue_time_ns: int | None
    symbol: str | None = None
    """Whose it is, where the answer says so."""


class StreamAdapter(Protocol):
    """One venue's streams as a state machine. Never raises on input: bad input is a `InvalidInput`."""

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry book, touch, trades and venue marks of `symbols`."""

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that make an open connection of one plan one of another plan; None when it has to be opened anew."""

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return what to send on a connection whose handshake is done, and other outcomes."""

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn."""

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """A data frame came."""

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """A request this adapter wanted was answered; `status` None: it failed and `body` is empty."""

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol, if it is good, and begin it anew: somebody found it to be wrong."""

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks as (price, size), best first; empty where there is no good book."""


class RestAdapter(Protocol):
    """One venue's REST answers. Stateless; bad input is a `InvalidInput`."""

    @property
    def intervals(self) -> Collection[int]:
        """The lengths of candles that the venue has, in seconds; none where it has no candles."""

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests that fetch best bid and ask of `symbols`, as few as the venue allows."""

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests that fetch what is asked of `symbols`, as few as the venue allows; none where REST does not have it."""

    def depth(self, symbol: str) -> HttpRequest | None:
        """Return the request for a book, as deep as the venue gives it; None where REST has none."""

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return the requests for the candles that open in a span of time (from `since_ns` to before `until_ns`), oldest first.

        Raises:
            SettingsError: a length that is none of `intervals`.
        """

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return the requests for the fundings that were paid in a span of time; none where the venue has no history of them."""

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the requests for the lists of instruments."""

    def request_for(self, url: str) -> HttpRequest:
        """Return the request that an address of this venue stands for (a recording knows addresses only)."""

    def read(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the market events in an answer."""

    def read_book(self, body: bytes) -> BookSnapshot:
        """Return the book in an answer to `depth`.

        Raises:
            VenueError: the answer is none.
        """

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments.

        Raises:
            VenueError: the answer is no such list.
        """


@attrs.frozen(kw_only=True)
class Venue:
    """A venue: where it lives and what reads and speaks its format."""

    name: str
    endpoints: Endpoints
    """The live ones; the factories take these or a simulator's."""
    stream: Callable[[Endpoints], StreamAdapter]
    rest: Callable[[Endpoints], RestAdapter]
    not_streamed: frozenset[Streamed] = frozenset()
    """What its streams do not have, or not reliably; REST may have it."""
    weight_per_minute: int
    """The rate limit on REST requests, in the weights that `rest` gives them."""
