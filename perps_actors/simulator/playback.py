"""How far a recording was played: the place of each connection, and the market so far."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.events import Funding, Touch, VenueMark
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text
from perps_actors.simulator.recording import Frame, Recording
from perps_actors.simulator.venue_contract import Channel, Depth, Levels
from perps_actors.simulator.venues import contract
from perps_actors.venues.registry import venue

_SAMPLE = 200
"""Frames of a stream from which the decimals of its prices and quantities are read."""


class Gates:
    """Holds back book frames recorded after their symbol's snapshot until a client fetched it.

    The first frame of a stream is never held, because it makes a client fetch the snapshot.
    """

    def __init__(self, recording: Recording) -> None:
        self._streams = recording.side.streams
        self._snapshot_line = dict(recording.snapshot_lines)
        self._firsts = frozenset(frames[0].line for frames in recording.frames.values())

    def holds(self, frame: Frame) -> bool:
        """Return whether a frame has to wait."""
        if self._streams.channel_of(frame.stream) != "book":
            return False
        line = self._snapshot_line.get(self._streams.symbol_of(frame.stream))
        return line is not None and frame.line > line and frame.line not in self._firsts

    def open(self, symbol: str) -> None:
        """Let the frames of a symbol pass, because its snapshot was fetched."""
        self._snapshot_line.pop(symbol, None)


class Cursor:
    """Place of one connection in each of its streams. Frames come in the order of the file."""

    def __init__(self, recording: Recording, gates: Gates, starts: Mapping[str, int]) -> None:
        self.places: dict[str, int] = {}
        """Frames passed, by stream."""
        self._frames = recording.frames
        self._gates = gates
        self._starts = starts
        self._waiting: list[tuple[int, str]] = []
        self._held: list[str] = []

    def follow(self, streams: Iterable[str]) -> None:
        """Continue with exactly these streams, each from its last place."""
        followed = [stream for stream in streams if stream in self._frames]
        for stream in followed:
            self.places.setdefault(stream, self._starts.get(stream, 0))
        left = [stream for stream in followed if self.places[stream] < len(self._frames[stream])]
        self._waiting = [(self._next(stream).line, stream) for stream in left]
        self._held = []
        heapq.heapify(self._waiting)

    @property
    def exhausted(self) -> bool:
        """Whether no frame is left, neither free nor held."""
        return not self._waiting and not self._held

    def peek(self) -> Frame | None:
        """Return the next frame; None while all frames left are held."""
        self._release()
        while self._waiting:
            frame = self._next(self._waiting[0][1])
            if not self._gates.holds(frame):
                return frame
            self._held.append(heapq.heappop(self._waiting)[1])
        return None

    def take(self) -> None:
        """Pass the frame that `peek` returned."""
        stream = self._waiting[0][1]
        self.places[stream] += 1
        if self.places[stream] < len(self._frames[stream]):
            heapq.heapreplace(self._waiting, (self._next(stream).line, stream))
        else:
            heapq.heappop(self._waiting)

    def _next(self, stream: str) -> Frame:
        return self._frames[stream][self.places[stream]]

    def _release(self) -> None:
        free = [stream for stream in self._held if not self._gates.holds(self._next(stream))]
        for stream in free:
            self._held.remove(stream)
            heapq.heappush(self._waiting, (self._next(stream).line, stream))


class _PlayedBook:
    """A symbol's book: the fetched snapshot and the deltas sent so far."""

    def __init__(self, symbol: str, snapshot: Depth | None) -> None:
        self.symbol = symbol
        self.last = snapshot.last if snapshot is not None else -1
        self._time_ns = snapshot.venue_time_ns if snapshot is not None else 0
        self._bids = dict(snapshot.bids) if snapshot is not None else {}
        self._asks = dict(snapshot.asks) if snapshot is not None else {}
        self._passed = 0
        self._streamed = False
        self._lost = False

    def play(self, frames: list[Frame], read: Callable[[Frame], Depth | None]) -> None:
        for frame in frames[self._passed :]:
            change = read(frame)
            # After an unreadable delta, the book is unknown until the next snapshot in the stream.
            self._lost = self._streamed if change is None else self._lost and not change.whole
            if change is not None and change.whole:
                self._bids, self._asks, self._streamed = {}, {}, True
            # Deltas after a snapshot in the stream always follow it. Deltas sent beside a fetched
            # snapshot may be older than it.
            if change is not None and (self._streamed or change.last > self.last):
                _apply(self._bids, change.bids)
                _apply(self._asks, change.asks)
                self.last, self._time_ns = change.last, change.venue_time_ns
        self._passed = max(self._passed, len(frames))

    def depth(self) -> Depth | None:
        if self.last < 0 or self._lost:
            return None
        bids = sorted(self._bids.items(), key=_price, reverse=True)
        return Depth(
            self.symbol,
            self.last,
            tuple(bids),
            tuple(sorted(self._asks.items(), key=_price)),
            self._time_ns,
        )


class _PlayedEvents:
    """The latest event of each kind in a stream, as the venue's adapter reads its frames."""

    def __init__(self, name: str) -> None:
        self.passed = 0
        self._adapter = venue(name).stream(venue(name).endpoints)
        self._latest: dict[type, Any] = {}

    def read(self, frame: Frame) -> dict[type, Any]:
        return {type(said): said for said in self._adapter.frame("played", frame.data, 0)}

    def play(self, frames: list[Frame]) -> dict[type, Any]:
        for frame in frames[self.passed :]:
            self._latest |= self.read(frame)
        self.passed = len(frames)
        return self._latest


class PlayedMarket:
    """A `MarketView` of the frames sent so far.

    Tick and lot come from the decimals in the frames, because a recording has no better source.
    """

    def __init__(self, recording: Recording, sent: Mapping[str, int]) -> None:
        self._recording = recording
        self._streams = recording.side.streams
        self._sent = sent
        self._stream_of = {
            (self._streams.symbol_of(name), kind): name
            for name in recording.frames
            for kind in _kinds(self._streams.channel_of(name))
        }
        self._books: dict[str, _PlayedBook] = {}
        self._events: dict[tuple[str, Channel], _PlayedEvents] = {}
        self._instruments: tuple[Instrument, ...] | None = None

    def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of the recording."""
        if self._instruments is None:
            self._instruments = tuple(
                self._instrument(symbol) for symbol in self._recording.symbols
            )
        return self._instruments

    def rebase(self, symbol: str, snapshot: Depth) -> None:
        """Build a symbol's book on its recorded snapshot, because a client fetched it."""
        self._books[symbol] = _PlayedBook(symbol, snapshot)

    def depth(self, symbol: str) -> Depth | None:
        """Return the book after the frames sent so far."""
        book = self._books.setdefault(symbol, _PlayedBook(symbol, None))
        book.play(self._sent_frames(symbol, "book"), self._change)
        return book.depth()

    def touch(self, symbol: str) -> Touch | None:
        """Return the latest best bid and ask sent, else the top of the book."""
        touch = self._latest(symbol, "touch").get(Touch)
        return touch if touch is not None else self._top(symbol)

    def venue_mark(self, symbol: str) -> tuple[VenueMark, Funding] | None:
        """Return the latest mark and funding sent; a funding without rate if none was sent."""
        latest = self._latest(symbol, "mark")
        mark = latest.get(VenueMark)
        if mark is None or mark.mark is None:
            return None
        at = mark.venue_time_ns
        unknown = Funding(mark.instrument, None, None, None, mark.mark, at, mark.received_ns)
        return mark, latest.get(Funding, unknown)

    def open_interest(self, symbol: str) -> None:
        """Return None: it is not read from frames."""

    def candles(self, symbol: str, interval_s: int, since_ns: int, until_ns: int) -> None:
        """Return None: a recording serves recorded answers with candles only."""

    def fundings(self, symbol: str, since_ns: int, until_ns: int) -> None:
        """Return None: a recording serves recorded answers with fundings only."""

    def _sent_frames(self, symbol: str, channel: Channel) -> list[Frame]:
        name = self._stream_of.get((symbol, channel))
        return self._recording.frames[name][: self._sent.get(name, 0)] if name is not None else []

    def _latest(self, symbol: str, channel: Channel) -> dict[type, Any]:
        events, frames = self._events.get((symbol, channel)), self._sent_frames(symbol, channel)
        if events is None or events.passed > len(frames):  # the recording may begin again
            events = self._events[symbol, channel] = _PlayedEvents(self._recording.side.name)
        return events.play(frames)

    def _change(self, frame: Frame) -> Depth | None:
        # Damaged frames are sent as recorded, but contribute nothing to the market.
        try:
            return self._streams.read_depth(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError, MarketError, VenueError):
            return None

    def _top(self, symbol: str) -> Touch | None:
        book = self.depth(symbol)
        if book is None:
            return None
        (bid, bid_size), (ask, ask_size) = (
            side[0] if side else (None, None) for side in (book.bids, book.asks)
        )
        instrument, at = InstrumentId(self._recording.side.name, symbol), book.venue_time_ns
        return Touch(
            instrument, _text(bid), _text(bid_size), _text(ask), _text(ask_size), None, at, at
        )

    def _instrument(self, symbol: str) -> Instrument:
        tick, lot = self._steps(symbol)
        perpetual = symbol in self._recording.perpetuals
        side = self._recording.side
        return contract(side.name, symbol, side.terms, tick=tick, lot=lot, perpetual=perpetual)

    def _steps(self, symbol: str) -> tuple[Decimal, Decimal]:
        books = self._recording.frames.get(self._stream_of.get((symbol, "book"), ""), [])[:_SAMPLE]
        touches = self._recording.frames.get(self._stream_of.get((symbol, "touch"), ""), [])
        levels = [
            level
            for frame in books
            if (book := self._change(frame))
            for level in (*book.bids, *book.asks)
        ]
        read = _PlayedEvents(self._recording.side.name).read
        levels += [
            (touch.bid, touch.bid_size)
            for frame in touches[:_SAMPLE]
            if (touch := read(frame).get(Touch)) and touch.bid and touch.bid_size
        ]
        return _step(price for price, _ in levels), _step(size for _, size in levels)


def _kinds(channel: Channel) -> tuple[Channel, ...]:
    return ("touch", "mark") if channel == "ticker" else (channel,)


def _apply(side: dict[str, str], changes: Levels) -> None:
    for price, size in changes:
        if Decimal(size):
            side[price] = size
        else:
            side.pop(price, None)


def _price(level: tuple[str, str]) -> Decimal:
    return Decimal(level[0])


def _text(value: str | None) -> DecimalText | None:
    return None if value is None else decimal_text(value)


def _step(numbers: Iterable[str]) -> Decimal:
    return Decimal(1).scaleb(-max((len(number.partition(".")[2]) for number in numbers), default=8))
