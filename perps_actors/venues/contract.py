"""The contract of venue adapters: bytes in, outcomes out, without I/O, sleep or clock."""

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
    """The base addresses of a venue, without trailing slash."""

    stream: str
    """`wss://host[:port]`; `ws://` on loopback only."""
    rest: str
    """`https://host[:port]`; `http://` on loopback only."""


@attrs.frozen
class SendFrame:
    """A text frame that the adapter wants sent on a connection."""

    connection: str
    text: str


def _one_line(text: str) -> str:
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())[:200]


@attrs.frozen
class InvalidInput:
    """Input that could not be used, and why. It changed nothing."""

    what: str = attrs.field(converter=_one_line)
    """One line of at most 200 characters: the expectation, the input (shortened), the place."""
    symbol: str | None = None


Outcome = MarketEvent | SendFrame | HttpRequest | InvalidInput
"""A result of input."""


UNASKED: Final = frozenset({"candles"})
"""Channels that are subscribed only if the settings name them, because they give no mark."""

Polled = Literal["mark", "index", "funding", "open_interest"]
"""Data that REST may have of an instrument beside its quote."""

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
"""Data that streams may have of an instrument."""


class BookSnapshot(NamedTuple):
    """A book over REST, its levels checked."""

    bids: Sequence[Level]
    asks: Sequence[Level]
    sequence: int | None
    venue_time_ns: int | None
    symbol: str | None = None
    """The symbol, if the answer names it."""


class StreamAdapter(Protocol):
    """One venue's streams as a state machine. Bad input is an `InvalidInput` and never raises."""

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the data of `symbols`; follow these symbols only."""

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that turn an open connection of one plan into one of another.

        None if the connection has to be opened again.
        """

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return what to send on a connection whose handshake is done, and other outcomes."""

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of an ended connection: the books that it fed are withdrawn."""

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of a data frame."""

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of the answer to a request that this adapter made.

        `status` is None if the request failed; then `body` is empty.
        """

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol if it is synced, and start again, because it is wrong."""

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best bids and asks as (price, size), best first; none unless synced."""


class RestAdapter(Protocol):
    """One venue's REST requests and answers, without state. Bad input is an `InvalidInput`."""

    @property
    def intervals(self) -> Collection[int]:
        """The candle intervals that the venue has, in seconds."""

    def quotes(self, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for best bid and ask of `symbols`, as few as the venue allows."""

    def poll(self, what: Polled, symbols: Sequence[str]) -> tuple[HttpRequest, ...]:
        """Return the requests for a kind of data of `symbols`, as few as the venue allows.

        None if REST does not have it.
        """

    def depth(self, symbol: str) -> HttpRequest | None:
        """Return the request for a book with as many levels as possible; None if REST has none."""

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> tuple[HttpRequest, ...]:
        """Return the requests for candles that open from `since_ns` to before `until_ns`.

        Oldest first.

        Raises:
            SettingsError: the length is not in `intervals`.
        """

    def funding_history(self, symbol: str, since_ns: int, until_ns: int) -> tuple[HttpRequest, ...]:
        """Return the requests for fundings that were paid in a span of time."""

    def instruments(self) -> tuple[HttpRequest, ...]:
        """Return the requests for the lists of instruments."""

    def request_for(self, url: str) -> HttpRequest:
        """Return the request of an address, as recordings contain addresses only."""

    def read(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of an answer."""

    def read_book(self, body: bytes) -> BookSnapshot:
        """Return the book in an answer to `depth`.

        Raises:
            VenueError: the answer is not a book.
        """

    def read_instruments(self, body: bytes) -> tuple[Instrument, ...]:
        """Return the listed instruments.

        Raises:
            VenueError: the answer is not such a list.
        """


@attrs.frozen(kw_only=True)
class Venue:
    """A venue: its addresses, and its adapters."""

    name: str
    endpoints: Endpoints
    """The live addresses; the factories take these or a simulator's."""
    stream: Callable[[Endpoints], StreamAdapter]
    rest: Callable[[Endpoints], RestAdapter]
    not_streamed: frozenset[Streamed] = frozenset()
    """Data that its streams do not have, or not reliably; REST may have it."""
    weight_per_minute: int
    """The rate limit of REST requests, in the weights that `rest` gives them."""
