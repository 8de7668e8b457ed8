"""What Bybit's topics say of one instrument: its book, its ticker, its trades, liquidations and candles.

Source: bybit-exchange.github.io/docs/v5/websocket/public/orderbook, read 2026-11. A book begins with a snapshot, and a later one
replaces it. `u` counts by one from there (the SBE page of v5 says "to check continuity", v3's "is always in sequence"; recordings
bear it out). `u` of 1 comes after a restart of the service: the message is the whole book, whatever it calls itself. Depth 1
repeats a snapshot with the same `u` after 3 s without change. Depths are 1, 50, 200 and 1,000, and were 500 before that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bybit.parse import TickerState, candle_in, liquidation_of, trade_of
from perps_actors.venues.bybit.schema import (
    SECONDS,
    BookData,
    Candles,
    Frame,
    Liquidations,
    TickerData,
    Trades,
)
from perps_actors.venues.contract import Outcome
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.subscriptions import Op

DEPTHS: Final = ("1", "50", "200", "500", "1000")

_BOOK: Final = msgspec.json.Decoder(BookData).decode
_TICKER: Final = msgspec.json.Decoder(TickerData).decode
_TRADES: Final = msgspec.json.Decoder(Trades).decode
_CANDLES: Final = msgspec.json.Decoder(Candles).decode
_LIQUIDATIONS: Final = msgspec.json.Decoder(Liquidations).decode


def request(op: Op, topics: Sequence[str]) -> str:
    """Return the frame that subscribes or unsubscribes these topics."""
    return msgspec.json.encode({"op": op, "args": topics}).decode()


class SymbolState:
    """One instrument's books (one, unless a recording has several depths) and ticker.

    Its readings take a frame, what stood between channel and symbol in its topic, the connection and the time of receipt. They raise
    `VenueError`, `MarketError` or msgspec's errors on what cannot be read, and then have changed nothing.

    Args:
        instrument: which one.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self._instrument = instrument
        self._books: dict[str, ResubscribingBook] = {}
        self._told_last: ResubscribingBook | None = None
        self._ticker = TickerState(instrument)
        self._ticker_connection: str | None = None

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side of the book that was told of last; none unless it is good."""
        return self._told_last.depth(levels) if self._told_last is not None else ([], [])

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book that was told of last, if it is good, and begin it anew."""
        return self._told_last.invalidate(cause, received_ns) if self._told_last is not None else ()

    def closed(self, connection: str, received_ns: int) -> list[Outcome]:
        """Withdraw what this connection fed, which ended."""
        if self._ticker_connection == connection:
            self._ticker.forget()
        fed = [book for book in self._books.values() if book.connection == connection]
        return [
            outcome
            for book in fed
            for outcome in book.closed(f"connection {connection} ended", received_ns)
        ]

    def book(
        self, frame: Frame, depth: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return what a book message says; other kinds of book (`rpi`, `full`) are none of ours."""
        if depth not in DEPTHS:
            return ()
        data, delta = _BOOK(frame.data), _is_delta(frame)
        self._check(data.symbol)
        book, time_ns, sequence = self._book_of(depth), _time_ns(frame), data.update_id
        if not delta or sequence == 1:
            return book.snapshot(
                data.bids,
                data.asks,
                connection,
                sequence=sequence,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        last = book.sequence
        broken = (
            None
            if last is None or sequence == last + 1
            else f"gap: update {last} was followed by {sequence}"
        )
        return book.update(
            data.bids,
            data.asks,
            connection,
            sequence=sequence,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            broken=broken,
        )

    def ticker(self, frame: Frame, _: str, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return what a ticker message says."""
        row, delta = _TICKER(frame.data), _is_delta(frame)
        self._check(row.symbol)
        self._ticker_connection = connection
        return self._ticker.read(row, delta=delta, time_ns=_time_ns(frame), received_ns=received_ns)

    def trades(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return the trades in a message."""
        rows = _TRADES(frame.data)
        for row in rows:
            self._check(row.symbol)
        return [trade_of(self._instrument, row, received_ns) for row in rows]

    def liquidations(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return the liquidations in a message."""
        rows = _LIQUIDATIONS(frame.data)
        for row in rows:
            self._check(row.symbol)
        return [liquidation_of(self._instrument, row, received_ns) for row in rows]

    def candles(self, frame: Frame, interval: str, _: str, received_ns: int) -> Sequence[Outcome]:
        """Return the candles in a message; lengths that are not known are none of ours."""
        interval_s, time_ns = SECONDS.get(interval), _time_ns(frame)
        if interval_s is None:
            return ()
        return [
            candle_in(self._instrument, row, interval_s, time_ns, received_ns)
            for row in _CANDLES(frame.data)
        ]

    def _check(self, symbol: str) -> None:
        if symbol != self._instrument.symbol:
            msg = f"Expected data of {self._instrument.symbol}, was of {symbol[:50]!r}"
            raise VenueError(msg)

    def _book_of(self, depth: str) -> ResubscribingBook:
        if depth not in self._books:
            topics = [f"orderbook.{depth}.{self._instrument.symbol}"]
            self._books[depth] = ResubscribingBook(
                self._instrument,
                lambda _: (request("unsubscribe", topics), request("subscribe", topics)),
            )
        self._told_last = self._books[depth]
        return self._told_last


READINGS: Final[dict[str, Callable[[SymbolState, Frame, str, str, int], Sequence[Outcome]]]] = {
    "orderbook": SymbolState.book,
    "tickers": SymbolState.ticker,
    "publicTrade": SymbolState.trades,
    "allLiquidation": SymbolState.liquidations,
    "kline": SymbolState.candles,
}
"""What reads a topic, by its first part."""


def _is_delta(frame: Frame) -> bool:
    if frame.type not in ("snapshot", "delta"):
        msg = f"Expected a snapshot or a delta, was {str(frame.type)[:20]!r}"
        raise VenueError(msg)
    return frame.type == "delta"


def _time_ns(frame: Frame) -> int | None:
    return frame.time * NS_PER_MS if frame.time is not None else None
