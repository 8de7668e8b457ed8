"""A book that begins with a REST snapshot, to which deltas are chained by update ids.

Binance's and Gate.io's rule. Source: "How to manage a local order book correctly" in Binance's
USD-M futures documentation: buffer the deltas, fetch the snapshot, drop deltas whose `u` is below
`lastUpdateId`. The first delta applied has `U <= lastUpdateId <= u`. From then on every `pu` equals
the `u` before, else start again. A delta whose `pu` is `lastUpdateId` continues the snapshot too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from msgspec import Struct, field

from perps_actors.errors import VenueError
from perps_actors.market.book import check_levels
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import BookSnapshot, InvalidInput, Outcome
from perps_actors.venues.toolkit.fields import NS_PER_MS, Levels, Millis, SequenceId
from perps_actors.venues.toolkit.rest import status_trouble
from perps_actors.venues.toolkit.stream_book import BACKWARDS_NS, SyncedBook

MAX_WAITING: Final = 5_000
"""Deltas that may wait for a snapshot."""
MAX_WAITING_LEVELS: Final = 200_000
"""Levels in those deltas."""


class BookDelta(Struct, gc=False):
    """Levels that the updates `first_id` to `last_id` changed; `time` in milliseconds.

    The names of the fields are Binance's.
    """

    time: Millis = field(name="E")
    first_id: SequenceId = field(name="U")
    last_id: SequenceId = field(name="u")
    previous_id: SequenceId = field(name="pu")
    """The `last_id` of the delta before."""
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class _Waiting:
    """Deltas that wait for a snapshot, in order of arrival; beyond the limits the oldest go."""

    def __init__(self) -> None:
        self.deltas: deque[BookDelta] = deque()
        self._levels = 0

    def add(self, delta: BookDelta) -> None:
        self.deltas.append(delta)
        self._levels += len(delta.bids) + len(delta.asks)
        while len(self.deltas) > MAX_WAITING or self._levels > MAX_WAITING_LEVELS:
            self._forget_oldest()

    def forget_before(self, snapshot_id: int) -> None:
        while self.deltas and self.deltas[0].last_id < snapshot_id:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        delta = self.deltas.popleft()
        self._levels -= len(delta.bids) + len(delta.asks)


class RestSnapshotBook(SyncedBook):
    """One instrument's book, with snapshots over REST.

    Args:
        instrument: the instrument.
        request: the request that fetches a snapshot.
    """

    def __init__(self, instrument: InstrumentId, request: HttpRequest) -> None:
        super().__init__(instrument)
        self._request = request
        self._requested = False
        self._disconnected = False
        self._waiting = _Waiting()
        self._joined = False
        """Whether a delta was applied since the snapshot."""

    def update(self, delta: BookDelta, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Apply a delta, let it wait for a snapshot, or withdraw the book if there is a gap.

        Raises:
            MarketError: a level that no book can have. Nothing was changed, and the next delta
                shows that this one is missing.
        """
        self.connection = connection
        if self.synced:
            return self._follow(delta, received_ns)
        check_levels(delta.bids, delta.asks)
        self._disconnected = False
        self._waiting.add(delta)
        return self._request_snapshot()

    def snapshot(self, answer: BookSnapshot, received_ns: int) -> Sequence[Outcome]:
        """Take a snapshot, requested or not.

        A synced book needs none. After a disconnection none is taken either, because without a
        stream the book would only grow old.

        Raises:
            MarketError: a level that no book can have; the snapshot is not taken.
        """
        self._requested = False
        if self.synced or self._disconnected:
            return ()
        snapshot_id = answer.sequence or 0
        self._waiting.forget_before(snapshot_id)
        first = self._waiting.deltas[0] if self._waiting.deltas else None
        if first is not None and not _joins(first, snapshot_id):
            what = f"Expected a snapshot that reaches update {first.first_id}, was {snapshot_id}"
            return InvalidInput(what, self.instrument.symbol), *self._request_snapshot()
        self._book.replace(answer.bids, answer.asks)
        top = self._book.top(
            self.instrument, snapshot_id, answer.venue_time_ns, received_ns, snapshot=True
        )
        if top is None:
            what = f"Expected a sound snapshot, was {self._book.suspicion()}"
            self._book.clear()
            return (InvalidInput(what, self.instrument.symbol),)
        self.synced, self._joined, self.sequence = True, False, snapshot_id
        return [top, *self._catch_up(received_ns)]

    def replace(self, pushed: BookSnapshot, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a snapshot that the stream pushed, in place of the book, synced or not.

        Raises:
            MarketError: a level that no book can have. Nothing was changed, and the next delta
                shows that this snapshot is missing.
        """
        check_levels(pushed.bids, pushed.asks)
        withdrawn = self._withdraw("the stream sent a snapshot that is not sound", received_ns)
        self.connection, self._disconnected = connection, False
        outcomes = self.snapshot(pushed, received_ns)
        return outcomes if self.synced else (*withdrawn, *outcomes, *self._request_snapshot())

    def request_failed(self) -> None:
        """Let the next delta request the snapshot again, because the request was in vain."""
        self._requested = False

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book if this connection, which ended, fed it; wait for a new stream."""
        if self.connection != connection:
            return ()
        self._disconnected = True
        return self._withdraw(f"connection {connection} ended", received_ns)

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw a synced book and request a snapshot."""
        if not self.synced:
            return ()
        return *self._withdraw(cause, received_ns), *self._request_snapshot()

    def _follow(self, delta: BookDelta, received_ns: int) -> Sequence[Outcome]:
        if not self._joined and delta.last_id < (self.sequence or 0):
            return ()
        time_ns = delta.time * NS_PER_MS
        cause = self._gap_before(delta)
        if cause is None and time_ns < self._earliest_ns:
            cause = self.ran_back(time_ns)
        if cause is None:
            self._book.apply(delta.bids, delta.asks)
            top = self._book.top(
                self.instrument, delta.last_id, time_ns, received_ns, snapshot=False
            )
            if top is not None:
                self._joined, self.sequence = True, delta.last_id
                self._earliest_ns = time_ns - BACKWARDS_NS
                return (top,)
            cause = self._book.suspicion() or ""
        withdrawn = self.invalidate(cause, received_ns)
        self._waiting.add(delta)
        return withdrawn

    def _gap_before(self, delta: BookDelta) -> str | None:
        last = self.sequence or 0
        if not self._joined:
            joins = _joins(delta, last)
            return None if joins else f"gap: snapshot {last}, then update {delta.first_id}"
        if delta.previous_id != last:
            return f"gap: update {last} was followed by one after {delta.previous_id}"
        if delta.last_id <= last:
            return f"update ids ran backwards: {last}, then {delta.last_id}"
        return None

    def _catch_up(self, received_ns: int) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        waiting, self._waiting = self._waiting, _Waiting()
        for delta in waiting.deltas:
            if self.synced:
                outcomes += self._follow(delta, received_ns)
            else:
                self._waiting.add(delta)
        return outcomes

    def _request_snapshot(self) -> Sequence[Outcome]:
        if self._requested:
            return ()
        self._requested = True
        return (self._request,)

    def _withdraw(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        self._waiting = _Waiting()
        return super()._withdraw(cause, received_ns)


def _joins(delta: BookDelta, snapshot_id: int) -> bool:
    return delta.first_id <= snapshot_id <= delta.last_id or delta.previous_id == snapshot_id


class _Requesting(Protocol):
    def request_failed(self) -> None: ...


_State = TypeVar("_State", bound=_Requesting)


def read_snapshot(
    symbols: Mapping[str, _State | None],
    request: HttpRequest,
    status: int | None,
    body: bytes,
    take: Callable[[_State], Sequence[Outcome]],
) -> Sequence[Outcome]:
    """Give the answer to a snapshot request, ours or not, to the book of its symbol.

    Answers to other requests are ignored. After an answer that cannot be used the book requests the
    snapshot again.

    Args:
        symbols: the books, or the states that have them; None for a symbol no longer followed.
        request: the answered request.
        status: the HTTP status; None if there was no answer.
        body: the answer.
        take: decodes the answer and gives it to a book; may raise.
    """
    if request.purpose != "depth":
        return ()
    try:
        state = symbols[request.symbol or ""]
    except VenueError as error:
        return (InvalidInput(str(error)),)
    if state is None:
        return ()
    trouble = status_trouble(request, status)
    if trouble is None:
        try:
            return take(state)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            what = f"Expected a depth snapshot, was {body[:60]!r}: {error}"
            trouble = InvalidInput(what, request.symbol)
    state.request_failed()
    return (trouble,)
