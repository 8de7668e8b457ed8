"""From HTX's records to market events; streams and REST answers share most readers.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11, and
measurements of others on 2026-09-23 (github.com/nemanull/arbitrage-observatory,
docs/profiles/htx/websocket.md).

- A `depth.step<k>` message is a whole book; only step0 and step6 have unmerged prices.
- A `high_freq` book begins with a snapshot, and a later one replaces it. From there `version`
  counts by one, also in updates without a change. It starts again on another connection.
- A subscription to a suspended contract is granted and stays silent.
- The venue time is the outer `ts` of a message (not `tick.ts`, when the book was read), and the
  row's own for trades and for rows of bulk answers that have one.
- Amounts count contracts; trades and open interest count both sides of each.
- The funding rate is that of the next settlement.
- The side of a liquidation is that of the order that closes the position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
from perps_actors.market.candle import candle_of
from perps_actors.market.events import (
    Funding,
    FundingPaid,
    Liquidation,
    MarketEvent,
    OpenInterest,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.venues.contract import Outcome
from perps_actors.venues.htx_swap.schema import (
    SECONDS,
    Best,
    CandleRow,
    ChangedBook,
    Frame,
    FullBook,
    FundingRow,
    IndexRow,
    Kline,
    LiquidationRow,
    OpenInterestRow,
    PaidRow,
    QuoteRow,
    Time,
    TradeRow,
    Trades,
)
from perps_actors.venues.toolkit.fields import (
    NS_PER_MS,
    NS_PER_S,
    Quote,
    amount,
    completed,
    ns_if_any,
    ns_of,
    rate_if_any,
    text_of,
    touch_of,
)
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_NO_PREDICTION: Final = "null"
"""The documentation's own example has this string as a rate."""
_NO_SIDES: Final = "the venue sent a book without its sides"
_FULL: Final = msgspec.json.Decoder(FullBook).decode
_CHANGED: Final = msgspec.json.Decoder(ChangedBook).decode
_BEST: Final = msgspec.json.Decoder(Best).decode
_TRADES: Final = msgspec.json.Decoder(Trades).decode
_CANDLE: Final = msgspec.json.Decoder(CandleRow).decode
_KLINE: Final = msgspec.json.Decoder(Kline).decode


def time_of(time: Time) -> int | None:
    """Return the time of a message in nanoseconds.

    Raises:
        VenueError: a string that is no time.
    """
    return time * NS_PER_MS if isinstance(time, int) else ns_if_any(time)


def best_of(
    instrument: InstrumentId, best: Best, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the touch; an empty side is not sent."""
    bid, ask = _quote(best.bid), _quote(best.ask)
    if bid[0] is None and ask[0] is None:
        return ()
    return (touch_of(instrument, bid, ask, None, venue_time_ns=time_ns, received_ns=received_ns),)


def listed_best_of(
    instrument: InstrumentId, row: QuoteRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the touch in a row of the bulk answer, at its own time if it has one."""
    return best_of(instrument, row, time_of(row.time) or time_ns, received_ns)


def _quote(side: list[msgspec.Raw] | None) -> Quote:
    if not side:
        return None, None
    if len(side) != 2:
        msg = f"Expected a price and a size, was {len(side)} numbers"
        raise VenueError(msg)
    return text_of(side[0]), text_of(side[1])


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> MarketEvent:
    """Return the trade in a row, at its own time."""
    price, contracts = positive(text_of(row.price)), positive(text_of(row.amount))
    trade_id, time_ns = str(row.trade_id), row.time * NS_PER_MS
    return Trade(instrument, row.side, price, contracts, trade_id, time_ns, received_ns)


def mark_of(
    instrument: InstrumentId, kline: Kline, time_ns: int | None, received_ns: int
) -> VenueMark:
    """Return the venue mark without an index price."""
    return VenueMark(instrument, positive(text_of(kline.close)), None, time_ns, received_ns)


def index_of(
    instrument: InstrumentId, kline: Kline, time_ns: int | None, received_ns: int
) -> VenueMark:
    """Return the index price as a venue mark without a mark."""
    return VenueMark(instrument, None, positive(text_of(kline.close)), time_ns, received_ns)


def listed_index_of(
    instrument: InstrumentId, row: IndexRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the index price in a row of the bulk answer, at its own time if it has one."""
    time_ns = time_of(row.time) or time_ns
    return (VenueMark(instrument, None, positive(text_of(row.price)), time_ns, received_ns),)


def funding_of(
    instrument: InstrumentId, row: FundingRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the funding; a dated contract has none."""
    rate, predicted = rate_if_any(text_of(row.rate)), text_of(row.predicted)
    if rate is None:
        return ()
    predicted = None if predicted == _NO_PREDICTION else rate_if_any(predicted)
    # In the stream `funding_time` is when the rate was computed, in REST when it will be paid.
    next_ns = ns_if_any(text_of(row.settlement_time) or text_of(row.funding_time))
    return (Funding(instrument, rate, predicted, next_ns, None, time_ns, received_ns),)


def liquidation_of(
    instrument: InstrumentId, row: LiquidationRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the liquidation in a row."""
    price, contracts = positive(text_of(row.price)), positive(text_of(row.volume))
    return (Liquidation(instrument, row.side, price, contracts, time_ns, received_ns),)


def open_interest_of(
    instrument: InstrumentId, row: OpenInterestRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the open interest in contracts."""
    return (OpenInterest(instrument, amount(text_of(row.volume) or ""), time_ns, received_ns),)


def candle_in(
    instrument: InstrumentId,
    row: CandleRow,
    interval_s: int,
    received_ns: int,
    time_ns: int | None = None,
) -> MarketEvent:
    """Return the candle in a row, which does not say whether it is over.

    Its volume counts both sides, as trades do.
    """
    return candle_of(
        instrument,
        interval_s,
        row.id * NS_PER_S,
        (text_of(row.open), text_of(row.high), text_of(row.low), text_of(row.close)),
        text_of(row.vol),
        closed=None,
        venue_time_ns=time_ns,
        received_ns=received_ns,
    )


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the past funding in a row: the settled rate, else the forecast."""
    rate = decimal_text(text_of(row.realized) or text_of(row.rate))
    return (FundingPaid(instrument, rate, ns_of(row.time), None, received_ns),)


class SymbolState:
    """The book and the venue mark of one symbol, whose mark and index come in separate messages.

    A recording may have books of several depths, each from a topic of its own. The `read_` methods
    take a frame, the topic after the symbol, the connection and the time of receipt. If one raises,
    nothing of the frame was taken.

    Args:
        instrument: the symbol.
        resubscribe: makes the frames that subscribe a topic of a symbol again.
    """

    def __init__(
        self, instrument: InstrumentId, resubscribe: Callable[[str, str], Sequence[str]]
    ) -> None:
        self.instrument = instrument
        self._resubscribe = resubscribe
        self._books: dict[str, ResubscribingBook] = {}
        self._latest_book: ResubscribingBook | None = None
        self._mark: VenueMark | None = None
        self._mark_connection: str | None = None

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels of each side of the book updated last; nothing unless synced."""
        return self._latest_book.depth(levels) if self._latest_book is not None else ([], [])

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book updated last and begin it again."""
        book = self._latest_book
        return book.invalidate(cause, received_ns) if book is not None else ()

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the books and forget the mark if this connection, which ended, fed them."""
        if self._mark_connection == connection:
            self._mark = None
        return [
            outcome
            for book in self._books.values()
            for outcome in book.closed(connection, received_ns)
        ]

    def read_full_book(
        self, frame: Frame, topic: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Replace the book, or withdraw it if the message is older than the book."""
        tick, time_ns = _FULL(frame.tick), time_of(frame.time)
        book = self._book_of(topic)
        cause = book.ran_back(time_ns)
        # The book of a delisted contract has no sides.
        if cause is None and (tick.bids is None or tick.asks is None):
            cause = _NO_SIDES
        if cause is not None:
            return book.invalidate(cause, received_ns)
        return book.snapshot(
            levels_of(tick.bids or ()),
            levels_of(tick.asks or ()),
            connection,
            sequence=None,
            venue_time_ns=time_ns,
            received_ns=received_ns,
        )

    def read_changed_book(
        self, frame: Frame, topic: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Begin the book with a snapshot or apply an update."""
        tick, time_ns = _CHANGED(frame.tick), time_of(frame.time)
        bids, asks = levels_of(tick.bids or ()), levels_of(tick.asks or ())
        book, version = self._book_of(topic), tick.version
        if tick.event == "update":
            # `version` counts by one, also in updates without a change.
            last = book.sequence
            gap = last is not None and version != last + 1
            return book.update(
                bids,
                asks,
                connection,
                sequence=version,
                venue_time_ns=time_ns,
                received_ns=received_ns,
                gap=f"gap: version {last} was followed by {version}" if gap else None,
            )
        if tick.bids is None or tick.asks is None:
            return book.invalidate(_NO_SIDES, received_ns)
        return book.snapshot(
            bids, asks, connection, sequence=version, venue_time_ns=time_ns, received_ns=received_ns
        )

    def read_touch(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return best bid and ask."""
        return best_of(self.instrument, _BEST(frame.tick), time_of(frame.time), received_ns)

    def read_trades(self, frame: Frame, _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        """Return the trades in a message."""
        return [trade_of(self.instrument, row, received_ns) for row in _TRADES(frame.tick).data]

    def read_candle(self, frame: Frame, topic: str, _: str, received_ns: int) -> Sequence[Outcome]:
        """Return the candle in a message; nothing if its length is unknown."""
        interval_s = SECONDS.get(topic.partition(".")[2])
        if interval_s is None:
            return ()
        row, time_ns = _CANDLE(frame.tick), time_of(frame.time)
        return (candle_in(self.instrument, row, interval_s, received_ns, time_ns),)

    def read_mark(
        self, frame: Frame, _: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the mark with the latest index."""
        mark = mark_of(self.instrument, _KLINE(frame.tick), time_of(frame.time), received_ns)
        return self._completed(mark, "index", connection)

    def read_index(
        self, frame: Frame, _: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the index with the latest mark."""
        index = index_of(self.instrument, _KLINE(frame.tick), time_of(frame.time), received_ns)
        return self._completed(index, "mark", connection)

    def _completed(self, carried: VenueMark, absent: str, connection: str) -> Sequence[Outcome]:
        self._mark, self._mark_connection = completed(carried, self._mark, (absent,)), connection
        return (self._mark,)

    def _book_of(self, topic: str) -> ResubscribingBook:
        book = self._books.get(topic)
        if book is None:
            book = self._books[topic] = ResubscribingBook(
                self.instrument, lambda symbol: self._resubscribe(symbol, topic)
            )
        self._latest_book = book
        return book


def parts_of_channel(channel: str) -> tuple[str, str]:
    """Return symbol and topic of a channel `market.<symbol>.<topic>`, else empty strings."""
    _, symbol, topic = (*channel.split(".", 2), "", "")[:3]
    return symbol, topic
