"""A live round: a whole system with sockets and disk, under failures, then drained."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from chaos.disk import Disk
from chaos.host import Host
from chaos.journal_check import journal_faults
from chaos.leftovers import Belongings, left_behind, resident_mib
from chaos.result import RoundResult
from chaos.threads import HarmfulThreads
from chaos.torment import VICTIMS, Torment
from chaos.venue import SYMBOLS, FrailVenue
from perps_actors.errors import PerpsActorsError
from perps_actors.host.readings import SystemReport
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.statistics import GetStatistics
from perps_actors.market.feed_state import Health
from perps_actors.settings import (
    JournalSettings,
    MonitorSettings,
    PollSettings,
    Settings,
    StreamSettings,
    SupervisionSettings,
)
from perps_actors.testing.harm import Harm

RECOVERED_WITHIN_S = 30.0
DRAIN_S = 5.0
GRACE_S = 2.5
"""Seconds beyond its deadline that `drain` may take.

The supervisor's thread ends after it, and sockets and threads get half a second each.
"""
LOOK_EVERY_S = 0.02


def settings_on(venue: FrailVenue, seed: int, *, lossless: bool) -> Settings:
    """Return the settings of a round, with short limits."""
    return Settings(
        symbols=SYMBOLS,
        endpoints=venue.process.endpoints,
        provenance="synthetic",
        lossless=lossless,
        seed=seed,
        stream=StreamSettings(silence_s=1.0, patience_s=1.0),
        poll=PollSettings(interval_s=0.3),
        monitor=MonitorSettings(limit_s=2.0),
        journal=JournalSettings(linger_s=0.005, block=200),
        supervision=SupervisionSettings(intensity=20, hang_after_s=0.5, look_every_s=0.1),
    )


def live_round(seed: int, torment_s: float) -> RoundResult:
    """Play a round, which takes a few seconds longer than its failures."""
    random, result, before = Random(seed), RoundResult(kind="live", seed=seed), Belongings.now()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, FrailVenue(seed) as venue:
        runtime, disk = HarmfulThreads("chaos"), Disk(Path(folder) / "events.journal")
        settings = settings_on(venue, seed, lossless=random.random() < 0.3)
        system = PerpsSystem(settings, replace={"runtime": runtime, "journal": disk.open}).start()
        torment, host = Torment(random, runtime, disk, venue), Host(system, Random(seed))
        torment.go_on_for(torment_s)
        result.figures = {**torment.done, "lossless": settings.lossless, "struck": runtime.struck}
        _recover(system, result)
        host.end()
        result.violations += host.wrong
        report = _drain(system, runtime, result, held=random.random() < 0.3)
        result.violations += journal_faults(disk.path, report.journal)
        result.figures |= {"asked": host.outcomes.total(), "answered": host.outcomes["answered"]}
    result.violations += filter(
        None, (cell.unaccounted() for cell in runtime.counted if cell.name in VICTIMS)
    )
    _describe(system, runtime, report, result)
    del system, runtime, torment, host, report
    result.violations += (f"left behind: {what}" for what in left_behind(before))
    result.figures["rss_mib"] = round(resident_mib(), 1)
    return result


def _recover(system: PerpsSystem, result: RoundResult) -> None:
    """Wait until the system has recovered."""
    pause, calm_s, calm_ns = threading.Event(), time.monotonic(), time.time_ns()
    while missing := list(_unrecovered(system, calm_ns)):
        if time.monotonic() - calm_s > RECOVERED_WITHIN_S:
            result.violations += (
                f"not within {RECOVERED_WITHIN_S:g} s after the last fault: {what}"
                for what in missing
            )
            return
        pause.wait(LOOK_EVERY_S)
    result.figures["recovered_s"] = round(time.monotonic() - calm_s, 2)


def _unrecovered(system: PerpsSystem, calm_ns: int) -> Iterator[str]:
    for symbol in SYMBOLS:
        mark, health = system.mark(symbol), system.health(symbol)
        if mark is None or mark.received_ns < calm_ns or mark.source != "book":
            yield f"a mark of {symbol} from its book, the last is {mark}"
        elif health is None or health.health is not Health.LIVE:
            yield f"health of {symbol}, which is {health}"
    if system.journal().failing is not None:
        yield f"a journal that takes events: {system.journal()}"
    yield from unanswering(system)


def unanswering(system: PerpsSystem) -> Iterator[str]:
    """Yield the actors that do not answer in time."""
    for actor in VICTIMS:
        try:
            system.ask(actor, GetStatistics())
        except PerpsActorsError as error:
            yield f"an answer of {actor}: {error!r}"


def _drain(
    system: PerpsSystem, runtime: HarmfulThreads, result: RoundResult, *, held: bool
) -> SystemReport:
    """Drain within the deadline, also while the store hangs for longer (`held`)."""
    if held:
        _hold_the_store(runtime)
    began_s = time.monotonic()
    report = system.drain(DRAIN_S)
    took_s = time.monotonic() - began_s
    result.figures |= {"held": held, "drain_s": round(took_s, 2)}
    result.require(
        took_s < DRAIN_S + GRACE_S, f"draining took {took_s:.1f} s, its deadline was {DRAIN_S:g} s"
    )
    result.require(held or not report.threads_left, f"threads left: {report.threads_left}")
    result.require(
        held or not (report.actors.left or report.actors.abandoned),
        f"not all was drained: {report.actors}",
    )
    result.require(not report.actors.given_up, f"given up: {report.actors.given_up}")
    runtime.released.set()
    return report


def _hold_the_store(runtime: HarmfulThreads) -> None:
    runtime.released.clear()
    struck, pause = runtime.struck, threading.Event()
    runtime.arm("mark_store", (0, Harm("hang_before", hang_s=10 * DRAIN_S)))
    while runtime.struck == struck:
        pause.wait(LOOK_EVERY_S)


def _describe(
    system: PerpsSystem, runtime: HarmfulThreads, report: SystemReport, result: RoundResult
) -> None:
    books = system.statistics().actors
    result.figures |= {
        "marks": sum(system.count(symbol) for symbol in SYMBOLS),
        "events": report.journal.recorded,
        "restarts": system.restarts,
        "handled": sum(each.handled for each in books),
        "dead": sum(each.dead for each in books),
        "dropped": sum(each.inbox.dropped for each in books),
        "left": sum(each.inbox.left for each in books),
        "abandoned": runtime.abandoned,
    }
