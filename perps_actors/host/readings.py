"""The readings of a system that need no answer of an actor: marks, health, journal, counters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from perps_actors.errors import ForkedSystem
from perps_actors.host.subscriptions import interest_in
from perps_actors.market.events import VenueMark
from perps_actors.market.feed_state import Judgement
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.market.window import Window
from perps_actors.messages.records import JournalStatus
from perps_actors.settings import Settings

if TYPE_CHECKING:
    from perps_actors.feeds.boards import Board
    from perps_actors.host.composition import Composition
    from perps_actors.host.subscriptions import Subscriptions, SubscriptionStatistics
    from perps_actors.kernel.children import StopReport
    from perps_actors.kernel.lifecycle import DeadLetter
    from perps_actors.kernel.statistics import CellStatistics, MemoryCeiling
    from perps_actors.messages.interest import Interest
    from perps_actors.transport.broker import HostBroker


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
        """Whether every actor and thread ended in time and the journal holds all its events."""
        return self.actors.clean and not self.threads_left and self.journal.failing is None


class Marks(Mapping[InstrumentId, Mark]):
    """Our latest mid prices by instrument: a live, read-only view of the board.

    Each look-up reads one moment.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    def __getitem__(self, instrument: InstrumentId) -> Mark:
        """Return the latest mark of an instrument.

        Raises:
            KeyError: it has no mark.
        """
        mark = self._board.mark(instrument)
        if mark is None:
            raise KeyError(instrument)
        return mark

    def __iter__(self) -> Iterator[InstrumentId]:
        """Go through the instruments that are marked at this moment."""
        return iter([instrument for instrument, window in self._board.snapshot().items() if window])

    def __len__(self) -> int:
        """Return how many instruments are marked."""
        return sum(1 for _ in self)


@attrs.frozen(kw_only=True)
class SystemStatistics:
    """The counters of a system, in items."""

    name: str
    """Of the system."""
    actors: tuple[CellStatistics, ...]
    """Of every actor and its inbox, in the order in which they start."""
    subscriptions: tuple[SubscriptionStatistics, ...]
    restarts: int
    dropped: int
    """Lost by inboxes to their policies, and by the journal."""

    @property
    def handled(self) -> int:
        """Items that all actors handled."""
        return sum(actor.handled for actor in self.actors)

    @property
    def dead(self) -> int:
        """Items that became dead letters."""
        return sum(actor.dead for actor in self.actors)

    @property
    def waiting(self) -> int:
        """Items in the inboxes of all actors."""
        return sum(actor.inbox.length for actor in self.actors)

    @property
    def oldest_age_ns(self) -> int | None:
        """Age of the oldest queued item; None without one."""
        return max(
            (
                actor.inbox.oldest_age_ns
                for actor in self.actors
                if actor.inbox.oldest_age_ns is not None
            ),
            default=None,
        )


class Readings:
    """Reads what the actors publish. Every method returns at once, on any thread.

    An instrument is an `InstrumentId` or a text, see `instrument`.
    """

    def __init__(self, composition: Composition, subscriptions: Subscriptions) -> None:
        self._composed = composition
        self._subscriptions = subscriptions
        self._pid = os.getpid()

    @property
    def _composition(self) -> Composition:
        if os.getpid() != self._pid:
            msg = (
                "This process was forked from the process of this system: start another system here"
            )
            raise ForkedSystem(msg)
        return self._composed

    @property
    def settings(self) -> Settings:
        """The settings that are in force."""
        return self._composition.parts.settings

    @property
    def broker(self) -> HostBroker:
        """The host's own broker.

        Raises:
            PartAbsent: the system was given none.
        """
        broker: HostBroker = self._composition.own_broker()
        return broker

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """The instruments of all markets, in the order of the settings."""
        return tuple(self._composition.parts.instruments)

    def instrument(self, instrument: InstrumentId | str) -> InstrumentId:
        """Return the identity of an instrument that is given as text.

        `bybit:BTCUSDT` always works, `BTCUSDT` while one market has it. The symbol is in the
        venue's own spelling.

        Raises:
            SettingsError: the symbol alone is ambiguous; names the candidates.
        """
        if isinstance(instrument, str):
            return self._composition.parts.instrument(instrument)
        return instrument

    def _interest(
        self,
        to: type[Any],
        kinds: Iterable[str],
        instruments: Iterable[InstrumentId | str],
        venues: Iterable[str],
    ) -> Interest:
        return interest_in(to, kinds, map(self.instrument, instruments), venues)

    def mark(self, instrument: InstrumentId | str) -> Mark | None:
        """Return our latest mid price of an instrument; None without one."""
        return self._composition.parts.board.mark(self.instrument(instrument))

    @property
    def marks(self) -> Marks:
        """The latest marks of all instruments that have one: a live mapping."""
        return Marks(self._composition.parts.board)

    def window(self, instrument: InstrumentId | str) -> Window:
        """Return the newest `max(short, long) + 5` marks of an instrument, oldest first."""
        return self._composition.parts.board.window(self.instrument(instrument))

    def count(self, instrument: InstrumentId | str) -> int:
        """Return how many marks of an instrument were recorded since the system was made."""
        return self._composition.parts.board.count(self.instrument(instrument))

    def venue_mark(self, instrument: InstrumentId | str) -> VenueMark | None:
        """Return the exchange's own mark price of an instrument, with index; None without one."""
        wanted = self.instrument(instrument)
        boards = [parts.venue_board for parts in self._composition.markets.values()]
        marks = (board.venue_mark(wanted) for board in boards)
        return next((mark for mark in marks if mark is not None), None)

    def health(self, instrument: InstrumentId | str) -> Judgement | None:
        """Return the health of an instrument's feed as of the last second; None at first."""
        return dict(self._composition.parts.health.value.judgements).get(
            self.instrument(instrument)
        )

    def journal(self) -> JournalStatus:
        """Return the state of the journal."""
        return self._composition.parts.journal_status.value

    def statistics(self) -> SystemStatistics:
        """Return the counters of the system, its actors and its subscriptions."""
        return SystemStatistics(
            name=self.settings.name,
            actors=tuple(child.cell.statistics() for child in self._composition.children),
            subscriptions=self._subscriptions.statistics(),
            restarts=self.restarts,
            dropped=self.dropped,
        )

    @property
    def restarts(self) -> int:
        """How many times an actor was started again."""
        return sum(child.restarts for child in self._composition.children)

    @property
    def dropped(self) -> int:
        """How many items inboxes and journal dropped."""
        return self._composition.parts.drops.total() + self.journal().dropped

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the messages that killed an actor, the last hundred of each."""
        return tuple(letter for child in self._composition.children for letter in child.letters)

    def memory_ceiling(self) -> MemoryCeiling:
        """Return how much memory can wait in the inboxes at most; its text is a table."""
        return self._composition.ceiling()
