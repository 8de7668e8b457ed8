"""What runs cells: threads here, one seeded thread in `simulated.py`. The actors are the same."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S, Clock, SystemClock
from perps_actors.kernel.future import Answer
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import Lease
from perps_actors.kernel.life import TurnResult
from perps_actors.kernel.timers import ThreadedTimers, Timer

# Pykka's own, which it leaves to the host to configure: what its users look at when an actor that nobody supervises dies.
_logger = logging.getLogger("pykka")

TURN = 64
"""Messages a cell may handle before others of its dispatcher get their turn."""


class Runtime(Protocol):
    """Where cells live: who runs them, what time it is, how the host waits."""

    @property
    def clock(self) -> Clock:
        """The clocks everything here goes by."""

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell. Cells of one group share a thread."""

    def schedule(self, cell: Cell) -> None:
        """Have the cell run soon."""

    def abandon_thread_of(self, cell: Cell) -> None:
        """Leave the thread that hangs in a handler of `cell` behind; another one takes its other cells over."""

    def after(self, delay_s: float, lease: Lease, message: Any) -> Timer:
        """Set a timer."""

    def wait(self, answer: Answer, timeout_s: float) -> Any:
        """Wait, as the host, for an answer."""

    def release(self, cell: Cell) -> None:
        """Forget a cell in which nobody will live again; the thread of its group ends with the last of the group."""

    def close(self, deadline_s: float) -> tuple[str, ...]:
        """End all threads and close all inboxes; return the names of the threads that did not end in time."""


class Dispatcher:
    """One thread that runs the cells of a group, turn by turn. It starts with the first turn."""

    def __init__(
        self, start_thread: Callable[[str, Callable[[], None]], threading.Thread], name: str
    ) -> None:
        self._start_thread = start_thread
        self._name = name
        self._ready: SimpleQueue[Cell | None] = SimpleQueue()
        # Re-entrant, because a signal handler of the host may tell while the main thread tells.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.schedule: Callable[[Cell], None] = self._schedule_first

    def _schedule_first(self, cell: Cell) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._ensure_thread()
                self.schedule = self._ready.put
        self._ready.put(cell)

    def _ensure_thread(self) -> None:
        self._thread = self._start_thread(self._name, self._run)

    def _run(self) -> None:
        ready = self._ready
        while True:
            cell = ready.get()
            if cell is None:
                return
            verdict = cell.turn(TURN)
            if verdict is TurnResult.MORE:
                ready.put(cell)
            elif verdict is TurnResult.FENCED:
                return

    def replace_thread(self) -> None:
        """Start another thread on the same cells; the one that hangs returns at once if it ever comes back."""
        with self._lock:
            if not self._closed:
                self._ensure_thread()

    def close(self) -> None:
        """Let the thread end after its turn."""
        with self._lock:
            self._closed = True
            self._ready.put(None)


class ThreadedRuntime:
    """Cells on real threads: one dispatcher thread a group, one for the timers. All are daemons; `close` ends them."""

    cell_class: type[Cell] = Cell
    """What `cell` makes; of another class where a test looks on or interferes."""

    def __init__(self, *, name: str, clock: Clock | None = None, solitary: bool = False) -> None:
        self.name = name
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._solitary = solitary
        self._lock = threading.RLock()
        self._dispatchers: dict[str, Dispatcher] = {}
        self._cells: list[Cell] = []
        self._threads: list[threading.Thread] = []
        self._timers = ThreadedTimers(self.clock, self.start_thread)
        self.abandoned = 0

    def start_thread(self, role: str, work: Callable[[], None]) -> threading.Thread:
        """Start a daemon thread that `close` will wait for."""
        name = f"{self.name}-{role}" if role else self.name
        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()]
            thread.start()
            self._threads.append(thread)
        return thread

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell on the group's dispatcher."""
        cell = self.cell_class(name, self, group, policy if policy is not None else InboxPolicy())
        if self._solitary:
            cell.watcher = _LastOneOut(self)
        with self._lock:
            if group not in self._dispatchers:
                self._dispatchers[group] = Dispatcher(self.start_thread, group)
            self._cells.append(cell)
        return cell

    def schedule(self, cell: Cell) -> None:
        """Put the cell in its dispatcher's queue; one that was released runs no more."""
        dispatcher = self._dispatchers.get(cell.group)
        if dispatcher is not None:
            dispatcher.schedule(cell)

    def abandon_thread_of(self, cell: Cell) -> None:
        """Give the cell's group a fresh thread and count the one left behind."""
        self.abandoned += 1
        dispatcher = self._dispatchers.get(cell.group)
        if dispatcher is not None:
            dispatcher.replace_thread()

    def release(self, cell: Cell) -> None:
        """Close and forget a cell; end the thread of its group if it was the last."""
        cell.close()
        with self._lock:
            self._cells = [other for other in self._cells if other is not cell]
            if all(other.group != cell.group for other in self._cells):
                dispatcher = self._dispatchers.pop(cell.group, None)
                if dispatcher is not None:
                    dispatcher.close()

    def after(self, delay_s: float, lease: Lease, message: Any) -> Timer:
        """Set a timer."""
        return self._timers.after(delay_s, lease, message)

    def wait(self, answer: Answer, timeout_s: float) -> Any:
        """Wait for an answer on the present thread."""
        return answer.get(timeout=timeout_s)

    def close_soon(self) -> None:
        """Let all threads end, without waiting for them."""
        self._timers.close()
        for dispatcher in self._dispatchers.values():
            dispatcher.close()

    def close(self, deadline_s: float) -> tuple[str, ...]:
        """End all threads; return the names of those that did not end within `deadline_s` seconds.

        Nobody answers any more: what still waits anywhere is left over, and whoever asked learns it.
        """
        self.close_soon()
        end_ns = self.clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        with self._lock:
            others = [t for t in self._threads if t is not threading.current_thread()]
        for thread in others:
            thread.join(max(0.0, (end_ns - self.clock.monotonic_ns()) / NS_PER_S))
        for cell in self._cells:
            cell.close()
        return tuple(t.name for t in others if t.is_alive())


class _LastOneOut:
    """Watches an actor that was started alone: when it ends, so does its runtime. A death is logged where Pykka logs it."""

    def __init__(self, runtime: ThreadedRuntime) -> None:
        self._runtime = runtime

    def started(self, *_: object) -> None:
        pass

    def died(self, cell: Cell, _: int, error: BaseException, __: object) -> None:
        _logger.error("Unhandled exception in %s:", cell.name, exc_info=error)
        cell.close()
        self._runtime.close_soon()

    def stopped(self, cell: Cell, _: int, __: int, error: BaseException | None) -> None:
        if error is not None:
            _logger.error("Unhandled exception in %s:", cell.name, exc_info=error)
        self._runtime.close_soon()
