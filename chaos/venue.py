"""A venue process that can be killed, frozen and restarted at the same address."""

from __future__ import annotations

import os
import signal
from typing import Self

from perps_actors.simulator.process import VenueProcess

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class FrailVenue:
    """A synthetic venue on one port of loopback, served by one process after the other."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._port = "0"
        self._stopped = False
        self._process: VenueProcess | None = None
        self.deaths = 0
        self.restart()
        self._port = self.process.endpoints.rest.rpartition(":")[2]

    @property
    def process(self) -> VenueProcess:
        """The present process, or the last one."""
        assert self._process is not None
        return self._process

    def restart(self) -> None:
        """Start a process unless one is running."""
        if self._process is None or not self._process.running:
            self._seed += 1
            self._process = VenueProcess.start(
                "--symbols", ",".join(SYMBOLS), "--port", self._port, "--seed", str(self._seed)
            )

    def kill(self) -> None:
        """Kill the process with SIGKILL; connections break and the port is closed."""
        if self.process.running:
            self.go_on()
            self.deaths += 1
            self.process.kill()
            self.process.stop()

    def stand_still(self) -> None:
        """Stop the process: connections stay open and silent."""
        if self.process.running and not self._stopped:
            self._stopped = True
            os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Continue a stopped process."""
        if self._stopped:
            self._stopped = False
            os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self.process.stop()
