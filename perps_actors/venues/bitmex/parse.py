"""From rows of BitMEX's tables to market events; the same rows come by stream and over REST.

Source: bitmex.com/app/wsAPI and the API explorer, read 2026-10. A trade's side is the taker's, a liquidation's that of the
liquidating order. `leavesQty` is what of that order is still to be filled: all of it, when the row is inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from perps_actors.errors import VenueError
from perps_actors.market.candle import candle_of
from perps_actors.market.events import (
    Funding,
    FundingPaid,
    Liquidation,
    MarketEvent,
    TakerSide,
    Touch,
    Trade,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bitmex.schema import BinRow, FundingRow, LiquidationRow, QuoteRow, TradeRow
from perps_actors.venues.contract import Outcome
from perps_actors.venues.toolkit.fields import (
    NS_PER_S,
    nanoseconds,
    price_if_any,
    spelled_if_any,
    text_of,
    uncrossed,
)
from perps_actors.venues.toolkit.rest import interval_of

_SIDES: Final[dict[str | None, TakerSide]] = {"Buy": "buy", "Sell": "sell"}
_NO_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


def quote_of(instrument: InstrumentId, row: QuoteRow, received_ns: int) -> Sequence[Outcome]:
    """Return the touch; null stands for a side that is empty.

    Raises:
        MarketError: a price or size that is no number above zero.
        VenueError: a time out of range.
    """
    bid, bid_size = (
        price_if_any(spelled_if_any(row.bid_price)),
        price_if_any(spelled_if_any(row.bid_size)),
    )
    ask, ask_size = (
        price_if_any(spelled_if_any(row.ask_price)),
        price_if_any(spelled_if_any(row.ask_size)),
    )
    return (
        uncrossed(
            Touch(
                instrument,
                bid,
                bid_size,
                ask,
                ask_size,
                None,
                nanoseconds(row.timestamp),
                received_ns,
            )
        ),
    )


def trade_of(
    instrument: InstrumentId, row: TradeRow, received_ns: int, *, backlog: bool
) -> Sequence[Outcome]:
    """Return the trade; `backlog`: it is history.

    Raises:
        MarketError: a price or size that is no number above zero.
        VenueError: a side that is none, or a time out of range.
    """
    side = _SIDES.get(row.side)
    if side is None:
        msg = f"Expected a trade with a side, was {row.side!r}"
        raise VenueError(msg)
    price, amount, time_ns = (
        positive(text_of(row.price)),
        positive(text_of(row.size)),
        nanoseconds(row.timestamp),
    )
    return (
        Trade(instrument, side, price, amount, (row.id or "")[:60], time_ns, received_ns, backlog),
    )


def liquidation_of(
    instrument: InstrumentId, row: LiquidationRow, received_ns: int
) -> Sequence[Outcome]:
    """Return the liquidation; the venue tells no time of it.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    price, amount = positive(text_of(row.price)), positive(text_of(row.amount))
    return (Liquidation(instrument, _SIDES[row.side], price, amount, None, received_ns),)


def funding_of(instrument: InstrumentId, row: FundingRow, received_ns: int) -> Sequence[Outcome]:
    """Return the funding that was paid; it is next paid one interval later.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time out of range.
    """
    next_ns = nanoseconds(row.timestamp + (row.funding_interval - _NO_TIME))
    return (
        Funding(
            instrument,
            decimal_text(text_of(row.funding_rate)),
            None,
            next_ns,
            None,
            nanoseconds(row.timestamp),
            received_ns,
        ),
    )


def funding_paid_of(
    instrument: InstrumentId, row: FundingRow, received_ns: int
) -> Sequence[Outcome]:
    """Return the funding of the past in a row.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time out of range.
    """
    return (
        FundingPaid(
            instrument,
            decimal_text(text_of(row.funding_rate)),
            nanoseconds(row.timestamp),
            None,
            received_ns,
        ),
    )


def candle_in(
    instrument: InstrumentId, row: BinRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row: the venue tells of those only that are over, and opens each at the close of the one before.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: a time out of range.
    """
    end_ns = nanoseconds(row.timestamp)
    prices = (text_of(row.open), text_of(row.high), text_of(row.low), text_of(row.close))
    return candle_of(
        instrument,
        interval_s,
        end_ns - interval_s * NS_PER_S,
        prices,
        text_of(row.volume),
        closed=True,
        venue_time_ns=end_ns,
        received_ns=received_ns,
    )


def past_candle_of(
    instrument: InstrumentId, row: BinRow, request: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of an answer to a request.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: a time out of range, or the request names no length of candles that is known.
    """
    return candle_in(instrument, row, interval_of(request), received_ns)
