"""From rows of BitMEX's tables to market events; the same rows come by stream and over REST.

Source: bitmex.com/app/wsAPI and the API explorer, read 2026-10. A trade's side is the taker's, a liquidation's that of the
liquidating order. `leavesQty` is what of that order is still to be filled: all of it, when the row is inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Final

import attrs
import msgspec
from msgspec import Raw, json

from perps_actors.errors import VenueError
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
from perps_actors.market.numbers import decimal_text, positive
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bitmex.schema import (
    Action,
    BinRow,
    ContractRow,
    FundingRow,
    InstrumentRow,
    LiquidationRow,
    QuoteRow,
    TradeRow,
)
from perps_actors.venues.contract import Outcome
from perps_actors.venues.toolkit.fields import (
    NS_PER_S,
    Moment,
    amount,
    completed,
    nanoseconds,
    price_if_any,
    rate_if_any,
    spelled_if_any,
    text_of,
    uncrossed,
)
from perps_actors.venues.toolkit.rest import interval_of

# merged docstring:
# """One contract's row of BitMEX's `instrument` table, and what each message of it says of the market.
#
# Source: bitmex.com/app/wsAPI, read 2026-10: an update carries the changed fields only, and whatever comes before the partial is
# dropped. `indicativeSettlePrice` is the index price; `fundingRate` is paid at `fundingTimestamp`, `indicativeFundingRate` after it.
# """
# merged docstring:
# """BitMEX's list of instruments (`GET /api/v1/instrument/active`).
#
# Source: bitmex.com API explorer and app/wsAPI, read 2026-10. `typ` FFWCSX and FFWCSF are perpetuals, FFCCSX futures with an expiry;
# spot, options and indices are left out. A contract's size in the underlying is `multiplier` over `quoteToSettleMultiplier`; of a
# quanto contract that holds at the present rate between quote and settlement currency only. Inverse contracts are sized in quote
# currency: `multiplier` over `underlyingToSettleMultiplier`.
# """

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


_MOMENT: Final = json.Decoder(Moment | None)


@attrs.frozen
class _Said:
    """What one row says, apart from all before; None where it says nothing."""

    mark: VenueMark | None
    touch: Touch | None
    funding: Funding | None
    open_interest: OpenInterest | None


class Contract:
    """What the table says of one contract."""

    def __init__(self, instrument: InstrumentId) -> None:
        self._instrument = instrument
        self._begun = False
        self._mark: VenueMark | None = None
        self._touch: Touch | None = None
        self._funding: Funding | None = None

    def take(self, action: Action, row: InstrumentRow, received_ns: int) -> Sequence[Outcome]:
        """Return mark, touch, funding and open interest, each only if the row carries one of its fields.

        Raises:
            MarketError: a field that is no number of its kind; nothing of the row is taken.
            VenueError: a time out of range; nothing of the row is taken.
            ValidationError: a funding time that is none; nothing of the row is taken.
        """
        if action == "partial":
            self._mark = self._touch = self._funding = None
        elif action == "delete" or not self._begun:
            self._begun = False
            return ()
        said, left_alone = _said(self._instrument, row, received_ns), _left_alone(row)
        self._begun = True
        outcomes: list[Outcome] = []
        if said.mark is not None:
            self._mark = completed(said.mark, self._mark, left_alone & {"mark", "index"})
            outcomes.append(self._mark)
        if said.touch is not None:
            self._touch = completed(said.touch, self._touch, left_alone & {"bid", "ask", "last"})
            outcomes.append(uncrossed(self._touch))
        if said.funding is not None:
            self._funding = completed(
                said.funding, self._funding, left_alone & {"rate", "predicted", "next_time_ns"}
            )
            outcomes.append(self._funding)
        if said.open_interest is not None:
            outcomes.append(said.open_interest)
        return outcomes

    def closed(self) -> None:
        """Drop what comes until the next partial: the connection ended."""
        self._begun = False


def _left_alone(row: InstrumentRow) -> frozenset[str]:
    """Names of the events' fields that the row does not carry; null is carried."""
    fields: dict[str, Raw] = {
        "mark": row.mark_price,
        "index": row.indicative_settle_price,
        "rate": row.funding_rate,
        "predicted": row.indicative_funding_rate,
        "next_time_ns": row.funding_timestamp,
        "bid": row.bid_price,
        "ask": row.ask_price,
        "last": row.last_price,
    }
    return frozenset(name for name, raw in fields.items() if not bytes(raw))


def _said(instrument: InstrumentId, row: InstrumentRow, received_ns: int) -> _Said:
    time_ns = nanoseconds(row.timestamp) if row.timestamp is not None else None
    mark, index = (
        price_if_any(text_of(row.mark_price)),
        price_if_any(text_of(row.indicative_settle_price)),
    )
    bid, ask, last = (
        price_if_any(text_of(raw)) for raw in (row.bid_price, row.ask_price, row.last_price)
    )
    rate, predicted = (
        rate_if_any(text_of(row.funding_rate)),
        rate_if_any(text_of(row.indicative_funding_rate)),
    )
    paid = _MOMENT.decode(row.funding_timestamp) if bytes(row.funding_timestamp) else None
    next_ns = nanoseconds(paid) if paid is not None else None
    held = text_of(row.open_interest)
    return _Said(
        VenueMark(instrument, mark, index, time_ns, received_ns) if mark or index else None,
        Touch(instrument, bid, None, ask, None, last, time_ns, received_ns)
        if bid or ask or last
        else None,
        Funding(instrument, rate, predicted, next_ns, None, time_ns, received_ns)
        if rate or predicted or next_ns
        else None,
        OpenInterest(instrument, amount(held), time_ns, received_ns) if held is not None else None,
    )


_PERPETUAL: Final = frozenset({"FFWCSX", "FFWCSF"})
_DATED: Final = "FFCCSX"
_COMMON_NAMES: Final = {"XBT": "BTC", "XBt": "BTC", "USDt": "USDT", "Gwei": "ETH"}
"""Currencies that the venue calls by other names than others do, or by a fraction of theirs."""
_ROW: Final = msgspec.json.Decoder(ContractRow)
_DIVISION: Final = Context(prec=20)


def instrument_of(venue: str, raw: msgspec.Raw) -> Instrument | None:
    """Return the perpetual or future of `venue` in a row; None for what is neither.

    Raises:
        MarketError, msgspec.MsgspecError, ArithmeticError: the row cannot be read.
    """
    row = _ROW.decode(raw)
    tick, lot, multiplier = (
        positive(text_of(row.tick_size)),
        positive(text_of(row.lot_size)),
        decimal_text(text_of(row.multiplier)),
    )
    to_settle = decimal_text(
        text_of(
            row.underlying_to_settle_multiplier
            if row.is_inverse
            else row.quote_to_settle_multiplier
        )
    )
    perpetual = row.typ in _PERPETUAL
    if not perpetual and (row.typ != _DATED or row.expiry is None):
        return None
    base, quote = (_COMMON_NAMES.get(name, name) for name in (row.underlying, row.quote_currency))
    # The day of expiry in UTC, as dated contracts are named everywhere.
    term = "PERP" if perpetual or row.expiry is None else f"{row.expiry:%y%m%d}"
    return Instrument(
        id=InstrumentId(venue, row.symbol),
        canonical=f"{base}-{quote}-{term}",
        base=base,
        quote=quote,
        margin=_COMMON_NAMES.get(row.settl_currency, row.settl_currency.upper()),
        tick=Decimal(tick),
        lot=Decimal(lot),
        contract_size=_DIVISION.divide(Decimal(multiplier), Decimal(to_settle)),
        linear=not row.is_inverse,
        perpetual=perpetual,
        trading=row.state == "Open",
    )
