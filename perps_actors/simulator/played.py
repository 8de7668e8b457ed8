"""What a client of a recording can know by now: the market as the frames sent so far tell it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.events import Funding, Touch, VenueMark
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text
from perps_actors.simulator.market import contract
from perps_actors.simulator.recording import Frame, Recording
from perps_actors.simulator.venue_contract import Channel, Depth, Levels

T = TypeVar("T")

_SAMPLE = 200
"""So many frames of a stream tell the decimals of its prices and quantities."""


class _PlayedBook:
    """A symbol's book: the snapshot once it was fetched, and the changes sent so far, applied as far as they have been sent."""

    def __init__(self, symbol: str, snapshot: Depth | None) -> None:
        self.symbol = symbol
        self.last = snapshot.last if snapshot is not None else -1
        self._time_ns = snapshot.venue_time_ns if snapshot is not None else 0
        self._bids = dict(snapshot.bids) if snapshot is not None else {}
        self._asks = dict(snapshot.asks) if snapshot is not None else {}
        self._passed = 0
        self._streamed = False
        self._lost = False

    def play(self, frames: list[Frame], read: Callable[[bytes], Depth]) -> None:
        for frame in frames[self._passed :]:
            change = _read(read, frame)
            # Without this message a book that the stream alone makes is unknown until the stream tells the whole of it again.
            self._lost = self._streamed if change is None else self._lost and not change.whole
            if change is not None and change.whole:
                self._bids, self._asks, self._streamed = {}, {}, True
            # Changes behind a stream's own snapshot follow it one by one, whatever their numbers; those beside a fetched one may be older.
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


class PlayedMarket:
    """A `MarketView` of a recording: what was sent so far, and nothing else.

    Tick and lot are the smallest steps that the recorded frames spell: a recording holds no better source of them.
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
        self._instruments: tuple[Instrument, ...] | None = None

    def instruments(self) -> tuple[Instrument, ...]:
        """Return the recording's symbols."""
        if self._instruments is None:
            self._instruments = tuple(
                self._instrument(symbol) for symbol in self._recording.symbols
            )
        return self._instruments

    def rebase(self, symbol: str, snapshot: Depth) -> None:
        """The symbol's recorded snapshot was fetched: from now on its book stands on it."""
        self._books[symbol] = _PlayedBook(symbol, snapshot)

    def depth(self, symbol: str) -> Depth | None:
        """Return the book that the frames sent so far make."""
        book = self._books.setdefault(symbol, _PlayedBook(symbol, None))
        book.play(self._sent_frames(symbol, "book"), self._streams.read_depth)
        return book.depth()

    def touch(self, symbol: str) -> Touch | None:
        """Return the latest best bid and ask sent, else the top of the book."""
        touch = self._latest(symbol, "touch", self._streams.read_touch)
        return touch if touch is not None else self._top(symbol)

    def venue_mark(self, symbol: str) -> tuple[VenueMark, Funding] | None:
        """Return the latest mark and funding sent."""
        return self._latest(symbol, "mark", self._streams.read_mark)

    def open_interest(self, symbol: str) -> None:
        """Return None: no side reads it out of its frames."""

    def candles(self, symbol: str, interval_s: int, since_ns: int, until_ns: int) -> None:
        """Return None: a recording has those candles only that were recorded."""

    def fundings(self, symbol: str, since_ns: int, until_ns: int) -> None:
        """Return None, likewise."""

    def _sent_frames(self, symbol: str, channel: Channel) -> list[Frame]:
        name = self._stream_of.get((symbol, channel))
        return self._recording.frames[name][: self._sent.get(name, 0)] if name is not None else []

    def _latest(self, symbol: str, channel: Channel, read: Callable[[bytes], T]) -> T | None:
        found = (_read(read, frame) for frame in reversed(self._sent_frames(symbol, channel)))
        return next((value for value in found if value is not None), None)

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
        touches = self._recording.frames.get(self._stream_of.get((symbol, "touch"), ""), [])[
            :_SAMPLE
        ]
        levels = [
            level
            for frame in books
            if (book := _read(self._streams.read_depth, frame))
            for level in (*book.bids, *book.asks)
        ]
        for frame in touches:
            touch = _read(self._streams.read_touch, frame)
            if touch is not None and touch.bid is not None and touch.bid_size is not None:
                levels.append((touch.bid, touch.bid_size))
        return _step(price for price, _ in levels), _step(size for _, size in levels)


def _kinds(channel: Channel) -> tuple[Channel, ...]:
    return ("touch", "mark") if channel == "ticker" else (channel,)


def _read(read: Callable[[bytes], T], frame: Frame) -> T | None:
    # Damaged frames are sent as they were recorded; they only tell us nothing.
    try:
        return read(frame.data)
    except (msgspec.DecodeError, UnicodeDecodeError, MarketError, VenueError):
        return None


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
