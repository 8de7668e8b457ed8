"""The parent's side of a served venue: starts the child process, reads its events, ends it."""

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

_ERROR_BYTES = 2000


class VenueProcess:
    """A venue in a child process that ends with its parent, however the parent ends.

    A context manager: `stop` is called at the end of the block.

    Attributes:
        venue: name of the venue.
        endpoints: addresses of the venue.
        symbols: listed symbols.
        provenance: `synthetic` or `recording`.
        finished: set when a recording was sent to its end.
        frames_sent: frames sent when the recording ended; 0 before.
        progress: frames sent and frames in total of the subscribed streams of a recording; None
            before the first report. Reported if started with `--progress`.
        pid: process id.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.finished = threading.Event()
        self.frames_sent = 0
        self.progress: tuple[int, int] | None = None
        self.venue = ""
        self.endpoints = Endpoints(stream="", rest="")
        self.symbols: tuple[str, ...] = ()
        self.provenance: Provenance = "synthetic"
        self._ready_or_ended = threading.Event()
        self._error = ""
        # A file, because a child that writes much to a pipe would block until someone reads it.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        command = [sys.executable, "-m", "perps_actors.simulator", *arguments, "--parent-pipe"]
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own module, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
            )
        except OSError:
            self._stderr.close()
            raise
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read, name="perps-venue-output", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, *arguments: str, deadline_s: float = 15.0) -> Self:
        """Start a venue with the arguments of `perps-actors simulate` and wait until it listens.

        Raises:
            SimulatorError: the child ended or missed the deadline; the text is its own error.
        """
        venue = cls(arguments)
        in_time = venue._ready_or_ended.wait(deadline_s)
        if venue.endpoints.stream:
            return venue
        venue.stop(deadline_s=0.0 if not in_time else 1.0)
        raise SimulatorError(venue._error or f"venue: did not listen within {deadline_s:g} s")

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child.poll() is None

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self._child.kill()
        self._child.wait()

    def stop(self, deadline_s: float = 5.0) -> None:
        """Ask the process to end, and kill it at the deadline. Idempotent.

        No process, pipe or thread is left.
        """
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
        if not self._stderr.closed:
            self._stderr.seek(0)
            self._error = self._stderr.read(_ERROR_BYTES).decode(errors="replace").strip()
            self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        # Runs on the reader's thread until the child's output ends. It is the only writer of the
        # attributes; start() reads them after the event, others after start().
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._take(json.loads(line))
        self._ready_or_ended.set()

    def _take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "progress":
                self.progress = (event["frames_sent"], event["frames"])
            case "finished":
                self.frames_sent = event["frames_sent"]
                self.finished.set()
            case _:
                self.venue, self.provenance = event["venue"], event["provenance"]
                self.symbols = tuple(event["symbols"])
                self.endpoints = Endpoints(stream=event["stream"], rest=event["rest"])
                self._ready_or_ended.set()
