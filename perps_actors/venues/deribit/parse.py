"""From Deribit's records to market events; what stream and HTTP answers have in common is read in one way.

Source: docs.deribit.com (ticker, trades, get_book_summary_by_currency), read 2026-10. A best price of 0 or null says that the side is
empty. `current_funding` is the rate an eight hours that is paid continuously: there is no next time, and no prediction. Amounts of
inverse contracts are in USD, of all others in the base asset. No channel is of liquidations; a trade says whether it is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Raw

from perps_actors.market.book import Level, levels_of
from perps_actors.market.candle import candle_of
from perps_actors.market.events import (
    Funding,
    FundingPaid,
    Liquidation,
    MarketEvent,
    OpenInterest,
    TakerSide,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, positive, spelled
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.deribit.schema import (
    Candle,
    CandleRow,
    ChangedLevel,
    PaidRow,
    Summary,
    Ticker,
    TradeRow,
)
from perps_actors.venues.toolkit.fields import (
    EMPTY,
    NS_PER_MS,
    Quote,
    amount,
    amount_of,
    numbers_of,
    positive_of,
    touch_of,
)
from perps_actors.venues.toolkit.rest import interval_of

_OPPOSITE: Final[dict[TakerSide, TakerSide]] = {"buy": "sell", "sell": "buy"}


def changed_levels(rows: Sequence[ChangedLevel]) -> list[Level]:
    """Return price and size of changed levels, size zero for a deleted one; unchecked."""
    levels = levels_of(rows)
    for at, row in enumerate(rows):
        if row.action == "delete":
            levels[at] = Level(levels[at].price, EMPTY)
    return levels


def ticker_of(instrument: InstrumentId, row: Ticker, received_ns: int) -> list[MarketEvent]:
    """Return touch, mark, funding and open interest, as far as the row has them.

    Raises:
        MarketError: a number that cannot be one of its kind.
    """
    bid, bid_size, ask, ask_size, last, mark, index, rate, open_interest = numbers_of(
        row.best_bid_price,
        row.best_bid_amount,
        row.best_ask_price,
        row.best_ask_amount,
        row.last_price,
        row.mark_price,
        row.index_price,
        row.current_funding,
        row.open_interest,
    )
    time_ns = row.timestamp * NS_PER_MS
    bid_side, ask_side = (
        _side(row.best_bid_price, bid, bid_size),
        _side(row.best_ask_price, ask, ask_size),
    )
    events: list[MarketEvent] = []
    if bid_side[0] is not None or ask_side[0] is not None:
        events.append(
            touch_of(
                instrument, bid_side, ask_side, last, venue_time_ns=time_ns, received_ns=received_ns
            )
        )
    venue_mark = VenueMark(instrument, _positive(mark), _positive(index), time_ns, received_ns)
    events += _state_of(
        venue_mark, rate, amount(open_interest) if open_interest is not None else None
    )
    return events


def summary_of(instrument: InstrumentId, row: Summary, received_ns: int) -> list[MarketEvent]:
    """Return touch (without sizes), mark, funding and open interest of a row of the bulk answer.

    Raises:
        MarketError: a number that cannot be one of its kind.
    """
    time_ns = row.creation_timestamp * NS_PER_MS
    bid, ask, last, rate = numbers_of(row.bid_price, row.ask_price, row.last, row.current_funding)
    bid_side, ask_side = _side(row.bid_price, bid, None), _side(row.ask_price, ask, None)
    touch = touch_of(
        instrument, bid_side, ask_side, last, venue_time_ns=time_ns, received_ns=received_ns
    )
    venue_mark = VenueMark(instrument, positive_of(row.mark_price), None, time_ns, received_ns)
    return [touch, *_state_of(venue_mark, rate, amount_of(row.open_interest))]


def trade_of(
    instrument: InstrumentId, row: TradeRow, received_ns: int, *, backlog: bool = False
) -> list[MarketEvent]:
    """Return the trade, and the liquidations that it is: of its taker, of its maker on the other side, or of both.

    Raises:
        MarketError: a price or amount that is no number above zero.
    """
    price, amount, time_ns, side = (
        positive(spelled(row.price)),
        positive(spelled(row.amount)),
        row.timestamp * NS_PER_MS,
        row.direction,
    )
    trade = Trade(instrument, side, price, amount, row.trade_id, time_ns, received_ns, backlog)
    liquidated = {"T": (side,), "M": (_OPPOSITE[side],), "MT": (side, _OPPOSITE[side])}.get(
        row.liquidation or "", ()
    )
    return [
        trade,
        *(Liquidation(instrument, of, price, amount, time_ns, received_ns) for of in liquidated),
    ]


def candle_in(
    instrument: InstrumentId, row: Candle, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row, which does not say whether it is over; its volume is in the unit of the instrument's trades.

    Raises:
        MarketError: numbers that are none, or contradict one another.
    """
    prices = (spelled(row.open), spelled(row.high), spelled(row.low), spelled(row.close))
    linear = "_" in instrument.symbol.partition("-")[0]
    volume = spelled(row.volume if linear else row.cost)
    return candle_of(
        instrument,
        interval_s,
        row.tick * NS_PER_MS,
        prices,
        volume,
        closed=None,
        received_ns=received_ns,
    )


def past_candle_of(
    instrument: InstrumentId, row: CandleRow, request: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return a candle of an answer to a request.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: the request names no length of candles that is known.
    """
    return candle_in(instrument, row, interval_of(request), received_ns)


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, _: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the funding of an hour of the past.

    Raises:
        MarketError: a rate that is no number.
    """
    return FundingPaid(
        instrument,
        decimal_text(spelled(row.interest_1h)),
        row.timestamp * NS_PER_MS,
        None,
        received_ns,
    )


def _side(sent: Raw, price: DecimalText | None, size: DecimalText | None) -> Quote:
    if price is not None:
        return price, size
    return (EMPTY, None) if spelled(sent) == "null" else (None, None)


def _positive(number: DecimalText | None) -> DecimalText | None:
    return positive(number) if number is not None else None


def _state_of(
    venue_mark: VenueMark, rate: DecimalText | None, open_interest: DecimalText | None
) -> list[MarketEvent]:
    instrument, time_ns, received_ns = (
        venue_mark.instrument,
        venue_mark.venue_time_ns,
        venue_mark.received_ns,
    )
    events: list[MarketEvent] = (
        [venue_mark] if venue_mark.mark is not None or venue_mark.index is not None else []
    )
    if rate is not None:
        events.append(Funding(instrument, rate, None, None, venue_mark.mark, time_ns, received_ns))
    if open_interest is not None:
        events.append(OpenInterest(instrument, open_interest, time_ns, received_ns))
    return events
