"""Binance's messages as market events.

The venue's time is `E` for books, tickers and liquidations, `T` for trades, `time` in REST answers.
All functions raise `MarketError` or `VenueError` on a value that is not of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perps_actors.errors import VenueError
from perps_actors.market.book import check_touch
from perps_actors.market.candle import candle_of
from perps_actors.market.events import (
    Funding,
    FundingPaid,
    Liquidation,
    MarketEvent,
    OpenInterest,
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.venues.binance_futures.schema import (
    SECONDS,
    AggTrade,
    BookTicker,
    ForceOrder,
    Kline,
    KlineRow,
    MarkPrice,
    OpenInterestAnswer,
    PaidRow,
    PremiumRow,
    QuoteRow,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS, amount, price_if_any


def touch_of(
    instrument: InstrumentId, row: BookTicker | QuoteRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the touch in a book ticker."""
    bid, bid_size, ask, ask_size, time = row.bid, row.bid_size, row.ask, row.ask_size, row.time
    check_touch(bid, bid_size, ask, ask_size)
    return (
        Touch(
            instrument,
            bid,
            bid_size,
            ask,
            ask_size,
            None,
            time * NS_PER_MS if time is not None else None,
            received_ns,
        ),
    )


def trade_of(instrument: InstrumentId, event: AggTrade, received_ns: int) -> Sequence[MarketEvent]:
    """Return the trade in an aggregate trade; a buyer who is the maker was hit by a seller."""
    side: Final = "sell" if event.buyer_is_maker else "buy"
    price, quantity = positive(event.price), positive(event.quantity)
    return (
        Trade(
            instrument,
            side,
            price,
            quantity,
            str(event.trade_id),
            event.trade_time * NS_PER_MS,
            received_ns,
        ),
    )


def marks_of(
    instrument: InstrumentId, row: MarkPrice | PremiumRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return mark and funding; a contract without them has empty strings and a time of 0."""
    mark = positive(row.mark)
    index = positive(row.index) if row.index else None
    rate = decimal_text(row.rate) if row.rate else None
    time_ns = row.time * NS_PER_MS if row.time is not None else None
    venue_mark = VenueMark(instrument, mark, index, time_ns, received_ns)
    if rate is None and not row.next_time:
        return (venue_mark,)
    next_ns = row.next_time * NS_PER_MS if row.next_time else None
    return venue_mark, Funding(instrument, rate, None, next_ns, mark, time_ns, received_ns)


def liquidation_of(
    instrument: InstrumentId, event: ForceOrder, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the liquidation at its average price, or at the order's price before any fill."""
    order = event.order
    side: Final = "sell" if order.side == "SELL" else "buy"
    filled = order.average_price is not None and order.average_price.strip("0.") != ""
    price = positive(order.average_price if filled else order.price)
    return (
        Liquidation(
            instrument, side, price, positive(order.quantity), event.time * NS_PER_MS, received_ns
        ),
    )


def open_interest_of(
    instrument: InstrumentId, row: OpenInterestAnswer, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the open interest, in base asset."""
    return (
        OpenInterest(
            instrument,
            amount(row.open_interest),
            row.time * NS_PER_MS if row.time is not None else None,
            received_ns,
        ),
    )


def candle_of_stream(
    instrument: InstrumentId, event: Kline, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the candle of a stream."""
    row = event.candle
    interval_s, prices = SECONDS.get(row.interval), (row.open, row.high, row.low, row.close)
    if interval_s is None:
        msg = f"Expected the length of a candle, was {row.interval[:20]!r}"
        raise VenueError(msg)
    candle = candle_of(
        instrument,
        interval_s,
        row.open_time * NS_PER_MS,
        prices,
        row.volume,
        closed=row.closed,
        venue_time_ns=event.time * NS_PER_MS,
        received_ns=received_ns,
    )
    return (candle,)


def kline_of(
    instrument: InstrumentId, row: KlineRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of a REST answer, which does not say whether it is over."""
    prices = (row.open, row.high, row.low, row.close)
    return candle_of(
        instrument,
        interval_s,
        row.open_time * NS_PER_MS,
        prices,
        row.volume,
        closed=None,
        received_ns=received_ns,
    )


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the funding of the past in a row."""
    rate, mark = decimal_text(row.funding_rate), price_if_any(row.mark_price)
    return (FundingPaid(instrument, rate, row.funding_time * NS_PER_MS, mark, received_ns),)
