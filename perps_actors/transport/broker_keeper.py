"""Who keeps the iterators of a host's broker: gives up the silent ones, but never more of them than threads may be lost."""

from __future__ import annotations

import threading
from typing import Final

from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.broker_streams import End, Iteration
from perps_actors.transport.workers import tell


class IterationKeeper:
    """All iterations of one broker, and the thread that gives them up and tells their ends. It starts with the first iteration.

    An iterator that yields nothing within its limit of silence is given up and its thread abandoned: it may hang for ever. Of each
    method at most `max_abandoned` may be so at once. Beyond that the method is *suspended*: the present iterator is listened to
    however long it is silent, and if its owner closes it too, none is begun, until one of the abandoned threads has come back.

    Args:
        clock: deadlines.
        max_abandoned: iterators of one method.
        thread_name: of the keeper's thread.
    """

    def __init__(self, clock: Clock, max_abandoned: int, thread_name: str) -> None:
        self.changed: Final = threading.Condition()
        self._clock = clock
        self._max_abandoned = max_abandoned
        self._iterations: list[Iteration] = []
        self._closed = False
        self._thread = threading.Thread(target=self._keep, name=thread_name, daemon=True)
        self._started = False

    def begin(self, iteration: Iteration) -> None:
        """Begin an iteration on its thread; one that may not begin ends at once."""
        with self.changed:
            self._iterations = [
                other for other in self._iterations if other.untold or other.thread.is_alive()
            ]
            stuck = self._abandoned(iteration.method)
            if self._closed:
                iteration.close("closed")
            elif stuck > self._max_abandoned:
                iteration.finish(
                    End(
                        f"{iteration.method} is suspended: {stuck} calls have not come back",
                        error=True,
                    )
                )
            elif not self._started:
                self._started = True
                self._thread.start()
            self._iterations.append(iteration)
            iteration.thread.start()
            self.changed.notify()

    def suspended(self) -> tuple[str, ...]:
        """Return the names of the methods that are suspended."""
        with self.changed:
            methods = dict.fromkeys(iteration.method for iteration in self._iterations)
            return tuple(method for method in methods if self._suspended(method))

    def close(self) -> None:
        """End all iterations, and let the thread end when it has told so. Idempotent."""
        with self.changed:
            self._closed = True
            for iteration in self._iterations:
                iteration.close("closed")
            self.changed.notify()

    def threads(self) -> list[threading.Thread]:
        """Return the threads that were started and may live."""
        with self.changed:
            return [
                *(iteration.thread for iteration in self._iterations),
                *([self._thread] if self._started else []),
            ]

    def _abandoned(self, method: str) -> int:
        return sum(
            iteration.abandoned for iteration in self._iterations if iteration.method == method
        )

    def _suspended(self, method: str) -> bool:
        return self._abandoned(method) >= self._max_abandoned

    # --- on its own thread

    def _keep(self) -> None:
        while True:
            with self.changed:
                self._give_up_silent()
                ended = [iteration for iteration in self._iterations if iteration.untold]
                if not ended:
                    if self._closed:
                        return
                    self.changed.wait(self._wait_s())
                    continue
                for iteration in ended:
                    iteration.untold = False
            for iteration in ended:
                tell(iteration.tell_end)

    def _give_up_silent(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for iteration in self._iterations:
            if (
                iteration.listening
                and iteration.due_ns(now_ns) <= now_ns
                and not self._suspended(iteration.method)
            ):
                iteration.finish(End(self._why(iteration), error=True))

    def _why(self, iteration: Iteration) -> str:
        why = f"nothing came for {iteration.silence_s:g} s"
        stuck = self._abandoned(iteration.method) + 1
        if stuck < self._max_abandoned:
            return why
        return f"{why}; {stuck} calls of {iteration.method} have not come back, so no further one is given up"

    def _wait_s(self) -> float | None:
        """Return how long nothing can be due; None while nothing can."""
        now_ns = self._clock.monotonic_ns()
        dues = [
            it.due_ns(now_ns)
            for it in self._iterations
            if it.listening and not self._suspended(it.method)
        ]
        return max(0, min(dues) - now_ns) / NS_PER_S if dues else None
