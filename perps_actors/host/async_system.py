"""`AsyncPerps`: what an asyncio host program sees of a system. Every call that waits is awaited."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

import attrs

from perps_actors.actors import event_recorder, mark_store, risk_monitor, stream_consumer
from perps_actors.actors.subscriber import SUBSCRIBER_INBOX
from perps_actors.errors import AskTimeout
from perps_actors.feeds.subscribers import GONE, SubscriberRoute, Subscribers
from perps_actors.host.readings import Readings
from perps_actors.host.subscriptions import ASK_TIMEOUT_S
from perps_actors.kernel.address import Answer
from perps_actors.kernel.clock import Clock
from perps_actors.kernel.inbox import EMPTY, Inbox, InboxPolicy
from perps_actors.kernel.statistics import DropLedger
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import GetStreamStatistics, StreamStatistics
from perps_actors.messages.interest import Heard, Interest
from perps_actors.messages.marks import GetMarkStatistics, MarkStatistics
from perps_actors.messages.records import Event, Flush
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import Change, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from perps_actors.host.composition import Composition
    from perps_actors.host.readings import SystemReport
    from perps_actors.host.subscriptions import Subscriptions

R = TypeVar("R")
T = TypeVar("T", Mark, Event)
Item = TypeVar("Item")


IN_A_ROW = 64
"""Items that are returned before other tasks of the loop get a turn."""


@attrs.frozen(eq=False)
class _Watched:
    """Name and inbox of a stream, for the ledger of drops; does not keep the stream alive."""

    name: str
    inbox: Inbox


class HostStream(Generic[Item]):
    """Marks or events, one by one: `async for item in stream`.

    It ends with the system, with `close`, or when it is garbage-collected.

    If the host is too slow, items are dropped by the inbox's policy and a `hole` event is recorded.
    It belongs to the loop in which it was opened; actors put items into it from any thread.
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
        self._ready: deque[Item] = deque()
        self._given = 0
        me = weakref.ref(self)
        self.inbox = Inbox(policy, lambda: _wake(me), _ignore, clock.monotonic_ns)
        self._watched = watched = _Watched(name, self.inbox)
        self._route = SubscriberRoute(interest, lambda heard: _put(me, drops, watched, heard))
        drops.watch((self._watched,))
        subscribers.add(self._route)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Item:
        """Wait for the next item and return it; now and then let other tasks run first."""
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
        """Wake the waiting task, from any thread; do nothing once the loop is closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._woken.set)

    def end(self) -> None:
        """Take no more items, from any thread; queued items can still be read. Idempotent."""
        self._ended = True
        self._audience.remove(self._route)
        self.wake()

    def close(self) -> None:
        """Take no more items and drop the queued items. Idempotent."""
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


def _put(
    stream: weakref.ref[HostStream[Any]], drops: DropLedger, watched: _Watched, heard: Heard
) -> object:
    """Put items into a stream's inbox; `GONE` if the stream was garbage-collected."""
    if stream() is not None:
        return watched.inbox.put(heard)
    drops.forget(watched)
    return GONE


def _wake(stream: weakref.ref[HostStream[Any]]) -> None:
    held = stream()
    if held is not None:
        held.wake()


def _ignore(_: Any) -> None:
    """Drop an item that was left in the inbox."""


class BlockingSystem(Protocol):
    """The calls of a system that block; a `PerpsSystem`."""

    def reconfigure(self, settings: Settings, timeout_s: float) -> tuple[Change, ...]:
        """Put other settings in force."""

    def follow(
        self,
        file: Path | str,
        *,
        environ: Mapping[str, str] | None,
        table: Mapping[str, Any] | None,
        every_s: float,
    ) -> None:
        """Follow a settings file."""

    def drain(self, deadline_s: float) -> SystemReport:
        """Handle all queued messages, and stop."""

    def stop(self, deadline_s: float) -> SystemReport:
        """Stop without handling queued messages."""


class AsyncPerps(Readings):
    """A started system in an asyncio program; `async with PerpsSystem(settings) as perps` gives it.

    Cancelling a task that awaits an answer gives the question up. Cancelling a start, a stop or a
    change of settings takes effect once that is done, because half of it would be neither.
    """

    def __init__(
        self, system: BlockingSystem, composition: Composition, subscriptions: Subscriptions
    ) -> None:
        super().__init__(composition, subscriptions)
        self._system = system

    def stream(
        self,
        to: type[T] = Mark,  # type: ignore[assignment]
        *,
        kinds: Iterable[str] = (),
        instruments: Iterable[InstrumentId | str] = (),
        venues: Iterable[str] = (),
        inbox: InboxPolicy | None = None,
    ) -> HostStream[T]:
        """Return the marks or events from now on: `async for mark in perps.stream()`.

        The arguments are those of `PerpsSystem.subscribe`.
        """
        stream: HostStream[T] = HostStream(
            self._subscriptions.new_name("stream"),
            self._interest(to, kinds, instruments, venues),
            inbox if inbox is not None else SUBSCRIBER_INBOX,
            subscribers=self._subscriptions.subscribers,
            drops=self._subscriptions.drops,
            clock=self._composition.parts.clock,
        )
        self._subscriptions.adopt(stream)
        return stream

    async def verdict(self, instrument: InstrumentId | str) -> Verdict:
        """Return whether risk allows to open or enlarge a position in the instrument now.

        Raises:
            ActorUnavailable, AskTimeout, PartAbsent: the risk monitor does not answer; take that
                for a no.
        """
        answer: Verdict = await self.ask(
            risk_monitor.SPEC.name, GetVerdict(self.instrument(instrument))
        )
        return answer

    async def mark_statistics(self) -> MarkStatistics:
        """Return the counters of the mark store since its last start."""
        answer: MarkStatistics = await self.ask(mark_store.SPEC.name, GetMarkStatistics())
        return answer

    async def stream_statistics(self, market: str | None = None) -> StreamStatistics:
        """Return the counters of a market's streams since the last start of its consumer.

        The market can be left out if there is one.
        """
        consumer = stream_consumer.SPEC.name
        actor = consumer if market is None else f"{consumer}:{market}"
        answer: StreamStatistics = await self.ask(actor, GetStreamStatistics())
        return answer

    async def flush(self) -> int:
        """Write all waiting events now; return the sequence number of the last durable event."""
        answer: int = await self.ask(event_recorder.SPEC.name, Flush())
        return answer

    async def ask(self, actor: str, question: object) -> Any:
        """Ask an actor by its name as in `statistics`, e.g. `GetStatistics()`.

        Raises:
            ActorUnavailable, AskTimeout: it does not answer.
            PartAbsent: there is no actor of that name.
            SettingsError: several markets have one; names them.
        """
        answer = _LoopAnswer(asyncio.get_running_loop())
        self._composition.address(actor).put_question(question, answer)
        try:
            return await asyncio.wait_for(answer.awaited, ASK_TIMEOUT_S)
        except TimeoutError:
            msg = f"No answer within {ASK_TIMEOUT_S:g} s"
            raise AskTimeout(msg) from None

    async def reconfigure(self, settings: Settings, timeout_s: float = 10.0) -> tuple[Change, ...]:
        """Change settings while the system runs; as `PerpsSystem.reconfigure`."""
        return await self._on_a_thread(lambda: self._system.reconfigure(settings, timeout_s))

    def follow(
        self,
        file: Path | str,
        *,
        environ: Mapping[str, str] | None = None,
        table: Mapping[str, Any] | None = None,
        every_s: float = 1.0,
    ) -> None:
        """Follow a settings file, on a thread of its own; as `PerpsSystem.follow`."""
        self._system.follow(file, environ=environ, table=table, every_s=every_s)

    async def _on_a_thread(self, work: Callable[[], R]) -> R:
        return await on_a_thread(work, self.settings.name)

    async def drain(self, deadline_s: float = 10.0) -> SystemReport:
        """Handle all queued messages, and stop; as `PerpsSystem.drain`."""
        return await self._on_a_thread(lambda: self._system.drain(deadline_s))

    async def stop(self, deadline_s: float = 5.0) -> SystemReport:
        """Stop without handling queued messages; as `PerpsSystem.stop`."""
        return await self._on_a_thread(lambda: self._system.stop(deadline_s))


async def on_a_thread(work: Callable[[], R], system: str) -> R:
    """Await work that blocks for a bounded time, on a thread of its own.

    A cancellation is raised once the work has ended.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    answer = Answer()

    def run() -> None:
        try:
            answer.set(work())
        except BaseException as error:  # noqa: BLE001 - handed to the task that awaits
            answer.set_exception((type(error), error, error.__traceback__))
        with suppress(RuntimeError):  # the loop may be gone
            loop.call_soon_threadsafe(done.set_result, None)

    thread = threading.Thread(target=run, name=f"{system}-host-call", daemon=True)
    thread.start()
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError as error:
            cancelled = error
    thread.join()
    if cancelled is not None:
        raise cancelled
    result: R = answer.get(timeout=0)
    return result


class _LoopAnswer(Answer):
    """An answer that an asyncio program awaits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.awaited: asyncio.Future[Any] = loop.create_future()

    def set(self, value: Any = None) -> None:
        """Settle with a value, unless it is settled."""
        super().set(value)
        self._tell()

    def set_exception(self, exc_info: Any = None) -> None:
        """Settle with an error, unless it is settled."""
        super().set_exception(exc_info)
        self._tell()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop may be gone
            self._loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        if not self.awaited.done():
            try:
                self.awaited.set_result(self.get(timeout=0))
            except Exception as error:  # noqa: BLE001 - it is the asker's
                self.awaited.set_exception(error)
