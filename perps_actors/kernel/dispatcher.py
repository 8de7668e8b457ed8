"""Dispatchers: one thread per group of cells, and one that also waits for sockets."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, Protocol

from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.kernel.lifecycle import TurnResult
from perps_actors.kernel.timers import CallbackTimer, Timer, TimerHeap

TURN: Final = 64
"""Messages a cell may handle before the other cells of its dispatcher get their turn."""
TURNS: Final = 64
"""Turns of ready cells after which an I/O dispatcher looks at its sockets again."""

READABLE: Final = select.POLLIN
WRITABLE: Final = select.POLLOUT

StartThread = Callable[[str, Callable[[], None]], threading.Thread]


class IoLoop(Protocol):
    """A thread that waits for sockets and runs short callbacks, none of which may block.

    `watch` and `unwatch` are called on this thread only, the others on any.
    """

    def watch(self, fd: int, events: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `fd` is ready for one of `events` or has failed."""

    def unwatch(self, fd: int) -> None:
        """Watch `fd` no longer; to be called before the descriptor is closed."""

    def call_soon(self, callback: Callable[[], None]) -> bool:
        """Call `callback` once on the loop; return False if the loop has ended."""

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the loop at a monotonic time, unless the timer is cancelled before."""


class _Here(threading.local):
    deferred: deque[tuple[SimpleQueue[Cell | None], Cell]] | None = None


_HERE: Final = _Here()
"""Where the present thread, if it is an I/O loop, keeps the cells of other threads to wake."""


class Dispatcher:
    """One thread that runs the cells of a group, turn by turn. The first turn starts it."""

    def __init__(self, start_thread: StartThread, name: str) -> None:
        self._start_thread = start_thread
        self._name = name
        self._ready: SimpleQueue[Cell | None] = SimpleQueue()
        # Re-entrant, because a signal handler of the host may tell while the main thread tells.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def schedule(self, cell: Cell) -> None:
        """Run the cell soon."""
        if self._thread is None:
            self._ensure_thread()
        deferred = _HERE.deferred
        if deferred is None:
            self._ready.put(cell)
        else:
            deferred.append((self._ready, cell))

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = self._start_thread(self._name, self._run)

    def _run(self) -> None:
        ready = self._ready
        while True:
            cell = ready.get()
            if cell is None:
                return
            result = cell.turn(TURN)
            if result is TurnResult.MORE:
                ready.put(cell)
            elif result is TurnResult.FENCED:
                return

    def replace_thread(self) -> None:
        """Start another thread on the same cells; the hung thread ends when its handler returns."""
        with self._lock:
            if not self._closed:
                self._thread = self._start_thread(self._name, self._run)

    def close(self) -> None:
        """Let the thread end after its turn."""
        with self._lock:
            self._closed = True
            self._ready.put(None)


class IoDispatcher:
    """A dispatcher that also waits for sockets and timers: an `IoLoop` that runs cells.

    After each callback the ready cells run, so that what a socket brings passes through all cells
    of the group before the next socket is read, without a change of threads.

    Cells of other groups are woken last. Their threads need the interpreter's lock, which this
    thread holds until it waits or reads; woken earlier they would only compete for it.

    **Which threads meet here.** Any thread schedules cells and calls `call_soon` and `call_at`.
    One thread at a time, the newest, runs `_run`. When a handler hangs and is fenced,
    `replace_thread` starts another thread. All state is in this object, so the new thread takes
    over cells, sockets and timers; the old one finds out that it was fenced when the handler
    returns (`TurnResult.FENCED`) and ends without touching anything. It can only hang inside a
    turn, never between taking something out of a queue and handling it. Events that it had polled
    and not handled are reported again, because polling is level-triggered.

    **No wake-up is lost.** A sender appends first and then looks at `_asleep`. The loop sets
    `_asleep` first and then looks at the queues. Whatever the order of these four steps, the loop
    sees the entry or the sender sees the flag, and then writes to the wake-up socket. The sender
    does not clear the flag: if it were interrupted (a signal handler that raises) between clearing
    and writing, no later sender would write either.
    """

    def __init__(self, start_thread: StartThread, name: str, clock: Clock) -> None:
        self._start_thread = start_thread
        self._name = name
        self._now_ns = clock.monotonic_ns
        self._ready: deque[Cell | None] = deque()
        self._soon: deque[Callable[[], None]] = deque()
        self._deferred: deque[tuple[SimpleQueue[Cell | None], Cell]] = deque()
        self._timers = TimerHeap()
        self._watched: dict[int, Callable[[], None]] = {}
        # Guards the timers, the thread's start and end, and the wake-up socket, which no thread
        # may write to once it is closed. Re-entrant because of signal handlers.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._asleep = False
        self._ended = False
        # Made when the thread starts: a system that is never started has no descriptor.
        self._poll: Any = None
        self._wake_in: socket.socket
        self._wake_out: socket.socket

    # --- from any thread

    def schedule(self, cell: Cell) -> None:
        """Run the cell soon."""
        self._ready.append(cell)
        if self._asleep:
            self._wake()
        elif self._thread is None:
            self._ensure_thread()

    def call_soon(self, callback: Callable[[], None]) -> bool:
        """Call `callback` once on the loop; return False if the loop has ended."""
        self._soon.append(callback)
        if self._asleep:
            self._wake()
        elif self._thread is None:
            self._ensure_thread()
        return not self._ended

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the loop at a monotonic time."""
        timer = CallbackTimer(due_ns, callback)
        self.add_timer(timer)
        return timer

    def add_timer(self, timer: Timer) -> None:
        """Fire the timer on the loop when it is due."""
        with self._lock:
            self._timers.add(timer)
        if self._asleep:
            self._wake()
        elif self._thread is None:
            self._ensure_thread()

    def replace_thread(self) -> None:
        """Start another thread on the same cells, sockets and timers."""
        with self._lock:
            if self._closed:
                self._end()
            else:
                self._thread = self._start_thread(self._name, self._run)

    def close(self) -> None:
        """Let the thread end after what is ready now."""
        with self._lock:
            self._closed = True
            self._ready.append(None)
            if self._thread is None:
                self._ended = True
        if self._asleep:
            self._wake()

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._open()
                self._thread = self._start_thread(self._name, self._run)

    def _open(self) -> None:
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        # `epoll` is Linux; elsewhere `poll` does the same, in milliseconds.
        self._poll = getattr(select, "epoll", select.poll)()
        self._unit_ns = NS_PER_S if hasattr(self._poll, "close") else NS_PER_S // 1000
        self.watch(self._wake_in.fileno(), READABLE, self._drain_wake_ups)

    def _wake(self) -> None:
        with self._lock, contextlib.suppress(BlockingIOError):
            if not self._ended:
                self._wake_out.send(b"\0")

    # --- on the loop

    def watch(self, fd: int, events: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `fd` is ready for one of `events` or has failed."""
        if fd in self._watched:
            self._poll.modify(fd, events)
        else:
            self._poll.register(fd, events)
        self._watched[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Watch `fd` no longer."""
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _run(self) -> None:
        _HERE.deferred = self._deferred
        running = self._run_cells()
        while running:
            running = self._call_ready(self._wait())
        with self._lock:
            # A thread that was replaced leaves everything to its replacement.
            if self._closed and self._thread is threading.current_thread():
                self._end()

    def _call_ready(self, events: list[tuple[int, int]]) -> bool:
        """Make every call that is due, run the cells after each; return False to end the thread."""
        ready, soon = self._ready, self._soon
        for fd, _ in events:
            # Absent where an earlier callback of this round stopped to watch it.
            callback = self._watched.get(fd)
            if callback is not None:
                self._call(callback)
                if ready and not self._run_cells():
                    return False
        for _ in range(len(soon)):
            self._call(soon.popleft())
            if ready and not self._run_cells():
                return False
        self._fire_due()
        return not ready or self._run_cells()

    def _run_cells(self) -> bool:
        """Run the ready cells; return False when this thread is to end."""
        ready = self._ready
        for _ in range(TURNS):
            if not ready:
                break
            cell = ready.popleft()
            if cell is None:
                self._wake_others()
                return False
            result = cell.turn(TURN)
            if result is TurnResult.MORE:
                ready.append(cell)
            elif result is TurnResult.FENCED:
                return False
        self._wake_others()
        return True

    def _wake_others(self) -> None:
        while self._deferred:
            waiting, other = self._deferred.popleft()
            waiting.put(other)

    def _wait(self) -> Any:
        """Return the events of the descriptors that are ready; sleep if nothing else is to do."""
        self._wake_others()
        if self._ready or self._soon:
            return self._poll.poll(0)
        self._asleep = True
        try:
            wait: float | None = 0
            if not self._ready and not self._soon:
                due_ns = self._timers.next_due_ns()
                wait = None if due_ns is None else max(0, due_ns - self._now_ns()) / self._unit_ns
            return self._poll.poll(wait)
        finally:
            self._asleep = False

    def _fire_due(self) -> None:
        while (due_ns := self._timers.next_due_ns()) is not None and due_ns <= self._now_ns():
            with self._lock:
                timer = self._timers.pop_due(self._now_ns())
            if timer is not None:
                self._call(timer.fire)

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except BaseException:  # noqa: BLE001 - reported; one callback's error must not end the loop
            threading.excepthook(
                threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
            )

    def _drain_wake_ups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)

    def _end(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            self._ended = True
            if hasattr(self._poll, "close"):
                self._poll.close()
            self._wake_in.close()
            self._wake_out.close()
