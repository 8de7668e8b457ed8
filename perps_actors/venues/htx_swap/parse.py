"""From HTX's records to market events; what stream and REST answers have in common is read in one way.

Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11. Which time is the venue's: the outer `ts`
of a message (not `tick.ts`, when the book was looked at), the row's own for trades, and for rows of bulk answers that have one.
Amounts count contracts, and trades and open interest count both sides of each. The funding rate is the one of the next settlement.
A liquidation says the side of the order that closes the position.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Raw

from perps_actors.errors import VenueError
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
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.htx_swap.schema import (
    LINEAR,
    NAME,
    Best,
    CandleRow,
    ContractRow,
    FundingRow,
    IndexRow,
    Kline,
    LiquidationRow,
    OpenInterestRow,
    PaidRow,
    QuoteRow,
    Time,
    TradeRow,
    family_of,
)
from perps_actors.venues.toolkit.fields import (
    NS_PER_MS,
    NS_PER_S,
    Quote,
    amount,
    ns_if_any,
    ns_of,
    rate_if_any,
    text_of,
    touch_of,
)
from perps_actors.venues.toolkit.rest import interval_of

# merged docstring:
# """HTX's lists of swaps (`GET /linear-swap-api/v1/swap_contract_info`, `GET /swap-api/v1/swap_contract_info`).
#
# Source: huobiapi.github.io/docs/usdt_swap/v1/en and .../coin_margined_swap/v1/en, read 2026-11. Orders and books count whole contracts:
# of so many units of the base asset (linear), or of so many US dollars (coin-margined). `contract_status` of 1 is open for trade.
# """

_NO_PREDICTION: Final = "null"
"""A rate that the documentation's own example spells as this string."""


def time_of(time: Time) -> int | None:
    """Return the time of a message in nanoseconds.

    Raises:
        VenueError: a string that is no time.
    """
    return time * NS_PER_MS if isinstance(time, int) else ns_if_any(time)


def best_of(
    instrument: InstrumentId, best: Best, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the touch; a side without orders is not sent.

    Raises:
        MarketError: not numbers above zero, or crossed or locked.
        VenueError: a side that is no price and size.
    """
    bid, ask = _quote(best.bid), _quote(best.ask)
    if bid[0] is None and ask[0] is None:
        return ()
    return (touch_of(instrument, bid, ask, None, venue_time_ns=time_ns, received_ns=received_ns),)


def listed_best_of(
    instrument: InstrumentId, row: QuoteRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the touch in a row of the bulk answer, at its own time where it has one.

    Raises:
        MarketError: not numbers above zero, or crossed or locked.
        VenueError: a side that is no price and size.
    """
    return best_of(instrument, row, time_of(row.time) or time_ns, received_ns)


def _quote(side: list[Raw] | None) -> Quote:
    if not side:
        return None, None
    if len(side) != 2:
        msg = f"Expected a price and a size, was {len(side)} numbers"
        raise VenueError(msg)
    return text_of(side[0]), text_of(side[1])


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> MarketEvent:
    """Return the trade in a row, at its own time.

    Raises:
        MarketError: a price or amount that is no number above zero.
    """
    price, contracts = positive(text_of(row.price)), positive(text_of(row.amount))
    return Trade(
        instrument, row.side, price, contracts, str(row.trade_id), row.time * NS_PER_MS, received_ns
    )


def mark_of(
    instrument: InstrumentId, kline: Kline, time_ns: int | None, received_ns: int
) -> VenueMark:
    """Return the venue's mark.

    Raises:
        MarketError: no number above zero.
    """
    return VenueMark(instrument, positive(text_of(kline.close)), None, time_ns, received_ns)


def index_of(
    instrument: InstrumentId, kline: Kline, time_ns: int | None, received_ns: int
) -> VenueMark:
    """Return the index price.

    Raises:
        MarketError: no number above zero.
    """
    return VenueMark(instrument, None, positive(text_of(kline.close)), time_ns, received_ns)


def listed_index_of(
    instrument: InstrumentId, row: IndexRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the index price in a row of the bulk answer, at its own time where it has one.

    Raises:
        MarketError: no number above zero.
    """
    time_ns = time_of(row.time) or time_ns
    return (VenueMark(instrument, None, positive(text_of(row.price)), time_ns, received_ns),)


def funding_of(
    instrument: InstrumentId, row: FundingRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the funding; a dated contract has none.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a settlement time that is none.
    """
    rate, predicted = rate_if_any(text_of(row.rate)), text_of(row.predicted)
    if rate is None:
        return ()
    predicted = None if predicted == _NO_PREDICTION else rate_if_any(predicted)
    next_ns = ns_if_any(text_of(row.settlement_time) or text_of(row.funding_time))
    return (Funding(instrument, rate, predicted, next_ns, None, time_ns, received_ns),)


def liquidation_of(
    instrument: InstrumentId, row: LiquidationRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the liquidation in a row.

    Raises:
        MarketError: a price or volume that is no number above zero.
    """
    price, contracts = positive(text_of(row.price)), positive(text_of(row.volume))
    return (Liquidation(instrument, row.side, price, contracts, time_ns, received_ns),)


def open_interest_of(
    instrument: InstrumentId, row: OpenInterestRow, time_ns: int | None, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the open interest in contracts.

    Raises:
        MarketError: no number of zero or more.
    """
    return (OpenInterest(instrument, amount(text_of(row.volume) or ""), time_ns, received_ns),)


def candle_in(
    instrument: InstrumentId, row: CandleRow, interval_s: int, time_ns: int | None, received_ns: int
) -> MarketEvent:
    """Return the candle in a row, which does not say whether it is over; its volume counts both sides, as trades do.

    Raises:
        MarketError: numbers that are none, or contradict one another.
    """
    prices = (text_of(row.open), text_of(row.high), text_of(row.low), text_of(row.close))
    return candle_of(
        instrument,
        interval_s,
        row.id * NS_PER_S,
        prices,
        text_of(row.vol),
        closed=None,
        venue_time_ns=time_ns,
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
    return candle_in(instrument, row, interval_of(request), None, received_ns)


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the funding of the past in a row: what was settled, else what was forecast.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time that is none.
    """
    return (
        FundingPaid(
            instrument,
            decimal_text(text_of(row.realized) or text_of(row.rate)),
            ns_of(row.time),
            None,
            received_ns,
        ),
    )


_ROW = msgspec.json.Decoder(ContractRow)
_LISTED = 1


def instrument_of(raw: msgspec.Raw) -> Instrument:
    """Return the instrument in a row.

    Raises:
        MarketError, msgspec.MsgspecError, ValueError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, size = positive(text_of(row.price_tick)), positive(text_of(row.contract_size))
    # BTC-USDT, or BTC-USDT-211231 with the day of delivery.
    base, quote, *delivery = row.symbol.split("-")
    linear = family_of(row.symbol) is LINEAR
    return Instrument(
        id=InstrumentId(NAME, row.symbol),
        canonical="-".join((base, quote, *(delivery or ("PERP",)))),
        base=base,
        quote=quote,
        margin=(row.margin or quote) if linear else base,
        tick=Decimal(tick),
        lot=Decimal(1),
        contract_size=Decimal(size),
        linear=linear,
        perpetual=not delivery,
        trading=row.status == _LISTED,
    )
