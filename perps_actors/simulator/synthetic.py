"""The synthetic venue: a market that moves every 100 ms, told to every connection; who does not read is cut."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from perps_actors.kernel.clock import Clock
from perps_actors.market.events import Funding, VenueMark
from perps_actors.market.mark import Provenance
from perps_actors.simulator.market import Happening, SyntheticMarket
from perps_actors.simulator.sides import ApartSide, TickerSide, VenueSide
from perps_actors.simulator.source import Connection
from perps_actors.simulator.venue_contract import Channel, MarketView, RestAnswer, WholeTicker

STEP_S: Final = 0.1
BACKLOG_BYTES: Final = 4 * 1024 * 1024
"""A client that leaves more than this unread is cut, as venues do with slow clients."""


def first_frames_of(
    channel: Channel, symbol: str, market: MarketView, streams: ApartSide | TickerSide
) -> Iterator[tuple[str, bytes]]:
    """Yield what a subscription to a channel of a symbol begins with, as (stream, frame)."""
    book = market.depth(symbol) if channel == "book" else None
    known = market.venue_mark(symbol) if channel in ("mark", "ticker") else None
    snapshot = streams.snapshot_frame(book) if book is not None else None
    state = _first_state_frame(symbol, known, market, streams) if known is not None else None
    yield from (frame for frame in (snapshot, state) if frame is not None)


def beginning_of(
    stream: str, market: MarketView, streams: ApartSide | TickerSide
) -> Iterator[tuple[str, bytes]]:
    """Yield what a subscription to a stream begins with and is of no other stream, as (stream, frame)."""
    firsts = first_frames_of(streams.channel_of(stream), streams.symbol_of(stream), market, streams)
    return (framed for framed in firsts if framed[0] == stream)


def _first_state_frame(
    symbol: str,
    known: tuple[VenueMark, Funding],
    market: MarketView,
    streams: ApartSide | TickerSide,
) -> tuple[str, bytes] | None:
    if not isinstance(streams, TickerSide):
        return streams.first_mark_frame(*known)
    touch = market.touch(symbol)
    return (
        streams.first_ticker_frame(WholeTicker(touch, *known, market.open_interest(symbol)))
        if touch is not None
        else None
    )


def frames_of(happening: Happening, streams: ApartSide | TickerSide) -> Iterator[tuple[str, bytes]]:
    """Yield what a venue sends of a happening, as (stream, frame), in its order."""
    for trade in happening.trades:
        yield streams.trade_frame(trade)
    if isinstance(streams, TickerSide):
        yield streams.ticker_frame(happening.ticker, marked=happening.mark is not None)
        yield from streams.depth_frames(happening.depth)
        return
    yield streams.touch_frame(happening.touch, happening.depth.last)
    yield from streams.depth_frames(happening.depth)
    if happening.mark is not None:
        yield from streams.mark_frames(*happening.mark)


class _Outbox:
    """What waits to be sent to one connection; `size` in bytes."""

    def __init__(self) -> None:
        self.frames: deque[tuple[str, bytes]] = deque()
        self.size = 0

    def put(self, stream: str, frame: bytes) -> None:
        self.frames.append((stream, frame))
        self.size += len(frame)

    def take(self) -> tuple[str, bytes]:
        stream, frame = self.frames.popleft()
        self.size -= len(frame)
        return stream, frame


class SyntheticVenue:
    """A source that makes its market up."""

    provenance: Provenance = "synthetic"

    def __init__(self, market: SyntheticMarket, side: VenueSide, clock: Clock) -> None:
        self.symbols = tuple(instrument.id.symbol for instrument in market.instruments())
        self._market = market
        self._side = side
        self._clock = clock
        self._open: dict[Connection, _Outbox] = {}
        market.step(clock.time_ns())

    async def run(self) -> None:
        """Move the market on, ten times a second, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + STEP_S, loop.time())
            await asyncio.sleep(due - loop.time())
            for happening in self._market.step(self._clock.time_ns()):
                for stream, frame in frames_of(happening, self._side.streams):
                    self._tell(stream, frame)

    async def play(self, connection: Connection) -> str:
        """Send a connection what happens from now on; never returns."""
        outbox = self._open.setdefault(connection, _Outbox())
        while True:
            connection.stirred.clear()
            self._begin(connection.begun(), outbox)
            while outbox.frames:
                await connection.send(*outbox.take())
            await connection.stirred.wait()

    def ended(self, connection: Connection) -> None:
        """Forget a connection."""
        self._open.pop(connection, None)

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the answer to a request, out of the market as it stands."""
        return self._side.rest.answer(path, query, self._market, self._clock.time_ns())

    def answered(self, path: str, query: str) -> None:
        """Nothing waits for a request here."""

    def _begin(self, streams: Sequence[str], outbox: _Outbox) -> None:
        """Put the snapshots in the outbox that newly subscribed streams begin with."""
        for stream in streams:
            for framed in beginning_of(stream, self._market, self._side.streams):
                outbox.put(*framed)

    def _tell(self, stream: str, frame: bytes) -> None:
        for connection, outbox in self._open.items():
            if stream in connection.streams():
                outbox.put(stream, frame)
                connection.stirred.set()
            if outbox.size > BACKLOG_BYTES:
                connection.abort()
