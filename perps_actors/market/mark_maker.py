"""Marks from market events: the ladder of each instrument decides which source makes them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from perps_actors.market.age import VenueOffset
from perps_actors.market.events import BookTop, Touch, Trade
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy, RungChange, SourceLadder
from perps_actors.market.mark import Mark, Source
from perps_actors.market.numbers import mid

MARKED: Final[frozenset[type]] = frozenset({BookTop, Touch, Trade})
"""Kinds of events from which marks are made."""


def price_of(quote: Touch, source: Source, monotonic_ns: int) -> Mark | None:
    """Return the mark of a quote: the mid of bid and ask, else the last price, else None.

    None also if the venue reports an empty side, because the last trade is then older than the
    quote.
    """
    price = _price_of(quote)
    if price is None:
        return None
    return Mark(
        quote.instrument, price, source, quote.venue_time_ns, quote.received_ns, monotonic_ns
    )


def _price_of(quote: Touch) -> Decimal | None:
    if quote.bid is not None and quote.ask is not None:
        return mid(quote.bid, quote.ask)
    if quote.last is not None and not _has_an_empty_side(quote):
        return mid(quote.last, quote.last)
    return None


def _has_an_empty_side(quote: Touch) -> bool:
    """Return whether the venue reports a side as empty: no price and a size of zero."""
    return _is_empty(quote.bid, quote.bid_size) or _is_empty(quote.ask, quote.ask_size)


def _is_empty(price: str | None, size: str | None) -> bool:
    return price is None and size is not None and not float(size)


def _quotes_nothing_new(touch: Touch) -> bool:
    """Return whether bid and ask are both from an earlier message.

    A mark made from them would look newer than it is.
    """
    return {"bid", "ask"} <= {field.field for field in touch.earlier}


class MarkMaker:
    """Make at most one mark from each market event. Holds one ladder per instrument.

    No mark is made from a book with an empty side, a touch without a price, a trade sent as
    history or made outside the book, or a source that is not active. `changes` collects changes of
    active sources.

    Args:
        policy: the policy of all ladders.
        instruments: the instruments with a ladder from the start.
        armed_ns: monotonic time of the start.
        offset: the venue's offset, by which data is aged; None for a recording, whose time passes
            at another pace than ours.
    """

    def __init__(
        self,
        policy: LadderPolicy,
        instruments: Sequence[InstrumentId],
        armed_ns: int,
        offset: VenueOffset | None = None,
    ) -> None:
        self._policy = policy
        self._armed_ns = armed_ns
        self._offset = offset
        self._ladders = {instrument: SourceLadder(policy, armed_ns) for instrument in instruments}
        self.changes: list[tuple[InstrumentId, RungChange]] = []

    def watch(self, instruments: Sequence[InstrumentId], armed_ns: int) -> None:
        """Make marks of these instruments only. New instruments start at the top of the ladder."""
        self._armed_ns = armed_ns
        self._ladders = {
            i: self._ladders.get(i) or SourceLadder(self._policy, armed_ns) for i in instruments
        }

    def of(self, event: BookTop | Touch | Trade, monotonic_ns: int) -> Mark | None:
        """Return the mark of an event whose kind is in `MARKED`, or None if it makes none."""
        if isinstance(event, BookTop):
            source: Source = "book"
            price = mid(event.bid, event.ask) if event.bid and event.ask else None
        elif isinstance(event, Touch):
            source = event.source
            price = None if event.earlier and _quotes_nothing_new(event) else _price_of(event)
        else:
            source = "trades"
            price = None if event.backlog or event.off_book else mid(event.price, event.price)
        instrument, venue_time_ns = event.instrument, event.venue_time_ns
        offset, lag_ns = self._offset, 0
        if offset is not None and venue_time_ns is not None:
            lag_ns = offset.note(monotonic_ns, venue_time_ns)
        if price is None:
            return None
        ladder = self._ladders.get(instrument) or self._new_ladder(instrument)
        active = ladder.offer(source, monotonic_ns, venue_time_ns, lag_ns)
        if ladder.change is not None:
            self._note(instrument, ladder)
        if not active:
            return None
        return Mark(
            instrument, price, source, venue_time_ns, event.received_ns, monotonic_ns, lag_ns
        )

    def admit(self, mark: Mark) -> Mark | None:
        """Return a mark made elsewhere (a polled quote) with its lag; None if it is not active."""
        lag_ns = self.note_time(mark.monotonic_ns, mark.venue_time_ns)
        ladder = self._ladders.get(mark.instrument) or self._new_ladder(mark.instrument)
        active = ladder.offer(mark.source, mark.monotonic_ns, mark.venue_time_ns, lag_ns)
        self._note(mark.instrument, ladder)
        return replace(mark, lag_ns=lag_ns) if active else None

    def note_time(self, monotonic_ns: int, venue_time_ns: int | None) -> int:
        """Note the receive time and venue time of a message; return its lag."""
        if self._offset is None or venue_time_ns is None:
            return 0
        return self._offset.note(monotonic_ns, venue_time_ns)

    def _new_ladder(self, instrument: InstrumentId) -> SourceLadder:
        ladder = self._ladders[instrument] = SourceLadder(self._policy, self._armed_ns)
        return ladder

    def _note(self, instrument: InstrumentId, ladder: SourceLadder) -> None:
        change = ladder.take_change()
        if change is not None:
            self.changes.append((instrument, change))

    def fail_all(self, symbols: Sequence[str], sources: Sequence[Source], cause: str) -> None:
        """Declare sources of symbols failed, because the connection that carried them ended."""
        wanted = frozenset(symbols)
        for instrument, ladder in self._ladders.items():
            if instrument.symbol in wanted:
                for source in sources:
                    ladder.fail(source, cause)
                self._note(instrument, ladder)

    def rungs(self) -> tuple[tuple[InstrumentId, Source], ...]:
        """Return the active source of each instrument."""
        return tuple((instrument, ladder.current) for instrument, ladder in self._ladders.items())

    def take_changes(self) -> list[tuple[InstrumentId, RungChange]]:
        """Return the changes of active sources since the last call."""
        changes, self.changes = self.changes, []
        return changes
