"""From Bybit's records to market events; what stream and REST answers have in common is read in one way.

Source: bybit-exchange.github.io/docs/v5/websocket/public (ticker, trade, all-liquidation), read 2026-11. Which time is the venue's:
`ts` of the message for tickers, `T` of the row for trades and liquidations, `time` of the answer for REST. A liquidation says the
side of the position that was closed, `Buy` for a long one: the liquidating order's side is the other. `openInterest` counts both
sides of each contract. The funding rate is the one of the next settlement; Bybit predicts no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

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
from perps_actors.transport.wire import HttpRequest
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
from perps_actors.venues.toolkit.rest import interval_of
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.subscriptions import Op

# merged docstring:
# """What Bybit's topics say of one instrument: its book, its ticker, its trades, liquidations and candles.
#
# Source: bybit-exchange.github.io/docs/v5/websocket/public/orderbook, read 2026-11. A book begins with a snapshot, and a later one
# replaces it. `u` counts by one from there (the SBE page of v5 says "to check continuity", v3's "is always in sequence"; recordings
# bear it out). `u` of 1 comes after a restart of the service: the message is the whole book, whatever it calls itself. Depth 1
# repeats a snapshot with the same `u` after 3 s without change. Depths are 1, 50, 200 and 1,000, and were 500 before that.
# """

_TAKER: Final[dict[str, TakerSide]] = {"Buy": "buy", "Sell": "sell"}
_LIQUIDATING: Final[dict[str, TakerSide]] = {"Buy": "sell", "Sell": "buy"}

# Which field of an event each field of a ticker gives; a funding event's mark is company, not a reason for one.
_TOUCH: Final = {
    "bid": "bid",
    "bid_size": "bid_size",
    "ask": "ask",
    "ask_size": "ask_size",
    "last": "last",
}
_MARK: Final = {"mark": "mark", "index": "index"}
_FUNDING: Final = {"rate": "rate", "next_time": "next_time_ns", "mark": "mark"}


class TickerState:
    """What an instrument's ticker said last, field by field: a delta refreshes what it carries and nothing else.

    Args:
        instrument: whose ticker it is.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self._instrument = instrument
        self._touch: Touch | None = None
        self._mark: VenueMark | None = None
        self._funding: Funding | None = None

    def forget(self) -> None:
        """Forget what was said: the stream behind it ended."""
        self._touch = self._mark = self._funding = None

    def read(
        self, row: TickerData, *, delta: bool, time_ns: int | None, received_ns: int
    ) -> list[Outcome]:
        """Return an event for each kind of which the message carries a field; a crossed touch is a complaint.

        Raises:
            MarketError: a number that is none; nothing of the message was taken.
            VenueError: a time that is none; nothing of the message was taken.
        """
        touch, mark, funding = _events_of(self._instrument, row, time_ns, received_ns)
        interest = amount(row.open_interest) if row.open_interest else None
        if not delta:
            self.forget()
        self._touch = completed(touch, self._touch, _left_alone(row, _TOUCH))
        self._mark = completed(mark, self._mark, _left_alone(row, _MARK))
        self._funding = completed(funding, self._funding, _left_alone(row, _FUNDING))
        outcomes: list[Outcome] = []
        if _carries(row, _TOUCH):
            outcomes.append(uncrossed(self._touch))
        if _carries(row, _MARK):
            outcomes.append(self._mark)
        if _carries(row, _FUNDING) and (self._funding.rate or self._funding.next_time_ns):
            outcomes.append(self._funding)
        if interest is not None:
            outcomes.append(OpenInterest(self._instrument, interest, time_ns, received_ns))
        return outcomes


def _left_alone(row: TickerData, fields: Mapping[str, str]) -> list[str]:
    return [name for field, name in fields.items() if getattr(row, field) is None]


def _carries(row: TickerData, fields: Mapping[str, str]) -> bool:
    return any(getattr(row, field) is not None for field in fields)


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


def quotes_of(
    instrument: InstrumentId, row: TickerData, time_ns: int | None, received_ns: int
) -> list[Outcome]:
    """Return what a complete ticker says.

    Raises:
        MarketError: a number that is none.
        VenueError: a time that is none, or no last or no mark price: it is no complete ticker.
    """
    if row.last is None or row.mark is None:
        msg = f"Expected a last and a mark price of {instrument.symbol}"
        raise VenueError(msg)
    return TickerState(instrument).read(row, delta=False, time_ns=time_ns, received_ns=received_ns)


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> MarketEvent:
    """Return the trade in a row.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    return Trade(
        instrument,
        _TAKER[row.side],
        positive(row.price),
        positive(row.amount),
        row.trade_id,
        row.time * NS_PER_MS,
        received_ns,
    )


def liquidation_of(instrument: InstrumentId, row: LiquidationRow, received_ns: int) -> MarketEvent:
    """Return the liquidation in a row.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    price, quantity = positive(row.price), positive(row.amount)
    return Liquidation(
        instrument, _LIQUIDATING[row.side], price, quantity, row.time * NS_PER_MS, received_ns
    )


def candle_in(
    instrument: InstrumentId, row: CandleRow, interval_s: int, time_ns: int | None, received_ns: int
) -> MarketEvent:
    """Return the candle that a stream tells of.

    Raises:
        MarketError: numbers that are none, or contradict one another.
    """
    prices, start_ns = (row.open, row.high, row.low, row.close), row.start * NS_PER_MS
    return candle_of(
        instrument,
        interval_s,
        start_ns,
        prices,
        row.volume,
        closed=row.confirm,
        venue_time_ns=time_ns,
        received_ns=received_ns,
    )


def kline_of(
    instrument: InstrumentId, row: KlineRow, request: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of a REST answer, which does not say whether it is over.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: a time that is none, or the request names no length of candles that is known.
    """
    prices = (row.open, row.high, row.low, row.close)
    return candle_of(
        instrument,
        interval_of(request),
        ns_of(row.start),
        prices,
        row.volume,
        closed=None,
        received_ns=received_ns,
    )


def funding_paid_of(instrument: InstrumentId, row: PaidRow, received_ns: int) -> list[Outcome]:
    """Return the funding of the past in a row.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time that is none.
    """
    return [
        FundingPaid(
            instrument,
            decimal_text(row.funding_rate),
            ns_of(row.funding_rate_timestamp),
            None,
            received_ns,
        )
    ]


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
        return [
            outcome
            for book in self._books.values()
            for outcome in book.closed(connection, received_ns)
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
