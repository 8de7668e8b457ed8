"""From Binance's records to market events; what stream and REST answers have in common is read in one way.

Which time is the venue's: `E` for books, tickers and liquidations, `T` for trades, `time` in REST answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perps_actors.market.book import check_touch
from perps_actors.market.events import Funding, Liquidation, MarketEvent, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.venues.binance_futures.messages import (
    AggTrade,
    BookTicker,
    ForceOrder,
    MarkPrice,
    OpenInterestAnswer,
    PremiumRow,
    QuoteRow,
)

_MS: Final = 1_000_000


def touch_of(instrument: InstrumentId, row: BookTicker | QuoteRow, received_ns: int) -> Sequence[MarketEvent]:
    """Return the touch in a book ticker.

    Raises:
        MarketError: not numbers above zero, or crossed or locked.
    """
    bid, bid_size, ask, ask_size, time = row.bid, row.bid_size, row.ask, row.ask_size, row.time
    check_touch(bid, bid_size, ask, ask_size)
    return (Touch(instrument, bid, bid_size, ask, ask_size, None, time * _MS if time is not None else None, received_ns),)


def trade_of(instrument: InstrumentId, event: AggTrade, received_ns: int) -> Sequence[MarketEvent]:
    """Return the trade in an aggregate trade; a buyer who is the maker was hit by a seller.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    side: Final = "sell" if event.buyer_is_maker else "buy"
    price, amount = positive(event.price), positive(event.quantity)
    return (Trade(instrument, side, price, amount, str(event.trade_id), event.trade_time * _MS, received_ns),)


def marks_of(instrument: InstrumentId, row: MarkPrice | PremiumRow, received_ns: int) -> Sequence[MarketEvent]:
    """Return mark and funding of the venue; empty strings and a time of 0 stand for what a contract does not have.

    Raises:
        MarketError: a mark or index that is no number above zero, or a rate that is no number.
    """
    mark = positive(row.mark)
    index = positive(row.index) if row.index else None
    rate = decimal_text(row.rate) if row.rate else None
    time_ns = row.time * _MS if row.time is not None else None
    venue_mark = VenueMark(instrument, mark, index, time_ns, received_ns)
    if rate is None and not row.next_time:
        return (venue_mark,)
    next_ns = row.next_time * _MS if row.next_time else None
    return venue_mark, Funding(instrument, rate, None, next_ns, mark, time_ns, received_ns)


def liquidation_of(instrument: InstrumentId, event: ForceOrder, received_ns: int) -> Sequence[MarketEvent]:
    """Return the liquidation at the average price of its fills, or at the order's price where nothing was filled yet.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    order = event.order
    side: Final = "sell" if order.side == "SELL" else "buy"
    filled = order.average_price is not None and order.average_price.strip("0.") != ""
    price = positive(order.average_price if filled else order.price)
    return (Liquidation(instrument, side, price, positive(order.quantity), event.time * _MS, received_ns),)


def open_interest_of(instrument: InstrumentId, row: OpenInterestAnswer, received_ns: int) -> Sequence[MarketEvent]:
    """Return the open interest, in base asset.

    Raises:
        MarketError: no number, or below zero.
    """
    amount = decimal_text(row.open_interest)
    if amount.startswith("-"):
        positive(amount)
    return (OpenInterest(instrument, amount, row.time * _MS if row.time is not None else None, received_ns),)
