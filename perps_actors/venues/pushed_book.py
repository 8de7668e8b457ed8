"""A book whose snapshot the stream itself sends: right from a snapshot on, as long as every update continues the one before.

What continues what is the venue's rule, and its adapter's to say: it gives `update` the reason why an update does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from perps_actors.market.book import Level, OrderBook
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId

BACKWARDS_NS = 1_000_000_000
"""How far venue time may step back between two updates before the book is suspect."""


class PushedBook:
    """One instrument's book and whether it is good. Levels given to it have passed `check_levels`.

    Args:
        instrument: whose book it is.
    """

    def __init__(self, instrument: InstrumentId) -> None:
        self.instrument = instrument
        self.connection: str | None = None
        """The connection that fed it last."""
        self.good = False
        self.sequence: int | None = None
        """The venue's number of the last message that was applied; None while the book is not good or the venue sends none."""
        self._book = OrderBook()
        self._time_ns: int | None = None

    def snapshot(
        self, bids: Sequence[Level], asks: Sequence[Level], *, sequence: int | None, venue_time_ns: int | None, received_ns: int
    ) -> Sequence[BookTop | BookWithdrawn]:
        """Begin anew with these levels; one that no market can have withdraws the book."""
        self._book.replace(bids, asks)
        return self._judged(True, sequence, venue_time_ns, received_ns)

    def update(
        self,
        bids: Sequence[Level],
        asks: Sequence[Level],
        *,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        broken: str | None = None,
    ) -> Sequence[BookTop | BookWithdrawn]:
        """Apply levels to a good book; `broken`: why they do not continue it, which withdraws it. Without a snapshot, nothing."""
        if not self.good:
            return ()
        broken = broken or self.ran_back(venue_time_ns)
        if broken is not None:
            return self.withdraw(broken, received_ns)
        self._book.apply(bids, asks)
        return self._judged(False, sequence, venue_time_ns, received_ns)

    def ran_back(self, venue_time_ns: int | None) -> str | None:
        """Return why a message of this time does not follow the last one that was applied; None where it does."""
        if self._time_ns is None or venue_time_ns is None or self._time_ns - venue_time_ns <= BACKWARDS_NS:
            return None
        return f"venue time ran back by {(self._time_ns - venue_time_ns) / 1e9:g} s"

    def withdraw(self, cause: str, received_ns: int) -> Sequence[BookTop | BookWithdrawn]:
        """Believe the book no more, until the next snapshot."""
        was_good, self.good = self.good, False
        self.sequence = self._time_ns = None
        self._book.clear()
        return (BookWithdrawn(self.instrument, cause, received_ns),) if was_good else ()

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self._book.depth(levels)

    def _judged(
        self,
        snapshot: bool,  # noqa: FBT001 - named wherever it is given
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
    ) -> Sequence[BookTop | BookWithdrawn]:
        top = self._book.top(self.instrument, sequence, venue_time_ns, received_ns, snapshot=snapshot)
        if top is None:
            self.good |= snapshot  # also a snapshot that cannot be believed is told
            return self.withdraw(self._book.suspicion() or "", received_ns)
        self.good, self.sequence = True, sequence
        if venue_time_ns is not None:
            self._time_ns = venue_time_ns
        return (top,)
