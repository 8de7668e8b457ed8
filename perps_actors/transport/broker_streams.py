"""One iterator of a host's broker on one thread: begun, listened to item by item, ended exactly once, whatever the host's code does.

A thread that is inside the host's code cannot be stopped. So the end of a connection does not wait for it: the listener hears of
the end from the keeper's thread, and the worker, when it does come back, finds that nobody listens, closes its iterator and ends.
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
from perps_actors.transport.broker_calls import HostBroker, iterator_of, method_of
from perps_actors.transport.broker_items import described, frame_of
from perps_actors.transport.wire import ConnectionPlan, StreamListener

READY_WAIT_S: Final = 0.1
"""How long the inside is waited for before the end is looked at again."""

_NO_MORE: Final = object()

R = TypeVar("R")


@attrs.frozen
class End:
    """How a connection ended."""

    reason: str
    error: bool


class _Ended(Exception):
    """Somebody else has ended this connection, while its worker was in our own code: the worker tells."""


class _Abandoned(_Ended):
    """Somebody else has ended it, while its worker was inside the host's code: the keeper tells."""


class Iteration:
    """A connection to one iterator; a `Link` to its owner. News comes on its own thread, or the end from the keeper's.

    Args:
        plan: what to iterate.
        listener: who hears of it.
        broker: the host's.
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

    def send(self, text: str) -> None:  # noqa: ARG002 - whatever it is
        """End the connection: an iterator takes nothing."""
        self.finish(End("cannot send: an iterator takes no frames", error=True))

    def close(self, reason: str) -> None:
        """End the connection; `closed` follows though the iterator blocks. Idempotent."""
        self.finish(End(reason, error=False))

    def finish(self, end: End) -> None:
        """End the connection this way, unless it has ended already."""
        with self._changed:
            if self._end is None:
                self._end = end
                self.untold = self._entered_ns is not None
                self._changed.notify()

    def tell_end(self) -> None:
        """Tell the listener how it ended."""
        assert self._end is not None, "told before the end"
        self._listener.closed(self._plan.name, self._end.reason, self._end.error)

    @property
    def listening(self) -> bool:
        """Whether it has not ended."""
        return self._end is None

    @property
    def abandoned(self) -> bool:
        """Whether it has ended, and its worker has not come back."""
        return self._end is not None and not self._returned

    def due_ns(self, now_ns: int) -> int:
        """Return when it will have been silent for too long, at the earliest; only time inside the host's code counts."""
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
        except BaseException as error:  # noqa: BLE001 - the host's SystemExit, too, ends this connection and nothing else
            self.finish(End(described(error), error=True))
        try:
            if tells:
                self.tell_end()
        finally:
            self._part()

    def _live(self) -> End:
        """Listen until there is no more; return how it ended."""
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
        ) as error:  # a listener's SystemExit ends its connection, not in silence
            msg = f"the listener failed: {error!r}"
            raise TransportError(msg) from error

    def _part(self) -> None:
        """Let the host's iterator clean up, and be known to have come back."""
        # The listener has heard the end: of what fails now there is nobody to tell.
        with contextlib.suppress(BaseException):
            close = getattr(self._iterator, "close", None)
            if callable(close):
                close()
        with self._changed:
            self._returned = True
            self._changed.notify()
