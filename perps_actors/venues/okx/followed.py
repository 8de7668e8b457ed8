"""What OKX's channels say of one instrument: its book, its mark and its index.

Source: www.okx.com/docs-v5/en, order book channel, read 2026-11. `books` begins with a snapshot (`prevSeqId` -1); then each update's
`prevSeqId` is the `seqId` before. Where nothing changes, an update with empty sides and `seqId` equal to `prevSeqId` comes about every
60 s. After maintenance `seqId` may start low again: as long as `prevSeqId` is the one before, nothing is missing. In 2026-02 the venue
announced that the snapshot would go too, and in 2026-05 that the checksum alone does; clients published since still rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.events import VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Outcome
from perps_actors.venues.okx.parse import index_of, mark_of
from perps_actors.venues.okx.schema import BookRecord, IndexRow, MarkRow
from perps_actors.venues.toolkit.fields import completed, ns_if_any
from perps_actors.venues.toolkit.stream_book import ResubscribingBook

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
        return (
            self.book.closed(f"connection {connection} ended", received_ns)
            if self.book.connection == connection
            else ()
        )

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
        broken = (
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
            broken=broken,
        )

    def told_mark(self, row: MarkRow, received_ns: int) -> VenueMark:
        """Return the mark, beside the index as it was said last."""
        self._mark = completed(mark_of(self.instrument, row, received_ns), self._mark, ("index",))
        return self._mark

    def told_index(self, row: IndexRow, received_ns: int) -> VenueMark:
        """Return the index, beside the mark as it was said last."""
        self._mark = completed(index_of(self.instrument, row, received_ns), self._mark, ("mark",))
        return self._mark
