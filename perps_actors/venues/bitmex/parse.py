"""From rows of BitMEX's tables to market events; streams and REST answers have the same rows.

Source: bitmex.com/app/wsAPI and the API explorer, read 2026-10.

- Messages before the partial are to be dropped. An update carries the changed fields only.
- A level is identified by symbol, id and side; its size is absolute. There are no sequence
  numbers: a lost message shows only as a change of a level that is not in the book. Until 2023
  updates and deletes had no price, so the book remembers it by id. An update with another price
  moves the level.
- `indicativeSettlePrice` is the index price. `fundingRate` is paid at `fundingTimestamp`,
  `indicativeFundingRate` one interval later.
- The side of a trade is the taker's, that of a liquidation is the liquidating order's. `leavesQty`
  is the unfilled part of that order: all of it when the row is inserted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import MAX_LEVELS, Level
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
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import DecimalText, decimal_text, positive
from perps_actors.venues.bitmex.schema import (
    Action,
    BinRow,
    BookRow,
    FundingRow,
    InstrumentRow,
    LiquidationRow,
    QuoteRow,
    Side,
    TradeRow,
)
from perps_actors.venues.contract import InvalidInput, Outcome
from perps_actors.venues.toolkit.fields import (
    NS_PER_S,
    JsonNumber,
    Moment,
    amount,
    completed,
    price_if_any,
    rate_if_any,
    spelled_if_any,
    text_of,
    uncrossed,
)
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_SIDES: Final[dict[str | None, TakerSide]] = {"Buy": "buy", "Sell": "sell"}
_NO_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""BitMEX writes a funding interval as a moment that is so much later than this one."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOMENT: Final = msgspec.json.Decoder(Moment | None).decode
_ZERO: Final = DecimalText("0")


def nanoseconds(moment: datetime) -> int:
    """Return a moment as nanoseconds since 1970.

    Raises:
        VenueError: before 1970, or beyond 64 bits (the year 2262).
    """
    time_ns = (moment - _EPOCH) // _MICROSECOND * 1_000
    if 0 <= time_ns < 2**63:
        return time_ns
    msg = f"Expected a moment between 1970 and 2262, was {moment}"
    raise VenueError(msg)


def quote_of(instrument: InstrumentId, row: QuoteRow, received_ns: int) -> Outcome:
    """Return the touch; a null price means an empty side."""
    numbers = (row.bid_price, row.bid_size, row.ask_price, row.ask_size)
    bid, bid_size, ask, ask_size = (price_if_any(spelled_if_any(number)) for number in numbers)
    time_ns = nanoseconds(row.timestamp)
    return uncrossed(Touch(instrument, bid, bid_size, ask, ask_size, None, time_ns, received_ns))


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int, *, backlog: bool) -> Trade:
    """Return the trade; `backlog` if it was made before the subscription."""
    side, time_ns = _side(row.side), nanoseconds(row.timestamp)
    price, size = positive(text_of(row.price)), positive(text_of(row.size))
    return Trade(instrument, side, price, size, (row.id or "")[:60], time_ns, received_ns, backlog)


def liquidation_of(instrument: InstrumentId, row: LiquidationRow, received_ns: int) -> Liquidation:
    """Return the liquidation; BitMEX publishes no time of it."""
    price, size = positive(text_of(row.price)), positive(text_of(row.amount))
    return Liquidation(instrument, _side(row.side), price, size, None, received_ns)


def _side(side: str | None) -> TakerSide:
    taker = _SIDES.get(side)
    if taker is None:
        msg = f"Expected side Buy or Sell, was {side!r}"
        raise VenueError(msg)
    return taker


def funding_of(instrument: InstrumentId, row: FundingRow, received_ns: int) -> Funding:
    """Return the funding that was just paid; the next payment is one interval later."""
    rate, time_ns = decimal_text(text_of(row.funding_rate)), nanoseconds(row.timestamp)
    next_ns = nanoseconds(row.timestamp + (row.funding_interval - _NO_TIME))
    return Funding(instrument, rate, None, next_ns, None, time_ns, received_ns)


def funding_paid_of(instrument: InstrumentId, row: FundingRow, received_ns: int) -> FundingPaid:
    """Return the past funding in a row."""
    rate, time_ns = decimal_text(text_of(row.funding_rate)), nanoseconds(row.timestamp)
    return FundingPaid(instrument, rate, time_ns, None, received_ns)


def candle_in(
    instrument: InstrumentId, row: BinRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row, which is over: BitMEX publishes no candle before its end."""
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


_FIELDS: Final[dict[type, dict[str, str]]] = {
    VenueMark: {"mark": "mark_price", "index": "indicative_settle_price"},
    Touch: {"bid": "bid_price", "ask": "ask_price", "last": "last_price"},
    Funding: {
        "rate": "funding_rate",
        "predicted": "indicative_funding_rate",
        "next_time_ns": "funding_timestamp",
    },
    OpenInterest: {},
}
"""The field of the row that gives each field of an event. A null is carried, an absent one not."""


def row_events(instrument: InstrumentId, row: InstrumentRow, received_ns: int) -> list[MarketEvent]:
    """Return mark, touch, funding and open interest, each only if the row carries part of it."""
    time_ns = nanoseconds(row.timestamp) if row.timestamp is not None else None
    prices = (row.mark_price, row.indicative_settle_price, row.bid_price, row.ask_price)
    mark, index, bid, ask = (price_if_any(text_of(price)) for price in prices)
    last = price_if_any(text_of(row.last_price))
    rate = rate_if_any(text_of(row.funding_rate))
    predicted = rate_if_any(text_of(row.indicative_funding_rate))
    paid = _MOMENT(row.funding_timestamp) if bytes(row.funding_timestamp) else None
    next_ns = nanoseconds(paid) if paid is not None else None
    contracts = text_of(row.open_interest)
    events: list[MarketEvent] = []
    if mark or index:
        events.append(VenueMark(instrument, mark, index, time_ns, received_ns))
    if bid or ask or last:
        events.append(Touch(instrument, bid, None, ask, None, last, time_ns, received_ns))
    if rate or predicted or next_ns:
        events.append(Funding(instrument, rate, predicted, next_ns, None, time_ns, received_ns))
    if contracts is not None:
        events.append(OpenInterest(instrument, amount(contracts), time_ns, received_ns))
    return events


_Level = BookRow | Level


class KeyedBook(ResubscribingBook):
    """A book whose levels are identified by side and id.

    Args:
        instrument: the symbol.
        resubscribe: makes the frames that unsubscribe its book and subscribe it again.
    """

    def __init__(
        self, instrument: InstrumentId, resubscribe: Callable[[str], Sequence[str]]
    ) -> None:
        super().__init__(instrument, resubscribe)
        self._levels: dict[Side, dict[int, _Level]] = {"Buy": {}, "Sell": {}}

    def read(
        self, action: Action, rows: Sequence[BookRow], connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Apply the rows of one message. Withdraw the book if they do not fit its levels."""
        begins = action == "partial"
        # The venue says to drop everything before the partial.
        if not begins and not self.synced:
            return self.invalidate("no partial came", received_ns)
        self.connection = connection
        try:
            bids, asks = self._begun(rows) if begins else self._changed(action, rows)
            moment = rows[-1].timestamp if rows else None
            take = self.snapshot if begins else self.update
            return take(
                bids,
                asks,
                connection,
                sequence=None,
                venue_time_ns=nanoseconds(moment) if moment is not None else None,
                received_ns=received_ns,
            )
        except (MarketError, VenueError) as error:
            invalid = InvalidInput(str(error), self.instrument.symbol)
            return invalid, *self.invalidate(str(error), received_ns)

    def _begun(self, rows: Sequence[BookRow]) -> tuple[Sequence[_Level], Sequence[_Level]]:
        bids: dict[int, _Level] = {row.id: row for row in rows if row.side == "Buy"}
        asks: dict[int, _Level] = {row.id: row for row in rows if row.side == "Sell"}
        _check_count(len(bids) + len(asks))
        self._levels = {"Buy": bids, "Sell": asks}
        return [*bids.values()], [*asks.values()]

    def _changed(
        self, action: Action, rows: Sequence[BookRow]
    ) -> tuple[Sequence[_Level], Sequence[_Level]]:
        change = self._deleted if action == "delete" else self._set
        if len(rows) == 1:  # most messages; the general way below costs two lists more
            levels = change(action, rows[0])
            return (levels, ()) if rows[0].side == "Buy" else ((), levels)
        sides: dict[Side, list[_Level]] = {"Buy": [], "Sell": []}
        for row in rows:
            sides[row.side] += change(action, row)
        return sides["Buy"], sides["Sell"]

    def _deleted(self, action: Action, row: BookRow) -> Sequence[_Level]:
        before = self._levels[row.side].pop(row.id, None)
        # Without sequence numbers, only an unknown id shows that a message was lost.
        if before is None:
            raise _unknown(action, row)
        return (_empty(before),)

    def _set(self, action: Action, row: BookRow) -> Sequence[_Level]:
        levels = self._levels[row.side]
        before = levels.get(row.id)
        if before is None:
            if action == "update":
                raise _unknown(action, row)
            _check_count(len(levels))
        if row.size is None or (row.price is None and before is None):
            msg = f"Expected price and size of level {row.id}, was {row.price} and {row.size}"
            raise VenueError(msg)
        if before is None:
            levels[row.id] = row
            return (row,)
        # Until 2023 an update had no price: the level keeps the price of its id.
        level = levels[row.id] = (
            row if row.price is not None else Level(_text(before.price), _text(row.size))
        )
        return (level,) if _text(before.price) == _text(level.price) else (_empty(before), level)


def _text(number: JsonNumber) -> DecimalText:
    return DecimalText(str(number))


def _empty(level: _Level) -> Level:
    return Level(_text(level.price), _ZERO)


def _check_count(levels: int) -> None:
    if levels > 2 * MAX_LEVELS:
        msg = f"Expected at most {2 * MAX_LEVELS} levels, was {levels}"
        raise VenueError(msg)


def _unknown(action: Action, row: BookRow) -> VenueError:
    return VenueError(
        f"{action} of level {row.id} ({row.side}), which is not in the book: a message was lost"
    )


class SymbolState:
    """The book and the `instrument` row of one symbol.

    Args:
        instrument: the symbol.
        resubscribe: makes the frames that unsubscribe its book and subscribe it again.
    """

    def __init__(
        self, instrument: InstrumentId, resubscribe: Callable[[str], Sequence[str]]
    ) -> None:
        self.instrument = instrument
        self.book = KeyedBook(instrument, resubscribe)
        self._latest: dict[type, Any] = {}
        """The latest event of each kind that `instrument` gave, completed with earlier fields."""
        self._row_connection: str | None = None
        """The connection that sent `instrument` last; None before the partial."""
        self.invalidate = self.book.invalidate
        self.depth = self.book.depth

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book and forget the row if this connection, which ended, fed them."""
        if self._row_connection == connection:
            self._row_connection = None
        return self.book.closed(connection, received_ns)

    def read_row(
        self, row: InstrumentRow, action: Action, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the events of a row of `instrument`, completed with the fields that it lacks.

        Raises:
            MarketError, VenueError, msgspec.ValidationError: a field is not a number or time of
                its kind; nothing of the row is taken.
        """
        if action == "partial":
            self._latest = {}
        elif action == "delete" or self._row_connection is None:
            self._row_connection = None
            return ()
        events = row_events(self.instrument, row, received_ns)
        self._row_connection = connection
        return [self._completed(event, row) for event in events]

    def _completed(self, event: Any, row: InstrumentRow) -> Outcome:
        kind = type(event)
        absent = [name for name, field in _FIELDS[kind].items() if not bytes(getattr(row, field))]
        whole = self._latest[kind] = completed(event, self._latest.get(kind), absent)
        return uncrossed(whole) if isinstance(whole, Touch) else whole
