"""A recorded round: one recording, undisturbed and with crashes.

The two plays may differ by the items that killed an actor only.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Self

import attrs

from chaos.disk import Disk
from chaos.journal_check import journal_faults
from chaos.leftovers import Belongings, left_behind, resident_mib
from chaos.live import unanswering
from chaos.result import RoundResult
from chaos.threads import HarmfulThreads
from perps_actors.host.system import PerpsSystem
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.kernel.lifecycle import DeadLetter
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated, RecordMarks
from perps_actors.settings import PollSettings, Settings, StreamSettings
from perps_actors.simulator.process import VenueProcess
from perps_actors.testing.fakes import Probe
from perps_actors.testing.harm import Harm, Moment

DATA = Path(
    os.environ.get("PERPS_ACTORS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
RECORDING = DATA / "recordings" / "binance_futures"
VICTIMS = ("event_recorder", "market_monitor", "risk_monitor", "mark_store")
STRIKES = 4
"""Most crashes of one actor; the supervisor allows five."""
PLAYED_WITHIN_S = 60.0
DRAIN_S = 10.0

Key = tuple[str, str, int | None, Decimal]
"""The identity of a mark, without its receive time."""


def key_of(mark: Mark) -> Key:
    """Return the identity of a mark, without its receive time."""
    return mark.instrument.symbol, mark.source, mark.venue_time_ns, mark.mark


@attrs.frozen(kw_only=True)
class Play:
    """The outcome of playing the recording."""

    marks: tuple[Key, ...]
    """All marks that were put into windows, in order."""
    windows: dict[str, tuple[Key, ...]]
    journalled: Counter[Key]
    letters: tuple[DeadLetter, ...]

    @classmethod
    def of(cls, system: PerpsSystem, heard: Probe, journal: Path) -> Self:
        """Return the outcome of a system that has ended, whose marks a listener kept."""
        return cls(
            marks=tuple(
                key_of(mark) for message in heard.of(MarksUpdated) for mark in message.marks
            ),
            windows={
                symbol: tuple(map(key_of, system.window(symbol)))
                for symbol in system.settings.symbols
            },
            journalled=Counter(_journalled(journal)),
            letters=system.dead_letters(),
        )

    def dead(self, actor: str, kind: type) -> list[Key]:
        """Return the marks that killed an actor."""
        messages = (letter.message for letter in self.letters if letter.actor == actor)
        return [
            key_of(mark)
            for message in messages
            if isinstance(message, kind)
            for mark in _marks_of(message)
        ]


def _marks_of(message: Any) -> tuple[Mark, ...]:
    marks: tuple[Mark, ...] = message.marks
    return marks


class RecordedRounds:
    """Plays the recording undisturbed once, then with crashes in each round."""

    def __init__(self) -> None:
        self._peace: Play | None = None

    def play(self, seed: int) -> RoundResult:
        """Play a round, or say in the result that the recording is missing."""
        result, before = RoundResult(kind="recorded", seed=seed), Belongings.now()
        if not RECORDING.is_dir():
            result.figures = {
                "skipped": f"no recording at {RECORDING}",
                "rss_mib": round(resident_mib(), 1),
            }
            return result
        if self._peace is None:
            self._peace = _play(result, HarmfulThreads("chaos-peace"), Random(seed), crashes=False)
        runtime = HarmfulThreads("chaos-recorded")
        play = _play(result, runtime, Random(seed), crashes=True)
        result.violations += differences(self._peace, play)
        result.violations += filter(
            None, (cell.unaccounted() for cell in runtime.counted if cell.name != "supervisor")
        )
        result.figures |= {
            "struck": runtime.struck,
            "marks": len(play.marks),
            "dead": len(play.letters),
        }
        del runtime
        result.violations += (f"left behind: {what}" for what in left_behind(before))
        result.figures["rss_mib"] = round(resident_mib(), 1)
        return result


def settings_on(venue: VenueProcess) -> Settings:
    """Return settings under which a recording gives the same marks each time."""
    return Settings(
        symbols=venue.symbols,
        endpoints=venue.endpoints,
        provenance="recording",
        lossless=True,
        # A busy machine must not look like a slow venue.
        stream=StreamSettings(patience_s=3600.0, silence_s=3600.0),
        poll=PollSettings(enabled=False),
    )


def _play(result: RoundResult, runtime: HarmfulThreads, random: Random, *, crashes: bool) -> Play:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        with VenueProcess.start("--recording", str(RECORDING), "--speed", "0") as venue:
            disk, heard = Disk(Path(folder) / "events.journal"), Probe()
            system = PerpsSystem(
                settings_on(venue), replace={"runtime": runtime, "journal": disk.open}
            )
            system.listen(heard)
            system.start()
            if crashes:
                _arm(runtime, random)
            result.require(
                venue.finished.wait(PLAYED_WITHIN_S),
                f"the recording was not played within {PLAYED_WITHIN_S:g} s",
            )
            runtime.disarm()
            # An actor that dies while it is drained is restarted after the order to stop, and
            # has no time to report.
            result.violations += unanswering(system)
            report = system.drain(DRAIN_S)
        result.require(
            not (report.actors.left or report.threads_left or report.actors.given_up),
            f"not all was drained: {report}",
        )
        result.violations += journal_faults(disk.path, report.journal)
        return Play.of(system, heard, disk.path)


def _arm(runtime: HarmfulThreads, random: Random) -> None:
    """Let every victim crash at a few random messages.

    It never crashes after it has handled one, because the item would be dead and in a window.
    """
    for victim in VICTIMS:
        moments: tuple[Moment, ...] = (
            ("before", "within") if victim == "mark_store" else ("before",)
        )
        harms = [Harm(random.choice(moments), item=random.randrange(50)) for _ in range(STRIKES)]
        runtime.arm(victim, *((random.randrange(1, 12), harm) for harm in harms))


def _journalled(path: Path) -> Iterator[Key]:
    with SqliteJournalReader(path) as reader:
        for _, event in reader.events(kind="ws_mark_update"):
            assert event.symbol is not None
            assert event.source is not None
            yield event.symbol, event.source, event.venue_time_ns, Decimal(dict(event.data)["mark"])


def _without(marks: Iterable[Key], dead: Iterable[Key]) -> list[Key]:
    """Return the marks without the dead ones."""
    gone = Counter(dead)
    kept = []
    for mark in marks:
        if gone[mark]:
            gone[mark] -= 1
        else:
            kept.append(mark)
    return kept


def _of(symbol: str, marks: Iterable[Key]) -> list[Key]:
    return [mark for mark in marks if mark[0] == symbol]


def differences(peace: Play, play: Play) -> Iterator[str]:
    """Yield the differences to an undisturbed play that no dead letter explains.

    Each instrument is compared by itself, because the network decides on the order between them.
    """
    expected = _without(peace.marks, play.dead("mark_store", RecordMarks))
    for symbol, window in play.windows.items():
        recorded, due = _of(symbol, play.marks), _of(symbol, expected)
        if recorded != due:
            first = _first_difference(recorded, due)
            yield f"{len(recorded)} marks of {symbol} recorded, {len(due)} expected: {first}"
        if list(window) != due[-len(peace.windows[symbol]) :]:
            expected_window = due[-len(peace.windows[symbol]) :]
            yield f"the window of {symbol} is {window}, expected {expected_window}"
    due_in_journal = Counter(_without(expected, play.dead("event_recorder", MarksUpdated)))
    if play.journalled != due_in_journal:
        missing, extra = (
            (due_in_journal - play.journalled).total(),
            (play.journalled - due_in_journal).total(),
        )
        yield f"the journal lacks {missing} marks and has {extra} too many"


def _first_difference(recorded: list[Key], due: list[Key]) -> str:
    place = next(
        (n for n, (one, other) in enumerate(zip(recorded, due, strict=False)) if one != other),
        min(len(recorded), len(due)),
    )
    return f"at {place} {recorded[place : place + 2]} instead of {due[place : place + 2]}"
