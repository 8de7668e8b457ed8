"""A book whose snapshot the stream sends: synced while every update continues the one before.

Which update continues which is the venue's rule. The adapter applies it and gives `update` the gap
that it found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from perps_actors.market.book import OrderBook, Row, check_levels
from perps_actors.market.events import BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Outcome, SendFrame

BACKWARDS_NS: Final = 1_000_000_000
"""How far venue time may step back between two updates: a venue's servers differ a little."""
PATIENCE_NS: Final = 10_000_000_000
"""How long to wait for a snapshot before it is requested again; doubled after each try in vain."""
MAX_PATIENCE_NS: Final = 320_000_000_000
"""Venues count requests: OKX takes 480 an hour on a connection, of whatever kind."""

_LONG_AGO_NS: Final = -(2**63)


class SyncedBook:
    """One instrument's book, and whether it is synced with the venue's. The base of every book.

    Args:
        instrument: the instrument.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self.instrument = instrument
        self.connection: str | None = None
        """The connection that fed the book last."""
        self.synced = False
        self.sequence: int | None = None
        """The number of the last message applied; None if not synced or the venue sends none."""
        self._book = OrderBook()
        self._earliest_ns = _LONG_AGO_NS
        """The earliest venue time that may follow the last message applied."""

    def ran_back(self, venue_time_ns: int | None) -> str | None:
        """Return the cause if a message of this time is older than the last one applied."""
        if venue_time_ns is None or venue_time_ns >= self._earliest_ns:
            return None
        back_s = (self._earliest_ns + BACKWARDS_NS - venue_time_ns) / 1e9
        return f"venue time ran back by {back_s:g} s"

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels of each side; nothing unless the book is synced."""
        return self._book.depth(levels)

    def _withdraw(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Empty the book, and report that if it was synced."""
        was_synced, self.synced = self.synced, False
        self.sequence, self._earliest_ns = None, _LONG_AGO_NS
        self._book.clear()
        return (BookWithdrawn(self.instrument, cause, received_ns),) if was_synced else ()


class StreamBook(SyncedBook):
    """A book that begins with a snapshot of the stream.

    A message with a level that no book can have raises, and changes nothing.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        super().__init__(instrument)
        self._awaiting = True
        """Whether no snapshot came since the book was subscribed or withdrawn."""

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
        """Hold these levels only. If they cross, withdraw the book, even one that was not synced.

        Raises:
            MarketError: a price or size that no book can have.
        """
        self._book.replace(bids, asks)
        self.connection, self.synced = connection, True
        outcomes = self._applied(sequence, venue_time_ns, received_ns, snapshot=True)
        if self.synced:
            self._awaiting = False
        return outcomes

    def update(
        self,
        bids: Sequence[Row],
        asks: Sequence[Row],
        connection: str | None,
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        gap: str | None = None,
    ) -> Sequence[Outcome]:
        """Apply levels to a synced book, or withdraw it if they do not continue it.

        Args:
            bids: levels that changed; size zero deletes one.
            asks: the same on the other side.
            connection: the connection that sent them.
            sequence: the venue's number of the message.
            venue_time_ns: the venue's time of the message.
            received_ns: when the message was received.
            gap: why they do not continue the book; None if they do.

        Raises:
            MarketError: a price or size that no book can have.
        """
        self.connection = connection
        if not self.synced:
            check_levels(bids, asks)
            return self._request_snapshot(received_ns)
        # Compared here first, because it saves the call for nearly all updates.
        if gap is None and venue_time_ns is not None and venue_time_ns < self._earliest_ns:
            gap = self.ran_back(venue_time_ns)
        if gap is not None:
            return self.invalidate(gap, received_ns)
        self._book.apply(bids, asks)
        return self._applied(sequence, venue_time_ns, received_ns, snapshot=False)

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book until the next snapshot."""
        return *self._withdraw(cause, received_ns), *self._request_snapshot(received_ns)

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection, which ended, fed it."""
        if self.connection != connection:
            return ()
        self.connection, self._awaiting = None, True
        return self._withdraw(f"connection {connection} ended", received_ns)

    def _applied(
        self, sequence: int | None, venue_time_ns: int | None, received_ns: int, *, snapshot: bool
    ) -> Sequence[Outcome]:
        top = self._book.top(
            self.instrument, sequence, venue_time_ns, received_ns, snapshot=snapshot
        )
        if top is None:
            return self.invalidate(self._book.suspicion() or "", received_ns)
        self.sequence = sequence
        if venue_time_ns is not None:
            self._earliest_ns = venue_time_ns - BACKWARDS_NS
        return (top,)

    def _request_snapshot(self, received_ns: int) -> Sequence[SendFrame]:  # noqa: ARG002
        return ()  # a subclass sends a request; without one the book waits for the next snapshot


class ResubscribingBook(StreamBook):
    """A stream book that subscribes itself again to receive a snapshot while it is not synced.

    Args:
        instrument: the instrument.
        resubscribe: makes the frames that unsubscribe a symbol's book and subscribe it again.
    """

    def __init__(
        self, instrument: InstrumentId, resubscribe: Callable[[str], Sequence[str]]
    ) -> None:
        super().__init__(instrument)
        self._resubscribe = resubscribe
        self._since_ns: int | None = None
        self._patience_ns = PATIENCE_NS

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection fed it; its next connection subscribes it again."""
        if self.connection == connection:
            self._since_ns, self._patience_ns = None, PATIENCE_NS
        return super().closed(connection, received_ns)

    def _request_snapshot(self, received_ns: int) -> Sequence[SendFrame]:
        if self.connection is None:
            return ()
        if self._awaiting:
            if self._since_ns is None:
                self._since_ns = received_ns
            # A wall clock that was set back makes the difference negative: no reason to wait.
            if 0 <= received_ns - self._since_ns < self._patience_ns:
                return ()
            self._patience_ns = min(2 * self._patience_ns, MAX_PATIENCE_NS)
        else:
            self._patience_ns = PATIENCE_NS
        self._awaiting, self._since_ns = True, received_ns
        frames = self._resubscribe(self.instrument.symbol)
        return tuple(SendFrame(self.connection, text) for text in frames)
