"""A book that begins with a REST snapshot: stream events are chained to it by their update ids. Binance's rule, and Gate.io's.

Source: "How to manage a local order book correctly" in Binance's USD-M futures documentation: buffer the events, fetch the
snapshot, drop events whose `u` is below `lastUpdateId`; the first one applied has `U <= lastUpdateId <= u`; from then on every
`pu` equals the `u` before, else start anew. An event whose `pu` is `lastUpdateId` continues the snapshot just as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from perps_actors.market.book import Level, OrderBook, check_levels
from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome

MAX_WAITING = 5_000
"""Events kept for a snapshot to come."""
MAX_WAITING_LEVELS = 200_000
"""Levels in those events."""
BACKWARDS_MS = 1_000
"""How far venue time may step back between two chained events (servers of one venue differ a little) before the book is suspect."""

_MS = 1_000_000


class Whole(Protocol):
    """A snapshot: all that changed up to `last_id`; `time` in milliseconds."""

    @property
    def last_id(self) -> int: ...  # noqa: D102 - said above
    @property
    def bids(self) -> Sequence[Level]: ...  # noqa: D102 - said above
    @property
    def asks(self) -> Sequence[Level]: ...  # noqa: D102 - said above
    @property
    def time(self) -> int | None: ...  # noqa: D102 - said above


class Change(Protocol):
    """Levels changed by the updates `first_id` to `last_id`; `previous_id` is the `last_id` before; `time` in milliseconds."""

    @property
    def first_id(self) -> int: ...  # noqa: D102 - said above
    @property
    def last_id(self) -> int: ...  # noqa: D102 - said above
    @property
    def previous_id(self) -> int: ...  # noqa: D102 - said above
    @property
    def bids(self) -> Sequence[Level]: ...  # noqa: D102 - said above
    @property
    def asks(self) -> Sequence[Level]: ...  # noqa: D102 - said above
    @property
    def time(self) -> int: ...  # noqa: D102 - said above


class _Waiting:
    """Events in order of arrival that wait for a snapshot; beyond the limits the oldest go."""

    def __init__(self) -> None:
        self.events: deque[Change] = deque()
        self._levels = 0

    def add(self, event: Change) -> None:
        self.events.append(event)
        self._levels += len(event.bids) + len(event.asks)
        while len(self.events) > MAX_WAITING or self._levels > MAX_WAITING_LEVELS:
            self._forget_oldest()

    def forget_before(self, snapshot_id: int) -> None:
        while self.events and self.events[0].last_id < snapshot_id:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        event = self.events.popleft()
        self._levels -= len(event.bids) + len(event.asks)


class RestSnapshotBook:
    """One instrument's book and whether it is good.

    Args:
        instrument: whose book it is.
        request: what fetches its snapshot.
    """

    def __init__(self, instrument: InstrumentId, request: HttpRequest) -> None:
        self.instrument = instrument
        self.connection: str | None = None
        """The connection that fed it last."""
        self.good = False
        self._request = request
        self._book = OrderBook()
        self._awaited = False
        self._disconnected = False
        self._waiting = _Waiting()
        self._last_id = 0
        self._joined = False
        self._time = 0

    def update(self, event: Change, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a stream event: apply it, let it wait for a snapshot, or withdraw the book.

        Raises:
            MarketError: a level that no book can have; nothing was changed, and the next event tells that this one is missing.
        """
        self.connection = connection
        if self.good:
            return self._follow(event, received_ns)
        check_levels(event.bids, event.asks)
        self._disconnected = False
        self._waiting.add(event)
        return self._ask()

    def snapshot(self, answer: Whole, received_ns: int) -> Sequence[Outcome]:
        """Take a snapshot, asked for or not; a good book needs none, and one without a stream behind it would only grow old.

        Raises:
            MarketError: a level that no book can have; then there is none.
        """
        self._awaited = False
        if self.good or self._disconnected:
            return ()
        self._waiting.forget_before(answer.last_id)
        first = self._waiting.events[0] if self._waiting.events else None
        if first is not None and not _joins(first, answer.last_id):
            what = f"Expected a snapshot that reaches update {first.first_id}, was {answer.last_id}"
            return InvalidInput(what, self.instrument.symbol), *self._ask()
        self._book.replace(answer.bids, answer.asks)
        self._last_id = answer.last_id
        top = self._top(snapshot=True, time_ms=answer.time, received_ns=received_ns)
        if top is None:
            cause = self._book.suspicion()
            self._book.clear()
            return (
                InvalidInput(f"Expected a sound snapshot, was {cause}", self.instrument.symbol),
            )
        self.good, self._joined = True, False
        return [top, *self._catch_up(received_ns)]

    def replace(self, answer: Whole, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a snapshot that the stream itself pushed: it replaces the book, whatever that was.

        Raises:
            MarketError: a level that no book can have; nothing was changed, and the next event tells that this one is missing.
        """
        check_levels(answer.bids, answer.asks)
        was_good = self.good
        self._empty()
        self.connection, self._disconnected = connection, False
        told = self.snapshot(answer, received_ns)
        if self.good:
            return told
        withdrawn = (
            (BookWithdrawn(self.instrument, "a snapshot that cannot be believed", received_ns),)
            if was_good
            else ()
        )
        return *withdrawn, *told, *self._ask()

    def no_snapshot(self) -> None:
        """The snapshot asked for will not come: the next event asks again."""
        self._awaited = False

    def lose(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """The stream behind the book ended: withdraw it, and wait for events of a new stream."""
        was_good = self.good
        self._empty()
        self._disconnected = True
        return (BookWithdrawn(self.instrument, cause, received_ns),) if was_good else ()

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw a good book and ask for a snapshot to begin anew with."""
        if not self.good:
            return ()
        self._empty()
        return BookWithdrawn(self.instrument, cause, received_ns), *self._ask()

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self._book.depth(levels)

    def _follow(self, event: Change, received_ns: int) -> Sequence[Outcome]:
        if not self._joined and event.last_id < self._last_id:
            return ()
        cause = self._break_before(event)
        if cause is None:
            self._book.apply(event.bids, event.asks)
            self._joined, self._last_id, self._time = True, event.last_id, event.time
            top = self._top(snapshot=False, time_ms=event.time, received_ns=received_ns)
            if top is not None:
                return (top,)
            cause = self._book.suspicion() or ""
        doubted = self.invalidate(cause, received_ns)
        self._waiting.add(event)
        return doubted

    def _break_before(self, event: Change) -> str | None:
        if self._joined:
            if event.previous_id != self._last_id:
                return f"gap: update {self._last_id} was followed by one after {event.previous_id}"
            if event.last_id <= self._last_id:
                return f"update ids ran backwards: {self._last_id}, then {event.last_id}"
            if event.time < self._time - BACKWARDS_MS:
                return f"venue time ran backwards by {self._time - event.time} ms"
            return None
        return (
            None
            if _joins(event, self._last_id)
            else f"gap: snapshot {self._last_id}, then update {event.first_id}"
        )

    def _catch_up(self, received_ns: int) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        waiting, self._waiting = self._waiting, _Waiting()
        for event in waiting.events:
            if self.good:
                outcomes += self._follow(event, received_ns)
            else:
                self._waiting.add(event)
        return outcomes

    def _ask(self) -> Sequence[Outcome]:
        if self._awaited:
            return ()
        self._awaited = True
        return (self._request,)

    def _empty(self) -> None:
        self.good = False
        self._book.clear()
        self._waiting = _Waiting()

    def _top(self, *, snapshot: bool, time_ms: int | None, received_ns: int) -> BookTop | None:
        time_ns = time_ms * _MS if time_ms is not None else None
        return self._book.top(
            self.instrument, self._last_id, time_ns, received_ns, snapshot=snapshot
        )


def _joins(event: Change, snapshot_id: int) -> bool:
    return event.first_id <= snapshot_id <= event.last_id or event.previous_id == snapshot_id
