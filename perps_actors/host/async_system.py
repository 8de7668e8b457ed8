"""The face of a system for asyncio hosts: the same readings, and everything that waits as an awaitable. The loop is never blocked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from perps_actors.errors import AskTimeout
from perps_actors.host.host_stream import HostStream
from perps_actors.host.readings import Readings
from perps_actors.host.subscriptions import ASK_TIMEOUT_S, interest_in
from perps_actors.kernel.future import Answer
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import GetStreamStatistics, StreamStatistics
from perps_actors.messages.marks import GetMarkStatistics, MarkStatistics
from perps_actors.messages.records import Event, Flush
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import Change, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from perps_actors.host.system import PerpsSystem, SystemReport
    from perps_actors.kernel.inbox import InboxPolicy

R = TypeVar("R")
T = TypeVar("T", Mark, Event)


class AsyncPerps(Readings):
    """A started system in an asyncio program; `async with PerpsSystem(settings) as perps` gives it.

    Cancelling what awaits a question gives the question up; cancelling a start, a stop or a change of settings waits until it is
    done, because half of it would be neither.
    """

    def __init__(self, system: PerpsSystem) -> None:
        super().__init__(system._composition, system._subscriptions)  # noqa: SLF001 - the other face of the same
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
        """Return the marks, or events, from now on: `async for mark in perps.stream()`. Arguments as of `PerpsSystem.subscribe`."""
        return self._subscriptions.stream(interest_in(to, kinds, instruments, venues), inbox)

    async def verdict(self, instrument: InstrumentId | str) -> Verdict:
        """Return whether risk allows a position in the instrument to be opened or enlarged now.

        Raises:
            ActorUnavailable, AskTimeout, PartAbsent: the risk monitor does not answer: take that for a no.
        """
        answer: Verdict = await self.ask("risk_monitor", GetVerdict(self.instrument(instrument)))
        return answer

    async def mark_statistics(self) -> MarkStatistics:
        """Return the counters of the mark store since its last start."""
        answer: MarkStatistics = await self.ask("mark_store", GetMarkStatistics())
        return answer

    async def stream_statistics(self) -> StreamStatistics:
        """Return the counters of the streams since their consumer's last start."""
        answer: StreamStatistics = await self.ask("stream_consumer", GetStreamStatistics())
        return answer

    async def flush(self) -> int:
        """Write what waits for the journal now; return the sequence number of the last event that is safe."""
        answer: int = await self.ask("event_recorder", Flush())
        return answer

    async def ask(self, actor: str, question: object) -> Any:
        """Ask an actor, by its name as `statistics` gives it, e.g. `GetStatistics()`.

        Raises:
            ActorUnavailable, AskTimeout: it does not answer.
            PartAbsent: there is no actor of that name.
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
        return await on_a_thread(lambda: self._system.reconfigure(settings, timeout_s))

    def follow(
        self,
        file: Path | str,
        *,
        environ: Mapping[str, str] | None = None,
        table: Mapping[str, Any] | None = None,
        every_s: float = 1.0,
    ) -> None:
        """Look at a settings file every so many seconds, on a thread of its own; as `PerpsSystem.follow`."""
        self._system.follow(file, environ=environ, table=table, every_s=every_s)

    async def drain(self, deadline_s: float = 10.0) -> SystemReport:
        """Handle what is queued, and stop; as `PerpsSystem.drain`."""
        return await on_a_thread(lambda: self._system.drain(deadline_s))

    async def stop(self, deadline_s: float = 5.0) -> SystemReport:
        """Stop ahead of what is queued; as `PerpsSystem.stop`."""
        return await on_a_thread(lambda: self._system.stop(deadline_s))


async def on_a_thread(work: Callable[[], R]) -> R:
    """Await work that blocks for a bounded time, done by a thread of its own; a cancellation is raised once the work has ended."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    answer = Answer()

    def run() -> None:
        try:
            answer.set(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits
            answer.set_exception((type(error), error, error.__traceback__))
        with suppress(RuntimeError):  # the loop may be gone
            loop.call_soon_threadsafe(done.set_result, None)

    thread = threading.Thread(target=run, name="perps-host-call", daemon=True)
    thread.start()
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError as error:
            cancelled = error
    thread.join()  # it has said its last word
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
