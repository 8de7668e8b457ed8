"""Mistakes in prices, books, windows and source ladders."""

from __future__ import annotations

from typing import Any

import attrs

from exploration.mutations.mutation import Mutation, Replace
from perps_actors.market.book import OrderBook
from perps_actors.market.events import BookTop
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.ladder import LadderPolicy, SourceLadder


def _with_policy(**changes: Any) -> Replace:
    """Give a ladder another policy than it was made with."""

    def replace(init: Any) -> Any:
        def with_changes(ladder: SourceLadder, policy: LadderPolicy, armed_ns: int) -> None:
            init(ladder, attrs.evolve(policy, **changes), armed_ns)

        return with_changes

    return replace


def _believing_a_crossed_book(top: Any) -> Any:
    def believed(
        book: OrderBook,
        instrument: InstrumentId,
        sequence: int | None,
        venue_time_ns: int | None,
        received_ns: int,
        *,
        snapshot: bool,
    ) -> BookTop:
        best = top(book, instrument, sequence, venue_time_ns, received_ns, snapshot=snapshot)
        if best is not None:
            return best  # type: ignore[no-any-return]
        levels: Any = book.depth(1)
        ((bid, bid_size),), ((ask, ask_size),) = levels
        return BookTop(
            instrument,
            snapshot,
            bid,
            bid_size,
            ask,
            ask_size,
            1,
            1,
            sequence,
            venue_time_ns,
            received_ns,
        )

    return believed


def _not_seeing_gaps(gap_before: Any) -> Any:
    def blind(book: Any, event: Any) -> str | None:
        cause: str | None = gap_before(book, event)
        return None if cause is not None and cause.startswith("gap: update") else cause

    return blind


LADDER = "perps_actors.market.ladder:SourceLadder"
BOOK = "perps_actors.venues.toolkit.rest_snapshot_book:RestSnapshotBook"

MARKET = (
    Mutation(
        f"{LADDER}.__init__",
        "a failed source becomes active again at its first update",
        _with_policy(climb_after=1),
    ),
    Mutation(
        f"{LADDER}.__init__",
        "a source counts as silent at once",
        _with_policy(patience_ns=-1),
    ),
    Mutation(
        f"{LADDER}._climb",
        "a failed source never becomes active again",
        lambda _: lambda *_: None,
    ),
    Mutation(
        f"{LADDER}.offer",
        "every source makes marks",
        lambda offer: lambda *arguments: offer(*arguments) or True,
    ),
    Mutation(
        "perps_actors.market.window:pushed",
        "a window holds one mark too many",
        lambda pushed: lambda window, mark, length: pushed(window, mark, length + 1),
    ),
    Mutation(
        f"{BOOK}._gap_before",
        "a gap in a book's updates goes unnoticed",
        _not_seeing_gaps,
    ),
    Mutation(
        "perps_actors.market.book:OrderBook.top",
        "a crossed book is believed",
        _believing_a_crossed_book,
    ),
    Mutation(
        f"{BOOK}.request_failed",
        "a book waits for ever for a snapshot that got lost",
        lambda _: lambda _: None,
    ),
)
