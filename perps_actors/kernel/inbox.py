"""A bounded inbox with a control lane. Every message is handled, or dropped by a declared policy and counted, or left over.

Senders append to `_back` under the lock. The one consumer pops from `_front` without it and takes the lock only when `_front`
is empty, to exchange the two. So sender and consumer meet at the lock once for all messages that have come meanwhile, and a
thread that is suspended while it holds the lock seldom makes the other wait. With one deque and a lock around each end, the
two take turns at every message.

Who writes what:

- The lock guards `_back`, `_control`, the slots of conflation, `_scheduled`, `_closed`, and every counter but the two of the
  consumer, `_out` and `_bytes_out`. What waits is the difference of counters that only grow: `_in - _out - _removed`.
- Each entry leaves by one `popleft`, which is one instruction of the interpreter. `close` and the dropping of the oldest may
  pop from `_front` while the consumer does. Whoever popped an entry accounts for it, so none is lost or counted twice.
- An incarnation that was fenced never calls `take` again, because its step returns `FENCED`. So there is one consumer at a time.
- The lock is re-entrant, because a signal handler of the host runs between two instructions of the main thread, which may hold
  it. The interpreter runs signal handlers at calls and backward jumps only; no counter is read and written with one between.
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
    LIFECYCLE,
    MERGES,
    SHEDDABLE,
    TRAITS,
    traits_of,
)
from perps_actors.kernel.statistics import InboxStatistics
from perps_actors.kernel.timers import Timer


class Overflow(Enum):
    """What happens to a data message that finds the inbox full."""

    REFUSE = "refuse"
    """A message of a sheddable class is dropped. Any other is taken up to twice the bound, and refused beyond that."""
    DROP_OLDEST = "drop_oldest"
    """The message is taken, and the oldest data message is dropped."""


@attrs.frozen(kw_only=True)
class InboxPolicy:
    """How an inbox behaves under pressure."""

    bound: int = 100_000
    """Data items that may wait; a batch counts its length. Control and lifecycle messages and timers do not count."""
    conflate: bool = False
    """Whether classes with `merged_with` are merged while they wait."""
    overflow: Overflow = Overflow.REFUSE

    @property
    def most_items(self) -> int:
        """The most data items that may wait: those of a class that is not sheddable are taken up to twice the bound.

        Not counted, because there are few: control and lifecycle messages, timers and questions, and one batch longer
        than the bound in an inbox that drops the oldest.
        """
        return self.bound if self.overflow is Overflow.DROP_OLDEST else 2 * self.bound


class _Slot:
    """Holds the one waiting message of a class that is conflated."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message


EMPTY: Final = object()

_SPECIAL: Final = CONTROL | MERGES | LIFECYCLE
"""Traits of messages that do not simply go to the end of the data lane."""


def _awaited(entry: Any) -> bool:
    """Return whether an asker waits for the answer, or an actor for its timer."""
    return entry.__class__ is Envelope and entry.reply_to is not None


def _is_timer(entry: Any) -> bool:
    # Dropping a tick would stop every actor that sets its next timer when a tick arrives.
    return entry.__class__ is Envelope and isinstance(entry.reply_to, Timer)


def _measured(entry: Any) -> tuple[int, int, int]:
    """Return traits, weight and held bytes of a message, or of an envelope that holds one."""
    message = entry.message if entry.__class__ is Envelope else entry
    traits = traits_of(message.__class__)
    if traits & BATCH:
        return traits, len(message.items) or 1, message.held_bytes
    return traits, 1, 0


class Inbox:
    """Where an actor's messages wait. Any thread may put, one takes. It outlives the actor's incarnations."""

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
        self._special = _SPECIAL if policy.conflate else _SPECIAL & ~MERGES
        self._control: deque[Any] = deque()
        self._front: deque[Any] = deque()
        self._back: deque[Any] = deque()
        self._slots: dict[type, _Slot] = {}
        self._scheduled = False
        self._closed = False
        self._reliefs: tuple[Callable[[], None], ...] = ()
        self._lock = threading.RLock()
        # Items that came, that the consumer took, and that left in another way; the same for the control lane.
        self._in = self._out = self._removed = 0
        self._control_in = self._control_out = self._control_removed = 0
        self._lifecycle_out = 0
        self._bytes_in = self._bytes_out = self._bytes_removed = 0
        self._refused = self._merged = self._overrun = self._left = 0
        # When the first message came since the lane was last empty, or since the two deques were last exchanged.
        self._front_since_ns = self._back_since_ns = self._control_since_ns = 0

    def __len__(self) -> int:
        """Return the number of items that wait; a batch counts its length."""
        return self._waiting() + self._control_in - self._control_out - self._control_removed

    def has_room(self, items: int, held_bytes: int) -> bool:
        """Return whether fewer items and bytes wait. Asked before each read, so in one call."""
        return (
            self._in
            - self._out
            - self._removed
            + self._control_in
            - self._control_out
            - self._control_removed
            < items
            and self._bytes_in - self._bytes_out - self._bytes_removed < held_bytes
        )

    def _waiting(self) -> int:
        return self._in - self._out - self._removed

    @property
    def held_bytes(self) -> int:
        """Bytes from outside in the messages that wait."""
        return self._bytes_in - self._bytes_out - self._bytes_removed

    @property
    def taken(self) -> int:
        """Items that actors took, those in hand included."""
        return self._out + self._control_out - self._lifecycle_out

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages."""
        return self._closed

    def put(self, entry: Any) -> bool:
        """Take a message, or an envelope that holds one. Return False when it was dropped or the inbox is closed."""
        traits, weight, held = TRAITS.get(entry.__class__), 1, 0
        if traits is None or traits & LIFECYCLE:
            traits, weight, held = _measured(entry)
        elif traits & BATCH:
            weight, held = len(entry.items) or 1, entry.held_bytes
        lock = self._lock
        # Not a `with` block, which makes two method objects each time and costs twice as much.
        lock.acquire()
        try:
            if (
                traits & self._special
                or self._closed
                or self._in - self._out - self._removed + weight > self._bound
            ):
                if not self._put_specially(entry, traits, weight, held):
                    return False
            else:
                back = self._back
                if not back:
                    self._back_since_ns = self._now_ns()
                back.append(entry)
                self._in += weight
                self._bytes_in += held
            if self._scheduled:
                return True
            self._scheduled = True
        finally:
            lock.release()
        self.on_ready()
        return True

    def _put_specially(self, entry: Any, traits: int, weight: int, held: int) -> bool:
        """Put what has a lane of its own, or meets the bound, or comes too late. Return False when it was not taken."""
        if self._closed:
            self._leave_over(entry, traits, weight)
            return False
        if traits & CONTROL:
            self._put_ahead(entry, weight)
            return True
        if traits & MERGES and self.policy.conflate and not _awaited(entry):
            message = entry.message if entry.__class__ is Envelope else entry
            self._merge(message, weight, held)
            return True
        if traits & LIFECYCLE or _is_timer(entry) or self._make_room(traits, weight):
            self._append(entry, weight, held)
            return True
        self._refused += weight
        return False

    def _put_ahead(self, entry: Any, weight: int) -> None:
        if not self._control:
            self._control_since_ns = self._now_ns()
        self._control.append(entry)
        self._control_in += weight

    def _append(self, entry: Any, weight: int, held: int) -> None:
        if not self._back:
            self._back_since_ns = self._now_ns()
        self._back.append(entry)
        self._in += weight
        self._bytes_in += held

    def _merge(self, message: Any, weight: int, held: int) -> None:
        new = _Slot(message)
        slot = self._slots.setdefault(message.__class__, new)
        if slot is new:
            self._append(slot, weight, held)
            return
        while True:
            old = slot.message
            merged = old.merged_with(message)
            _, before, bytes_before = _measured(old)
            _, after, bytes_after = _measured(merged)
            grown, grown_bytes = after - before, bytes_after - bytes_before
            # A signal handler may have merged into the slot while `merged_with` ran. No call stands between this look and
            # the write, so it cannot come between them.
            if slot.message is old:
                slot.message = merged
                self._in += grown
                self._bytes_in += grown_bytes
                self._merged += weight - grown
                return

    def _make_room(self, traits: int, weight: int) -> bool:
        """Return whether a data message may be taken, after dropping the oldest where that is the policy."""
        if self._waiting() + weight <= self._bound:
            return True
        if self.policy.overflow is Overflow.DROP_OLDEST:
            # A message that the consumer has popped and not counted yet makes this drop one more than needed.
            while self._waiting() + weight > self._bound and (self._front or self._back):
                self._drop_oldest()
            return True
        return not traits & SHEDDABLE and self._waiting() + weight <= 2 * self._bound

    def _drop_oldest(self) -> None:
        try:
            entry = self._front.popleft() if self._front else self._back.popleft()
        except IndexError:
            return  # the consumer was quicker
        entry, traits, weight = self._removed_from_data(entry)
        if _awaited(entry) or traits & LIFECYCLE:
            # Move it to the control lane, which is not bounded. It was next in turn anyway.
            self._put_ahead(entry, weight)
        else:
            self._overrun += weight

    def _removed_from_data(self, entry: Any) -> tuple[Any, int, int]:
        """Count an entry out that was popped under the lock. Return it out of its slot, with its traits and weight."""
        if entry.__class__ is _Slot:
            entry = entry.message
            del self._slots[entry.__class__]
        traits, weight, held = _measured(entry)
        self._removed += weight
        self._bytes_removed += held
        return entry, traits, weight

    def take(self) -> Any:
        """Return the next message or envelope, control first; `EMPTY` when nothing waits."""
        entry: Any = EMPTY
        while True:
            lane = self._control or self._front
            if not lane:
                if self._exchange():
                    continue
                return EMPTY
            try:
                entry = lane.popleft()
            except IndexError:
                continue  # the thread that closes the inbox, or makes room in it, was quicker
            break
        if entry.__class__ is _Slot:
            entry = self._out_of_slot(entry)
        traits, weight = TRAITS.get(entry.__class__), 1
        if traits is None or traits & LIFECYCLE:
            traits, weight, held = _measured(entry)
            self._bytes_out += held
            if traits & LIFECYCLE:
                self._lifecycle_out += 1
        elif traits & BATCH:
            weight = len(entry.items) or 1
            self._bytes_out += entry.held_bytes
        if lane is self._control:
            self._control_out += weight
        else:
            self._out += weight
        if self._reliefs:
            for relief in self._reliefs:
                relief()
        return entry

    def _exchange(self) -> bool:
        """Give the consumer what came meanwhile. Return False when nothing did; the next `put` schedules the actor then."""
        with self._lock:
            if self._back:
                self._front, self._back = self._back, self._front
                self._front_since_ns = self._back_since_ns
                return True
            # In this order: a signal handler that puts between the two lines schedules the actor itself.
            self._scheduled = False
            if self._control or self._back:
                self._scheduled = True
                return True
            return False

    def _out_of_slot(self, slot: _Slot) -> Any:
        """Return the message of a slot that was popped; from here on nothing is merged into it."""
        with self._lock:
            del self._slots[slot.message.__class__]
            return slot.message

    def put_back(self, batch: Any) -> None:
        """Put the rest of a batch whose handling ended early back to the front of the data lane."""
        _, weight, held = _measured(batch)
        with self._lock:
            self._out -= weight
            self._bytes_out -= held
            if self._closed:
                self._removed_from_data(batch)
                self._leave_over(batch, BATCH, weight)
            else:
                self._front.appendleft(batch)

    def park(self) -> None:
        """Have the next `put` schedule the cell although messages wait: its actor is gone and they wait for the next one."""
        with self._lock:
            self._scheduled = False

    def close(self) -> None:
        """Take no more; what still waits is handed to `on_left` and counted. Idempotent."""
        with self._lock:
            self._closed = True
            while self._control or self._front or self._back:
                try:
                    if self._control:
                        entry = self._control.popleft()
                        traits, weight, _ = _measured(entry)
                        self._control_removed += weight
                    else:
                        entry = self._front.popleft() if self._front else self._back.popleft()
                        entry, traits, weight = self._removed_from_data(entry)
                except IndexError:
                    continue  # the consumer was quicker
                self._leave_over(entry, traits, weight)

    def _leave_over(self, entry: Any, traits: int, weight: int) -> None:
        # A timer that fires too late is nothing that anyone told.
        if not traits & LIFECYCLE and not _is_timer(entry):
            self._left += weight
        self._on_left(entry)

    def on_relief(self, relief: Callable[[], None]) -> None:
        """Have `relief` called after each message taken, so that a source may read again. It must not block or raise."""
        self._reliefs = (*self._reliefs, relief)

    def statistics(self) -> InboxStatistics:
        """Return the counters."""
        with self._lock:
            out, control_out, lifecycle_out = self._out, self._control_out, self._lifecycle_out
            length = self._in - out - self._removed
            length += self._control_in - control_out - self._control_removed
            return InboxStatistics(
                length=length,
                held_bytes=self.held_bytes,
                oldest_age_ns=self._oldest_age_ns() if length else None,
                taken=out + control_out - lifecycle_out,
                refused=self._refused,
                merged=self._merged,
                overrun=self._overrun,
                left=self._left,
            )

    def _oldest_age_ns(self) -> int | None:
        lanes = (
            (self._control, self._control_since_ns),
            (self._front, self._front_since_ns),
            (self._back, self._back_since_ns),
        )
        since = [since_ns for lane, since_ns in lanes if lane]
        return self._now_ns() - min(since) if since else None
