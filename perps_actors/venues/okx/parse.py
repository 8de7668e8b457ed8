"""From OKX's records to market events; streams and REST answers have the same rows. The venue's time is `ts` of each row."""

from __future__ import annotations

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
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Outcome
from perps_actors.venues.okx.schema import (
    CandleRow,
    FundingRow,
    IndexRow,
    LiquidationRow,
    MarkRow,
    OpenInterestRow,
    PaidRow,
    TickerRow,
    TradeRow,
)
from perps_actors.venues.toolkit.fields import (
    amount,
    ns_if_any,
    ns_of,
    price_if_any,
    rate_if_any,
    uncrossed,
)
from perps_actors.venues.toolkit.rest import interval_of


def touch_of(instrument: InstrumentId, row: TickerRow, received_ns: int) -> list[Outcome]:
    """Return the touch in a ticker; a side that is empty is None, a crossed touch a complaint.

    Raises:
        MarketError: a price or size that is no number above zero.
        VenueError: a time that is none.
    """
    bid, bid_size, ask, ask_size, last = map(
        price_if_any, (row.bid, row.bid_size, row.ask, row.ask_size, row.last)
    )
    return [
        uncrossed(
            Touch(instrument, bid, bid_size, ask, ask_size, last, ns_if_any(row.time), received_ns)
        )
    ]


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> list[Outcome]:
    """Return the trade in a row.

    Raises:
        MarketError: a price or size that is no number above zero.
        VenueError: a time that is none.
    """
    return [
        Trade(
            instrument,
            row.side,
            positive(row.price),
            positive(row.amount),
            row.trade_id,
            ns_if_any(row.time),
            received_ns,
        )
    ]


def mark_of(instrument: InstrumentId, row: MarkRow, received_ns: int) -> VenueMark:
    """Return the venue's mark price.

    Raises:
        MarketError: no number above zero.
        VenueError: a time that is none.
    """
    return VenueMark(instrument, positive(row.mark), None, ns_if_any(row.time), received_ns)


def index_of(instrument: InstrumentId, row: IndexRow, received_ns: int) -> VenueMark:
    """Return the price of an instrument's index.

    Raises:
        MarketError: no number above zero.
        VenueError: a time that is none.
    """
    return VenueMark(instrument, None, positive(row.index), ns_if_any(row.time), received_ns)


def funding_of(instrument: InstrumentId, row: FundingRow, received_ns: int) -> list[Outcome]:
    """Return the funding rate of the next settlement, its time, and the predicted rate of the one after where there is one.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time that is none.
    """
    rate, predicted = rate_if_any(row.rate), rate_if_any(row.predicted)
    return [
        Funding(
            instrument,
            rate,
            predicted,
            ns_if_any(row.next_time),
            None,
            ns_if_any(row.time),
            received_ns,
        )
    ]


def open_interest_of(
    instrument: InstrumentId, row: OpenInterestRow, received_ns: int
) -> list[Outcome]:
    """Return the open interest, in contracts.

    Raises:
        MarketError: no number, or below zero.
        VenueError: a time that is none.
    """
    return [OpenInterest(instrument, amount(row.open_interest), ns_if_any(row.time), received_ns)]


def liquidations_of(
    instrument: InstrumentId, row: LiquidationRow, received_ns: int
) -> list[Outcome]:
    """Return the liquidations in a row.

    Raises:
        MarketError: a price or size that is no number above zero.
        VenueError: a time that is none.
    """
    return [
        Liquidation(
            instrument,
            one.side,
            positive(one.price),
            positive(one.amount),
            ns_if_any(one.time),
            received_ns,
        )
        for one in row.details
    ]


def candle_in(
    instrument: InstrumentId, row: CandleRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row, of a stream or of a REST answer.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: a time that is none.
    """
    prices, over = (row.open, row.high, row.low, row.close), row.confirm == "1"
    return candle_of(
        instrument,
        interval_s,
        ns_of(row.time),
        prices,
        row.volume,
        closed=over,
        received_ns=received_ns,
    )


def past_candle_of(
    instrument: InstrumentId, row: CandleRow, request: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of an answer to a request.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: a time that is none, or the request names no length of candles that is known.
    """
    return candle_in(instrument, row, interval_of(request), received_ns)


def funding_paid_of(instrument: InstrumentId, row: PaidRow, received_ns: int) -> list[Outcome]:
    """Return the funding of the past in a row: what was settled, else what was forecast.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time that is none.
    """
    return [
        FundingPaid(
            instrument, decimal_text(row.realized or row.rate), ns_of(row.time), None, received_ns
        )
    ]
