"""From Deribit's records to market events; what stream and HTTP answers have in common is read in one way.

Source: docs.deribit.com (ticker, trades, get_book_summary_by_currency), read 2026-10. A best price of 0 or null says that the side is
empty. `current_funding` is the rate an eight hours that is paid continuously: there is no next time, and no prediction. Amounts of
inverse contracts are in USD, of all others in the base asset. No channel is of liquidations; a trade says whether it is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from msgspec import Raw

from perps_actors.market.book import Level
from perps_actors.market.candle import candle_of
from perps_actors.market.events import Funding, FundingPaid, Liquidation, MarketEvent, OpenInterest, TakerSide, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, nearest_float, positive, positives_in
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.deribit.messages import Action, Candle, CandleRow, PaidRow, Summary, Ticker, TradeRow
from perps_actors.venues.fields import NS_PER_MS
from perps_actors.venues.histories import interval_of
from perps_actors.venues.spelling import amount_of, number_of, positive_of, spelled, spelled_if_any
from perps_actors.venues.touches import EMPTY, Quote, touch_of

_OPPOSITE: Final[dict[TakerSide, TakerSide]] = {"buy": "sell", "sell": "buy"}


def changed_levels(rows: Iterable[tuple[Action, Raw, Raw]]) -> list[Level]:
    """Return price and size of changed levels, size zero for a deleted one; unchecked."""
    levels = [(str(price, "latin-1"), EMPTY if action == "delete" else str(amount, "latin-1")) for action, price, amount in rows]
    return cast("list[Level]", levels)


def plain_levels(rows: Iterable[tuple[Raw, Raw]]) -> list[Level]:
    """Return price and size of levels; unchecked."""
    return [(spelled(price), spelled(amount)) for price, amount in rows]


def ticker_of(instrument: InstrumentId, row: Ticker, received_ns: int) -> list[MarketEvent]:
    """Return touch, mark, funding and open interest, as far as the row has them.

    Raises:
        MarketError: a number that cannot be one of its kind.
    """
    time_ns = row.timestamp * NS_PER_MS
    rate = number_of(row.current_funding)
    best = row.best_bid_price, row.best_bid_amount, row.best_ask_price, row.best_ask_amount
    # What is no plain number has quotes, brackets or nothing, so there are as many numbers as fields.
    numbers = positives_in(str(b" ".join((*best, row.last_price, row.mark_price, row.index_price, row.open_interest)), "latin-1"))
    if numbers is not None and nearest_float(numbers[0]) < nearest_float(numbers[2]):
        bid_price, bid_size, ask_price, ask_size, last, mark, index, open_interest = numbers
        plain: list[MarketEvent] = [
            Touch(instrument, bid_price, bid_size, ask_price, ask_size, last, time_ns, received_ns),
            VenueMark(instrument, mark, index, time_ns, received_ns),
        ]
        if rate is not None:
            plain.append(Funding(instrument, rate, None, None, mark, time_ns, received_ns))
        plain.append(OpenInterest(instrument, open_interest, time_ns, received_ns))
        return plain
    bid, ask = _best(row.best_bid_price, row.best_bid_amount), _best(row.best_ask_price, row.best_ask_amount)
    events: list[MarketEvent] = []
    if bid[0] is not None or ask[0] is not None:
        events.append(touch_of(instrument, bid, ask, spelled_if_any(row.last_price), venue_time_ns=time_ns, received_ns=received_ns))
    venue_mark = VenueMark(instrument, positive_of(row.mark_price), positive_of(row.index_price), time_ns, received_ns)
    return events + _state_of(venue_mark, rate, amount_of(row.open_interest))


def summary_of(instrument: InstrumentId, row: Summary, received_ns: int) -> list[MarketEvent]:
    """Return touch (without sizes), mark, funding and open interest of a row of the bulk answer.

    Raises:
        MarketError: a number that cannot be one of its kind.
    """
    time_ns = row.creation_timestamp * NS_PER_MS
    bid, ask = _best(row.bid_price, Raw()), _best(row.ask_price, Raw())
    touch = touch_of(instrument, bid, ask, number_of(row.last), venue_time_ns=time_ns, received_ns=received_ns)
    venue_mark = VenueMark(instrument, positive_of(row.mark_price), None, time_ns, received_ns)
    return [touch, *_state_of(venue_mark, number_of(row.current_funding), amount_of(row.open_interest))]


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int, *, backlog: bool = False) -> list[MarketEvent]:
    """Return the trade, and the liquidations that it is: of its taker, of its maker on the other side, or of both.

    Raises:
        MarketError: a price or amount that is no number above zero.
    """
    price, amount, time_ns, side = positive(spelled(row.price)), positive(spelled(row.amount)), row.timestamp * NS_PER_MS, row.direction
    trade = Trade(instrument, side, price, amount, row.trade_id, time_ns, received_ns, backlog)
    liquidated = {"T": (side,), "M": (_OPPOSITE[side],), "MT": (side, _OPPOSITE[side])}.get(row.liquidation or "", ())
    return [trade, *(Liquidation(instrument, of, price, amount, time_ns, received_ns) for of in liquidated)]


def candle_in(instrument: InstrumentId, row: Candle, interval_s: int, received_ns: int) -> MarketEvent:
    """Return the candle in a row, which does not say whether it is over; its volume is in the unit of the instrument's trades.

    Raises:
        MarketError: numbers that are none, or contradict one another.
    """
    prices = (spelled(row.open), spelled(row.high), spelled(row.low), spelled(row.close))
    linear = "_" in instrument.symbol.partition("-")[0]
    volume = spelled(row.volume if linear else row.cost)
    return candle_of(instrument, interval_s, row.tick * NS_PER_MS, prices, volume, closed=None, received_ns=received_ns)


def past_candle_of(instrument: InstrumentId, row: CandleRow, request: HttpRequest, received_ns: int) -> MarketEvent:
    """Return a candle of an answer to a request.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: the request names no length of candles that is known.
    """
    return candle_in(instrument, row, interval_of(request), received_ns)


def funding_paid_of(instrument: InstrumentId, row: PaidRow, _: HttpRequest, received_ns: int) -> MarketEvent:
    """Return the funding of an hour of the past.

    Raises:
        MarketError: a rate that is no number.
    """
    return FundingPaid(instrument, decimal_text(spelled(row.interest_1h)), row.timestamp * NS_PER_MS, None, received_ns)


def _best(price: Raw, amount: Raw) -> Quote:
    text = spelled(price)
    if not text:
        return None, None
    return (EMPTY, None) if text == "null" else (text, amount_of(amount))


def _state_of(venue_mark: VenueMark, rate: DecimalText | None, open_interest: DecimalText | None) -> list[MarketEvent]:
    instrument, time_ns, received_ns = venue_mark.instrument, venue_mark.venue_time_ns, venue_mark.received_ns
    events: list[MarketEvent] = [venue_mark] if venue_mark.mark is not None or venue_mark.index is not None else []
    if rate is not None:
        events.append(Funding(instrument, rate, None, None, venue_mark.mark, time_ns, received_ns))
    if open_interest is not None:
        events.append(OpenInterest(instrument, open_interest, time_ns, received_ns))
    return events
