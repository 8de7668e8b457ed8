"""What runs cells: threads here, one seeded thread in `simulated.py`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from perps_actors.errors import KernelError
from perps_actors.kernel.address import Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S, Clock, SystemClock
from perps_actors.kernel.dispatcher import Dispatcher, IoDispatcher, IoLoop
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import Lease
from perps_actors.kernel.timers import ThreadedTimers, Timer

# Pykka logs the death of an unsupervised actor here, and leaves the logger to the host.
_logger = logging.getLogger("pykka")


class Runtime(Protocol):
    """Runs cells, keeps time, and lets the host wait."""

    @property
    def clock(self) -> Clock:
        """The clocks of everything that runs here."""

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell. Cells of one group share a thread."""

    def schedule(self, cell: Cell) -> None:
        """Run the cell soon."""

    def abandon_thread_of(self, cell: Cell) -> None:
        """Abandon the thread that hangs in a handler of `cell`; another runs the group's cells."""

    def after(self, delay_s: float, lease: Lease, message: Any) -> Timer:
        """Set a timer."""

    def io_loop(self, group: str) -> IoLoop | None:
        """Return the loop that waits for sockets on the thread of a group; None without sockets."""

    def wait(self, answer: Answer, timeout_s: float) -> Any:
        """Wait, as the host, for an answer."""

    def release(self, cell: Cell) -> None:
        """Close and forget a cell; the thread of a group ends with its last cell."""

    def close(self, deadline_s: float) -> tuple[str, ...]:
        """End all threads and close all inboxes; return the names of the threads left over."""


class ThreadedRuntime:
    """Cells on real threads: one dispatcher thread per group, one for timers. All are daemons."""

    cell_class: type[Cell] = Cell
    """The class of the cells; tests replace it to observe or to interfere."""

    def __init__(self, *, name: str, clock: Clock | None = None, solitary: bool = False) -> None:
        self.name = name
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._solitary = solitary
        self._lock = threading.RLock()
        self._dispatchers: dict[str, Dispatcher | IoDispatcher] = {}
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
            # Bound here, because a message costs this call and no look-up by group.
            cell.inbox.on_ready = partial(self._dispatchers[group].schedule, cell)
            self._cells.append(cell)
        return cell

    def io_loop(self, group: str) -> IoLoop:
        """Return the loop that waits for sockets on the thread of a group.

        Raises:
            KernelError: the group has a cell already, so its thread does not wait for sockets.
        """
        with self._lock:
            if group not in self._dispatchers:
                self._dispatchers[group] = IoDispatcher(self.start_thread, group, self.clock)
            dispatcher = self._dispatchers[group]
        if not isinstance(dispatcher, IoDispatcher):
            msg = f"Expected io_loop({group!r}) before the first cell of the group"
            raise KernelError(msg)
        return dispatcher

    def schedule(self, cell: Cell) -> None:
        """Put the cell in its dispatcher's queue; a released cell runs no more."""
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
        """Set a timer: on the thread of its group if that thread waits for timers."""
        dispatcher = self._dispatchers.get(lease.cell.group) if lease.cell is not None else None
        if not isinstance(dispatcher, IoDispatcher):
            return self._timers.after(delay_s, lease, message)
        timer = Timer(self.clock.monotonic_ns() + int(delay_s * NS_PER_S), lease, message)
        dispatcher.add_timer(timer)
        return timer

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

        What waits in an inbox is counted as left over, and its asker gets an error.
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
    """Ends the runtime of an actor that was started alone when the actor ends.

    A death is logged where Pykka logs it.
    """

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
