"""Timers: a message to an incarnation, later. They fire once, so that nothing piles up behind a slow handler or a suspension."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.kernel.lease import Lease


class Timer:
    """One message to come. `cancel` it, or let it fire; after the incarnation's end it fires into nothing."""

    __slots__ = ("_lease", "_message", "due_ns")

    def __init__(self, due_ns: int, lease: Lease, message: Any) -> None:
        self.due_ns = due_ns
        self._lease: Lease | None = lease
        self._message = message

    def cancel(self) -> None:
        """Never fire. Idempotent."""
        self._lease = None

    def fire(self) -> None:
        """Tell the message, if the incarnation still lives."""
        lease, self._lease = self._lease, None
        if lease is not None and not lease.void and lease.cell is not None:
            lease.cell.inbox.put(self._message)


class TimerHeap:
    """Timers by due time, and by order of setting where that is equal. Not locked."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()

    def __len__(self) -> int:
        """Return how many timers were set and have not come up."""
        return len(self._heap)

    def add(self, timer: Timer) -> None:
        """Set a timer."""
        heapq.heappush(self._heap, (timer.due_ns, next(self._order), timer))

    def next_due_ns(self) -> int | None:
        """Return when the earliest timer is due; None without timers."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ns: int) -> Timer | None:
        """Return the earliest timer that is due; None where none is."""
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now_ns else None


class ThreadedTimers:
    """Timers on a thread of their own, started with the first timer."""

    def __init__(self, clock: Clock, start_thread: Callable[[str, Callable[[], None]], threading.Thread]) -> None:
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
                    wait_s = None if due_ns is None else max(0.0, (due_ns - self._clock.monotonic_ns()) / NS_PER_S)
                    self._changed.wait(wait_s)
                    continue
            timer.fire()
