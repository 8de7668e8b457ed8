"""`PerpsSystem`: what a threaded host program sees of a system."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from perps_actors.actors import event_recorder, mark_store, risk_monitor, stream_consumer
from perps_actors.errors import AskTimeout, KernelError, PerpsActorsError, StartFailed
from perps_actors.host.composition import compose, report_incident
from perps_actors.host.logging import log_event, somebody_reads
from perps_actors.host.readings import Readings, SystemReport
from perps_actors.host.reconfigure import reconfigure
from perps_actors.host.settings_file import Follower
from perps_actors.host.subscriptions import ASK_TIMEOUT_S, Subscription, Subscriptions
from perps_actors.kernel.address import Answer
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.supervision import StartChildren, StopChildren
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.feeds import CloseSources, GetStreamStatistics, StreamStatistics
from perps_actors.messages.marks import GetMarkStatistics, MarkStatistics
from perps_actors.messages.records import Event, Flush
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import Change, Settings, SettingsFile, layers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from perps_actors.host.async_system import AsyncPerps
    from perps_actors.kernel.address import Teller
    from perps_actors.kernel.inbox import InboxPolicy
    from perps_actors.transport.broker import HostBroker

T = TypeVar("T", Mark, Event)


class PerpsSystem(Readings):
    """Keeps the mid prices of perpetuals on one or more markets, from `start` to `drain` or `stop`.

    Use it as a context manager, `with` or `async with` (leaving it drains), or call the methods. It
    changes nothing of the process: no signal handlers, no logging set-up, no registry. Reading
    never waits; questions to actors wait at most `ASK_TIMEOUT_S`.

    Args:
        settings: the markets and how to follow them.
        broker: a broker object of the host in place of the venue of a single market, with
            `get_quote(symbol)`, `stream_orderbook(symbols, level=)` and `stream_trades(symbols)`.
            The venue's name is then `host_broker`.
        replace: replacements by name: `runtime`, `network`, `journal`, `random`, or the factory of
            an actor. An actor that is None is left out. A factory takes the keyword arguments that
            it needs, see `perps_actors.host.parts`.

    Raises:
        SettingsError: an unknown venue or name to replace, or a symbol that no venue has.
        CompositionFailed: a part could not be made; names the phase.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        broker: HostBroker | None = None,
        replace: Mapping[str, Any] | None = None,
    ) -> None:
        composition = compose(settings, broker, replace)
        parts = composition.parts
        super().__init__(
            composition,
            Subscriptions(
                composition.runtime,
                parts.subscribers,
                parts.report,
                parts.drops,
                supervision=settings.supervision,
                on_incident=partial(report_incident, parts.report),
            ),
        )
        self._runtime = composition.runtime
        self._logs = "runtime" not in (replace or {})
        self._changing = threading.Lock()
        self._started = False
        self._followers: list[Follower] = []
        self._report: SystemReport | None = None

    # --- life

    def start(self, timeout_s: float = 30.0) -> Self:
        """Start all actors in order and return once all are running. Idempotent.

        Raises:
            StartFailed: an actor did not start, and all before it were stopped; the cause is
                chained. Or the system was stopped before.
        """
        if self._report is not None:
            msg = "This system was stopped; make a new one"
            raise StartFailed(msg)
        if self._started:
            return self
        self._started = True
        if self._logs and somebody_reads():
            self.subscribe(log_event, Event, name="log")
        done = Answer()
        self._composition.supervisor.address.tell(StartChildren(done))
        try:
            self._runtime.wait(done, timeout_s)
        except PerpsActorsError:
            self.stop(timeout_s)
            raise
        return self

    def drain(self, deadline_s: float = 10.0) -> SystemReport:
        """Handle all queued messages, sources first, and stop within the deadline. Idempotent.

        Subscribers end last: they get their queued items in the time that is left.
        """
        return self._end(deadline_s, drain=True)

    def stop(self, deadline_s: float = 5.0) -> SystemReport:
        """Stop without handling queued messages, and report them as left. Idempotent."""
        return self._end(deadline_s, drain=False)

    def _end(self, deadline_s: float, *, drain: bool) -> SystemReport:
        composition = self._composition
        if self._report is not None:
            return self._report
        end_ns = self._runtime.clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        for follower in self._followers:
            follower.end(deadline_s / 2)
        if drain and self._started:
            self._hang_up(deadline_s / 2)
        done, left_s = Answer(), self._left_s(end_ns, least_s=0.0)
        composition.supervisor.address.tell(StopChildren(drain=drain, deadline_s=left_s, done=done))
        try:
            # The supervisor keeps the deadline; the extra second lets its thread be scheduled.
            actors = self._runtime.wait(done, left_s + 1.0)
        except KernelError as error:
            actors = composition.abandon(error)
        self._subscriptions.end(self._left_s(end_ns), drain=drain)
        unended = composition.close_networks(self._left_s(end_ns))
        composition.end_supervisor()
        threads = self._runtime.close(self._left_s(end_ns))
        unnamed = tuple(f"network-{n}" for n in range(unended))
        self._report = SystemReport(
            actors=actors, threads_left=threads + unnamed, journal=self.journal()
        )
        return self._report

    def _left_s(self, end_ns: int, least_s: float = 0.5) -> float:
        return max(least_s, (end_ns - self._runtime.clock.monotonic_ns()) / NS_PER_S)

    def _hang_up(self, patience_s: float) -> None:
        """Close the sources and wait until they have sent all they read, before actors drain."""
        # Pollers before consumers, because a poller offers its quotes to its consumer.
        for source in reversed(tuple(self._composition.listening_to(CloseSources))):
            done = Answer()
            with suppress(AskTimeout):
                if source.child.cell.address.tell(CloseSources(done)):
                    self._runtime.wait(done, patience_s / 2)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drain; after an error, stop."""
        if kind is None:
            self.drain()
        else:
            self.stop()

    async def __aenter__(self) -> AsyncPerps:
        """Start without blocking the loop, and return the system as an asyncio program sees it."""
        # Here, because threaded hosts need no asyncio.
        from perps_actors.host.async_system import AsyncPerps, on_a_thread  # noqa: PLC0415

        try:
            await on_a_thread(self.start, self.settings.name)
        except BaseException:
            await on_a_thread(self.stop, self.settings.name)
            raise
        return AsyncPerps(self, self._composition, self._subscriptions)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drain without blocking the loop; after an error, stop."""
        from perps_actors.host.async_system import on_a_thread  # noqa: PLC0415

        await on_a_thread(self.drain if kind is None else self.stop, self.settings.name)

    # --- hearing

    def subscribe(
        self,
        receive: Callable[[T], object],
        to: type[T] = Mark,  # type: ignore[assignment]
        *,
        kinds: Iterable[str] = (),
        instruments: Iterable[InstrumentId | str] = (),
        venues: Iterable[str] = (),
        inbox: InboxPolicy | None = None,
        name: str = "subscriber",
    ) -> Subscription:
        """Call a callable with every mark or event from now on, one by one, on its own thread.

        The callable may ask the system and may be slow: if its inbox overflows, items are dropped
        and a `hole` event is recorded. An exception that it raises is reported as
        `subscriber_failed`; after ten in a row the subscription ends.

        Args:
            receive: the callable.
            to: `Mark`, our mid price, or `Event`, without the events of marks.
            kinds: kinds of events, e.g. `stale_mark_price`; none: all.
            instruments: instruments of the marks or events, e.g. `bybit:BTCUSDT`; none: all, and
                events of no single instrument.
            venues: venues of the marks or events; none: all.
            inbox: its bound, and what happens beyond it; None: the newest ten thousand items wait.
                With `conflate`, the newest mark of each instrument waits.
            name: name of its thread and its inbox; a number is added.

        Raises:
            SettingsError: `kinds` without `Event`, or an ambiguous instrument.
        """
        return self._subscriptions.open(
            receive, self._interest(to, kinds, instruments, venues), inbox, name
        )

    def listen(self, listener: Teller) -> None:
        """Send `MarksUpdated` to a listener on the store's own thread, so it must not block.

        It is told as soon as marks are on the board, without a switch of threads. Call this before
        `start`.
        """
        self._composition.parts.listeners.append(listener)

    # --- changing

    def reconfigure(self, settings: Settings, timeout_s: float = 10.0) -> tuple[Change, ...]:
        """Put other settings in force while the system runs, and return what changed.

        All settings are put in force, or none. Markets are added and removed. Symbols are added
        and removed on open connections where the venue allows it; a removed symbol has no mark any
        more. Other changes of `stream` open the market's connections again.

        Raises:
            SettingsError: a setting that cannot change while the system runs, or that the venue
                refuses; nothing was changed.
            ReconfigureFailed: an actor did not take its new settings within `timeout_s` seconds;
                the settings of before are in force again.
        """
        with self._changing:
            return reconfigure(self._composition, settings, timeout_s)

    def follow(
        self,
        file: Path | str,
        *,
        environ: Mapping[str, str] | None = None,
        table: Mapping[str, Any] | None = None,
        every_s: float = 1.0,
    ) -> None:
        """Read a settings file every `every_s` seconds and put its changes in force.

        The arguments are those of `settings_of`; environment and table override the file. An
        unusable file changes nothing and is reported as `settings_refused`. Ends with the system.

        Raises:
            SettingsError: the file is unusable now.
        """
        watched = SettingsFile(file)
        layers = layers_of(file=watched.path, environ=environ, table=table)
        watched.look()
        follower = Follower(
            watched,
            layers,
            now=lambda: self.settings,
            reconfigure=self.reconfigure,
            report=self._composition.parts.report,
            every_s=every_s,
        )
        self._followers.append(follower)
        follower.start()

    # --- asking

    def verdict(self, instrument: InstrumentId | str) -> Verdict:
        """Return whether risk allows to open or enlarge a position in the instrument now.

        Raises:
            ActorUnavailable, AskTimeout, PartAbsent: the risk monitor does not answer; take that
                for a no.
        """
        answer: Verdict = self.ask(risk_monitor.SPEC.name, GetVerdict(self.instrument(instrument)))
        return answer

    def mark_statistics(self) -> MarkStatistics:
        """Return the counters of the mark store since its last start."""
        answer: MarkStatistics = self.ask(mark_store.SPEC.name, GetMarkStatistics())
        return answer

    def stream_statistics(self, market: str | None = None) -> StreamStatistics:
        """Return the counters of a market's streams since the last start of its consumer.

        The market can be left out if there is one.
        """
        consumer = stream_consumer.SPEC.name
        actor = consumer if market is None else f"{consumer}:{market}"
        answer: StreamStatistics = self.ask(actor, GetStreamStatistics())
        return answer

    def flush(self) -> int:
        """Write all waiting events now; return the sequence number of the last durable event."""
        answer: int = self.ask(event_recorder.SPEC.name, Flush())
        return answer

    def ask(self, actor: str, question: object) -> Any:
        """Ask an actor by its name as in `statistics`, e.g. `GetStatistics()`.

        Raises:
            ActorUnavailable, AskTimeout: it does not answer.
            PartAbsent: there is no actor of that name.
            SettingsError: several markets have one; names them.
        """
        return self._composition.address(actor).ask(question, timeout=ASK_TIMEOUT_S)
