"""From Gate.io's records to market events; what stream and REST answers have in common is read in one way.

Source: gate.com/docs/developers/futures/ws/en and .../apiv4, read 2026-11. A size's sign is the direction: of a trade's taker, of a
liquidating order. `funding_rate` is the rate that is paid next; `funding_rate_indicative`, deprecated, is the one after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from perps_actors.market.book import Level
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
from perps_actors.market.instrument import Instrument, InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Outcome
from perps_actors.venues.gateio_futures.schema import (
    SECONDS,
    BookTicker,
    CandleRow,
    ContractRow,
    LiquidationRow,
    PaidRow,
    PricedRow,
    TickerRow,
    TradeRow,
)
from perps_actors.venues.toolkit.fields import (
    NS_PER_MS,
    amount,
    price_if_any,
    rate_if_any,
    text_of,
    uncrossed,
)
from perps_actors.venues.toolkit.rest import interval_of

# merged docstring:
# """Gate.io's list of contracts (`GET /futures/usdt/contracts`).
#
# Source: gate.com/docs/developers/apiv4, read 2026-11: `quanto_multiplier` is what one contract is of the base currency,
# `order_price_round` the smallest step of a price, `order_size_min` the smallest order in contracts, which is its step too.
# """

_MILLISECONDS_FROM: Final = 100_000_000_000
"""A moment from here on counts milliseconds: in seconds it would be the year 5138."""


def levels_of(rows: Sequence[PricedRow]) -> list[Level]:
    """Return the levels in rows, as spelled, ahead of their check."""
    return [Level(DecimalText(row.price), text_of(row.size) or DecimalText("")) for row in rows]


def nanoseconds(moment: float) -> int:
    """Return a moment in seconds or milliseconds as nanoseconds, exact to the microsecond."""
    return round(moment * (1_000 if moment >= _MILLISECONDS_FROM else 1_000_000)) * 1_000


def touch_of(instrument: InstrumentId, row: BookTicker, received_ns: int) -> Sequence[Outcome]:
    """Return the touch.

    Raises:
        MarketError: a price or size that is no number above zero.
    """
    sides = _sides(row.bid, text_of(row.bid_size), row.ask, text_of(row.ask_size))
    return (uncrossed(Touch(instrument, *sides, None, row.time * NS_PER_MS, received_ns)),)


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> Sequence[Outcome]:
    """Return the trade; an internal one is none of the market's.

    Raises:
        MarketError: a price that is no number above zero, or a size that is none.
    """
    if row.is_internal:
        return ()
    side, size = _directed(text_of(row.size))
    return (
        Trade(
            instrument,
            side,
            positive(row.price),
            size,
            str(row.id)[:60],
            nanoseconds(row.time_ms),
            received_ns,
        ),
    )


def liquidation_of(
    instrument: InstrumentId, row: LiquidationRow, received_ns: int
) -> Sequence[Outcome]:
    """Return the liquidation.

    Raises:
        MarketError: a price that is no number above zero, or a size that is none.
    """
    moment = row.time_ms if row.time_ms is not None else row.time
    time_ns = nanoseconds(moment) if moment is not None else None
    side, size = _directed(text_of(row.size))
    return (
        Liquidation(instrument, side, positive(text_of(row.price)), size, time_ns, received_ns),
    )


def ticker_of(
    instrument: InstrumentId, row: TickerRow, time_ns: int | None, received_ns: int
) -> list[Outcome]:
    """Return venue mark, funding and open interest of a ticker, each if the ticker has it.

    Raises:
        MarketError: a field that is no number of its kind.
    """
    outcomes = _state_of(instrument, row, None, time_ns, received_ns)
    held = text_of(row.total_size)
    return (
        [*outcomes, OpenInterest(instrument, amount(held), time_ns, received_ns)]
        if held
        else outcomes
    )


def quote_of(instrument: InstrumentId, row: TickerRow, received_ns: int) -> Sequence[Outcome]:
    """Return the touch and the ticker of a REST answer, which has no time.

    Raises:
        MarketError: a field that is no number of its kind.
    """
    sides = _sides(
        row.highest_bid, text_of(row.highest_size), row.lowest_ask, text_of(row.lowest_size)
    )
    touch = Touch(instrument, *sides, price_if_any(row.last), None, received_ns)
    return uncrossed(touch), *ticker_of(instrument, row, None, received_ns)


def contract_of(instrument: InstrumentId, row: ContractRow, received_ns: int) -> Sequence[Outcome]:
    """Return venue mark, funding and open interest of a listed contract; no other message says when funding is next paid.

    Raises:
        MarketError: a field that is no number of its kind.
    """
    next_ns = nanoseconds(row.funding_next_apply) if row.funding_next_apply else None
    outcomes = _state_of(instrument, row, next_ns, None, received_ns)
    held = text_of(row.position_size)
    return (
        [*outcomes, OpenInterest(instrument, amount(held), None, received_ns)] if held else outcomes
    )


def candle_in(
    instrument: InstrumentId, row: CandleRow, time_ns: int | None, received_ns: int
) -> Sequence[Outcome]:
    """Return the candle that a stream tells of; none of a length that is not known.

    Raises:
        MarketError: numbers that are none, or contradict one another.
    """
    interval_s = SECONDS.get(row.name.partition("_")[0])
    return (
        (_candle(instrument, row, interval_s, time_ns, received_ns),)
        if interval_s is not None
        else ()
    )


def past_candle_of(
    instrument: InstrumentId, row: CandleRow, request: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the candle in a row of an answer to a request, which does not say whether it is over.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: the request names no length of candles that is known.
    """
    return _candle(instrument, row, interval_of(request), None, received_ns)


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, _: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the funding of the past in a row.

    Raises:
        MarketError: a rate that is no number.
    """
    return FundingPaid(instrument, decimal_text(row.rate), nanoseconds(row.time), None, received_ns)


def _candle(
    instrument: InstrumentId, row: CandleRow, interval_s: int, time_ns: int | None, received_ns: int
) -> MarketEvent:
    prices, volume = (row.open, row.high, row.low, row.close), text_of(row.volume)
    return candle_of(
        instrument,
        interval_s,
        nanoseconds(row.time),
        prices,
        volume,
        closed=row.closed,
        venue_time_ns=time_ns,
        received_ns=received_ns,
    )


def _state_of(
    instrument: InstrumentId,
    row: TickerRow | ContractRow,
    next_ns: int | None,
    time_ns: int | None,
    received_ns: int,
) -> list[Outcome]:
    mark, index = price_if_any(row.mark_price), price_if_any(row.index_price)
    rate, predicted = rate_if_any(row.funding_rate), rate_if_any(row.funding_rate_indicative)
    outcomes: list[Outcome] = []
    if mark is not None or index is not None:
        outcomes.append(VenueMark(instrument, mark, index, time_ns, received_ns))
    if rate is not None or predicted is not None or next_ns is not None:
        outcomes.append(Funding(instrument, rate, predicted, next_ns, mark, time_ns, received_ns))
    return outcomes


def _sides(
    bid: str | None, bid_size: str | None, ask: str | None, ask_size: str | None
) -> tuple[DecimalText | None, DecimalText | None, DecimalText | None, DecimalText | None]:
    best_bid, best_ask = price_if_any(bid), price_if_any(ask)
    # Of an empty side the size is zero.
    return (
        best_bid,
        price_if_any(bid_size) if best_bid else None,
        best_ask,
        price_if_any(ask_size) if best_ask else None,
    )


def _directed(size: str | None) -> tuple[TakerSide, DecimalText]:
    if size is not None and size.startswith("-"):
        return "sell", positive(decimal_text(size[1:]))
    return "buy", positive(size)


_ROW: Final = msgspec.json.Decoder(ContractRow)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the contract of `venue` in a row.

    Raises:
        MarketError, msgspec.MsgspecError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, lot, size = (
        positive(row.order_price_round),
        positive(text_of(row.order_size_min)),
        positive(row.quanto_multiplier),
    )
    base, _, quote = row.symbol.rpartition("_")
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{base}-{quote}-PERP",
        base=base,
        quote=quote,
        margin="USDT",
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=Decimal(size),
        linear=row.type == "direct",
        perpetual=True,
        trading=row.status == "trading" and not row.in_delisting,
    )
