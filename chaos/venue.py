"""The venue's process as something that dies, stands still and comes back at the same address."""

from __future__ import annotations

import os
import signal
from typing import Self

from perps_actors.simulator.process import VenueProcess

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class FrailVenue:
    """A synthetic venue on one port of loopback, whatever process serves it. A context manager."""

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
        """The process that serves it now, or served it last."""
        assert self._process is not None
        return self._process

    def restart(self) -> None:
        """Have a fresh process serve it, unless one does."""
        if self._process is None or not self._process.running:
            self._seed += 1
            self._process = VenueProcess.start(
                "--symbols", ",".join(SYMBOLS), "--port", self._port, "--seed", str(self._seed)
            )

    def kill(self) -> None:
        """End its process as `kill -9` does; connections break, and nobody listens at the address."""
        if self.process.running:
            self.go_on()
            self.deaths += 1
            self.process.kill()
            self.process.stop()

    def stand_still(self) -> None:
        """Stop its process: connections stay and are mute."""
        if self.process.running and not self._stopped:
            self._stopped = True
            os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a process that stands still go on."""
        if self._stopped:
            self._stopped = False
            os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self.process.stop()
