"""A book whose snapshot the stream itself sends: right from a snapshot on, as long as every update continues the one before.

What continues what is the venue's rule, and its adapter's to say: it gives `update` the reason why an update does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from perps_actors.market.book import OrderBook, Row, check_levels
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Outcome, SendFrame

# merged docstring:
# """A book pushed by the stream that repairs itself: while it is not good, its stream alone is subscribed anew."""

BACKWARDS_NS = 1_000_000_000
"""How far venue time may step back between two updates before the book is suspect."""

_LONG_AGO_NS = -(2**63)


class StreamBook:
    """One instrument's book and whether it is good. A message with a level that no book can have raises, and changes nothing.

    Args:
        instrument: whose book it is.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self.instrument = instrument
        self.connection: str | None = None
        """The connection that fed it last."""
        self.good = False
        """Whether the book is to be believed."""
        self.sequence: int | None = None
        """The venue's number of the last message that was applied; None while the book is not good or the venue sends none."""
        self._book = OrderBook()
        self._earliest_ns = _LONG_AGO_NS
        """The earliest venue time that follows the last message that was applied."""

    def snapshot(
        self,
        bids: Sequence[Row],
        asks: Sequence[Row],
        connection: str | None,
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
    ) -> Sequence[Outcome]:
        """Begin anew with these levels; if they cross, the book is withdrawn, which is told even if it was not good.

        Raises:
            MarketError: a price or size that no book can have.
        """
        self._book.replace(bids, asks)
        self.connection, self.good = connection, True
        return self._told(
            self._book.top(self.instrument, sequence, venue_time_ns, received_ns, snapshot=True),
            received_ns,
        )

    def update(
        self,
        bids: Sequence[Row],
        asks: Sequence[Row],
        connection: str | None,
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        broken: str | None = None,
    ) -> Sequence[Outcome]:
        """Apply levels to a good book; `broken`: why they do not continue it, which withdraws it. Without a snapshot, nothing.

        Raises:
            MarketError: a price or size that no book can have.
        """
        self.connection = connection
        if not self.good:
            check_levels(bids, asks)
            return self._repair(received_ns)
        # Asked first, as nearly all updates come in time: it spares them the call.
        if broken is None and venue_time_ns is not None and venue_time_ns < self._earliest_ns:
            broken = self.ran_back(venue_time_ns)
        if broken is not None:
            return self.invalidate(broken, received_ns)
        self._book.apply(bids, asks)
        return self._told(
            self._book.top(self.instrument, sequence, venue_time_ns, received_ns, snapshot=False),
            received_ns,
        )

    def ran_back(self, venue_time_ns: int | None) -> str | None:
        """Return why a message of this time does not follow the last one that was applied; None where it does."""
        if venue_time_ns is None or venue_time_ns >= self._earliest_ns:
            return None
        return (
            f"venue time ran back by {(self._earliest_ns + BACKWARDS_NS - venue_time_ns) / 1e9:g} s"
        )

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Believe the book no more, until the next snapshot."""
        return *self._withdraw(cause, received_ns), *self._repair(received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self._book.depth(levels)

    def _told(self, top: BookTop | None, received_ns: int) -> Sequence[Outcome]:
        if top is None:
            return self.invalidate(self._book.suspicion() or "", received_ns)
        self.sequence = top.sequence
        if top.venue_time_ns is not None:
            self._earliest_ns = top.venue_time_ns - BACKWARDS_NS
        return (top,)

    def _withdraw(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        was_good, self.good = self.good, False
        self.sequence, self._earliest_ns = None, _LONG_AGO_NS
        self._book.clear()
        return (BookWithdrawn(self.instrument, cause, received_ns),) if was_good else ()

    def _repair(self, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002 - who can ask for a snapshot does so here
        return ()


PATIENCE_NS: Final = 10_000_000_000
"""How long to wait for the snapshot that was asked for before it is asked for again; twice as long each time that it did not come."""
MAX_PATIENCE_NS: Final = 320_000_000_000
"""Venues count requests: OKX takes 480 an hour on a connection, whatever they are for."""


class ResubscribingBook(StreamBook):
    """One instrument's book and the requests that bring it a new snapshot.

    Args:
        instrument: whose book it is.
        renewal: makes the frames that end its subscription and begin it anew.
    """

    def __init__(self, instrument: InstrumentId, renewal: Callable[[str], Sequence[str]]) -> None:
        super().__init__(instrument)
        self._renewal = renewal
        self._awaited = True
        self._since_ns: int | None = None
        self._patience_ns = PATIENCE_NS

    def snapshot(
        self,
        bids: Sequence[Row],
        asks: Sequence[Row],
        connection: str | None,
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
    ) -> Sequence[Outcome]:
        """Begin anew with these levels: what was asked for came, if they can be believed."""
        told = super().snapshot(
            bids,
            asks,
            connection,
            sequence=sequence,
            venue_time_ns=venue_time_ns,
            received_ns=received_ns,
        )
        if self.good:
            self._awaited = False
        return told

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection, which ended, fed it; the next one subscribes it."""
        if connection != self.connection:
            return ()
        self.connection = None
        self._awaited, self._since_ns, self._patience_ns = True, None, PATIENCE_NS
        return self.invalidate(f"connection {connection} ended", received_ns)

    def _repair(self, received_ns: int) -> Sequence[SendFrame]:
        if self.connection is None:
            return ()
        if self._awaited:
            if self._since_ns is None:
                self._since_ns = received_ns
            # A wall clock that was set back must not put off the next request.
            if 0 <= received_ns - self._since_ns < self._patience_ns:
                return ()
            self._patience_ns = min(2 * self._patience_ns, MAX_PATIENCE_NS)
        else:
            self._patience_ns = PATIENCE_NS
        self._awaited, self._since_ns = True, received_ns
        return tuple(
            SendFrame(self.connection, text) for text in self._renewal(self.instrument.symbol)
        )
