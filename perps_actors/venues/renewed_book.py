"""A book pushed by the stream that repairs itself: while it is not good, its stream alone is subscribed anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from perps_actors.market.book import Level
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Outcome, SendFrame
from perps_actors.venues.pushed_book import PushedBook

PATIENCE_NS: Final = 10_000_000_000
"""How long to wait for the snapshot that was asked for before it is asked for again; twice as long each time that it did not come."""
MAX_PATIENCE_NS: Final = 320_000_000_000
"""Venues count requests: OKX takes 480 an hour on a connection, whatever they are for."""


class RenewedBook:
    """One instrument's book and the requests that bring it a new snapshot. Levels given to it have passed `check_levels`.

    Args:
        instrument: whose book it is.
        renewal: makes the frames that end its subscription and begin it anew.
    """

    def __init__(self, instrument: InstrumentId, renewal: Callable[[str], Sequence[str]]) -> None:
        self.pushed = PushedBook(instrument)
        self._renewal = renewal
        self._awaited = True
        self._since_ns: int | None = None
        self._patience_ns = PATIENCE_NS

    @property
    def good(self) -> bool:
        """Whether the book is to be believed."""
        return self.pushed.good

    def snapshot(
        self,
        bids: Sequence[Level],
        asks: Sequence[Level],
        connection: str,
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
    ) -> Sequence[Outcome]:
        """Begin anew with these levels."""
        self.pushed.connection = connection
        told = self.pushed.snapshot(bids, asks, sequence=sequence, venue_time_ns=venue_time_ns, received_ns=received_ns)
        if self.good:
            self._awaited = False
        return *told, *self._asked(received_ns)

    def update(
        self,
        bids: Sequence[Level],
        asks: Sequence[Level],
        connection: str,
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        broken: str | None = None,
    ) -> Sequence[Outcome]:
        """Apply levels to a good book; `broken`: why they do not continue it."""
        pushed = self.pushed
        pushed.connection = connection
        told = pushed.update(bids, asks, sequence=sequence, venue_time_ns=venue_time_ns, received_ns=received_ns, broken=broken)
        return told if pushed.good else (*told, *self._asked(received_ns))

    def doubt(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book, which missed something, and ask for a new snapshot."""
        return *self.pushed.withdraw(cause, received_ns), *self._asked(received_ns)

    def closed(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book; its next connection subscribes it without being asked."""
        self.pushed.connection = None
        self._awaited, self._since_ns, self._patience_ns = True, None, PATIENCE_NS
        return self.pushed.withdraw(cause, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self.pushed.depth(levels)

    def _asked(self, received_ns: int) -> Sequence[SendFrame]:
        connection = self.pushed.connection
        if self.good or connection is None:
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
        return tuple(SendFrame(connection, text) for text in self._renewal(self.pushed.instrument.symbol))
