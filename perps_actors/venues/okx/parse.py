"""OKX's messages as market events, and the state of one symbol that they change.

Source: www.okx.com/docs-v5/en, read 2026-11. `books` begins with a snapshot (`prevSeqId` -1). From
there each update's `prevSeqId` is the `seqId` before. If nothing changes, an update with empty
sides and `seqId` equal to `prevSeqId` comes about every 60 s. After maintenance `seqId` may start
low again: while `prevSeqId` is the one before, nothing is missing. In 2026-02 the venue announced
the end of the snapshot too, in 2026-05 of the checksum alone; clients published since then still
rely on the snapshot.

Streams and REST answers have the same rows. The venue's time is `ts` of each row. All functions
raise `MarketError` or `VenueError` on a value that is not of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.errors import VenueError
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
from perps_actors.venues.contract import Outcome
from perps_actors.venues.okx.schema import (
    BookRecord,
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
    NS_PER_MS,
    amount,
    completed,
    ns_if_any,
    ns_of,
    price_if_any,
    rate_if_any,
    uncrossed,
)
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

_BOOK: Final = msgspec.json.Decoder(BookRecord).decode
_IS_TIME: Final = re.compile(r"[1-8][0-9]{12}", re.ASCII).fullmatch
"""Matches milliseconds of the years 2001 to 2255, which fit 64 bits as nanoseconds."""


def touch_of(instrument: InstrumentId, row: TickerRow, received_ns: int) -> list[Outcome]:
    """Return the touch in a ticker; an empty side is None, a crossed touch invalid input."""
    bid, bid_size, ask, ask_size, last = map(
        price_if_any, (row.bid, row.bid_size, row.ask, row.ask_size, row.last)
    )
    time_ns = ns_if_any(row.time)
    touch = Touch(instrument, bid, bid_size, ask, ask_size, last, time_ns, received_ns)
    return [uncrossed(touch)]


def trade_of(instrument: InstrumentId, row: TradeRow, received_ns: int) -> list[Outcome]:
    """Return the trade in a row."""
    price, size, time_ns = positive(row.price), positive(row.amount), ns_if_any(row.time)
    return [Trade(instrument, row.side, price, size, row.trade_id, time_ns, received_ns)]


def mark_of(instrument: InstrumentId, row: MarkRow, received_ns: int) -> VenueMark:
    """Return the venue's mark price."""
    return VenueMark(instrument, positive(row.mark), None, ns_if_any(row.time), received_ns)


def index_of(instrument: InstrumentId, row: IndexRow, received_ns: int) -> VenueMark:
    """Return the price of an instrument's index."""
    return VenueMark(instrument, None, positive(row.index), ns_if_any(row.time), received_ns)


def funding_of(instrument: InstrumentId, row: FundingRow, received_ns: int) -> list[Outcome]:
    """Return rate and time of the next settlement, and the predicted rate after it, if sent."""
    rate, predicted = rate_if_any(row.rate), rate_if_any(row.predicted)
    next_ns, time_ns = ns_if_any(row.next_time), ns_if_any(row.time)
    return [Funding(instrument, rate, predicted, next_ns, None, time_ns, received_ns)]


def open_interest_of(
    instrument: InstrumentId, row: OpenInterestRow, received_ns: int
) -> list[Outcome]:
    """Return the open interest, in contracts."""
    return [OpenInterest(instrument, amount(row.open_interest), ns_if_any(row.time), received_ns)]


def liquidations_of(
    instrument: InstrumentId, row: LiquidationRow, received_ns: int
) -> list[Outcome]:
    """Return the liquidations in a row."""
    return [
        Liquidation(
            instrument,
            detail.side,
            positive(detail.price),
            positive(detail.amount),
            ns_if_any(detail.time),
            received_ns,
        )
        for detail in row.details
    ]


def candle_in(
    instrument: InstrumentId, row: CandleRow, interval_s: int, received_ns: int
) -> MarketEvent:
    """Return the candle in a row, of a stream or of a REST answer."""
    return candle_of(
        instrument,
        interval_s,
        ns_of(row.time),
        (row.open, row.high, row.low, row.close),
        row.volume,
        closed=row.confirm == "1",
        received_ns=received_ns,
    )


def funding_paid_of(instrument: InstrumentId, row: PaidRow, received_ns: int) -> list[Outcome]:
    """Return the past funding in a row: the settled rate, else the forecast one."""
    rate, time_ns = decimal_text(row.realized or row.rate), ns_of(row.time)
    return [FundingPaid(instrument, rate, time_ns, None, received_ns)]


class SymbolState:
    """One instrument's book and venue mark, of which mark and index come in separate messages.

    Args:
        instrument: the instrument.
        resubscribe: makes the frames that unsubscribe its book and subscribe it again.
    """

    def __init__(
        self, instrument: InstrumentId, resubscribe: Callable[[str], Sequence[str]]
    ) -> None:
        self.instrument = instrument
        self._book = ResubscribingBook(instrument, resubscribe)
        self._mark: VenueMark | None = None
        self.closed = self._book.closed
        self.invalidate = self._book.invalidate
        self.depth = self._book.depth

    def read_book(
        self, raw: msgspec.Raw, action: str | None, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return the outcomes of a book record; one that cannot be read changes nothing."""
        record, book = _BOOK(raw), self._book
        time, last, previous = record.time, book.sequence, record.previous
        time_ns = int(time) * NS_PER_MS if _IS_TIME(time) else ns_if_any(time)
        if action == "snapshot":
            return book.snapshot(
                record.bids,
                record.asks,
                connection,
                sequence=record.sequence,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        if action != "update":
            msg = f"Expected a snapshot or an update, was {str(action)[:20]!r}"
            raise VenueError(msg)
        continues = last is None or previous == last
        return book.update(
            record.bids,
            record.asks,
            connection,
            sequence=record.sequence,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=None if continues else f"gap: update {last} was followed by one after {previous}",
        )

    def read_mark(self, row: MarkRow, received_ns: int) -> Sequence[Outcome]:
        """Return the mark, with the latest index."""
        self._mark = completed(mark_of(self.instrument, row, received_ns), self._mark, ("index",))
        return (self._mark,)

    def read_index(self, row: IndexRow, received_ns: int) -> Sequence[Outcome]:
        """Return the index, with the latest mark."""
        self._mark = completed(index_of(self.instrument, row, received_ns), self._mark, ("mark",))
        return (self._mark,)


_Reader = Callable[[SymbolState, Any, int], Sequence[Outcome]]


def _beside(read: Callable[[InstrumentId, Any, int], Sequence[Outcome]]) -> _Reader:
    """Return a reader of rows that change no state."""
    return lambda state, row, received_ns: read(state.instrument, row, received_ns)


READERS: Final[dict[str, tuple[Callable[[msgspec.Raw], Any], _Reader]]] = {
    "tickers": (msgspec.json.Decoder(TickerRow).decode, _beside(touch_of)),
    "trades": (msgspec.json.Decoder(TradeRow).decode, _beside(trade_of)),
    "mark-price": (msgspec.json.Decoder(MarkRow).decode, SymbolState.read_mark),
    "funding-rate": (msgspec.json.Decoder(FundingRow).decode, _beside(funding_of)),
    "open-interest": (msgspec.json.Decoder(OpenInterestRow).decode, _beside(open_interest_of)),
}
"""The decoder and the reader of rows that name their symbol, by channel."""
