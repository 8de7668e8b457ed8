"""Bad subscribers of a host, and settings that change repeatedly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import attrs

from perps_actors import (
    AsyncPerps,
    Event,
    InboxPolicy,
    Mark,
    MarkSettings,
    MonitorSettings,
    Overflow,
    PerpsSystem,
    RiskSettings,
    Settings,
)

SMALL = InboxPolicy(bound=50, overflow=Overflow.DROP_OLDEST)
SLOW_S = 0.02
ELSEWHERE = "ELSEWHEREUSDT"
"""A symbol without data."""


def variations(settings: Settings) -> Iterator[Settings]:
    """Yield settings without end. None of them changes the marks of the listed symbols."""
    journal = settings.journal
    changes: tuple[dict[str, Any], ...] = (
        {"marks": MarkSettings(short=2, long=60)},
        {"risk": RiskSettings(stale_soft_s=1, stale_hard_s=2)},
        {"symbols": (*settings.symbols, ELSEWHERE)},
        {"monitor": MonitorSettings(limit_s=0.5)},
        {"journal": attrs.evolve(journal, linger_s=0.001, block=10)},
        {"symbols": (*settings.symbols, ELSEWHERE), "marks": MarkSettings(long=200)},
        {},
    )
    yield from (attrs.evolve(settings, **change) for change in cycle(changes))


class ThreadedGuests:
    """Callables: one counts, one is slow, one raises, and one hangs until it is released."""

    def __init__(self, system: PerpsSystem) -> None:
        self.released = threading.Event()
        self.counted = 0
        self._never = threading.Event()
        system.subscribe(self._count, name="counting")
        system.subscribe(lambda _: self._never.wait(SLOW_S), inbox=SMALL, name="slow")
        system.subscribe(self._raise, name="raising")
        system.subscribe(lambda _: self.released.wait(), Event, inbox=SMALL, name="dead")

    def _count(self, _: Mark) -> None:
        self.counted += 1

    def _raise(self, mark: Mark) -> None:
        raise ValueError(mark)


class AsyncGuests:
    """Tasks: one counts, one is slow, one raises. A further stream is never read."""

    def __init__(self, perps: AsyncPerps) -> None:
        self.counted = 0
        self.unread = perps.stream(inbox=SMALL)
        self.tasks = [
            asyncio.ensure_future(work(perps)) for work in (self._count, self._slow, self._raise)
        ]

    async def _count(self, perps: AsyncPerps) -> None:
        async for _ in perps.stream():
            self.counted += 1

    async def _slow(self, perps: AsyncPerps) -> None:
        async for _ in perps.stream(inbox=SMALL):
            await asyncio.sleep(SLOW_S)

    async def _raise(self, perps: AsyncPerps) -> None:
        async for event in perps.stream(Event):
            raise ValueError(event)

    async def end(self) -> None:
        """Cancel all tasks and wait for their end."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Watchdog:
    """Measures every millisecond how late the loop is."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    async def watch(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + 0.001
            await asyncio.sleep(0.001)
            self.late_ms.append(1000 * (loop.time() - due_s))

    def percentile(self, part: float) -> float:
        """Return a percentile of the lateness in milliseconds."""
        return (
            round(sorted(self.late_ms)[int(part * (len(self.late_ms) - 1))], 2)
            if self.late_ms
            else 0.0
        )
