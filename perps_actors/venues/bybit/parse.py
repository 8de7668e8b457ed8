"""Bybit's messages as market events, and the state of one symbol that they change.

Source: bybit-exchange.github.io/docs/v5/websocket/public, read 2026-11.

Books (orderbook): a book begins with a snapshot, and a later one replaces it. From there `u` counts
by one (the SBE page of v5 says "to check continuity", v3's "is always in sequence"; recordings
agree). `u` of 1 follows a restart of the service: the message is the whole book, whatever its type.
Depth 1 repeats a snapshot with the same `u` after 3 s without change. Depths are 1, 50, 200 and
1,000; earlier there was 500.

Others (ticker, trade, all-liquidation): the venue's time is `ts` of the message for tickers, `T` of
the row for trades and liquidations, `time` of the answer for REST. A liquidation has the side of
the position that was closed, `Buy` for a long one, so the liquidating order has the other side.
`openInterest` counts both sides of each contract. The funding rate is that of the next settlement;
Bybit predicts no other.

All functions raise `MarketError` or `VenueError` on a value that is not of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.candle import candle_of
from perps_actors.market.events import (
    Funding,
    FundingPaid,
    Liquidation,
    MarketEvent,
    OpenInterest,
    TakerSide,
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.venues.bybit.schema import (
    SECONDS,
    BookData,
    CandleRow,
    Candles,
    Frame,
    KlineRow,
    LiquidationRow,
    Liquidations,
    PaidRow,
    TickerData,
    TradeRow,
    Trades,
)
from perps_actors.venues.contract import Outcome
from perps_actors.venues.toolkit.fields import (
    NS_PER_MS,
    amount,
    completed,
    ns_if_any,
    ns_of,
    price_if_any,
    rate_if_any,
    uncrossed,
)
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.symbol_stream import Op

DEPTHS: Final = ("1", "50", "200", "500", "1000")

_BOOK: Final = msgspec.json.Decoder(BookData).decode
_TICKER: Final = msgspec.json.Decoder(TickerData).decode
_TRADES: Final = msgspec.json.Decoder(Trades).decode
_CANDLES: Final = msgspec.json.Decoder(Candles).decode
_LIQUIDATIONS: Final = msgspec.json.Decoder(Liquidations).decode

_TAKER: Final[dict[str, TakerSide]] = {"Buy": "buy", "Sell": "sell"}
_LIQUIDATING: Final[dict[str, TakerSide]] = {"Buy": "sell", "Sell": "buy"}
_FIELDS: Final[dict[type, dict[str, str]]] = {
    Touch: {name: name for name in ("bid", "bid_size", "ask", "ask_size", "last")},
    VenueMark: {"mark": "mark", "index": "index"},
    Funding: {"rate": "rate", "next_time_ns": "next_time", "mark": "mark"},
}
"""The field of a ticker that gives each field of an event."""


def request(op: Op, topics: Sequence[str]) -> str:
    """Return the frame that subscribes or unsubscribes these topics."""
    return msgspec.json.encode({"op": op, "args": topics}).decode()


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> MarketEvent:
    """Return the trade in a row."""
    price, size, time_ns = positive(row.price), positive(row.amount), row.time * NS_PER_MS
    return Trade(instrument, _TAKER[row.side], price, size, row.trade_id, time_ns, received_ns)


def liquidation_of(instrument: InstrumentId, row: LiquidationRow, received_ns: int) -> MarketEvent:
    """Return the liquidation in a row."""
    price, size, time_ns = positive(row.price), positive(row.amount), row.time * NS_PER_MS
    return Liquidation(instrument, _LIQUIDATING[row.side], price, size, time_ns, received_ns)


def candle_in(
    instrument: InstrumentId, row: CandleRow, interval_s: int, time_ns: int | None, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of the stream."""
    return candle_of(
        instrument,
        interval_s,
        row.start * NS_PER_MS,
        (row.open, row.high, row.low, row.close),
        row.volume,
        closed=row.confirm,
        venue_time_ns=time_ns,
        received_ns=received_ns,
    )


def kline_of(
    instrument: InstrumentId, row: KlineRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of a REST answer, which does not say whether it is over."""
    return candle_of(
        instrument,
        interval_s,
        ns_of(row.start),
        (row.open, row.high, row.low, row.close),
        row.volume,
        closed=None,
        received_ns=received_ns,
    )


def funding_paid_of(instrument: InstrumentId, row: PaidRow, received_ns: int) -> list[Outcome]:
    """Return the past funding in a row."""
    rate, time_ns = decimal_text(row.funding_rate), ns_of(row.funding_rate_timestamp)
    return [FundingPaid(instrument, rate, time_ns, None, received_ns)]


def quotes_of(
    instrument: InstrumentId, row: TickerData, time_ns: int | None, received_ns: int
) -> list[Outcome]:
    """Return the events of a complete ticker, which has a last price and a mark price."""
    if row.last is None or row.mark is None:
        msg = f"Expected a last and a mark price of {instrument.symbol}"
        raise VenueError(msg)
    return SymbolState(instrument).read_ticker(row, time_ns, received_ns, delta=False)


def _events_of(
    instrument: InstrumentId, row: TickerData, time_ns: int | None, received_ns: int
) -> tuple[Touch, VenueMark, Funding]:
    bid, bid_size, ask, ask_size, last = map(
        price_if_any, (row.bid, row.bid_size, row.ask, row.ask_size, row.last)
    )
    mark, index = price_if_any(row.mark), price_if_any(row.index)
    rate, next_ns = rate_if_any(row.rate), ns_if_any(row.next_time)
    return (
        Touch(instrument, bid, bid_size, ask, ask_size, last, time_ns, received_ns),
        VenueMark(instrument, mark, index, time_ns, received_ns),
        Funding(instrument, rate, None, next_ns, mark, time_ns, received_ns),
    )


class SymbolState:
    """One instrument's books (one, unless a recording has several depths) and ticker.

    The methods in `READERS` take a frame, the middle of its topic, the connection and the time of
    receipt. On input that they cannot read they raise, and change nothing.

    Args:
        instrument: the instrument.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self._instrument = instrument
        self._books: dict[str, ResubscribingBook] = {}
        self._book: ResubscribingBook | None = None
        """The book with the latest message."""
        self._latest: dict[type, Any] = {}
        """The latest event of each kind that the ticker gave, completed with earlier fields."""
        self._ticker_connection: str | None = None

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels of each side; nothing unless the book is synced."""
        return self._book.depth(levels) if self._book is not None else ([], [])

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if it is synced, and subscribe it again."""
        return self._book.invalidate(cause, received_ns) if self._book is not None else ()

    def closed(self, connection: str, received_ns: int) -> list[Outcome]:
        """Withdraw the data that this connection, which ended, fed."""
        if self._ticker_connection == connection:
            self._latest = {}
        books = self._books.values()
        return [outcome for book in books for outcome in book.closed(connection, received_ns)]

    def book(
        self, frame: Frame, depth: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of a book message; other kinds of book (`rpi`, `full`) give none."""
        if depth not in DEPTHS:
            return ()
        data, delta = _BOOK(frame.data), _is_delta(frame)
        self._check(data.symbol)
        time_ns, sequence = _time_ns(frame), data.update_id
        book = self._book = self._books.get(depth) or self._new_book(depth)
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
        continues = last is None or sequence == last + 1
        return book.update(
            data.bids,
            data.asks,
            connection,
            sequence=sequence,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=None if continues else f"gap: update {last} was followed by {sequence}",
        )

    def ticker(self, frame: Frame, _: str, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the events of a ticker message."""
        row, delta = _TICKER(frame.data), _is_delta(frame)
        self._check(row.symbol)
        self._ticker_connection = connection
        return self.read_ticker(row, _time_ns(frame), received_ns, delta=delta)

    def read_ticker(
        self, row: TickerData, time_ns: int | None, received_ns: int, *, delta: bool
    ) -> list[Outcome]:
        """Return an event of each kind of which the row carries a field, completed.

        A delta carries changed fields only. A crossed touch is invalid input.
        """
        events = _events_of(self._instrument, row, time_ns, received_ns)
        interest = amount(row.open_interest) if row.open_interest else None
        if not delta:
            self._latest = {}
        outcomes: list[Outcome] = []
        for event in events:
            kind, fields = type(event), _FIELDS[type(event)]
            absent = [name for name, field in fields.items() if getattr(row, field) is None]
            whole = self._latest[kind] = completed(event, self._latest.get(kind), absent)
            if len(absent) == len(fields):
                continue
            if isinstance(whole, Touch):
                outcomes.append(uncrossed(whole))
            elif isinstance(whole, VenueMark) or whole.rate or whole.next_time_ns:
                outcomes.append(whole)
        if interest is not None:
            outcomes.append(OpenInterest(self._instrument, interest, time_ns, received_ns))
        return outcomes

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
        """Return the candles in a message; an unknown interval gives none."""
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

    def _new_book(self, depth: str) -> ResubscribingBook:
        topics = [f"orderbook.{depth}.{self._instrument.symbol}"]
        self._books[depth] = ResubscribingBook(
            self._instrument,
            lambda _: (request("unsubscribe", topics), request("subscribe", topics)),
        )
        return self._books[depth]


READERS: Final[dict[str, Callable[[SymbolState, Frame, str, str, int], Sequence[Outcome]]]] = {
    "orderbook": SymbolState.book,
    "tickers": SymbolState.ticker,
    "publicTrade": SymbolState.trades,
    "allLiquidation": SymbolState.liquidations,
    "kline": SymbolState.candles,
}
"""The method that reads a topic, by the topic's first part."""


def _is_delta(frame: Frame) -> bool:
    if frame.type not in ("snapshot", "delta"):
        msg = f"Expected a snapshot or a delta, was {str(frame.type)[:20]!r}"
        raise VenueError(msg)
    return frame.type == "delta"


def _time_ns(frame: Frame) -> int | None:
    return frame.time * NS_PER_MS if frame.time is not None else None
