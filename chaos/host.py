"""A host that asks all the time: every question must get an answer or a documented error."""

from __future__ import annotations

import threading
import time
from collections import Counter
from random import Random

from chaos.torment import VICTIMS
from perps_actors.errors import PerpsActorsError
from perps_actors.host.subscriptions import ASK_TIMEOUT_S
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.statistics import GetStatistics
from perps_actors.testing.harm import InjectedCrash

GRACE_S = 1.0


class Host:
    """Asks on a thread of its own until it is stopped."""

    def __init__(self, system: PerpsSystem, random: Random) -> None:
        self._system = system
        self._random = random
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-host")
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._thread.start()

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        system = self._system
        questions = (
            lambda: system.verdict(system.settings.symbols[0]),
            system.mark_statistics,
            system.stream_statistics,
            system.flush,
            lambda: system.ask(self._random.choice(VICTIMS), GetStatistics()),
        )
        while not self._ended.wait(0.01):
            began_s = time.monotonic()
            try:
                self._random.choice(questions)()
            except (PerpsActorsError, InjectedCrash) as error:
                self.outcomes[type(error).__name__] += 1
            except Exception as error:  # noqa: BLE001 - no other error is documented
                self.wrong.append(f"a question ended with {error!r}")
            else:
                self.outcomes["answered"] += 1
            if time.monotonic() - began_s > ASK_TIMEOUT_S + GRACE_S:
                self.wrong.append(f"a question ended after {time.monotonic() - began_s:.1f} s")
