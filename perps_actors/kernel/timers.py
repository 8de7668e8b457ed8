"""Timers: a message to an incarnation, later.

They fire once, so that nothing piles up behind a slow handler or a suspension.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count
from typing import Any, Final, cast

from pykka._envelope import Envelope

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.kernel.lease import Lease

_SWEEP_FROM: Final = 64


class Timer:
    """One message to come.

    `cancel` it, or let it fire; cancelled, or after the incarnation's end, it is never handled.

    While its message waits in the inbox the timer stands where the future of an answer would, so
    that a message which has fired but was not handled yet is still ignored when it is void by then.
    """

    __slots__ = ("_lease", "_message", "due_ns")

    def __init__(self, due_ns: int, lease: Lease, message: Any) -> None:
        self.due_ns = due_ns
        self._lease: Lease | None = lease
        self._message = message

    @property
    def void(self) -> bool:
        """Whether nobody wants the message any more."""
        lease = self._lease
        return lease is None or lease.void

    def cancel(self) -> None:
        """Never be handled. Idempotent."""
        self._lease = None

    def fire(self) -> None:
        """Tell the message, if the incarnation still lives."""
        lease = self._lease
        if lease is not None and not lease.void and lease.cell is not None:
            lease.cell.inbox.put(Envelope(self._message, reply_to=cast("Any", self)))

    def set(self, value: Any = None) -> None:
        """Take the handler's answer, which nobody waits for."""

    def set_exception(self, exc_info: Any = None) -> None:
        """Take the handler's error; the actor's death tells it."""


class CallbackTimer(Timer):
    """A timer that calls a function instead of telling an actor."""

    __slots__ = ("_callback",)

    def __init__(self, due_ns: int, callback: Callable[[], None]) -> None:
        super().__init__(due_ns, Lease(), None)
        self._callback = callback

    def fire(self) -> None:
        """Call the function, unless the timer was cancelled."""
        if not self.void:
            self._callback()


class TimerHeap:
    """Timers by due time, and by order of setting where that is equal.

    Void ones do not pile up. Not locked.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()
        self._sweep_at = _SWEEP_FROM

    def __len__(self) -> int:
        """Return how many timers wait; at most half of them, or a few dozen, are void."""
        return len(self._heap)

    def add(self, timer: Timer) -> None:
        """Set a timer."""
        heapq.heappush(self._heap, (timer.due_ns, next(self._order), timer))
        if len(self._heap) > self._sweep_at:
            self._heap = [entry for entry in self._heap if not entry[2].void]
            heapq.heapify(self._heap)
            self._sweep_at = max(_SWEEP_FROM, 2 * len(self._heap))

    def next_due_ns(self) -> int | None:
        """Return when the earliest timer is due; None without timers."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ns: int) -> Timer | None:
        """Return the earliest timer that is due; None where none is."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now_ns else None


class ThreadedTimers:
    """Timers on a thread of their own, started with the first timer."""

    def __init__(
        self, clock: Clock, start_thread: Callable[[str, Callable[[], None]], threading.Thread]
    ) -> None:
        self._clock = clock
        self._start_thread = start_thread
        self._heap = TimerHeap()
        self._changed = threading.Condition(threading.RLock())
        self._closed = False
        self._thread: threading.Thread | None = None

    def after(self, delay_s: float, lease: Lease, message: Any) -> Timer:
        """Set a timer."""
        timer = Timer(self._clock.monotonic_ns() + int(delay_s * NS_PER_S), lease, message)
        with self._changed:
            self._heap.add(timer)
            if self._thread is None and not self._closed:
                self._thread = self._start_thread("timers", self._run)
            self._changed.notify()
        return timer

    def close(self) -> None:
        """Fire no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                timer = self._heap.pop_due(self._clock.monotonic_ns())
                if timer is None:
                    due_ns = self._heap.next_due_ns()
                    wait_s = (
                        None
                        if due_ns is None
                        else max(0.0, (due_ns - self._clock.monotonic_ns()) / NS_PER_S)
                    )
                    self._changed.wait(wait_s)
                    continue
            timer.fire()
