"""A bounded inbox with a control lane: every message is handled, or dropped by a declared policy and counted, or left over.

No lock on the way of a single message: a lock held across the interpreter's thread switches makes sender and receiver take turns
at every message (three times slower, measured). Each entry is appended and popped by one instruction of a deque, so whoever pops
it accounts for it, and nothing is lost or doubled: `put` appends and then looks at `closed`; the closer sets `closed` and then
empties the inbox; both hand what they popped to `on_left`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import attrs
from pykka._envelope import Envelope

from perps_actors.kernel.traits import BATCH, CONTROL, MERGES, SHEDDABLE, traits_of, weight_of


class Overflow(Enum):
    """What happens to a data message that finds the inbox full."""

    REFUSE = "refuse"
    """It is dropped if its class is sheddable; any other is taken up to the ceiling, twice the bound, and refused beyond."""
    DROP_OLDEST = "drop_oldest"
    """It is taken, and the oldest data message is dropped."""


@attrs.frozen(kw_only=True)
class InboxPolicy:
    """How an inbox behaves under pressure."""

    bound: int = 100_000
    """Items that may wait; a batch counts its length."""
    conflate: bool = False
    """Whether classes with `merged_with` are merged while they wait."""
    overflow: Overflow = Overflow.REFUSE


@attrs.frozen(kw_only=True)
class InboxStatistics:
    """Counters of one inbox, in items. What was told is taken, or dropped, or left, or still waiting."""

    length: int
    taken: int
    dropped: int
    """Lost to the bound, or merged away."""
    left: int
    """Found waiting when the inbox was closed, or told after it."""

    @property
    def told(self) -> int:
        """Everything that was ever put."""
        return self.length + self.taken + self.dropped + self.left


class _Slot:
    """Holds the one waiting message of a class that is conflated."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message


EMPTY: Final = object()


class Inbox:
    """Where an actor's messages wait. Any thread may put, one takes; it outlives the actor's incarnations."""

    def __init__(self, policy: InboxPolicy, on_ready: Callable[[], None], on_left: Callable[[Any], None]) -> None:
        self.policy = policy
        self._on_ready = on_ready
        self._on_left = on_left
        self._bound = policy.bound
        self._control: deque[Any] = deque()
        self._data: deque[Any] = deque()
        self._slots: dict[type, _Slot] = {}
        self._scheduled = False
        self._closed = False
        self._relief: Callable[[], None] | None = None
        # Guards the counters that several threads write, all off the way of a single message. Re-entrant, because a signal handler
        # of the host runs between two instructions of whatever the main thread is doing.
        self._lock = threading.RLock()
        self._extra = 0  # items in waiting batches beyond one each
        self._dropped = 0
        self._left = 0
        self.taken = 0

    def __len__(self) -> int:
        """Return the number of items that wait, a batch counting its length."""
        return len(self._control) + len(self._data) + self._extra

    def put(self, entry: Any) -> bool:
        """Take a message, or an envelope that holds one; return False when it was dropped or the inbox is closed."""
        message = entry.message if entry.__class__ is Envelope else entry
        traits = traits_of(message.__class__)
        if traits & CONTROL:
            self._control.append(entry)
        elif (traits or len(self._data) >= self._bound or self._extra) and not self._put_carefully(entry, message, traits):
            return False
        elif not traits:
            self._data.append(entry)
        if self._closed:
            self._empty()
            return False
        if not self._scheduled:
            self._scheduled = True
            self._on_ready()
        return True

    def _put_carefully(self, entry: Any, message: Any, traits: int) -> bool:
        """Append a batch, or anything that may meet the bound; a plain message that fits is left to the caller."""
        with self._lock:
            weight = len(message) if traits & BATCH else 1
            if traits & MERGES and self.policy.conflate and entry is message:
                self._merge(message, weight)
                return True
            if len(self) + weight > self._bound and not self._make_room(traits, weight):
                self._dropped += weight
                return False
            self._extra += weight - 1
            if traits:
                self._data.append(entry)
        return True

    def _merge(self, message: Any, weight: int) -> None:
        slot = self._slots.get(message.__class__)
        if slot is None:
            self._slots[message.__class__] = slot = _Slot(message)
            self._extra += weight - 1
            self._data.append(slot)
            return
        before = weight_of(slot.message)
        slot.message = slot.message.merged_with(message)
        grown = weight_of(slot.message) - before
        self._extra += grown
        self._dropped += weight - grown

    def _make_room(self, traits: int, weight: int) -> bool:
        """Return whether a message may be taken although the bound is reached."""
        if self.policy.overflow is Overflow.DROP_OLDEST:
            while self._data and len(self) + weight > self._bound:
                self._dropped += self._counted_out(self._data.popleft())[1]
            return True
        return not traits & SHEDDABLE and len(self) + weight <= 2 * self._bound

    def take(self) -> Any:
        """Return the next message or envelope, control first; `EMPTY` when nothing waits."""
        try:
            entry = self._control.popleft() if self._control else self._data.popleft()
        except IndexError:
            self._scheduled = False
            if not self._data and not self._control:
                return EMPTY
            self._scheduled = True
            return self.take()
        if self._extra or self._slots:
            entry = self._counted_out(entry)[0]
        if self._relief is not None:
            self._relief()
        return entry

    def _counted_out(self, entry: Any) -> tuple[Any, int]:
        """Return what was popped, out of its slot, with its weight, and settle the count of items."""
        with self._lock:
            if entry.__class__ is _Slot:
                entry = entry.message
                del self._slots[entry.__class__]
            weight = weight_of(entry)
            self._extra -= weight - 1
        return entry, weight

    def put_back(self, message: Any) -> None:
        """Put the rest of a batch whose handling ended early back to the front of the data lane."""
        with self._lock:
            self._extra += weight_of(message) - 1
            self._data.appendleft(message)
        if self._closed:
            self._empty()

    def park(self) -> None:
        """Mark the inbox unscheduled: its actor is gone for now and messages wait for the next."""
        self._scheduled = False

    def close(self) -> None:
        """Take no more; what still waits is handed to `on_left` and counted. Idempotent."""
        self._closed = True
        self._empty()

    def _empty(self) -> None:
        while True:
            try:
                entry = self._control.popleft() if self._control else self._data.popleft()
            except IndexError:
                return
            entry, weight = self._counted_out(entry)
            with self._lock:
                self._left += weight
            self._on_left(entry)

    def on_relief(self, relief: Callable[[], None] | None) -> None:
        """Have `relief` called after each message taken: how an edge learns that it may read again."""
        self._relief = relief

    def statistics(self) -> InboxStatistics:
        """Return the counters: exact while nobody puts or takes."""
        with self._lock:
            return InboxStatistics(length=len(self), taken=self.taken, dropped=self._dropped, left=self._left)
