"""Where one connection stands in a recording. Pure: no clock, no I/O."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from perps_actors.simulator.recording import Frame, Recording


class Gates:
    """Which book frames wait: those behind their symbol's recorded snapshot, until that snapshot was fetched.

    A stream's first frame never waits: a client fetches a snapshot because a first frame came.
    """

    def __init__(self, recording: Recording) -> None:
        self._streams = recording.side.streams
        self._line_of = dict(recording.gates)
        self._firsts = frozenset(frames[0].line for frames in recording.frames.values())

    def holds(self, frame: Frame) -> bool:
        """Tell whether a frame has to wait."""
        if self._streams.channel_of(frame.stream) != "book":
            return False
        line = self._line_of.get(self._streams.symbol_of(frame.stream))
        return line is not None and frame.line > line and frame.line not in self._firsts

    def open(self, symbol: str) -> None:
        """The symbol's snapshot was fetched."""
        self._line_of.pop(symbol, None)


class Cursor:
    """One place a stream: `take` gives the streams' frames in the order of the file, but for those that a gate holds."""

    def __init__(self, recording: Recording, gates: Gates, starts: Mapping[str, int]) -> None:
        self.places: dict[str, int] = {}
        """How many frames of each stream that was ever followed have been passed."""
        self._frames = recording.frames
        self._gates = gates
        self._starts = starts
        self._waiting: list[tuple[int, str]] = []
        self._held: list[str] = []

    def follow(self, streams: Iterable[str]) -> None:
        """Go on with exactly these streams: new ones from their start, left ones from where they were left."""
        followed = [stream for stream in streams if stream in self._frames]
        for stream in followed:
            self.places.setdefault(stream, self._starts.get(stream, 0))
        left = [stream for stream in followed if self.places[stream] < len(self._frames[stream])]
        self._waiting = [(self._next(stream).line, stream) for stream in left]
        self._held = []
        heapq.heapify(self._waiting)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left, neither to take nor held."""
        return not self._waiting and not self._held

    def peek(self) -> Frame | None:
        """Return the frame that is next; None while everything left is held."""
        self._release()
        while self._waiting:
            frame = self._next(self._waiting[0][1])
            if not self._gates.holds(frame):
                return frame
            self._held.append(heapq.heappop(self._waiting)[1])
        return None

    def take(self) -> None:
        """Pass the frame that `peek` returned."""
        stream = self._waiting[0][1]
        self.places[stream] += 1
        if self.places[stream] < len(self._frames[stream]):
            heapq.heapreplace(self._waiting, (self._next(stream).line, stream))
        else:
            heapq.heappop(self._waiting)

    def _next(self, stream: str) -> Frame:
        return self._frames[stream][self.places[stream]]

    def _release(self) -> None:
        free = [stream for stream in self._held if not self._gates.holds(self._next(stream))]
        for stream in free:
            self._held.remove(stream)
            heapq.heappush(self._waiting, (self._next(stream).line, stream))
