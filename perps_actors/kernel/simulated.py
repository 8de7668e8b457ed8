"""The simulated runtime: cells on one thread, in an order drawn from a seed, on its own clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random
from typing import Any

from perps_actors.errors import AskTimeout, KernelError
from perps_actors.kernel.address import Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S, ManualClock
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import Lease
from perps_actors.kernel.lifecycle import TurnResult
from perps_actors.kernel.timers import CallbackTimer, Timer, TimerHeap


class SimulatedRuntime:
    """Runs cells one message at a time.

    Equal seed and equal input give an equal order, and so an equal `trace`.

    Nothing happens by itself: `settle`, `advance` and the host's asks turn the wheel.
    """

    cell_class: type[Cell] = Cell
    """What `cell` makes; of another class where a test looks on or interferes."""

    def __init__(self, *, seed: int = 0, max_steps: int = 1_000_000) -> None:
        """Set up; at most `max_steps` steps may follow each other at one virtual moment."""
        self.clock = ManualClock()
        self.random = Random(seed)  # noqa: S311 - an order, not a secret
        self._max_steps = max_steps
        self._ready: dict[Cell, None] = {}
        self._cells: list[Cell] = []
        self._timers = TimerHeap()
        self._trace = hashlib.sha256()
        self.steps = 0
        self._steps_before = 0
        self.abandoned = 0

    def cell(self, name: str, *, group: str = "", policy: InboxPolicy | None = None) -> Cell:
        """Return a new, vacant cell."""
        cell = self.cell_class(name, self, group, policy if policy is not None else InboxPolicy())
        self._cells.append(cell)
        return cell

    def schedule(self, cell: Cell) -> None:
        """Have the cell run when the seed chooses it."""
        self._ready[cell] = None

    def abandon_thread_of(self, cell: Cell) -> None:  # noqa: ARG002 - one thread
        """Count it; there is no thread to leave behind."""
        self.abandoned += 1

    def release(self, cell: Cell) -> None:
        """Close and forget a cell."""
        cell.close()
        self._cells = [other for other in self._cells if other is not cell]
        self._ready.pop(cell, None)

    def after(self, delay_s: float, lease: Lease, message: Any) -> Timer:
        """Set a timer."""
        timer = Timer(self.clock.monotonic_ns() + int(delay_s * NS_PER_S), lease, message)
        self._timers.add(timer)
        return timer

    def at(self, delay_s: float, act: Callable[[], None]) -> Timer:
        """Call `act` in `delay_s` seconds, as the outside world; it can be cancelled."""
        timer = CallbackTimer(self.clock.monotonic_ns() + int(delay_s * NS_PER_S), act)
        self._timers.add(timer)
        return timer

    def step(self) -> bool:
        """Let one cell that the seed chooses handle one message; return False when none has any.

        Raises:
            KernelError: `max_steps` steps were made and virtual time still stands.
        """
        if not self._ready:
            return False
        self.steps += 1
        if self.steps - self._steps_before > self._max_steps:
            msg = (
                f"Still busy after {self._max_steps} steps at one moment: "
                "do two actors tell each other without end?"
            )
            raise KernelError(msg)
        cell = list(self._ready)[self.random.randrange(len(self._ready))]
        del self._ready[cell]
        now_ns, taken = self.clock.monotonic_ns(), cell.inbox.taken
        self._trace.update(f"{now_ns} {cell.name} {cell.generation} {taken};".encode())
        if cell.turn(1) is TurnResult.MORE:
            self.schedule(cell)
        return True

    def settle(self) -> None:
        """Run until nobody has anything to do at this moment."""
        while self.step():
            pass

    def advance(self, seconds: float) -> None:
        """Let time pass, firing timers and running what they wake."""
        until_ns = self.clock.monotonic_ns() + int(seconds * NS_PER_S)
        self.settle()
        while self._fire_next(until_ns):
            self.settle()
        self._move_to(until_ns)

    def _move_to(self, until_ns: int) -> None:
        ahead_ns = until_ns - self.clock.monotonic_ns()
        if ahead_ns > 0:
            self.clock.advance(ahead_ns)
            self._steps_before = self.steps

    def _fire_next(self, until_ns: int) -> bool:
        due_ns = self._timers.next_due_ns()
        if due_ns is None or due_ns > until_ns:
            return False
        self._move_to(due_ns)
        timer = self._timers.pop_due(self.clock.monotonic_ns())
        assert timer is not None
        timer.fire()
        return True

    def io_loop(self, group: str) -> None:
        """Return None: no sockets live in virtual time."""

    def wait(self, answer: Answer, timeout_s: float) -> Any:
        """Run, and let time pass, until the answer is settled.

        Raises:
            AskTimeout: not settled after `timeout_s` seconds of virtual time.
        """
        until_ns = self.clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        while not answer.settled():
            if not self.step() and not self._fire_next(until_ns):
                self._move_to(until_ns)
                msg = f"No answer within {timeout_s} s of virtual time"
                raise AskTimeout(msg)
        return answer.get(timeout=0)

    def trace(self) -> str:
        """Return a hash of every step so far: which cell, when, how many messages in."""
        return self._trace.hexdigest()

    def close(self, deadline_s: float) -> tuple[str, ...]:  # noqa: ARG002 - nothing to wait for
        """Close all inboxes; there are no threads to end."""
        for cell in self._cells:
            cell.close()
        self._ready.clear()
        return ()
