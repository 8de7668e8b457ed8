"""Deribit's messages as market events, and the state of one symbol that they change.

Source: docs.deribit.com (subscriptions, get_book_summary_by_currency), read 2026-10, and captures
of 2021 to 2026. A book begins with a snapshot. From there every `prev_change_id` equals the
`change_id` before, else the book is subscribed again. A best price of 0 or null means that the side
is empty. `current_funding` is a rate for eight hours that is paid continuously: there is no next
time, and no prediction. Amounts of inverse contracts are in USD, all others in the base asset. No
channel has liquidations; a trade says whether it is one.

All functions raise `MarketError` or `VenueError` on a value that is not of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from perps_actors.venues.contract import Outcome
from perps_actors.venues.deribit.schema import (
    BookChange,
    Candle,
    ChangedLevel,
    GroupedBook,
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
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_OPPOSITE: Final[dict[TakerSide, TakerSide]] = {"buy": "sell", "sell": "buy"}


def changed_levels(rows: Sequence[ChangedLevel]) -> list[Level]:
    """Return changed levels, size zero for a deleted one; unchecked."""
    levels = levels_of(rows)
    for at, row in enumerate(rows):
        if row.action == "delete":
            levels[at] = Level(levels[at].price, EMPTY)
    return levels


def ticker_of(instrument: InstrumentId, row: Ticker, received_ns: int) -> list[MarketEvent]:
    """Return touch, mark, funding and open interest, as far as the row has them."""
    bid, bid_size, ask, ask_size, last, mark, index, rate, interest = numbers_of(
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
    bid_side = _side(row.best_bid_price, bid, bid_size)
    ask_side = _side(row.best_ask_price, ask, ask_size)
    events: list[MarketEvent] = []
    if bid_side[0] is not None or ask_side[0] is not None:
        events.append(
            touch_of(
                instrument, bid_side, ask_side, last, venue_time_ns=time_ns, received_ns=received_ns
            )
        )
    venue_mark = VenueMark(instrument, _positive(mark), _positive(index), time_ns, received_ns)
    return events + _state_of(venue_mark, rate, amount(interest) if interest is not None else None)


def summary_of(instrument: InstrumentId, row: Summary, received_ns: int) -> list[MarketEvent]:
    """Return touch (without sizes), mark, funding and open interest of a row of bulk quotes."""
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
    """Return the trade, and a liquidation if its taker was liquidated, its maker, or both."""
    price, size = positive(spelled(row.price)), positive(spelled(row.amount))
    side, time_ns = row.direction, row.timestamp * NS_PER_MS
    trade = Trade(instrument, side, price, size, row.trade_id, time_ns, received_ns, backlog)
    liquidated = {"T": (side,), "M": (_OPPOSITE[side],), "MT": (side, _OPPOSITE[side])}.get(
        row.liquidation or "", ()
    )
    return [
        trade,
        *(Liquidation(instrument, of, price, size, time_ns, received_ns) for of in liquidated),
    ]


def candle_in(
    instrument: InstrumentId, row: Candle, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row, which does not say whether it is over.

    Its volume is in the unit of the instrument's trades.
    """
    linear = "_" in instrument.symbol.partition("-")[0]
    return candle_of(
        instrument,
        interval_s,
        row.tick * NS_PER_MS,
        (spelled(row.open), spelled(row.high), spelled(row.low), spelled(row.close)),
        spelled(row.volume if linear else row.cost),
        closed=None,
        received_ns=received_ns,
    )


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the funding of a past hour."""
    rate, time_ns = decimal_text(spelled(row.interest_1h)), row.timestamp * NS_PER_MS
    return (FundingPaid(instrument, rate, time_ns, None, received_ns),)


def _side(sent: Raw, price: DecimalText | None, size: DecimalText | None) -> Quote:
    if price is not None:
        return price, size
    return (EMPTY, None) if spelled(sent) == "null" else (None, None)


def _positive(number: DecimalText | None) -> DecimalText | None:
    return positive(number) if number is not None else None


def _state_of(
    venue_mark: VenueMark, rate: DecimalText | None, open_interest: DecimalText | None
) -> list[MarketEvent]:
    instrument, mark = venue_mark.instrument, venue_mark.mark
    time_ns, received_ns = venue_mark.venue_time_ns, venue_mark.received_ns
    events: list[MarketEvent] = []
    if mark is not None or venue_mark.index is not None:
        events.append(venue_mark)
    if rate is not None:
        events.append(Funding(instrument, rate, None, None, mark, time_ns, received_ns))
    if open_interest is not None:
        events.append(OpenInterest(instrument, open_interest, time_ns, received_ns))
    return events


class SymbolState:
    """One instrument's book, and the open interest that it had last.

    Args:
        instrument: the instrument.
        resubscribe: makes the frames that unsubscribe its book and subscribe it again.
    """

    def __init__(
        self, instrument: InstrumentId, resubscribe: Callable[[str], Sequence[str]]
    ) -> None:
        self.instrument = instrument
        self._book = ResubscribingBook(instrument, resubscribe)
        self._open_interest: DecimalText | None = None
        self.invalidate = self._book.invalidate
        self.depth = self._book.depth

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection, which ended, fed it."""
        if self._book.connection == connection:
            self._open_interest = None
        return self._book.closed(connection, received_ns)

    def read_change(
        self, change: BookChange, _: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of a book message: the whole book, or its changes."""
        book, bids, asks = self._book, changed_levels(change.bids), changed_levels(change.asks)
        last, previous, time_ns = book.sequence, change.prev_change_id, change.timestamp * NS_PER_MS
        if change.type == "snapshot":
            return book.snapshot(
                bids,
                asks,
                connection,
                sequence=change.change_id,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        return book.update(
            bids,
            asks,
            connection,
            sequence=change.change_id,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=None
            if previous == last
            else f"gap: change {last} was followed by one after {previous}",
        )

    def read_grouped(
        self, book: GroupedBook, _: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of a grouped book, which has all its levels each time."""
        return self._book.snapshot(
            levels_of(book.bids),
            levels_of(book.asks),
            connection,
            sequence=book.change_id,
            venue_time_ns=book.timestamp * NS_PER_MS,
            received_ns=received_ns,
        )

    def read_ticker(self, row: Ticker, channel: str, _: str, received_ns: int) -> Sequence[Outcome]:
        """Return the events of a ticker.

        A `raw` channel repeats the open interest with every change of another field, so there it
        is reported only when it changed.
        """
        events = ticker_of(self.instrument, row, received_ns)
        last = events[-1] if events else None
        if isinstance(last, OpenInterest) and channel.endswith(".raw"):
            before, self._open_interest = self._open_interest, last.open_interest
            if before == last.open_interest:
                events.pop()
        return events
