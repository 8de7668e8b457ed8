"""What HTX's topics say of one instrument: its books, touch, trades, mark and index, funding and liquidations.

Source: huobiapi.github.io/docs/usdt_swap/v1/en (market depth, incremental market depth), read 2026-11, and what others measured on
2026-09-23 (github.com/nemanull/arbitrage-observatory, docs/profiles/htx/websocket.md). A `depth.step<k>` frame is a whole book; only
step0 and step6 are of prices that nobody merged. A `high_freq` book begins with a snapshot, and a later one replaces it; from there
`version` counts by one, also in updates that change nothing, and counts anew on another connection. A subscription to a suspended
contract is granted and stays silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from perps_actors.market.events import VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.plain import levels_of
from perps_actors.market.texts import Level
from perps_actors.venues.contract import Outcome
from perps_actors.venues.htx_swap.parse import (
    best_of,
    candle_in,
    index_of,
    mark_of,
    time_of,
    trade_of,
)
from perps_actors.venues.htx_swap.schema import (
    SECONDS,
    Best,
    CandleRow,
    ChangedBook,
    Frame,
    FullBook,
    Kline,
    Trades,
)
from perps_actors.venues.htx_swap.topics import request
from perps_actors.venues.toolkit.fields import completed
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_NO_SIDES: Final = "the venue sent a book without its sides"
_FULL: Final = msgspec.json.Decoder(FullBook).decode
_CHANGED: Final = msgspec.json.Decoder(ChangedBook).decode
_BEST: Final = msgspec.json.Decoder(Best).decode
_TRADES: Final = msgspec.json.Decoder(Trades).decode
_CANDLE: Final = msgspec.json.Decoder(CandleRow).decode
_KLINE: Final = msgspec.json.Decoder(Kline).decode


class SymbolState:
    """One instrument's books (one, unless a recording has several depths) and its mark.

    Its readings take a frame, the topic behind the symbol, the connection and the time of receipt. They raise `VenueError`,
    `MarketError` or msgspec's errors on what cannot be read, and then have changed nothing.

    Args:
        instrument: which one.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self.instrument = instrument
        self._books: dict[str, ResubscribingBook] = {}
        self._told_last: ResubscribingBook | None = None
        self._mark: VenueMark | None = None
        self._mark_connection: str | None = None

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side of the book that was told of last; none unless it is good."""
        return self._told_last.depth(levels) if self._told_last is not None else ([], [])

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book that was told of last, if it is good, and begin it anew."""
        return self._told_last.invalidate(cause, received_ns) if self._told_last is not None else ()

    def closed(self, connection: str, received_ns: int) -> list[Outcome]:
        """Withdraw what this connection fed, which ended."""
        if self._mark_connection == connection:
            self._mark = None
        fed = [book for book in self._books.values() if book.connection == connection]
        return [
            outcome
            for book in fed
            for outcome in book.closed(f"connection {connection} ended", received_ns)
        ]

    def full_book(
        self, frame: Frame, topic: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return what a whole book says; one older than the book before withdraws it."""
        tick, time_ns = _FULL(frame.tick), time_of(frame.time)
        bids, asks = _sides(tick)
        book = self._book_of(topic)
        invalidate = book.ran_back(time_ns)
        if invalidate is not None:
            return book.invalidate(invalidate, received_ns)
        if bids is None or asks is None:
            return book.invalidate(_NO_SIDES, received_ns)
        return book.snapshot(
            bids, asks, connection, sequence=None, venue_time_ns=time_ns, received_ns=received_ns
        )

    def changed_book(
        self, frame: Frame, topic: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return what a snapshot or an update of it says."""
        tick, time_ns = _CHANGED(frame.tick), time_of(frame.time)
        bids, asks = _sides(tick)
        book, version = self._book_of(topic), tick.version
        if tick.event == "update":
            last = book.sequence
            broken = (
                None
                if last is None or version == last + 1
                else f"gap: version {last} was followed by {version}"
            )
            return book.update(
                bids or (),
                asks or (),
                connection,
                sequence=version,
                venue_time_ns=time_ns,
                received_ns=received_ns,
                broken=broken,
            )
        if bids is None or asks is None:
            return book.invalidate(_NO_SIDES, received_ns)
        return book.snapshot(
            bids, asks, connection, sequence=version, venue_time_ns=time_ns, received_ns=received_ns
        )

    def touch(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return best bid and ask."""
        return best_of(self.instrument, _BEST(frame.tick), time_of(frame.time), received_ns)

    def trades(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return the trades in a message."""
        return [trade_of(self.instrument, row, received_ns) for row in _TRADES(frame.tick).data]

    def candle(self, frame: Frame, topic: str, _: str, received_ns: int) -> Sequence[Outcome]:
        """Return the candle in a message; lengths that are not known are none of ours."""
        interval_s = SECONDS.get(topic.partition(".")[2])
        if interval_s is None:
            return ()
        return (
            candle_in(
                self.instrument, _CANDLE(frame.tick), interval_s, time_of(frame.time), received_ns
            ),
        )

    def mark(self, frame: Frame, _: str, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the mark, beside the index of before."""
        return self._priced(
            mark_of(self.instrument, _KLINE(frame.tick), time_of(frame.time), received_ns),
            "index",
            connection,
        )

    def index(self, frame: Frame, _: str, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the index, beside the mark of before."""
        return self._priced(
            index_of(self.instrument, _KLINE(frame.tick), time_of(frame.time), received_ns),
            "mark",
            connection,
        )

    def _priced(self, said: VenueMark, left_alone: str, connection: str) -> Sequence[Outcome]:
        self._mark, self._mark_connection = completed(said, self._mark, (left_alone,)), connection
        return (self._mark,)

    def _book_of(self, topic: str) -> ResubscribingBook:
        book = self._books.get(topic)
        if book is None:
            book = self._books[topic] = ResubscribingBook(
                self.instrument, lambda symbol: _renewal(symbol, topic)
            )
        self._told_last = book
        return book


def _sides(tick: FullBook | ChangedBook) -> tuple[list[Level] | None, list[Level] | None]:
    bids, asks = (levels_of(side) if side is not None else None for side in (tick.bids, tick.asks))
    return bids, asks


def _renewal(symbol: str, topic: str) -> Sequence[str]:
    """Return the requests that bring a snapshot; a topic of whole books brings one anyway."""
    if topic not in _CHANGED_BOOKS:
        return ()
    topics = [f"market.{symbol}.{topic}"]
    return request("unsubscribe", topics), request("subscribe", topics)


Reading = Callable[[SymbolState, Frame, str, str, int], Sequence[Outcome]]

_CHANGED_BOOKS: Final = ("depth.size_20.high_freq", "depth.size_150.high_freq")

_READINGS: Final[dict[str, Reading]] = {
    "depth.step0": SymbolState.full_book,
    "depth.step6": SymbolState.full_book,
    **dict.fromkeys(_CHANGED_BOOKS, SymbolState.changed_book),
    "bbo": SymbolState.touch,
    "trade.detail": SymbolState.trades,
}
# A period follows.
_KLINES: Final[dict[str, Reading]] = {
    "mark_price": SymbolState.mark,
    "index": SymbolState.index,
    "kline": SymbolState.candle,
}


def parts_of_channel(channel: str) -> tuple[str, str]:
    """Return the symbol and the topic of a channel (`market.<symbol>.<topic>`); empty strings where it is none."""
    _, symbol, topic = (*channel.split(".", 2), "", "")[:3]
    return symbol, topic


def reading_of(topic: str) -> Reading | None:
    """Return what reads a topic; None where it is not read."""
    return _READINGS.get(topic) or _KLINES.get(topic.partition(".")[0])
