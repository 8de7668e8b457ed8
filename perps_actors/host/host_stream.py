"""A stream for asyncio hosts: what is told on the actors' threads waits in an inbox of its own until the loop takes it."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

import attrs

from perps_actors.feeds.subscribers import SubscriberRoute, Subscribers
from perps_actors.kernel.clock import Clock
from perps_actors.kernel.drops import DropLedger
from perps_actors.kernel.inbox import EMPTY, Inbox, InboxPolicy
from perps_actors.messages.subscriber import Interest

T = TypeVar("T")

IN_A_ROW = 64
"""Items given without a break for the loop's other tasks."""


@attrs.frozen(eq=False)
class _Watched:
    """What is counted of a stream, without holding it."""

    name: str
    inbox: Inbox


class HostStream(Generic[T]):
    """Marks or events, one by one: `async for item in stream`. It ends with the system, with `close`, or when nobody holds it.

    What the host is too slow for is dropped by the inbox's policy, counted, and told as a `hole` in the journal. Belongs to the loop
    in which it was opened; any thread may tell it.
    """

    def __init__(
        self,
        name: str,
        interest: Interest,
        policy: InboxPolicy,
        *,
        subscribers: Subscribers,
        drops: DropLedger,
        clock: Clock,
    ) -> None:
        self.name = name
        self._loop = asyncio.get_running_loop()
        self._audience = subscribers
        self._drops = drops
        self._woken = asyncio.Event()
        self._ended = False
        self._ready: deque[T] = deque()
        self._given = 0
        me = weakref.ref(self)
        self.inbox = Inbox(policy, lambda: _wake(me), _ignore, clock.monotonic_ns)
        self._route = SubscriberRoute(interest, self.inbox.put)
        self._watched = _Watched(name, self.inbox)
        drops.watch((self._watched,))
        subscribers.add(self._route)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> T:
        """Return the next item, having waited for it; now and then the loop's other tasks get their turn first."""
        self._given += 1
        if self._given % IN_A_ROW == 0:
            await asyncio.sleep(0)
        while not self._ready:
            heard: Any = self.inbox.take()
            if heard is not EMPTY:
                self._ready.extend(heard.items)
            elif self._ended:
                raise StopAsyncIteration
            else:
                self._woken.clear()
                await self._woken.wait()
        return self._ready.popleft()

    def wake(self) -> None:
        """Let whoever waits look again; called by any thread, and of no effect once the loop is closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._woken.set)

    def end(self) -> None:
        """Hear no more; what waits can still be taken, then the stream ends. On any thread. Idempotent."""
        self._ended = True
        self._audience.remove(self._route)
        self.wake()

    def close(self) -> None:
        """Hear no more and forget what waits. Idempotent."""
        if not self.inbox.closed:
            self.end()
            self._ready.clear()
            self.inbox.close()
            self._drops.forget(self._watched)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __del__(self) -> None:
        """Hear no more."""
        if hasattr(self, "_watched") and not self.inbox.closed:
            self._audience.remove(self._route)
            self._drops.forget(self._watched)


def _wake(stream: weakref.ref[HostStream[Any]]) -> None:
    held = stream()
    if held is not None:
        held.wake()


def _ignore(_: Any) -> None:
    """Let what is left go: nobody asked."""
