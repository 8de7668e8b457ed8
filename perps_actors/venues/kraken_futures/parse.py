"""From Kraken Futures' records to market events; what stream and REST answers have in common is read in one way.

Source: docs.kraken.com (futures-websocket/ticker, trade; futures REST tickers), read 2026-10, and captures of 2026. Symbols are told in
upper case, as the stream spells them; REST has had lower and mixed case. `relative_funding_rate` is the rate an hour; `funding_rate`
is money a contract. A best price of 0 says that the side is empty. `time` is the venue's, in REST the time of the answer. A trade of
type `liquidation` is one of its taker. Amounts are contracts: of 1 USD (`PI_`, `FI_`), or base asset (`PF_`, `FF_`).
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

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
from perps_actors.market.numbers import decimal_text, positive, spelled
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.kraken_futures.schema import (
    CandleRow,
    InstrumentRow,
    InstrumentsAnswer,
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
from perps_actors.venues.toolkit.rest import interval_of
from perps_actors.venues.toolkit.symbols import check_symbol

# merged docstring:
# """Kraken Futures' list of instruments (`GET /derivatives/api/v3/instruments`); indices and what has no price steps are left out.
#
# Source: docs.kraken.com (futures REST, get-instruments), read 2026-10. Inverse contracts (`futures_inverse`) are of 1 USD and settled in
# the base asset; flexible ones are settled in the quote currency and counted in base asset, to the power of ten that
# `contractValueTradePrecision` says. A contract without a last trading time is perpetual.
# """


def ticker_of(instrument: InstrumentId, row: Ticker, received_ns: int) -> list[MarketEvent]:
    """Return touch, mark, funding and open interest, as far as the ticker has them.

    Raises:
        MarketError: a number that cannot be one of its kind.
    """
    time_ns = row.time * NS_PER_MS
    events = polled_of(instrument, row, time_ns, received_ns)
    rate, predicted, next_ns = (
        number_of(row.rate),
        number_of(row.predicted),
        row.next_time * NS_PER_MS if row.next_time else None,
    )
    if rate is not None or predicted is not None or next_ns is not None:
        events.append(
            Funding(
                instrument, rate, predicted, next_ns, positive_of(row.mark), time_ns, received_ns
            )
        )
    return events


def polled_of(
    instrument: InstrumentId, row: Ticker | TickerRow, time_ns: int | None, received_ns: int
) -> list[MarketEvent]:
    """Return touch, mark and open interest, which is all that a row of the bulk answer has.

    Raises:
        MarketError: a number that cannot be one of its kind.
    """
    bid, ask = (
        (number_of(row.bid), amount_of(row.bid_size)),
        (number_of(row.ask), amount_of(row.ask_size)),
    )
    mark, index, open_interest = (
        positive_of(row.mark),
        positive_of(row.index),
        amount_of(row.open_interest),
    )
    events: list[MarketEvent] = []
    if bid[0] is not None or ask[0] is not None:
        events.append(
            touch_of(
                instrument,
                bid,
                ask,
                number_of(row.last),
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        )
    if mark is not None or index is not None:
        events.append(VenueMark(instrument, mark, index, time_ns, received_ns))
    if open_interest is not None:
        events.append(OpenInterest(instrument, open_interest, time_ns, received_ns))
    return events


def lite_of(instrument: InstrumentId, row: TickerLite, received_ns: int) -> list[MarketEvent]:
    """Return the touch of a light ticker.

    Raises:
        MarketError: a price that is no number, or crossed or locked.
    """
    bid, ask = number_of(row.bid), number_of(row.ask)
    if bid is None and ask is None:
        return []
    return [
        touch_of(
            instrument, (bid, None), (ask, None), None, venue_time_ns=None, received_ns=received_ns
        )
    ]


def trade_of(instrument: InstrumentId, row: TradeMessage, received_ns: int) -> list[MarketEvent]:
    """Return the trade, and the liquidation that it is.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    trade = _trade(instrument, row, received_ns, backlog=False)
    if row.type != "liquidation":
        return [trade]
    return [
        trade,
        Liquidation(
            instrument, trade.side, trade.price, trade.amount, trade.venue_time_ns, received_ns
        ),
    ]


def backlog_of(instrument: InstrumentId, row: TradeSnapshot, received_ns: int) -> list[MarketEvent]:
    """Return the trades that were before the subscription, in the order of the message.

    Raises:
        MarketError: a price or quantity that is no number above zero.
    """
    return [_trade(instrument, trade, received_ns, backlog=True) for trade in row.trades]


def past_candle_of(
    instrument: InstrumentId, row: CandleRow, request: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return a candle of an answer to a request, which does not say whether it is over.

    Raises:
        MarketError: numbers that are none, or contradict one another.
        VenueError: the request names no length of candles that is known.
    """
    prices, volume = (row.open, row.high, row.low, row.close), text_of(row.volume)
    return candle_of(
        instrument,
        interval_of(request),
        row.time * NS_PER_MS,
        prices,
        volume,
        closed=None,
        received_ns=received_ns,
    )


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, _: HttpRequest, received_ns: int
) -> MarketEvent:
    """Return the funding of an hour of the past.

    Raises:
        MarketError: a rate that is no number.
        VenueError: a time out of range.
    """
    return FundingPaid(
        instrument,
        decimal_text(spelled(row.relative_funding_rate)),
        nanoseconds(row.timestamp),
        None,
        received_ns,
    )


def _trade(instrument: InstrumentId, row: TradeRow, received_ns: int, *, backlog: bool) -> Trade:
    price, amount = positive(spelled(row.price)), positive(spelled(row.qty))
    return Trade(
        instrument, row.side, price, amount, row.uid, row.time * NS_PER_MS, received_ns, backlog
    )


_LIST = msgspec.json.Decoder(InstrumentsAnswer)
_ROW = msgspec.json.Decoder(InstrumentRow)
_NAME = re.compile(r"[A-Z]+_([A-Z0-9]+)(USD|EUR|GBP|XBT)(?:_[0-9]+)?", re.ASCII)
_CURRENCIES = {"XBT": "BTC", "XDG": "DOGE"}


def rows_of_listing(body: bytes) -> list[msgspec.Raw]:
    """Return the rows of a list of instruments; raises msgspec's errors on what is none."""
    return _LIST.decode(body).instruments


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument:
    """Return the instrument of `venue` in a row.

    Raises:
        MarketError, VenueError, msgspec.MsgspecError: the row cannot be read, as that of an index.
    """
    row = _ROW.decode(raw)
    tick, size = (
        Decimal(positive(spelled(number))) for number in (row.tick_size, row.contract_size)
    )
    symbol = check_symbol(row.symbol.upper())
    base, quote = _currencies(symbol, row)
    linear, last = row.type != "futures_inverse", row.last_trading_time
    return Instrument(
        id=InstrumentId(venue, symbol),
        canonical=f"{base}-{quote}-{'PERP' if last is None else f'{last:%y%m%d}'}",
        base=base,
        quote=quote,
        margin=quote if linear else base,
        tick=tick,
        lot=Decimal(1).scaleb(-row.contract_value_trade_precision),
        contract_size=size,
        linear=linear,
        perpetual=last is None,
        trading=row.tradeable,
    )


def _currencies(symbol: str, row: InstrumentRow) -> tuple[str, str]:
    base, quote = row.base, row.quote
    if base is None or quote is None:
        found = _NAME.fullmatch(symbol)
        if found is None:
            msg = f"Expected a symbol such as PI_XBTUSD, was {symbol}"
            raise VenueError(msg)
        base, quote = found.groups()
    return _CURRENCIES.get(base, base), _CURRENCIES.get(quote, quote)
