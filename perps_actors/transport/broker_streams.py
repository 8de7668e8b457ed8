"""One iterator of a host's broker on a thread of its own; it ends exactly once.

A thread inside the host's code cannot be stopped, so the end of a connection does not wait for it.
The keeper's thread tells the listener of the end. When the host's code returns, the worker finds
that the connection has ended, closes the iterator and ends.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

import attrs

from perps_actors.errors import TransportError
from perps_actors.kernel.clock import NS_PER_S, Clock
from perps_actors.transport.broker_calls import (
    HostBroker,
    described,
    frame_of,
    iterator_of,
    method_of,
)
from perps_actors.transport.wire import ConnectionPlan, StreamListener

READY_WAIT_S: Final = 0.1
"""How often a worker that waits for room checks whether the connection has ended."""

_NO_MORE: Final = object()

R = TypeVar("R")


@attrs.frozen
class End:
    """How a connection ended."""

    reason: str
    error: bool


class _Ended(Exception):
    """The connection was ended while its worker was in our code: the worker tells the listener."""


class _Abandoned(_Ended):
    """It was ended while its worker was in the host's code, so the keeper tells the listener."""


class Iteration:
    """A connection to one iterator, a `Link` to its owner.

    The worker and the keeper meet at the state that `changed` guards: `_end` is set once, and
    `_entered_ns` tells whether the worker is inside the host's code. So exactly one of them tells
    the listener of the end: the keeper (`untold`) if the worker is inside, else the worker.

    Args:
        plan: names the iterator.
        listener: is told of opening, items and end.
        broker: the host's object.
        clock: stamps.
        changed: guards the state of all iterations of a network, and wakes their keeper.
        max_item_bytes: of one item as JSON.
        thread_prefix: put before the thread's name.
    """

    def __init__(
        self,
        plan: ConnectionPlan,
        listener: StreamListener,
        *,
        broker: HostBroker,
        clock: Clock,
        changed: threading.Condition,
        max_item_bytes: int,
        thread_prefix: str,
    ) -> None:
        self.method = method_of(plan.url)
        self.silence_s = plan.silence_limit_s
        self._plan = plan
        self._listener = listener
        self._broker = broker
        self._clock = clock
        self._changed = changed
        self._max_item_bytes = max_item_bytes
        self._iterator: Iterator[Any] | None = None
        self._entered_ns: int | None = None
        self._end: End | None = None
        self._returned = False
        self._room = threading.Event()
        self.untold = False
        """Whether the keeper has yet to tell the end."""
        self.thread = threading.Thread(
            target=self._run, name=f"{thread_prefix}-{plan.name}", daemon=True
        )

    # --- the owner's side, and the keeper's

    def send(self, text: str) -> None:  # noqa: ARG002
        """End the connection, because an iterator takes no frames."""
        self.finish(End("cannot send: an iterator takes no frames", error=True))

    def close(self, reason: str) -> None:
        """End the connection; `closed` follows even if the iterator blocks. Idempotent."""
        self.finish(End(reason, error=False))

    def finish(self, end: End) -> None:
        """End the connection this way, unless it has ended already."""
        with self._changed:
            if self._end is None:
                self._end = end
                self.untold = self._entered_ns is not None
                self._changed.notify()

    def tell_end(self) -> None:
        """Tell the listener of the end."""
        assert self._end is not None, "told before the end"
        self._listener.closed(self._plan.name, self._end.reason, self._end.error)

    @property
    def listening(self) -> bool:
        """Whether it has not ended."""
        return self._end is None

    @property
    def abandoned(self) -> bool:
        """Whether it has ended and its worker has not returned."""
        return self._end is not None and not self._returned

    def due_ns(self, now_ns: int) -> int:
        """Return when it is silent for too long; only time inside the host's code counts."""
        return (now_ns if self._entered_ns is None else self._entered_ns) + int(
            self.silence_s * NS_PER_S
        )

    # --- on its own thread

    def _run(self) -> None:
        tells = True
        try:
            self.finish(self._live())
        except _Ended as ended:
            tells = not isinstance(ended, _Abandoned)
        except TransportError as error:
            self.finish(End(str(error), error=True))
        except BaseException as error:  # noqa: BLE001 - SystemExit, too, ends this connection alone
            self.finish(End(described(error), error=True))
        try:
            if tells:
                self.tell_end()
        finally:
            self._part()

    def _live(self) -> End:
        """Iterate to the end; return how it ended."""
        self._iterator = self._in_host(partial(iterator_of, self._broker, self._plan))
        self._tell(self._listener.opened, self._plan.name)
        following = partial(next, self._iterator, _NO_MORE)
        while True:
            self._await_inside()
            item = self._in_host(following)
            received_ns, monotonic_ns = self._clock.time_ns(), self._clock.monotonic_ns()
            if item is _NO_MORE:
                return End("the iterator ended", error=False)
            frame = frame_of(item, self._max_item_bytes)
            self._tell(self._listener.frames, self._plan.name, (frame,), received_ns, monotonic_ns)

    def _in_host(self, call: Callable[[], R]) -> R:
        with self._changed:
            if self._end is not None:
                raise _Ended
            self._entered_ns = self._clock.monotonic_ns()
        try:
            return call()
        finally:
            self._leave_host()

    def _leave_host(self) -> None:
        with self._changed:
            self._entered_ns = None
            if self._end is not None:
                raise _Abandoned

    def _await_inside(self) -> None:
        # Cleared before the question, so that an answer that comes in between ends the wait.
        self._room.clear()
        while not self._tell(self._listener.has_room, self._room.set):
            self._room.wait(READY_WAIT_S)
            if self._end is not None:
                raise _Ended
            self._room.clear()

    @staticmethod
    def _tell(callback: Callable[..., R], *news: object) -> R:
        try:
            return callback(*news)
        except (
            BaseException
        ) as error:  # a listener's SystemExit, too, ends its connection with a reason
            msg = f"the listener failed: {error!r}"
            raise TransportError(msg) from error

    def _part(self) -> None:
        """Close the host's iterator, and note that the worker has returned."""
        # The listener was told of the end, so a failure now is reported to nobody.
        with contextlib.suppress(BaseException):
            close = getattr(self._iterator, "close", None)
            if callable(close):
                close()
        with self._changed:
            self._returned = True
            self._changed.notify()
