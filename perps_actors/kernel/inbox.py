"""A bounded inbox with a control lane.

Every message is handled, or dropped by a declared policy and counted, or left over and counted.
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
from perps_actors.kernel.messages import (
    BATCH,
    CONTROL,
    HOLDS,
    LIFECYCLE,
    MERGES,
    SHEDDABLE,
    TRAITS,
    traits_of,
    weight_of,
)
from perps_actors.kernel.statistics import InboxStatistics
from perps_actors.kernel.timers import Timer

# Nearly all messages weigh one item: plain messages and batches of one. They pass without a lock,
# because a lock costs as much as everything else that is done for them, and because a signal
# handler that raises just after `acquire` would leave it locked. Everything else takes the lock:
# control and lifecycle messages, batches of several items, messages that are merged, and messages
# that meet the bound.
#
# Which threads meet here, and why nothing is lost or counted twice:
#
# Senders and the consumer. Appending to a deque and popping from it are one instruction each. The
# thread that popped an entry accounts for it: the consumer, a sender that makes room, or the
# thread that closes the inbox.
#
# A sender and the closer. The sender appends and then looks at `_closed`. The closer sets `_closed`
# and then empties the inbox. In any order of these four steps one of them finds the entry.
#
# A sender and a consumer that goes to sleep. The consumer clears `_scheduled` and then looks at the
# lanes once more. The sender appends and then looks at `_scheduled`. So the consumer sees the
# entry, or the sender schedules the actor again, or both, which does no harm.
#
# Two consumers. There are none: an incarnation that was fenced never calls `take` again, because
# its step returns `FENCED`.
#
# Several senders at the bound. Each may see room for the same last item, so that there may be one
# item more for each of them. All are counted.
#
# A signal handler of the host runs between two instructions of the main thread, at calls and
# backward jumps only. The lock is re-entrant, and no call stands between the reading and the
# writing of a counter.


class Overflow(Enum):
    """What happens to a data message that finds the inbox full."""

    REFUSE = "refuse"
    """A message of a sheddable class is dropped.

    Any other is taken up to twice the bound, and refused beyond that.
    """
    DROP_OLDEST = "drop_oldest"
    """The message is taken, and the oldest data message is dropped."""


@attrs.frozen(kw_only=True)
class InboxPolicy:
    """How an inbox behaves under pressure."""

    bound: int = 100_000
    """Data items that may wait; a batch counts its length.

    Control and lifecycle messages and timers do not count.
    """
    conflate: bool = False
    """Whether classes with `merged_with` are merged while they wait."""
    overflow: Overflow = Overflow.REFUSE

    @property
    def most_items(self) -> int:
        """The most data items that may wait: all but sheddable ones are taken to twice the bound.

        Not counted, because there are few: control and lifecycle messages, timers and questions,
        and one batch longer than the bound in an inbox that drops the oldest.
        """
        return self.bound if self.overflow is Overflow.DROP_OLDEST else 2 * self.bound


class _Slot:
    """Holds the one waiting message of a class that is conflated."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message


EMPTY: Final = object()

_CAREFULLY: Final = ~(BATCH | SHEDDABLE)
"""Traits of messages that never pass without the lock."""


def _opened(entry: Any) -> Any:
    return entry.message if entry.__class__ is Envelope else entry


def _awaited(entry: Any) -> bool:
    """Return whether an asker waits for the answer, or an actor for its timer."""
    return entry.__class__ is Envelope and entry.reply_to is not None


def _is_timer(entry: Any) -> bool:
    # Dropping a tick would stop every actor that sets its next timer when a tick arrives.
    return entry.__class__ is Envelope and isinstance(entry.reply_to, Timer)


def held_by(message: Any) -> int:
    """Return how many bytes from outside a message holds."""
    held: int = message.held_bytes if traits_of(message.__class__) & HOLDS else 0
    return held


def _is_uneven(message: Any) -> bool:
    """Return whether a message is anything else than one item without bytes from outside."""
    traits = traits_of(message.__class__)
    if traits & BATCH:
        return bool(traits & HOLDS) or len(message.items) != 1
    return bool(traits & LIFECYCLE)


class Inbox:
    """Where an actor's messages wait.

    Any thread may put, one takes. It outlives the actor's incarnations.
    """

    def __init__(
        self,
        policy: InboxPolicy,
        on_ready: Callable[[], None],
        on_left: Callable[[Any], None],
        now_ns: Callable[[], int] = SystemClock.monotonic_ns,
    ) -> None:
        self.policy = policy
        self.on_ready = on_ready
        """Called after a put that finds the actor unscheduled; the runtime may replace it."""
        self._on_left = on_left
        self._now_ns = now_ns
        self._bound = policy.bound
        self._carefully = _CAREFULLY if policy.conflate else _CAREFULLY & ~MERGES
        self._control: deque[Any] = deque()
        self._data: deque[Any] = deque()
        self._slots: dict[type, _Slot] = {}
        self._scheduled = False
        self._closed = False
        self._reliefs: tuple[Callable[[], None], ...] = ()
        # Guards the slots and all counters but `taken`, which the consumer alone writes.
        self._lock = threading.RLock()
        self._extra = 0  # items in waiting batches beyond one for each batch
        self._uneven = 0  # waiting entries of which something has to be counted when they leave
        self.held_bytes = 0
        """Bytes from outside in the messages that wait."""
        self.taken = 0
        """Items that actors took, those in hand included."""
        self._refused = self._merged = self._overrun = self._left = 0
        # No message is stamped. All that waits came after `since`. All that waited at `looked` is
        # gone at the `horizon`.
        self._since_ns: int | None = None
        self._looked_ns = 0
        self._horizon = 0

    def __len__(self) -> int:
        """Return the number of items that wait; a batch counts its length."""
        return len(self._control) + len(self._data) + self._extra

    def has_room(self, items: int, held_bytes: int) -> bool:
        """Return whether fewer items and bytes wait. Asked before each read, so in one call."""
        return (
            len(self._control) + len(self._data) + self._extra < items
            and self.held_bytes < held_bytes
        )

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages."""
        return self._closed

    def put(self, entry: Any) -> bool:
        """Take a message, or an envelope that holds one.

        Return False when it was dropped or the inbox is closed.
        """
        traits = TRAITS.get(entry.__class__, _CAREFULLY)
        data = self._data
        if (
            not traits & self._carefully
            and (not traits & BATCH or len(entry.items) == 1)
            and len(data) + self._extra < self._bound
        ):
            # The consumer counts it: without the lock two senders could overwrite each other's sum.
            data.append(entry)
        elif not self._put_carefully(entry):
            return False
        if self._closed:
            self._empty()
            return False
        if not self._scheduled:
            if self._since_ns is None:
                self._since_ns = self._looked_ns = self._now_ns()
            self._scheduled = True
            self.on_ready()
        return True

    def _put_carefully(self, entry: Any) -> bool:
        """Append what has a lane or a weight of its own, or meets the bound.

        Return False when it was dropped.
        """
        message = _opened(entry)
        traits, weight = traits_of(message.__class__), weight_of(message)
        with self._lock:
            if traits & self._carefully & MERGES and not _awaited(entry):
                self._merge(message, weight)
                return True
            if not (
                self._closed
                or traits & (CONTROL | LIFECYCLE)
                or _is_timer(entry)
                or self._make_room(traits, weight)
            ):
                self._refused += weight
                return False
            self._count_in(message)
            (self._control if traits & CONTROL else self._data).append(entry)
        return True

    def _merge(self, message: Any, weight: int) -> None:
        new = _Slot(message)
        slot = self._slots.setdefault(message.__class__, new)
        if slot is new:
            self._uneven += 1
            self._extra += weight - 1
            self.held_bytes += held_by(message)
            self._data.append(slot)
            return
        while True:
            old = slot.message
            merged = old.merged_with(message)
            grown, grown_bytes = weight_of(merged) - weight_of(old), held_by(merged) - held_by(old)
            # A signal handler may have merged into the slot while `merged_with` ran. No call stands
            # between this look and the write, so it cannot come between them.
            if slot.message is old:
                slot.message = merged
                self._extra += grown
                self.held_bytes += grown_bytes
                self._merged += weight - grown
                return

    def _make_room(self, traits: int, weight: int) -> bool:
        """Return whether a data message may be taken; drop the oldest if that is the policy."""
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
            return  # the consumer was quicker
        entry, weight = self._counted_out(entry)
        if _awaited(entry) or traits_of(_opened(entry).__class__) & LIFECYCLE:
            # Move it to the control lane, which is not bounded. It was next in turn anyway.
            self._count_in(_opened(entry))
            self._control.append(entry)
        else:
            self._overrun += weight

    def _count_in(self, message: Any) -> None:
        if _is_uneven(message):
            weight, held = weight_of(message), held_by(message)
            self._uneven += 1
            self._extra += weight - 1
            self.held_bytes += held

    def _counted_out(self, entry: Any) -> tuple[Any, int]:
        """Count an entry out that was popped. Return it, out of its slot, and its weight."""
        with self._lock:
            slot = entry.__class__ is _Slot
            if slot:
                entry = entry.message
                del self._slots[entry.__class__]
            message = _opened(entry)
            weight = weight_of(message)
            if slot or _is_uneven(message):
                held = held_by(message)
                self._uneven -= 1
                self._extra -= weight - 1
                self.held_bytes -= held
        return entry, weight

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
                continue  # the thread that closes the inbox, or makes room in it, was quicker
            if self._uneven:
                entry, weight = self._counted_out(entry)
                if not traits_of(_opened(entry).__class__) & LIFECYCLE:
                    self.taken += weight
            else:
                self.taken += 1
            if self._reliefs:
                for relief in self._reliefs:
                    relief()
            return entry

    def _still_scheduled(self) -> bool:
        """Note that the actor sleeps; return whether a message came just before."""
        self._since_ns = None
        self._scheduled = False
        if not self._data and not self._control:
            return False
        self._scheduled = True
        self._since_ns = self._looked_ns = self._now_ns()
        return True

    def put_back(self, batch: Any) -> None:
        """Put the rest of a batch whose handling ended early back to the front of the data lane."""
        weight = weight_of(batch)
        with self._lock:
            self._count_in(batch)
            self.taken -= weight
            self._data.appendleft(batch)
        if self._closed:
            self._empty()

    def look(self) -> None:
        """Note what waits now.

        The consumer calls it now and then, for the age of an inbox that is never empty.
        """
        gone = self.taken + self._overrun
        if self._since_ns is not None and gone >= self._horizon:
            self._since_ns, self._looked_ns = self._looked_ns, self._now_ns()
            self._horizon = gone + len(self)

    def park(self) -> None:
        """Note that the actor is gone. Messages wait for the next one; the next `put` schedules."""
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
            # A timer that fires too late is no message of a sender.
            if not traits_of(_opened(entry).__class__) & LIFECYCLE and not _is_timer(entry):
                with self._lock:
                    self._left += weight
            self._on_left(entry)

    def on_relief(self, relief: Callable[[], None]) -> None:
        """Have `relief` called after each message taken, so that a source may read again.

        It must not block or raise.
        """
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
