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

from perps_actors.kernel.clock import SystemClock
from perps_actors.kernel.statistics import InboxStatistics
from perps_actors.kernel.timers import Timer
from perps_actors.kernel.traits import (
    BATCH,
    CONTROL,
    HOLDS,
    MERGES,
    ORDER,
    SHEDDABLE,
    TRAITS,
    held_by,
    traits_of,
    weight_of,
)


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
    """Data items that may wait; a batch counts its length. Control, orders and timers, of which there are few, do not count."""
    conflate: bool = False
    """Whether classes with `merged_with` are merged while they wait."""
    overflow: Overflow = Overflow.REFUSE


class _Slot:
    """Holds the one waiting message of a class that is conflated."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message


EMPTY: Final = object()


def _unwrapped(entry: Any) -> Any:
    return entry.message if entry.__class__ is Envelope else entry


def _awaited(entry: Any) -> bool:
    """Return whether someone waits for what becomes of the entry: an asker, or the actor that set a timer."""
    return entry.__class__ is Envelope and entry.reply_to is not None


def _is_timer(entry: Any) -> bool:
    # A lost tick would end whatever sets its next timer on each.
    return entry.__class__ is Envelope and isinstance(entry.reply_to, Timer)


class Inbox:
    """Where an actor's messages wait. Any thread may put, one takes; it outlives the actor's incarnations."""

    def __init__(
        self,
        policy: InboxPolicy,
        on_ready: Callable[[], None],
        on_left: Callable[[Any], None],
        now_ns: Callable[[], int] = SystemClock.monotonic_ns,
    ) -> None:
        self.policy = policy
        self._on_ready = on_ready
        self._on_left = on_left
        self._now_ns = now_ns
        self._bound = policy.bound
        self._control: deque[Any] = deque()
        self._data: deque[Any] = deque()
        self._slots: dict[type, _Slot] = {}
        self._scheduled = False
        self._closed = False
        self._reliefs: tuple[Callable[[], None], ...] = ()
        # Guards the counters that several threads write, all off the way of a single message. Re-entrant, because a signal handler
        # of the host runs between two instructions of whatever the main thread is doing.
        self._lock = threading.RLock()
        self._extra = 0  # items in waiting batches beyond one each
        self._uneven = 0  # entries that are no single item, so that taking them has to be settled
        self.held_bytes = 0
        self._refused = self._merged = self._overrun = self._left = 0
        self.taken = 0
        # No message is stamped. Everything that waits came after `since`; all that waited at `looked` is gone at the `horizon`.
        self._since_ns: int | None = None
        self._looked_ns = 0
        self._horizon = 0

    def __len__(self) -> int:
        """Return the number of items that wait, a batch counting its length."""
        return len(self._control) + len(self._data) + self._extra

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        return self._closed

    def put(self, entry: Any) -> bool:
        """Take a message, or an envelope that holds one; return False when it was dropped or the inbox is closed."""
        cls = entry.__class__ if entry.__class__ is not Envelope else entry.message.__class__
        if TRAITS.get(cls) == 0 and not self._extra and len(self._data) < self._bound:
            self._data.append(entry)
        elif not self._put_carefully(entry):
            return False
        if self._closed:
            self._empty()
            return False
        if not self._scheduled:
            if self._since_ns is None:
                self._since_ns = self._looked_ns = self._now_ns()
            self._scheduled = True
            self._on_ready()
        return True

    def _put_carefully(self, entry: Any) -> bool:
        """Append what has a lane or a weight of its own, or may meet the bound; return False when it was dropped."""
        message = _unwrapped(entry)
        traits, weight, held_bytes = (
            traits_of(message.__class__),
            weight_of(message),
            held_by(message),
        )
        with self._lock:
            if traits & MERGES and self.policy.conflate and not _awaited(entry):
                self._merge(message, weight)
                return True
            if (
                not traits & (CONTROL | ORDER)
                and not _is_timer(entry)
                and not self._make_room(traits, weight)
            ):
                self._refused += weight
                return False
            if traits & (BATCH | HOLDS):
                self._count_in(weight, held_bytes)
            (self._control if traits & CONTROL else self._data).append(entry)
        return True

    def _merge(self, message: Any, weight: int) -> None:
        new = _Slot(message)
        slot = self._slots.setdefault(message.__class__, new)
        if slot is new:
            self._count_in(weight, held_by(message))
            self._data.append(slot)
            return
        while True:
            old = slot.message
            merged = old.merged_with(message)
            grown, grown_bytes = weight_of(merged) - weight_of(old), held_by(merged) - held_by(old)
            # A signal handler may have merged into the slot while `merged_with` ran; no call stands between this look and the write.
            if slot.message is old:
                slot.message = merged
                self._extra += grown
                self.held_bytes += grown_bytes
                self._merged += weight - grown
                return

    def _make_room(self, traits: int, weight: int) -> bool:
        """Return whether a data message may be taken, after dropping the oldest where that is the policy."""
        if self._waiting() + weight <= self._bound:
            return True
        if self.policy.overflow is Overflow.DROP_OLDEST:
            while self._waiting() + weight > self._bound and self._data:
                self._drop_oldest()
            return True
        return not traits & SHEDDABLE and self._waiting() + weight <= 2 * self._bound

    def _waiting(self) -> int:
        return len(self._data) + self._extra

    def _drop_oldest(self) -> None:
        try:
            entry = self._data.popleft()
        except IndexError:
            return
        if _awaited(entry) or (
            entry.__class__ is not _Slot and traits_of(_unwrapped(entry).__class__) & ORDER
        ):
            # It is next in turn either way; over there it takes no room.
            self._control.append(entry)
            return
        weight = self._counted_out(entry)[1]
        self._overrun += weight

    def take(self) -> Any:
        """Return the next message or envelope, control first; `EMPTY` when nothing waits."""
        while True:
            lane = self._control or self._data
            if not lane:
                if self._still_scheduled():
                    continue
                return EMPTY
            try:
                entry = lane.popleft()
            except IndexError:
                continue  # whoever closes the inbox, or makes room in it, was quicker
            if self._uneven:
                entry = self._counted_out(entry)[0]
            if self._reliefs:
                for relief in self._reliefs:
                    relief()
            return entry

    def _still_scheduled(self) -> bool:
        """Have the next `put` schedule the actor again, unless one came just before that was known."""
        self._since_ns = None
        self._scheduled = False
        if not self._data and not self._control:
            return False
        self._scheduled = True
        self._since_ns = self._looked_ns = self._now_ns()
        return True

    # No call stands in these assignments: a signal handler of the host could put at it, and be forgotten by the write.
    def _count_in(self, weight: int, held_bytes: int) -> None:
        self._uneven += 1
        self._extra += weight - 1
        self.held_bytes += held_bytes

    def _counted_out(self, entry: Any) -> tuple[Any, int]:
        """Return what was popped, out of its slot, with its weight, and settle the counts of what waits."""
        with self._lock:
            if entry.__class__ is _Slot:
                entry = entry.message
                del self._slots[entry.__class__]
            elif not traits_of(_unwrapped(entry).__class__) & (BATCH | HOLDS):
                return entry, 1
            weight, held_bytes = weight_of(entry), held_by(entry)
            self._uneven -= 1
            self._extra -= weight - 1
            self.held_bytes -= held_bytes
        return entry, weight

    def put_back(self, message: Any) -> None:
        """Put the rest of a batch whose handling ended early back to the front of the data lane."""
        with self._lock:
            self._count_in(weight_of(message), held_by(message))
            self._data.appendleft(message)
        if self._closed:
            self._empty()

    def look(self) -> None:
        """Note what waits now: the one that takes does it now and then, for `oldest_age_ns` in an inbox that is never empty."""
        gone = self.taken + self._overrun
        if self._since_ns is not None and gone >= self._horizon:
            self._since_ns, self._looked_ns = self._looked_ns, self._now_ns()
            self._horizon = gone + len(self)

    def park(self) -> None:
        """Mark the inbox unscheduled: its actor is gone for now and messages wait for the next."""
        since_ns, self._since_ns = self._since_ns, None
        self._scheduled = False
        if self._data or self._control:
            self._since_ns = since_ns if since_ns is not None else self._now_ns()

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
            # A timer that comes too late is nothing that anyone told.
            if not traits_of(_unwrapped(entry).__class__) & ORDER and not _is_timer(entry):
                with self._lock:
                    self._left += weight
            self._on_left(entry)

    def on_relief(self, relief: Callable[[], None]) -> None:
        """Have `relief` called after each message taken: how an edge learns that it may read again. It must not block or raise."""
        self._reliefs = (*self._reliefs, relief)

    def statistics(self) -> InboxStatistics:
        """Return the counters: exact while nobody puts or takes."""
        since_ns, length = self._since_ns, len(self)
        with self._lock:
            return InboxStatistics(
                length=length,
                held_bytes=self.held_bytes,
                oldest_age_ns=self._now_ns() - since_ns
                if length and since_ns is not None
                else None,
                taken=self.taken,
                refused=self._refused,
                merged=self._merged,
                overrun=self._overrun,
                left=self._left,
            )
