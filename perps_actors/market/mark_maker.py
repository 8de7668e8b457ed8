"""Marks from market events: the ladder of each instrument decides which source makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
    if quote.bid is not None and quote.ask is not None:
        mark = mid(quote.bid, quote.ask)
    elif quote.last is not None and not _has_an_empty_side(quote):
        mark = mid(quote.last, quote.last)
    else:
        return None
    return Mark(
        quote.instrument, mark, source, quote.venue_time_ns, quote.received_ns, monotonic_ns
    )


def _has_an_empty_side(quote: Touch) -> bool:
    """Return whether the venue reports a side as empty: no price and a size of zero."""
    return _is_empty(quote.bid, quote.bid_size) or _is_empty(quote.ask, quote.ask_size)


def _is_empty(price: str | None, size: str | None) -> bool:
    return price is None and size is not None and not float(size)


def _quotes_nothing_new(touch: Touch) -> bool:
    """Return whether bid and ask are both from an earlier message.

    A mark made from them would look newer than it is.
    """
    return bool(touch.earlier) and {"bid", "ask"} <= {field.field for field in touch.earlier}


class MarkMaker:
    """Make at most one mark from each market event. Holds one ladder per instrument.

    No mark is made from a book with an empty side, a touch without a price, a trade sent as
    history, or a source that is not active. `changes` collects changes of active sources.
    """

    def __init__(
        self, policy: LadderPolicy, instruments: Sequence[InstrumentId], armed_ns: int
    ) -> None:
        self._policy = policy
        self._armed_ns = armed_ns
        self._ladders = {instrument: SourceLadder(policy, armed_ns) for instrument in instruments}
        self.changes: list[tuple[InstrumentId, RungChange]] = []

    def watch(self, instruments: Sequence[InstrumentId], armed_ns: int) -> None:
        """Make marks of these instruments only. New instruments start at the top of the ladder."""
        self._armed_ns = armed_ns
        self._ladders = {
            i: self._ladders.get(i) or SourceLadder(self._policy, armed_ns) for i in instruments
        }

    def _ladder(self, instrument: InstrumentId) -> SourceLadder:
        ladder = self._ladders.get(instrument)
        if ladder is None:
            ladder = self._ladders[instrument] = SourceLadder(self._policy, self._armed_ns)
        return ladder

    def _is_active(
        self, instrument: InstrumentId, source: Source, monotonic_ns: int, venue_time_ns: int | None
    ) -> bool:
        ladder = self._ladder(instrument)
        active = ladder.offer(source, monotonic_ns, venue_time_ns)
        if ladder.change is not None:
            self._note(instrument, ladder)
        return active

    def _note(self, instrument: InstrumentId, ladder: SourceLadder) -> None:
        change = ladder.take_change()
        if change is not None:
            self.changes.append((instrument, change))

    def of(self, event: BookTop | Touch | Trade, monotonic_ns: int) -> Mark | None:
        """Return the mark of an event whose kind is in `MARKED`, or None if it makes none."""
        if isinstance(event, Touch):
            return self._of_touch(event, monotonic_ns)
        if isinstance(event, BookTop):
            return self._of_book(event, monotonic_ns)
        return self._of_trade(event, monotonic_ns)

    def _of_book(self, top: BookTop, monotonic_ns: int) -> Mark | None:
        bid, ask = top.bid, top.ask
        if (
            bid is None
            or ask is None
            or not self._is_active(top.instrument, "book", monotonic_ns, top.venue_time_ns)
        ):
            return None
        return Mark(
            top.instrument, mid(bid, ask), "book", top.venue_time_ns, top.received_ns, monotonic_ns
        )

    def _of_touch(self, touch: Touch, monotonic_ns: int) -> Mark | None:
        one_sided = touch.bid is None or touch.ask is None
        if (one_sided and (touch.last is None or _has_an_empty_side(touch))) or _quotes_nothing_new(
            touch
        ):
            return None
        if not self._is_active(touch.instrument, touch.source, monotonic_ns, touch.venue_time_ns):
            return None
        return price_of(touch, touch.source, monotonic_ns)

    def _of_trade(self, trade: Trade, monotonic_ns: int) -> Mark | None:
        if trade.backlog or not self._is_active(
            trade.instrument, "trades", monotonic_ns, trade.venue_time_ns
        ):
            return None
        mark = mid(trade.price, trade.price)
        return Mark(
            trade.instrument, mark, "trades", trade.venue_time_ns, trade.received_ns, monotonic_ns
        )

    def admit(self, mark: Mark) -> bool:
        """Return whether the source of a mark made elsewhere (a polled quote) is active."""
        return self._is_active(mark.instrument, mark.source, mark.monotonic_ns, mark.venue_time_ns)

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
