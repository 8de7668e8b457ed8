"""The parent's side of a served venue: starts it as a process of its own, knows where it listens, and ends it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, Any, Self

from perps_actors.errors import SimulatorError
from perps_actors.market.mark import Provenance
from perps_actors.venues.contract import Endpoints

_MOST_SAID = 2000


class VenueProcess:
    """A venue that runs as a child process and ends with its parent, whatever ends that. A context manager.

    Attributes:
        venue: name of the venue it speaks as.
        endpoints: where it listens.
        symbols: what it has.
        provenance: `synthetic` or `recording`.
        finished: set when a recording was sent to its end.
        frames_sent: how many frames that took; 0 until then.
        progress: of a recording, frames sent and frames there are, of the streams asked for; None until it says so, which it does
            now and then if started with `--progress`.
        pid: number of the process.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.finished = threading.Event()
        self.frames_sent = 0
        self.progress: tuple[int, int] | None = None
        self.venue = ""
        self.endpoints = Endpoints(stream="", rest="")
        self.symbols: tuple[str, ...] = ()
        self.provenance: Provenance = "synthetic"
        self._spoke = threading.Event()
        self._last_words = ""
        # A file, not a pipe: a child that complains at length must not block on it, and no thread has to read it.
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        command = [sys.executable, "-m", "perps_actors.simulator", *arguments, "--parent-pipe"]
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                start_new_session=True,
            )
        except OSError:
            self._complaints.close()
            raise
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read, name="perps-venue-output", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, *arguments: str, deadline_s: float = 15.0) -> Self:
        """Start a venue with the arguments of `perps-actors simulate` and wait until it listens.

        Raises:
            SimulatorError: it ended, or did not listen within the deadline; says what the child said.
        """
        venue = cls(arguments)
        in_time = venue._spoke.wait(deadline_s)
        if venue.endpoints.stream:
            return venue
        venue.stop(deadline_s=0.0 if not in_time else 1.0)
        raise SimulatorError(venue._last_words or f"venue: did not listen within {deadline_s:g} s")

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child.poll() is None

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self._child.kill()
        self._child.wait()

    def stop(self, deadline_s: float = 5.0) -> None:
        """Tell the process to end, and end it at the deadline; leaves no process, pipe or thread. Idempotent."""
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.close()
        try:
            self._child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join()
        stdout.close()
        if not self._complaints.closed:
            self._complaints.seek(0)
            self._last_words = self._complaints.read(_MOST_SAID).decode(errors="replace").strip()
            self._complaints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        # Runs in the reader's thread until the child's output ends.
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._hear(json.loads(line))
        self._spoke.set()

    def _hear(self, said: dict[str, Any]) -> None:
        if said["event"] == "progress":
            self.progress = (said["frames_sent"], said["frames"])
            return
        if said["event"] == "finished":
            self.frames_sent = said["frames_sent"]
            self.finished.set()
            return
        self.venue, self.symbols, self.provenance = (
            said["venue"],
            tuple(said["symbols"]),
            said["provenance"],
        )
        self.endpoints = Endpoints(stream=said["stream"], rest=said["rest"])
        self._spoke.set()
