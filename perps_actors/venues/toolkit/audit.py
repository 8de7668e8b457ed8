"""Compare the books of streams with REST, to find faults that sequence rules do not find.

A book that is pushed every 100 ms and one that is fetched over REST are rarely of the same moment.
But a level that the stream's book held unchanged from the request until a while after the answer
existed when the answer was made. If the answer has another size at that price, the level is
suspect. If the next audit finds the same level suspect again, the book is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

import attrs

from perps_actors.errors import VenueError
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import (
    BookSnapshot,
    InvalidInput,
    Outcome,
    RestAdapter,
    StreamAdapter,
)
from perps_actors.venues.toolkit.rest import status_trouble

LEVELS: Final = 20
"""Levels of each side that are compared."""
SETTLE_NS: Final = 1_000_000_000
"""How long the stream is watched after the answer, which may be ahead of the stream."""
AGAIN_NS: Final = 3_000_000_000
"""How long after an audit with a suspect level the next one begins."""
PATIENCE_NS: Final = 60_000_000_000
"""How long to wait for the answer to an audit."""
PURPOSE: Final = "audit"

Prices = dict[Decimal, Decimal]
"""Sizes by price."""
Suspects = frozenset[tuple[str, Decimal, Decimal]]
"""Levels as (side, price, size in the stream's book); size zero for a missing level."""


class _Side:
    """The levels of one side that did not change while an audit lasted."""

    def __init__(self, levels: Sequence[tuple[str, str]], *, highest_first: bool) -> None:
        self._highest_first = highest_first
        self._steady = _prices(levels)
        self._ever = set(self._steady)
        self._worst = self._end(self._steady)

    def note(self, levels: Sequence[tuple[str, str]]) -> None:
        """Note the side as it is now."""
        now = _prices(levels)
        self._steady = {
            price: size for price, size in self._steady.items() if now.get(price) == size
        }
        self._ever |= now.keys()
        worst = self._end(now)
        if worst is not None:
            self._worst = worst if self._worst is None else self._nearer(worst, self._worst)

    def suspects(self, answer: Sequence[tuple[str, str]]) -> dict[Decimal, Decimal]:
        """Return the levels that REST has otherwise, as far as both books are deep enough."""
        fetched = _prices(answer)
        end = self._end(fetched)
        if end is None or self._worst is None:
            return {}
        end = self._nearer(end, self._worst)
        wrong = {price: size for price, size in self._steady.items() if fetched.get(price) != size}
        missing = {
            price: Decimal(0) for price, size in fetched.items() if size and price not in self._ever
        }
        return {
            price: size
            for price, size in (wrong | missing).items()
            if self._nearer(price, end) == price
        }

    def _end(self, prices: Prices) -> Decimal | None:
        """Return the price farthest from the market."""
        return (min if self._highest_first else max)(prices, default=None)

    def _nearer(self, one: Decimal, other: Decimal) -> Decimal:
        return max(one, other) if self._highest_first else min(one, other)


@attrs.define
class _Audit:
    """An audit under way."""

    symbol: str
    bids: _Side
    asks: _Side
    requested_ns: int
    sequence: int | None
    """The sequence number of the stream's book when REST was requested."""
    answer: BookSnapshot | None = None
    answered_ns: int = 0


class AuditedStream:
    """A `StreamAdapter` that wraps another one and compares its books with REST, one at a time.

    A book that has the same wrong level twice is withdrawn and starts again. An answer is ignored
    if it cannot be read, or is older than the book was when it was requested.

    Args:
        stream: the wrapped streams.
        rest: makes the requests for books and reads the answers.
        every_s: seconds between two audits of a book.
    """

    def __init__(self, stream: StreamAdapter, rest: RestAdapter, every_s: float) -> None:
        self._stream = stream
        self._rest = rest
        self._every_ns = round(every_s * 1e9)
        self._due: dict[str, int] = {}
        self._suspects: dict[str, Suspects] = {}
        self._audit: _Audit | None = None
        self.plan: Callable[[Sequence[str]], tuple[ConnectionPlan, ...]] = stream.plan
        self.amend: Callable[[ConnectionPlan, ConnectionPlan], tuple[str, ...] | None] = (
            stream.amend
        )
        self.opened: Callable[[str, int], Sequence[Outcome]] = stream.opened
        self.invalidate: Callable[[str, str, int], Sequence[Outcome]] = stream.invalidate
        self.depth: Callable[[str, int], tuple[list[tuple[str, str]], list[tuple[str, str]]]] = (
            stream.depth
        )

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of an ended connection."""
        return self._watched(self._stream.closed(connection, received_ns), received_ns)

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of a frame, and of an audit that is due or over."""
        return self._watched(self._stream.frame(connection, data, received_ns), received_ns)

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Take the answer to an audit, or pass it on to the wrapped streams."""
        if request.purpose != PURPOSE:
            return self._watched(
                self._stream.answer(request, status, body, received_ns), received_ns
            )
        audit = self._audit
        if audit is None or audit.symbol != request.symbol or audit.answer is not None:
            return ()
        trouble = status_trouble(request, status)
        try:
            answer = self._rest.read_book(body) if trouble is None else None
        except VenueError as error:
            answer, trouble = None, InvalidInput(str(error), request.symbol)
        if answer is None or (
            answer.sequence is not None
            and audit.sequence is not None
            and answer.sequence < audit.sequence
        ):
            self._audit = None
        else:
            audit.answer, audit.answered_ns = answer, received_ns
        return (trouble,) if trouble is not None else ()

    def _watched(self, outcomes: Sequence[Outcome], received_ns: int) -> Sequence[Outcome]:
        books = {
            outcome.instrument.symbol: outcome
            for outcome in outcomes
            if isinstance(outcome, BookTop | BookWithdrawn)
        }
        audit = self._audit
        if audit is None:
            return [*outcomes, *self._begin(books.values(), received_ns)] if books else outcomes
        now = books.get(audit.symbol)
        if isinstance(now, BookWithdrawn) or received_ns - audit.requested_ns > PATIENCE_NS:
            self._audit = None
            return outcomes
        if now is not None:
            bids, asks = self._stream.depth(audit.symbol, LEVELS)
            audit.bids.note(bids)
            audit.asks.note(asks)
        if audit.answer is None or received_ns - audit.answered_ns < SETTLE_NS:
            return outcomes
        self._audit = None
        return [*outcomes, *self._verdict(audit, audit.answer, received_ns)]

    def _begin(
        self, books: Iterable[BookTop | BookWithdrawn], received_ns: int
    ) -> Sequence[Outcome]:
        for top in books:
            symbol = top.instrument.symbol
            due_ns = self._due.setdefault(symbol, received_ns + self._every_ns)
            # A wall clock that was set back must not put off the next audit for long.
            if isinstance(top, BookWithdrawn) or due_ns - self._every_ns <= received_ns < due_ns:
                continue
            request = self._rest.depth(symbol)
            if request is None:
                continue
            self._due[symbol] = received_ns + self._every_ns
            bids, asks = self._stream.depth(symbol, LEVELS)
            sides = _Side(bids, highest_first=True), _Side(asks, highest_first=False)
            self._audit = _Audit(symbol, *sides, received_ns, top.sequence)
            return (attrs.evolve(request, purpose=PURPOSE),)
        return ()

    def _verdict(self, audit: _Audit, answer: BookSnapshot, received_ns: int) -> Sequence[Outcome]:
        bids, asks = (
            [(level.price, level.size) for level in side] for side in (answer.bids, answer.asks)
        )
        sides = (("bid", audit.bids.suspects(bids)), ("ask", audit.asks.suspects(asks)))
        suspects = frozenset(
            (side, price, size) for side, wrong in sides for price, size in wrong.items()
        )
        confirmed = self._suspects.pop(audit.symbol, frozenset()) & suspects
        if confirmed:
            side, price, size = min(confirmed)
            held = f"size {size:f}" if size else "nothing"
            return self._stream.invalidate(
                audit.symbol,
                f"audit: {held} at {side} {price:f}, which REST has otherwise",
                received_ns,
            )
        if suspects:
            self._suspects[audit.symbol] = suspects
            self._due[audit.symbol] = received_ns + AGAIN_NS
        return ()


def _prices(levels: Sequence[tuple[str, str]]) -> Prices:
    return {Decimal(price): Decimal(size) for price, size in levels}
