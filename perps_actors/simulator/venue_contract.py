"""What a simulated venue consists of: its market data, its client sessions and its streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Protocol

import attrs
import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import Level
from perps_actors.market.candle import Candle
from perps_actors.market.events import Funding, FundingPaid, Touch, Trade, VenueMark
from perps_actors.market.instrument import Instrument
from perps_actors.market.numbers import DecimalText
from perps_actors.venues.toolkit.fields import NS_PER_MS

Channel = Literal["book", "touch", "trades", "mark", "ticker", "other"]
"""Content of a stream; a ticker carries touch and venue mark."""

Levels = tuple[tuple[str, str], ...]
"""(price, quantity); the quantity is absolute, and zero where the level is gone."""

Framed = tuple[str, bytes]
"""A frame after the name of its stream."""

encode: Final = msgspec.json.Encoder().encode


def paired(levels: Iterable[Level]) -> Levels:
    """Return the levels of an adapter's record as the simulator's market has them."""
    return tuple((level.price, level.size) for level in levels)


def json_number(text: str) -> msgspec.Raw:
    """Return a JSON number with all digits of `text`."""
    return msgspec.Raw(text.encode())


def json_numbers(texts: Mapping[str, str | None]) -> dict[str, msgspec.Raw]:
    """Return JSON numbers by name, without the unknown ones."""
    return {name: json_number(text) for name, text in texts.items() if text is not None}


def millis(time_ns: int | None) -> int:
    """Return a time in milliseconds since 1970; 0 for None."""
    return (time_ns or 0) // NS_PER_MS


def read_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a client's text frame; None if it has none."""
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return request if isinstance(request, dict) else None


def are_texts(values: Any) -> bool:
    """Return whether a value of a client's request is a list of texts, and not empty."""
    return isinstance(values, list) and bool(values) and all(isinstance(v, str) for v in values)


class Depth(msgspec.Struct, frozen=True, gc=False):
    """A book snapshot or a delta; `first` and `previous` belong to deltas."""

    symbol: str
    last: int
    bids: Levels
    asks: Levels
    venue_time_ns: int
    first: int = 0
    previous: int = 0
    """`last` of the delta before: clients find gaps by it."""
    added: frozenset[str] = frozenset()
    """Prices of new levels in a delta, for venues whose messages mark them."""
    whole: bool = False
    """Whether a frame that was read is a snapshot, not a delta."""


class WholeTicker(msgspec.Struct, frozen=True, gc=False):
    """All fields of an instrument's ticker."""

    touch: Touch
    mark: VenueMark
    funding: Funding
    open_interest: DecimalText | None


@attrs.frozen
class MarketStep:
    """Changes of one instrument in one step, in the order in which a venue sends them."""

    trades: tuple[Trade, ...]
    depth: Depth
    touch: Touch
    mark: tuple[VenueMark, Funding] | None
    """Set once a second."""
    ticker: WholeTicker
    """With the venue mark that was sent last."""


class MarketView(Protocol):
    """Market data from which answers are built. None means not known (yet), never empty."""

    def instruments(self) -> Sequence[Instrument]:
        """Return the listed instruments."""

    def depth(self, symbol: str) -> Depth | None:
        """Return the whole book, best levels first."""

    def touch(self, symbol: str) -> Touch | None:
        """Return the latest best bid and ask."""

    def venue_mark(self, symbol: str) -> tuple[VenueMark, Funding] | None:
        """Return the latest venue mark with its funding."""

    def open_interest(self, symbol: str) -> DecimalText | None:
        """Return the latest open interest in contracts."""

    def candles(
        self, symbol: str, interval_s: int, since_ns: int, until_ns: int
    ) -> Sequence[Candle] | None:
        """Return the candles that opened in a time span, oldest first."""

    def fundings(self, symbol: str, since_ns: int, until_ns: int) -> Sequence[FundingPaid] | None:
        """Return the fundings that were settled in a time span, oldest first."""


class StreamSession:
    """One client connection: its subscriptions and the answers to its requests.

    By default, frames are sent unchanged and as text, and pings are WebSocket's own.

    Args:
        path: path of the client's request.
        query: query of the client's request.

    Raises:
        VenueError: there are no streams at this path.
    """

    paths: ClassVar[tuple[str, ...]] = ()
    """Paths at which the venue has streams."""
    ping_every_s = 180.0
    """Seconds between pings. Three minutes at Binance; sources differ for the other venues, so a
    missing pong never closes a connection."""

    def __init__(self, path: str, query: str = "") -> None:  # noqa: ARG002 - few venues read it
        if path not in self.paths:
            msg = f"Expected one of the paths {', '.join(self.paths)}, was {path[:80]!r}"
            raise VenueError(msg)
        self._follow({})

    def streams(self) -> tuple[str, ...]:
        """Return the streams that are sent on this connection."""
        return self._carried

    def receive(self, text: str) -> tuple[str, ...]:
        """Return the answers to a client's text frame; an error answer if it is malformed."""
        raise NotImplementedError

    def formatted(self, frame: bytes) -> bytes:
        """Return a frame in the form in which this connection sends it."""
        return frame

    def compressed(self, text: bytes) -> bytes | None:  # noqa: ARG002 - for venues that compress
        """Return the binary frame that carries a text; None if it is sent as text."""
        return None

    def ping(self, now_ns: int) -> str | None:  # noqa: ARG002 - for venues with pings of their own
        """Return the venue's own ping, due now and then every `ping_every_s`; None if it has none.

        Raises:
            VenueError: the client left too many pings unanswered; the text is the close reason.
        """
        return None

    def _follow(self, topics: Mapping[Any, str | None]) -> None:
        """Carry the streams of exactly these topics; None for a topic that sends nothing here."""
        self._topics = dict(topics)
        self._carried = tuple(dict.fromkeys(filter(None, topics.values())))

    def _change(self, topics: Mapping[Any, str | None], *, subscribe: bool) -> None:
        """Subscribe these topics, given with their streams, or unsubscribe them."""
        left = {topic: stream for topic, stream in self._topics.items() if topic not in topics}
        self._follow({**self._topics, **topics} if subscribe else left)


class StreamSide(ABC):
    """A venue's streams as its server sends them, and how books of recorded frames are read.

    The name of a stream is its kind and its symbol, joined by `separator`.
    """

    session_class: ClassVar[type[StreamSession]]
    channels: ClassVar[Mapping[str, Channel]]
    """Content of each kind of stream."""
    separator: ClassVar[str] = ":"

    def session(self, path: str, query: str = "") -> StreamSession:
        """Return the session of a new connection.

        Raises:
            VenueError: there are no streams at this path.
        """
        return self.session_class(path, query)

    def channel_of(self, stream: str) -> Channel:
        """Return the content of a stream."""
        return self.channels.get(stream.partition(self.separator)[0], "other")

    def symbol_of(self, stream: str) -> str:
        """Return the symbol of a stream."""
        return stream.partition(self.separator)[2]

    def route_of(self, stream: str) -> str:  # noqa: ARG002 - most venues have one kind
        """Return the kind of connection that carries a stream."""
        return "public"

    @abstractmethod
    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream of a frame; None for answers and pings.

        A frame that is damaged behind the name of its stream still belongs to that stream.
        """

    @abstractmethod
    def trade_frame(self, trade: Trade) -> Framed:
        """Return a trade's frame."""

    @abstractmethod
    def depth_frames(self, change: Depth) -> Sequence[Framed]:
        """Return the frames of a book's delta."""

    def snapshot_frame(self, book: Depth) -> Framed | None:  # noqa: ARG002 - for stream books
        """Return the snapshot with which a subscription begins; None if REST serves it."""
        return None

    @abstractmethod
    def read_depth(self, frame: bytes) -> Depth:
        """Return the snapshot or delta in a frame; `msgspec.DecodeError` if it has none."""

    @abstractmethod
    def frames_of(self, step: MarketStep) -> Iterator[Framed]:
        """Yield the frames of one step of an instrument, in the venue's order."""

    def first_frames(self, channel: Channel, symbol: str, market: MarketView) -> Iterator[Framed]:
        """Yield the frames with which a subscription to a symbol's channel begins."""
        book = market.depth(symbol) if channel == "book" else None
        known = market.venue_mark(symbol) if channel in ("mark", "ticker") else None
        snapshot = self.snapshot_frame(book) if book is not None else None
        state = self._first_state(known, market) if known is not None else None
        yield from (frame for frame in (snapshot, state) if frame is not None)

    def beginning_of(self, stream: str, market: MarketView) -> Iterator[Framed]:
        """Yield the frames with which a subscription to exactly this stream begins."""
        firsts = self.first_frames(self.channel_of(stream), self.symbol_of(stream), market)
        return (framed for framed in firsts if framed[0] == stream)

    @abstractmethod
    def _first_state(self, known: tuple[VenueMark, Funding], market: MarketView) -> Framed | None:
        """Return the state with which a mark's or ticker's subscription begins, if any."""


class SeparateStreams(StreamSide):
    """Streams of a venue that sends touch and venue mark separately."""

    @abstractmethod
    def touch_frame(self, touch: Touch, update: int) -> Framed:
        """Return the frame of a best bid and ask; `update` is the number of the book's update."""

    @abstractmethod
    def mark_frames(self, mark: VenueMark, funding: Funding) -> Sequence[Framed]:
        """Return the frames of the venue mark and its funding."""

    def first_mark_frame(self, mark: VenueMark, funding: Funding) -> Framed | None:  # noqa: ARG002
        """Return the mark with which a subscription begins; None if each message is complete."""
        return None

    def frames_of(self, step: MarketStep) -> Iterator[Framed]:
        """Yield the frames of one step of an instrument, in the venue's order."""
        for trade in step.trades:
            yield self.trade_frame(trade)
        yield self.touch_frame(step.touch, step.depth.last)
        yield from self.depth_frames(step.depth)
        if step.mark is not None:
            yield from self.mark_frames(*step.mark)

    def _first_state(
        self,
        known: tuple[VenueMark, Funding],
        market: MarketView,  # noqa: ARG002
    ) -> Framed | None:
        return self.first_mark_frame(*known)


class TickerStreams(StreamSide):
    """Streams of a venue whose ticker has touch, venue mark, funding and open interest."""

    @abstractmethod
    def ticker_frame(self, ticker: WholeTicker, *, marked: bool) -> Framed:
        """Return a ticker's frame; `marked`: with the venue mark, where the ticker has changes."""

    def first_ticker_frame(self, ticker: WholeTicker) -> Framed:
        """Return the ticker with which a subscription begins."""
        return self.ticker_frame(ticker, marked=True)

    def frames_of(self, step: MarketStep) -> Iterator[Framed]:
        """Yield the frames of one step of an instrument, in the venue's order."""
        for trade in step.trades:
            yield self.trade_frame(trade)
        yield self.ticker_frame(step.ticker, marked=step.mark is not None)
        yield from self.depth_frames(step.depth)

    def _first_state(self, known: tuple[VenueMark, Funding], market: MarketView) -> Framed | None:
        symbol = known[0].instrument.symbol
        touch = market.touch(symbol)
        if touch is None:
            return None
        return self.first_ticker_frame(WholeTicker(touch, *known, market.open_interest(symbol)))
