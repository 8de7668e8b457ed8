"""From OKX's records to market events; streams and REST answers have the same rows. The venue's time is `ts` of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

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
from perps_actors.transport.wire import HttpRequest
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
    amount,
    completed,
    ns_if_any,
    ns_of,
    price_if_any,
    rate_if_any,
    uncrossed,
)
from perps_actors.venues.toolkit.rest import interval_of
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

# merged docstring:
# """What OKX's channels say of one instrument: its book, its mark and its index.
#
# Source: www.okx.com/docs-v5/en, order book channel, read 2026-11. `books` begins with a snapshot (`prevSeqId` -1); then each update's
# `prevSeqId` is the `seqId` before. Where nothing changes, an update with empty sides and `seqId` equal to `prevSeqId` comes about every
# 60 s. After maintenance `seqId` may start low again: as long as `prevSeqId` is the one before, nothing is missing. In 2026-02 the venue
# announced that the snapshot would go too, and in 2026-05 that the checksum alone does; clients published since still rely on it.
# """


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


_BOOK: Final = msgspec.json.Decoder(BookRecord).decode


class SymbolState:
    """One instrument's book and venue mark, whose mark and index come in separate messages.

    Args:
        instrument: which one.
        renewal: makes the frames that end its book's subscription and begin it anew.
    """

    def __init__(self, instrument: InstrumentId, renewal: Callable[[str], Sequence[str]]) -> None:
        self.instrument = instrument
        self.book = ResubscribingBook(instrument, renewal)
        self._mark: VenueMark | None = None

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection, which ended, fed it."""
        return self.book.closed(connection, received_ns)

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book and begin it anew."""
        return self.book.invalidate(cause, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self.book.depth(levels)

    def told_book(
        self, raw: msgspec.Raw, action: str | None, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        """Return what a book message says.

        Raises:
            VenueError: neither a snapshot nor an update, or a time that is none; as for all that cannot be read, nothing was taken.
            MarketError: a price or size that no book can have.
        """
        record = _BOOK(raw)
        bids, asks, time_ns = record.bids, record.asks, ns_if_any(record.time)
        if action == "snapshot":
            return self.book.snapshot(
                bids,
                asks,
                connection,
                sequence=record.sequence,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        if action != "update":
            msg = f"Expected a snapshot or an update, was {str(action)[:20]!r}"
            raise VenueError(msg)
        last, previous = self.book.sequence, record.previous
        gap = (
            None
            if last in (None, previous)
            else f"gap: update {last} was followed by one after {previous}"
        )
        return self.book.update(
            bids,
            asks,
            connection,
            sequence=record.sequence,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=gap,
        )

    def told_mark(self, row: MarkRow, received_ns: int) -> VenueMark:
        """Return the mark, beside the index as it was said last."""
        self._mark = completed(mark_of(self.instrument, row, received_ns), self._mark, ("index",))
        return self._mark

    def told_index(self, row: IndexRow, received_ns: int) -> VenueMark:
        """Return the index, beside the mark as it was said last."""
        self._mark = completed(index_of(self.instrument, row, received_ns), self._mark, ("mark",))
        return self._mark
