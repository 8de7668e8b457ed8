"""Gate.io's rules for a book that is right, one a channel.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11; frames of 2026-09.
`futures.obu` begins with `full`, which has no `U`; from then on every `U` is the `u` before plus one, else the stream is to be
subscribed anew; a later `full` replaces the book. A message without levels counts like any other.
`futures.order_book_update` waits for a REST snapshot: the first event applied has `U <= id + 1 <= u`, and every `U` is the `u` before
plus one; that is Binance's rule with `U - 1` for the `u` before (`RestSnapshotBook`). A `full` message replaces the book here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from perps_actors.errors import VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.texts import Level
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Outcome
from perps_actors.venues.gateio_futures.parse import levels_of, nanoseconds
from perps_actors.venues.gateio_futures.schema import BookAnswer, BookChange, BookUpdate
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.rest_snapshot_book import RestSnapshotBook
from perps_actors.venues.toolkit.stream_book import ResubscribingBook


class _Whole(NamedTuple):
    last_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    time: int


class _Change(NamedTuple):
    first_id: int
    last_id: int
    previous_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    time: int


class ContractBook:
    """One contract's book, fed by the stream that was heard of it first; others of the same contract are not heard.

    Args:
        instrument: whose book it is.
        renewal: gives the frames that end the subscription of a pushed book and begin it anew.
        request: what fetches the snapshot of a book that the stream does not push.
    """

    def __init__(
        self,
        instrument: InstrumentId,
        renewal: Callable[[str], Sequence[str]],
        request: HttpRequest,
    ) -> None:
        self._pushed = ResubscribingBook(instrument, renewal)
        self._synced = RestSnapshotBook(instrument, request)
        self._stream: str | None = None

    def push(self, update: BookUpdate, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a message of `futures.obu`.

        Raises:
            MarketError: a level that no book can have; the book is found to lack this message by the next one.
        """
        if not self._hears(update.stream):
            return ()
        time_ns = update.time * NS_PER_MS
        if update.full:
            return self._pushed.snapshot(
                update.bids,
                update.asks,
                connection,
                sequence=update.last_id,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        return self._pushed.update(
            update.bids,
            update.asks,
            connection,
            sequence=update.last_id,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            broken=self._gap(update),
        )

    def change(self, change: BookChange, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a message of `futures.order_book_update`.

        Raises:
            MarketError: a level that no book can have; the book is found to lack this message by the next one.
            VenueError: without the number of its first update; likewise.
        """
        if not self._hears("order_book_update"):
            return ()
        bids, asks, first, last = (
            levels_of(change.bids),
            levels_of(change.asks),
            change.first_id,
            change.last_id,
        )
        if change.full:
            return self._synced.replace(
                _Whole(last_id=last, bids=bids, asks=asks, time=change.time),
                connection,
                received_ns,
            )
        if first is None:
            msg = f"Expected the number of the first update before {last}"
            raise VenueError(msg)
        event = _Change(
            first_id=first,
            last_id=last,
            previous_id=first - 1,
            bids=bids,
            asks=asks,
            time=change.time,
        )
        return self._synced.update(event, connection, received_ns)

    def answer(self, answer: BookAnswer, received_ns: int) -> Sequence[Outcome]:
        """Take a REST snapshot, asked for or not; a book that the stream pushes needs none.

        Raises:
            MarketError: a level that no book can have.
        """
        if self._stream is not None and self._stream != "order_book_update":
            return ()
        bids, asks, time_ms = (
            levels_of(answer.bids),
            levels_of(answer.asks),
            nanoseconds(answer.update) // NS_PER_MS,
        )
        return self._synced.snapshot(
            _Whole(last_id=answer.id, bids=bids, asks=asks, time=time_ms), received_ns
        )

    def no_answer(self) -> None:
        """The snapshot asked for will not come: the next event asks again."""
        self._synced.no_snapshot()

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: if it fed the book, withdraw it."""
        cause = f"connection {connection} ended"
        if self._pushed.connection == connection:
            self._stream = None
            return self._pushed.closed(cause, received_ns)
        if self._synced.connection == connection:
            self._stream = None
            return self._synced.lose(cause, received_ns)
        return ()

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw a good book and have it begin anew."""
        return (
            self._pushed.invalidate(cause, received_ns)
            if self._pushed.good
            else self._synced.invalidate(cause, received_ns)
        )

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self._pushed.depth(levels) if self._pushed.good else self._synced.depth(levels)

    def _hears(self, stream: str) -> bool:
        if self._stream is None:
            self._stream = stream
        return stream == self._stream

    def _gap(self, update: BookUpdate) -> str | None:
        last = self._pushed.sequence
        if last is None or (update.first_id == last + 1 and update.last_id > last):
            return None
        return f"gap: update {last} was followed by {update.first_id} to {update.last_id}"
