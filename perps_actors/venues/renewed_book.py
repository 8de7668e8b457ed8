"""A book pushed by the stream that repairs itself: while it is not good, its stream alone is subscribed anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.plain import Row
from perps_actors.venues.contract import Outcome, SendFrame
from perps_actors.venues.pushed_book import PushedBook

PATIENCE_NS: Final = 10_000_000_000
"""How long to wait for the snapshot that was asked for before it is asked for again; twice as long each time that it did not come."""
MAX_PATIENCE_NS: Final = 320_000_000_000
"""Venues count requests: OKX takes 480 an hour on a connection, whatever they are for."""


class RenewedBook(PushedBook):
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
        told = super().snapshot(bids, asks, connection, sequence=sequence, venue_time_ns=venue_time_ns, received_ns=received_ns)
        if self.good:
            self._awaited = False
        return told

    def closed(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book; its next connection subscribes it without being asked."""
        self.connection = None
        self._awaited, self._since_ns, self._patience_ns = True, None, PATIENCE_NS
        return self.doubt(cause, received_ns)

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
        return tuple(SendFrame(self.connection, text) for text in self._renewal(self.instrument.symbol))
