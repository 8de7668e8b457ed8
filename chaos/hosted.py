"""Hosted rounds: a recording inside a threaded or an asyncio host with bad subscribers.

Settings change meanwhile. Windows and journal must be those of an undisturbed play.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

from chaos.disk import Disk
from chaos.guests import AsyncGuests, ThreadedGuests, Watchdog, variations
from chaos.journal_check import journal_faults
from chaos.leftovers import Belongings, left_behind, resident_mib
from chaos.recorded import PLAYED_WITHIN_S, RECORDING, Play, differences, settings_on
from chaos.result import RoundResult
from perps_actors import PerpsSystem, Settings, SystemReport
from perps_actors.simulator.process import VenueProcess
from perps_actors.testing.fakes import Probe

SPEED = 3.0
"""Multiple of the recorded pace."""
CHANGES_EVERY_S = 3.0
"""Seconds of the recording between two changes of settings."""
DRAIN_S = 3.0
LOOK_EVERY_S = 0.02


class HostedRounds:
    """Plays the recording undisturbed once, then in a host of each kind in turn.

    Args:
        speed: multiple of the recorded pace.
    """

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        self._peace: Play | None = None
        self._rounds = 0

    def play(self, seed: int) -> RoundResult:
        """Play a round, or say in the result that the recording is missing."""
        result, before = RoundResult(kind="hosted", seed=seed), Belongings.now()
        if not RECORDING.is_dir():
            result.figures = {
                "skipped": f"no recording at {RECORDING}",
                "rss_mib": round(resident_mib(), 1),
            }
            return result
        if self._peace is None:
            self._peace = _in_peace(result, self._speed)
        self._rounds += 1
        host = _in_a_threaded_host if self._rounds % 2 else _in_an_asyncio_host
        play = host(result, self._speed)
        result.violations += differences(self._peace, play)
        result.figures |= {"marks": len(play.marks), "dead": len(play.letters)}
        result.violations += (f"left behind: {what}" for what in left_behind(before))
        result.figures["rss_mib"] = round(resident_mib(), 1)
        return result


class _Stage:
    """A system on the recording, with a journal on disk."""

    def __init__(self, folder: str, venue: VenueProcess) -> None:
        self.venue = venue
        self.settings: Settings = settings_on(venue)
        self.disk, self.heard = Disk(Path(folder) / "events.journal"), Probe()
        self.system = PerpsSystem(self.settings, replace={"journal": self.disk.open})
        self.system.listen(self.heard)

    def outcome(self, result: RoundResult, report: SystemReport) -> Play:
        """Return the play; an end that was not clean is a violation, the host's threads apart."""
        ours = [name for name in report.threads_left if "dead" not in name]
        result.require(report.actors.clean and not ours, f"not a clean end: {report}")
        result.violations += journal_faults(self.disk.path, report.journal)
        dropped = sum(actor.inbox.dropped for actor in self.system.statistics().actors)
        result.require(not dropped, f"inboxes of actors dropped {dropped}")
        return Play.of(self.system, self.heard, self.disk.path)


def _in_peace(result: RoundResult, speed: float) -> Play:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, _served(speed) as venue:
        stage = _Stage(folder, venue)
        stage.system.start()
        result.require(venue.finished.wait(PLAYED_WITHIN_S), "the recording was not played in time")
        return stage.outcome(result, stage.system.drain(DRAIN_S))


def _served(speed: float) -> VenueProcess:
    return VenueProcess.start("--recording", str(RECORDING), "--speed", str(speed))


def _in_a_threaded_host(result: RoundResult, speed: float) -> Play:
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, _served(speed) as venue:
        stage = _Stage(folder, venue)
        guests = ThreadedGuests(stage.system)
        stage.system.start()
        pause_s = CHANGES_EVERY_S / speed
        changes, most = 0, PLAYED_WITHIN_S / pause_s
        for settings in variations(stage.settings):
            if venue.finished.wait(pause_s) or changes > most:
                break
            stage.system.reconfigure(settings)
            changes += 1
        result.require(venue.finished.is_set(), "the recording was not played in time")
        stage.system.reconfigure(stage.settings)
        report = stage.system.drain(DRAIN_S)
        guests.released.set()
        result.figures |= {"host": "threaded", "changes": changes, "counted": guests.counted}
        play = stage.outcome(result, report)
        result.require(
            guests.counted == len(play.marks),
            f"a subscriber was called {guests.counted} times for {len(play.marks)} marks",
        )
        return play


def _in_an_asyncio_host(result: RoundResult, speed: float) -> Play:
    return asyncio.run(_hosted_by_asyncio(result, speed))


async def _hosted_by_asyncio(result: RoundResult, speed: float) -> Play:
    watchdog = Watchdog()
    watching = asyncio.ensure_future(watchdog.watch())
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, _served(speed) as venue:
        stage = _Stage(folder, venue)
        async with stage.system as perps:
            guests = AsyncGuests(perps)
            pause_s = CHANGES_EVERY_S / speed
            changes, most = 0, PLAYED_WITHIN_S / pause_s
            for settings in variations(stage.settings):
                if await _within(pause_s, venue.finished) or changes > most:
                    break
                await perps.reconfigure(settings)
                changes += 1
            result.require(venue.finished.is_set(), "the recording was not played in time")
            await perps.reconfigure(stage.settings)
            report = await perps.drain(DRAIN_S)
            await asyncio.sleep(0.1)
            await guests.end()
        watching.cancel()
        play = stage.outcome(result, report)
        result.require(
            guests.counted == len(play.marks),
            f"a stream gave {guests.counted} items for {len(play.marks)} marks",
        )
        late = {
            f"late_ms_p{int(100 * part)}": watchdog.percentile(part) for part in (0.5, 0.99, 1.0)
        }
        result.figures |= {"host": "asyncio", "changes": changes, "counted": guests.counted, **late}
        return play


async def _within(seconds: float, event: threading.Event) -> bool:
    """Wait for an event of another thread without blocking the loop and without a thread."""
    for _ in range(int(seconds / LOOK_EVERY_S)):
        if event.is_set():
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return event.is_set()
