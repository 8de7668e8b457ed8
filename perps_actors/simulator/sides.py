"""Venues whose side the simulator can take: one entry a venue, each made of its own room's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from perps_actors.errors import SimulatorError
from perps_actors.market.events import Funding, Touch, Trade, VenueMark
from perps_actors.venues.binance_futures import serve as binance_futures
from perps_actors.venues.binance_futures import serve_rest as binance_futures_rest
from perps_actors.venues.binance_futures.serve_rest import WeightAccount
from perps_actors.venues.serving import Channel, Depth, MarketView, RestAnswer, StreamSession


class StreamSide(Protocol):
    """A venue's streams as it sends them."""

    @property
    def StreamSession(self) -> Callable[[str, str], StreamSession]:  # noqa: N802 - a class of the venue's module
        """Makes a session of a request's path and query; `VenueError` for a path on which there are no streams."""

    def snapshot_frame(self, book: Depth) -> tuple[str, bytes] | None:
        """Return the snapshot of a book that a subscription begins with as (stream, frame); None where REST has it."""

    def depth_frame(self, change: Depth) -> tuple[str, bytes]:
        """Return a change of a book as (stream, frame)."""

    def touch_frame(self, touch: Touch, update: int) -> tuple[str, bytes]:
        """Return a best bid and ask as (stream, frame)."""

    def trade_frame(self, trade: Trade) -> tuple[str, bytes]:
        """Return a trade as (stream, frame)."""

    def mark_frame(self, mark: VenueMark, funding: Funding) -> tuple[str, bytes]:
        """Return the venue's mark with its funding as (stream, frame)."""

    def stream_of(self, frame: bytes) -> str | None:
        """Return the stream a frame belongs to."""

    def channel_of(self, stream: str) -> Channel:
        """Return what a stream carries."""

    def symbol_of(self, stream: str) -> str:
        """Return the symbol a stream is about."""

    def route_of(self, stream: str) -> str:
        """Return the kind of connection that carries a stream."""

    def read_depth(self, frame: bytes) -> Depth:
        """Return the change of a book in a frame."""

    def read_touch(self, frame: bytes) -> Touch:
        """Return the best bid and ask in a frame."""

    def read_mark(self, frame: bytes) -> tuple[VenueMark, Funding]:
        """Return the venue's mark and funding in a frame."""


class RestSide(Protocol):
    """A venue's REST answers as it gives them."""

    WeightAccount: type[WeightAccount]

    def answer(self, path: str, query: str, market: MarketView, now_ns: int) -> RestAnswer:
        """Return the answer to a request, made of what is known of a market."""

    def request_key(self, path: str, query: str) -> tuple[str, ...]:
        """Return what makes two requests the same one."""

    def snapshot_symbol(self, path: str, query: str) -> str | None:
        """Return the symbol whose book a request asks for."""

    def read_snapshot(self, symbol: str, body: bytes) -> Depth:
        """Return the book in an answer."""

    def too_many(self, retry_after_s: int, status: int = 429) -> RestAnswer:
        """Return the refusal of a request."""


class VenueSide:
    """One venue's side: its name, its streams, its REST answers."""

    def __init__(self, name: str, streams: StreamSide, rest: RestSide) -> None:
        self.name = name
        self.streams = streams
        self.rest = rest


_SIDES: Final = {"binance_futures": VenueSide("binance_futures", binance_futures, binance_futures_rest)}


def side_of(venue: str) -> VenueSide:
    """Return a venue's side.

    Raises:
        SimulatorError: no such venue can be served.
    """
    side = _SIDES.get(venue)
    if side is None:
        msg = f"venue = {venue!r}: expected one of {', '.join(sorted(_SIDES))}"
        raise SimulatorError(msg)
    return side
