"""From Gate.io's records to market events; streams and REST answers share most readers.

Source: gate.com/docs/developers/futures/ws/en and .../apiv4, read 2026-11; frames of 2026-09.

- `futures.obu` begins with a `full` message, which has no `U`. From then on every `U` is the `u`
  before plus one; otherwise the stream is to be subscribed again. A later `full` message replaces
  the book. A message without levels counts like any other.
- `futures.order_book_update` needs a REST snapshot. The first message applied has
  `U <= id + 1 <= u`, and every later `U` is the `u` before plus one. That is Binance's rule with
  `U - 1` as the `u` before (`RestSnapshotBook`). A `full` message replaces the book here too.
- The sign of a size is a direction: of a trade's taker, or of a liquidating order.
- `funding_rate` is the rate paid next. `funding_rate_indicative`, deprecated, is the one after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.book import levels_of
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
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, Outcome
from perps_actors.venues.gateio_futures.schema import (
    SECONDS,
    BookChange,
    BookTicker,
    BookUpdate,
    CandleRow,
    ContractRow,
    LiquidationRow,
    PaidRow,
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
from perps_actors.venues.toolkit.rest_snapshot_book import BookDelta, RestSnapshotBook
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_MILLISECONDS_FROM: Final = 100_000_000_000
"""A time from here on counts milliseconds, because in seconds it would be the year 5138."""


def nanoseconds(time: float) -> int:
    """Return a time in seconds or milliseconds as nanoseconds, exact to the microsecond."""
    return round(time * (1_000 if time >= _MILLISECONDS_FROM else 1_000_000)) * 1_000


def touch_of(instrument: InstrumentId, row: BookTicker, received_ns: int) -> Outcome:
    """Return the touch."""
    sides = _sides(row.bid, text_of(row.bid_size), row.ask, text_of(row.ask_size))
    return uncrossed(Touch(instrument, *sides, None, row.time * NS_PER_MS, received_ns))


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> Sequence[Outcome]:
    """Return the trade; nothing if it was internal, because no market made its price."""
    if row.is_internal:
        return ()
    (side, size), time_ns = _direction_and_size(text_of(row.size)), nanoseconds(row.time_ms)
    price, trade_id = positive(row.price), str(row.id)[:60]
    return (Trade(instrument, side, price, size, trade_id, time_ns, received_ns),)


def liquidation_of(instrument: InstrumentId, row: LiquidationRow, received_ns: int) -> Liquidation:
    """Return the liquidation."""
    time = row.time_ms if row.time_ms is not None else row.time
    time_ns = nanoseconds(time) if time is not None else None
    side, size = _direction_and_size(text_of(row.size))
    return Liquidation(instrument, side, positive(text_of(row.price)), size, time_ns, received_ns)


def ticker_of(
    instrument: InstrumentId, row: TickerRow, time_ns: int | None, received_ns: int
) -> list[Outcome]:
    """Return venue mark, funding and open interest, each if the ticker has it."""
    events = _state_of(instrument, row, time_ns, received_ns)
    return [*events, *_open_interest(instrument, row.total_size, time_ns, received_ns)]


def quote_of(instrument: InstrumentId, row: TickerRow, received_ns: int) -> Sequence[Outcome]:
    """Return the touch and the ticker in a REST answer, which has no time."""
    bid_size, ask_size = text_of(row.highest_size), text_of(row.lowest_size)
    sides = _sides(row.highest_bid, bid_size, row.lowest_ask, ask_size)
    touch = Touch(instrument, *sides, price_if_any(row.last), None, received_ns)
    return uncrossed(touch), *ticker_of(instrument, row, None, received_ns)


def contract_of(instrument: InstrumentId, row: ContractRow, received_ns: int) -> list[Outcome]:
    """Return venue mark, funding and open interest in the list of contracts.

    Only this list has the time of the next funding.
    """
    next_ns = nanoseconds(row.funding_next_apply) if row.funding_next_apply else None
    events = _state_of(instrument, row, None, received_ns, next_ns)
    return [*events, *_open_interest(instrument, row.position_size, None, received_ns)]


def streamed_candle_of(
    instrument: InstrumentId, row: CandleRow, time_ns: int | None, received_ns: int
) -> Sequence[Outcome]:
    """Return a candle of the stream; nothing if its length is unknown."""
    interval_s = SECONDS.get(row.name.partition("_")[0])
    if interval_s is None:
        return ()
    return (candle_in(instrument, row, interval_s, received_ns, time_ns),)


def funding_paid_of(
    instrument: InstrumentId, row: PaidRow, received_ns: int
) -> Sequence[MarketEvent]:
    """Return the past funding in a row."""
    rate, time_ns = decimal_text(row.rate), nanoseconds(row.time)
    return (FundingPaid(instrument, rate, time_ns, None, received_ns),)


def candle_in(
    instrument: InstrumentId,
    row: CandleRow,
    interval_s: int,
    received_ns: int,
    time_ns: int | None = None,
) -> MarketEvent:
    """Return the candle in a row; one of REST does not say whether it is over."""
    return candle_of(
        instrument,
        interval_s,
        nanoseconds(row.time),
        (row.open, row.high, row.low, row.close),
        text_of(row.volume),
        closed=row.closed,
        venue_time_ns=time_ns,
        received_ns=received_ns,
    )


def _state_of(
    instrument: InstrumentId,
    row: TickerRow | ContractRow,
    time_ns: int | None,
    received_ns: int,
    next_ns: int | None = None,
) -> list[Outcome]:
    mark, index = price_if_any(row.mark_price), price_if_any(row.index_price)
    rate, predicted = rate_if_any(row.funding_rate), rate_if_any(row.funding_rate_indicative)
    events: list[Outcome] = []
    if mark is not None or index is not None:
        events.append(VenueMark(instrument, mark, index, time_ns, received_ns))
    if rate is not None or predicted is not None or next_ns is not None:
        events.append(Funding(instrument, rate, predicted, next_ns, mark, time_ns, received_ns))
    return events


def _open_interest(
    instrument: InstrumentId, contracts: msgspec.Raw, time_ns: int | None, received_ns: int
) -> Sequence[Outcome]:
    text = text_of(contracts)
    return (OpenInterest(instrument, amount(text), time_ns, received_ns),) if text else ()


def _sides(
    bid: str | None, bid_size: str | None, ask: str | None, ask_size: str | None
) -> tuple[DecimalText | None, DecimalText | None, DecimalText | None, DecimalText | None]:
    best_bid, best_ask = price_if_any(bid), price_if_any(ask)
    # An empty side has a size of zero.
    return (
        best_bid,
        price_if_any(bid_size) if best_bid else None,
        best_ask,
        price_if_any(ask_size) if best_ask else None,
    )


def _direction_and_size(size: str | None) -> tuple[TakerSide, DecimalText]:
    if size is not None and size.startswith("-"):
        return "sell", positive(decimal_text(size[1:]))
    return "buy", positive(size)


class SymbolState:
    """The book of one contract, fed by the first channel that sends it; others are ignored.

    Args:
        instrument: the contract.
        resubscribe: makes the frames that unsubscribe `futures.obu` and subscribe it again.
        request: fetches the snapshot for `futures.order_book_update`.
    """

    def __init__(
        self,
        instrument: InstrumentId,
        resubscribe: Callable[[str], Sequence[str]],
        request: HttpRequest,
    ) -> None:
        self.instrument = instrument
        self._pushed = ResubscribingBook(instrument, resubscribe)
        self._fetched = RestSnapshotBook(instrument, request)
        self._feed: str | None = None

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection, which ended, fed it."""
        if connection in (self._pushed.connection, self._fetched.connection):
            self._feed = None
        return (
            *self._pushed.closed(connection, received_ns),
            *self._fetched.closed(connection, received_ns),
        )

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book and begin it again."""
        return self._book().invalidate(cause, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels of each side; nothing unless the book is synced."""
        return self._book().depth(levels)

    def read_update(
        self, update: BookUpdate, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Apply a message of `futures.obu`.

        Raises:
            MarketError: a level that no book can have; the next message will show the gap.
        """
        if not self._feeds(update.stream):
            return ()
        time_ns, sequence = update.time * NS_PER_MS, update.last_id
        if update.full:
            return self._pushed.snapshot(
                update.bids,
                update.asks,
                connection,
                sequence=sequence,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        # Every `U` is the `u` before plus one.
        first, last = update.first_id, self._pushed.sequence
        follows = last is None or (first == last + 1 and sequence > last)
        return self._pushed.update(
            update.bids,
            update.asks,
            connection,
            sequence=sequence,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=None if follows else f"gap: update {last} was followed by {first} to {sequence}",
        )

    def read_change(
        self, change: BookChange, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Apply a message of `futures.order_book_update`.

        Raises:
            MarketError: a level that no book can have; the next message will show the gap.
            VenueError: the number of its first update is missing.
        """
        if not self._feeds("order_book_update"):
            return ()
        bids, asks, first = levels_of(change.bids), levels_of(change.asks), change.first_id
        if change.full:
            snapshot = BookSnapshot(bids, asks, change.last_id, change.time * NS_PER_MS)
            return self._fetched.replace(snapshot, connection, received_ns)
        if first is None:
            msg = f"Expected U, the number of the first update, beside u {change.last_id}"
            raise VenueError(msg)
        # `RestSnapshotBook` has Binance's rule, whose `pu` is the last id of the message before.
        delta = BookDelta(change.time, first, change.last_id, first - 1, bids, asks)
        return self._fetched.update(delta, connection, received_ns)

    def read_snapshot(self, answer: BookSnapshot, received_ns: int) -> Sequence[Outcome]:
        """Take a REST snapshot, unless `futures.obu` feeds the book, which needs none.

        Raises:
            MarketError: a level that no book can have.
        """
        if self._feed not in (None, "order_book_update"):
            return ()
        return self._fetched.snapshot(answer, received_ns)

    def request_failed(self) -> None:
        """Let the next message request the snapshot again."""
        self._fetched.request_failed()

    def _book(self) -> ResubscribingBook | RestSnapshotBook:
        return self._pushed if self._pushed.synced else self._fetched

    def _feeds(self, stream: str) -> bool:
        if self._feed is None:
            self._feed = stream
        return stream == self._feed
