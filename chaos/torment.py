"""The failures of a live round, drawn from its seed.

Actors crash and hang, the venue dies and freezes, the disk is slow and full.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random

from chaos.disk import Disk
from chaos.threads import HarmfulThreads
from chaos.venue import FrailVenue
from perps_actors.testing.harm import Harm, Moment

VICTIMS = (
    "event_recorder",
    "market_monitor",
    "risk_monitor",
    "mark_store",
    "stream_consumer",
    "quote_poller",
)
CRASHES: tuple[Moment, ...] = ("before", "within", "after")
HANGS: tuple[Moment, ...] = ("hang_before", "hang_after")
STRIKES = 6
"""Crashes and hangs of one actor in a round, fewer than the supervisor allows."""
LONGEST_HANG_S = 3.0


class Torment:
    """Starts one failure after the other, and ends each after a while."""

    def __init__(
        self, random: Random, runtime: HarmfulThreads, disk: Disk, venue: FrailVenue
    ) -> None:
        self._random = random
        self._runtime = runtime
        self._disk = disk
        self._venue = venue
        self._left = dict.fromkeys(VICTIMS, STRIKES)
        self._undo: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.done: Counter[str] = Counter()

    def go_on_for(self, seconds: float) -> None:
        """Let things fail for a time, then end all failures."""
        acts = (
            self._crash,
            self._hang,
            self._slow_disk,
            self._full_disk,
            self._kill_venue,
            self._stop_venue,
        )
        pause, until_s = threading.Event(), time.monotonic() + seconds
        while time.monotonic() < until_s:
            act = self._random.choices(acts, weights=(50, 10, 8, 6, 4, 8))[0]
            act()
            pause.wait(self._random.uniform(0.02, 0.25))
            while self._undo and self._undo[0][0] <= time.monotonic():
                heapq.heappop(self._undo)[2]()
        self.end()

    def end(self) -> None:
        """End all failures of actors, disk and venue."""
        self._runtime.disarm()
        self._runtime.released.set()
        self._disk.recover()
        self._venue.go_on()
        self._venue.restart()
        self._undo.clear()

    def _later(self, most_s: float, undo: Callable[[], None]) -> None:
        due_s = time.monotonic() + self._random.uniform(most_s / 10, most_s)
        heapq.heappush(self._undo, (due_s, next(self._order), undo))

    def _strike(self, kind: str, harm: Harm) -> None:
        actor = self._random.choice(VICTIMS)
        if self._left[actor]:
            self._left[actor] -= 1
            self.done[kind] += 1
            self._runtime.arm(actor, (self._random.randrange(3), harm))

    def _crash(self) -> None:
        moment = self._random.choice(CRASHES)
        self._strike("crashes", Harm(moment, item=self._random.randrange(50)))

    def _hang(self) -> None:
        moment = self._random.choice(HANGS)
        self._strike("hangs", Harm(moment, hang_s=self._random.uniform(0.1, LONGEST_HANG_S)))

    def _slow_disk(self) -> None:
        self.done["disk_slow"] += 1
        self._disk.slow_down(self._random.uniform(0.05, 0.4))
        self._later(1.0, self._disk.recover)

    def _full_disk(self) -> None:
        self.done["disk_full"] += 1
        self._disk.full = True
        self._later(1.0, self._disk.recover)

    def _kill_venue(self) -> None:
        self.done["venue_killed"] += 1
        self._venue.kill()
        self._later(1.0, self._venue.restart)

    def _stop_venue(self) -> None:
        self.done["venue_stopped"] += 1
        self._venue.stand_still()
        self._later(2.0, self._venue.go_on)
