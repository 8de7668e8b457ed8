"""From Kraken Futures' records to market events; streams and REST answers share most readers.

Source: docs.kraken.com (futures-websocket/book, ticker, trade; futures REST tickers), read 2026-10,
and captures of 2021 to 2026.

- A book begins with `book_snapshot`. Each `book` after it changes one level, and its `seq` is one
  more than the `seq` before in the same product; otherwise a message was lost.
- Symbols are written in upper case, as in the stream; REST has had lower and mixed case.
- `relative_funding_rate` is the hourly rate; `funding_rate` is an amount of money per contract.
- A best price of 0 means an empty side. `time` is the venue's; in REST it is the answer's.
- A trade of type `liquidation` is the liquidation of its taker.
- Amounts count contracts of 1 USD (`PI_`, `FI_`) or of base asset (`PF_`, `FF_`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from perps_actors.market.book import Level, levels_of
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
from perps_actors.market.numbers import decimal_text, positive, spelled
from perps_actors.venues.contract import Outcome
from perps_actors.venues.kraken_futures.schema import (
    BookDelta,
    BookSnapshot,
    CandleRow,
    PaidRow,
    Ticker,
    TickerLite,
    TickerRow,
    TradeMessage,
    TradeRow,
    TradeSnapshot,
)
from perps_actors.venues.toolkit.fields import (
    NS_PER_MS,
    amount_of,
    nanoseconds,
    number_of,
    positive_of,
    text_of,
    touch_of,
)
from perps_actors.venues.toolkit.stream_book import ResubscribingBook


def ticker_of(instrument: InstrumentId, row: Ticker, received_ns: int) -> list[MarketEvent]:
    """Return touch, mark, open interest and funding, each if the ticker has it."""
    time_ns = row.time * NS_PER_MS
    events = polled_of(instrument, row, time_ns, received_ns)
    rate, predicted, mark = number_of(row.rate), number_of(row.predicted), positive_of(row.mark)
    next_ns = row.next_time * NS_PER_MS if row.next_time else None
    if rate is not None or predicted is not None or next_ns is not None:
        events.append(Funding(instrument, rate, predicted, next_ns, mark, time_ns, received_ns))
    return events


def polled_of(
    instrument: InstrumentId, row: Ticker | TickerRow, time_ns: int | None, received_ns: int
) -> list[MarketEvent]:
    """Return touch, mark and open interest, each if the row has it; REST has nothing else."""
    bid, ask = number_of(row.bid), number_of(row.ask)
    bid_size, ask_size = amount_of(row.bid_size), amount_of(row.ask_size)
    mark, index = positive_of(row.mark), positive_of(row.index)
    contracts = amount_of(row.open_interest)
    events: list[MarketEvent] = []
    if bid is not None or ask is not None:
        touch = touch_of(
            instrument,
            (bid, bid_size),
            (ask, ask_size),
            number_of(row.last),
            venue_time_ns=time_ns,
            received_ns=received_ns,
        )
        events.append(touch)
    if mark is not None or index is not None:
        events.append(VenueMark(instrument, mark, index, time_ns, received_ns))
    if contracts is not None:
        events.append(OpenInterest(instrument, contracts, time_ns, received_ns))
    return events


def touch_lite_of(
    instrument: InstrumentId, row: TickerLite, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the touch of a light ticker, which has neither sizes nor time."""
    bid, ask = (number_of(row.bid), None), (number_of(row.ask), None)
    if bid[0] is None and ask[0] is None:
        return ()
    return (touch_of(instrument, bid, ask, None, venue_time_ns=None, received_ns=received_ns),)


def trade_of(instrument: InstrumentId, row: TradeMessage, received_ns: int) -> list[MarketEvent]:
    """Return the trade, and the liquidation if it is one."""
    trade = _trade(instrument, row, received_ns, backlog=False)
    if row.type != "liquidation":
        return [trade]
    side, price, amount, time_ns = trade.side, trade.price, trade.amount, trade.venue_time_ns
    return [trade, Liquidation(instrument, side, price, amount, time_ns, received_ns)]


def backlog_of(instrument: InstrumentId, row: TradeSnapshot, received_ns: int) -> list[MarketEvent]:
    """Return the trades made before the subscription, in the order of the message."""
    return [_trade(instrument, trade, received_ns, backlog=True) for trade in row.trades]


def past_candle_of(
    instrument: InstrumentId, row: CandleRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return a candle of the answer to a request, which does not say whether it is over."""
    return candle_of(
        instrument,
        interval_s,
        row.time * NS_PER_MS,
        (row.open, row.high, row.low, row.close),
        text_of(row.volume),
        closed=None,
        received_ns=received_ns,
    )


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the funding of a past hour."""
    rate, time_ns = decimal_text(spelled(row.relative_funding_rate)), nanoseconds(row.timestamp)
    return (FundingPaid(instrument, rate, time_ns, None, received_ns),)


def _trade(instrument: InstrumentId, row: TradeRow, received_ns: int, *, backlog: bool) -> Trade:
    price, size, time_ns = (
        positive(spelled(row.price)),
        positive(spelled(row.qty)),
        row.time * NS_PER_MS,
    )
    return Trade(instrument, row.side, price, size, row.uid, time_ns, received_ns, backlog)


class SymbolState(ResubscribingBook):
    """The book of one product; other messages about it are read without state."""

    def read_snapshot(
        self, message: BookSnapshot, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Begin the book with the levels of a snapshot.

        Raises:
            MarketError: a price or size that no book can have; nothing was taken.
        """
        return self.snapshot(
            levels_of(message.bids),
            levels_of(message.asks),
            connection,
            sequence=message.seq,
            venue_time_ns=message.timestamp * NS_PER_MS,
            received_ns=received_ns,
        )

    def read_delta(
        self, message: BookDelta, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Set the level of a delta, or withdraw the book if a delta before it is missing.

        Raises:
            MarketError: a price or size that no book can have; nothing was taken.
        """
        level = Level(spelled(message.price), spelled(message.size))
        bids, asks = ((level,), ()) if message.side == "buy" else ((), (level,))
        # `seq` counts by one in each product.
        last, sequence = self.sequence, message.seq
        gap = last is not None and sequence != last + 1
        return self.update(
            bids,
            asks,
            connection,
            sequence=sequence,
            venue_time_ns=message.timestamp * NS_PER_MS,
            received_ns=received_ns,
            gap=f"gap: number {last} was followed by {sequence}" if gap else None,
        )


READERS: Final[dict[type, Callable[[SymbolState, Any, str, int], Sequence[Outcome]]]] = {
    BookDelta: SymbolState.read_delta,
    BookSnapshot: SymbolState.read_snapshot,
    Ticker: lambda state, row, _, at_ns: ticker_of(state.instrument, row, at_ns),
    TickerLite: lambda state, row, _, at_ns: touch_lite_of(state.instrument, row, at_ns),
    TradeMessage: lambda state, row, _, at_ns: trade_of(state.instrument, row, at_ns),
    TradeSnapshot: lambda state, row, _, at_ns: backlog_of(state.instrument, row, at_ns),
}
"""What reads each kind of message."""
