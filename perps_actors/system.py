"""The composition root: builds the actors of one venue, starts them in order, answers the host, stops them in reverse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from perps_actors.composition import Composition, compose
from perps_actors.errors import AskTimeout, KernelError, PerpsActorsError, StartFailed
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.commands import StartChildren, StopChildren
from perps_actors.kernel.future import Answer
from perps_actors.kernel.runtime import Runtime, ThreadedRuntime
from perps_actors.market.events import VenueMark
from perps_actors.market.feed_state import Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.market.window import Window
from perps_actors.messages.feeds import GetStreamStatistics, HangUp, StreamStatistics
from perps_actors.messages.marks import GetMarkStatistics, MarkStatistics
from perps_actors.messages.records import Flush, JournalStatus
from perps_actors.messages.risk import GetVerdict, Verdict
from perps_actors.settings import Settings

if TYPE_CHECKING:
    from perps_actors.journal.contract import JournalWriter
    from perps_actors.kernel.address import Teller
    from perps_actors.kernel.ceiling import MemoryCeiling
    from perps_actors.kernel.children import StopReport
    from perps_actors.kernel.life import DeadLetter
    from perps_actors.kernel.statistics import CellStatistics
    from perps_actors.transport.wire import Network

ASK_TIMEOUT_S = 5.0
"""How long the host's questions wait for their answers."""


@attrs.frozen(kw_only=True)
class SystemReport:
    """How a system ended."""

    actors: StopReport
    threads_left: tuple[str, ...]
    """Threads that did not end within the deadline."""
    journal: JournalStatus
    """How the journal was left."""

    @property
    def clean(self) -> bool:
        """Whether every actor and thread ended in time, nothing was left or given up, and the journal holds all it was told."""
        return self.actors.clean and not self.threads_left and self.journal.failing is None


class PerpsSystem:
    """Keeps the marks of one venue's perpetuals, from `start` until `drain` or `stop`.

    Use it as a context manager (leaving it drains), or call the methods. It touches nothing of the process: no signal handlers,
    no logging set-up, no registry. Reading marks and windows asks nobody; all other questions wait at most `ASK_TIMEOUT_S`.

    Args:
        settings: what to keep, and how.
        network: the outside; None: real sockets.
        runtime: what runs the actors; None: threads.
        open_journal: opens another store for the journal than the settings name, at each start of the recorder; None: theirs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        network: Network | None = None,
        runtime: Runtime | None = None,
        open_journal: Callable[[], JournalWriter] | None = None,
    ) -> None:
        self.settings = settings
        self._runtime: Runtime = runtime if runtime is not None else ThreadedRuntime(name="perps")
        self._network = network if network is not None else _live_network(self._runtime)
        self._parts: Composition = compose(settings, self._runtime, self._network, Random(settings.seed), open_journal)  # noqa: S311 - pauses
        self._started = False
        self._report: SystemReport | None = None

    def listen(self, listener: Teller) -> None:
        """Have `listener` told `MarksUpdated`, on the store's own thread, as soon as marks are on the board: it must not block.

        Call it before `start`.
        """
        self._parts.listeners.append(listener)

    # --- life

    def start(self, timeout_s: float = 30.0) -> Self:
        """Start all actors in order; when this returns, all are up. Idempotent.

        Raises:
            StartFailed: one did not come up; those before it were stopped again. The cause is chained. Or it was stopped before.
        """
        if self._report is not None:
            msg = "This system was stopped; make a new one"
            raise StartFailed(msg)
        if self._started:
            return self
        self._started = True
        done = Answer()
        self._parts.supervisor.tell(StartChildren(done))
        try:
            self._runtime.wait(done, timeout_s)
        except PerpsActorsError:
            self.stop(timeout_s)
            raise
        return self

    def drain(self, deadline_s: float = 10.0) -> SystemReport:
        """Handle what is queued, from the sources to the journal, and stop. Idempotent; never takes much longer than the deadline."""
        return self._end(deadline_s, drain=True)

    def stop(self, deadline_s: float = 5.0) -> SystemReport:
        """Stop ahead of what is queued, and report it as left. Idempotent."""
        return self._end(deadline_s, drain=False)

    def _end(self, deadline_s: float, *, drain: bool) -> SystemReport:
        if self._report is not None:
            return self._report
        clock = self._runtime.clock
        end_ns = clock.monotonic_ns() + int(deadline_s * NS_PER_S)
        if drain and self._started:
            self._hang_up(deadline_s / 2)
        left_s = max(0.0, (end_ns - clock.monotonic_ns()) / NS_PER_S)
        done = Answer()
        self._parts.supervisor.tell(StopChildren(drain=drain, deadline_s=left_s, done=done))
        try:
            # The supervisor keeps the deadline itself; the grace is for its own thread to be scheduled.
            actors = self._runtime.wait(done, left_s + 1.0)
        except KernelError as error:
            actors = self._parts.abandon(error)
        left_s = max(0.5, (end_ns - clock.monotonic_ns()) / NS_PER_S)
        unended = self._network.close(left_s)
        self._parts.end_supervisor()
        threads = self._runtime.close(left_s)
        unnamed = tuple(f"network-{n}" for n in range(unended))
        self._report = SystemReport(actors=actors, threads_left=threads + unnamed, journal=self._parts.journal.value)
        return self._report

    def _hang_up(self, patience_s: float) -> None:
        """Let the sources end and say all they have read, so that nothing arrives behind the order to drain."""
        for source in ("quote_poller", "stream_consumer"):
            done = Answer()
            if self._parts.address(source).tell(HangUp(done)):
                with suppress(AskTimeout):
                    self._runtime.wait(done, patience_s / 2)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Drain; after an error, stop."""
        if kind is None:
            self.drain()
        else:
            self.stop()

    # --- reading

    def instrument(self, symbol: str) -> InstrumentId:
        """Return the identity of one of the venue's instruments."""
        return InstrumentId(self.settings.venue, symbol)

    def mark(self, symbol: str) -> Mark | None:
        """Return the latest mark of an instrument, from the board; None when there is none yet."""
        return self._parts.board.mark(self.instrument(symbol))

    def window(self, symbol: str) -> Window:
        """Return the window of an instrument, oldest mark first, from the board."""
        return self._parts.board.window(self.instrument(symbol))

    def venue_mark(self, symbol: str) -> VenueMark | None:
        """Return the venue's own mark and index of an instrument; None when it has sent none yet."""
        return self._parts.venue_board.venue_mark(self.instrument(symbol))

    def journal(self) -> JournalStatus:
        """Return the state of the journal."""
        return self._parts.journal.value

    def statistics(self) -> tuple[CellStatistics, ...]:
        """Return the counters of every actor and its inbox, without asking; one by one they answer `GetStatistics` too."""
        return tuple(child.cell.statistics() for child in self._parts.children)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the messages that killed an actor, the last hundred of each."""
        return tuple(letter for child in self._parts.children for letter in child.letters)

    def memory_ceiling(self) -> MemoryCeiling:
        """Return what can wait in the inboxes at most, in bytes; its text is a table."""
        return self._parts.ceiling

    @property
    def restarts(self) -> int:
        """How many times an actor was started again."""
        return sum(child.restarts for child in self._parts.children)

    @property
    def dropped(self) -> int:
        """How many items inboxes and journal dropped."""
        return self._parts.drops.total() + self._parts.journal.value.dropped

    def count(self, symbol: str) -> int:
        """Return how many marks of an instrument were recorded since the system was made."""
        return self._parts.board.count(self.instrument(symbol))

    def health(self, symbol: str) -> Judgement | None:
        """Return the health of an instrument's feed as of the last second, or of the end; None before the first judgement."""
        return dict(self._parts.health.value.judgements).get(self.instrument(symbol))

    # --- asking

    def verdict(self, symbol: str) -> Verdict:
        """Return whether risk allows a position in the instrument to be opened or enlarged now.

        Raises:
            ActorUnavailable, AskTimeout: the risk monitor does not answer: take that for a no.
        """
        answer: Verdict = self.ask("risk_monitor", GetVerdict(self.instrument(symbol)))
        return answer

    def mark_statistics(self) -> MarkStatistics:
        """Return the counters of the mark store since its last start."""
        answer: MarkStatistics = self.ask("mark_store", GetMarkStatistics())
        return answer

    def stream_statistics(self) -> StreamStatistics:
        """Return the counters of the streams since their consumer's last start."""
        answer: StreamStatistics = self.ask("stream_consumer", GetStreamStatistics())
        return answer

    def flush(self) -> int:
        """Write what waits for the journal now; return the sequence number of the last event that is safe."""
        answer: int = self.ask("event_recorder", Flush())
        return answer

    def ask(self, actor: str, question: object) -> Any:
        """Ask an actor, by its name as `statistics` gives it, e.g. `GetStatistics()`.

        Raises:
            ActorUnavailable, AskTimeout: it does not answer.
            LookupError: there is no actor of that name.
        """
        return self._parts.address(actor).ask(question, timeout=ASK_TIMEOUT_S)


def _live_network(runtime: Runtime) -> Network:
    # Here, because requests and websocket-client are slow to import and a host with a network of its own needs neither.
    from perps_actors.transport.network import LiveNetwork  # noqa: PLC0415

    return LiveNetwork(clock=runtime.clock)
