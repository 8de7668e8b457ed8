"""The recorded venue: plays a recording at a multiple of its pace, or as fast as it is read."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from perps_actors.kernel.clock import Clock
from perps_actors.market.feed_state import END_OF_RECORDING
from perps_actors.market.mark import Provenance
from perps_actors.simulator.playback import Cursor, Gates, PlayedMarket
from perps_actors.simulator.recording import Frame, RecordedAnswer, Recording
from perps_actors.simulator.rest_side import RestAnswer
from perps_actors.simulator.source import ServedConnection

QUIET_S: Final = 0.5
"""The recording has ended if nothing new is subscribed for this long after the last frame."""
LONG_QUIET_S: Final = 2.0
"""The same while a recorded kind of connection is missing: a client may open it late."""
PROGRESS_EVERY_S: Final = 0.25


@attrs.define(eq=False)
class _Player:
    """State of one open connection."""

    cursor: Cursor
    streams: tuple[str, ...] = ()


class RecordedVenue:
    """A source that plays a recording.

    Time goes on at a venue, so a stream that a connection left continues there on the next
    connection that subscribes to it. All connections are closed together once all of their streams
    are sent; a later one is closed at once. A connection without recorded streams stays silent
    until then. For a client that only polls, the recording plays from a while after its first
    request and ends with an answer from all of it.

    Attributes:
        frames_sent: frames sent to all connections.

    Args:
        recording: what is played.
        clock: measures the pace.
        speed: multiple of the recorded pace; 0: as fast as the clients read.
        on_end: called with the number of frames sent at the end.
        on_progress: called with `progress` when it changed.
    """

    provenance: Provenance = "recording"

    def __init__(
        self,
        recording: Recording,
        clock: Clock,
        *,
        speed: float,
        on_end: Callable[[int], None],
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.symbols = recording.perpetuals
        self.frames_sent = 0
        self._recording = recording
        self._clock = clock
        self._speed = speed
        self._on_end = on_end
        self._on_progress = on_progress
        self._gates = Gates(recording)
        self._sent: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._subscribed: set[str] = set()
        self._fetched: dict[tuple[str, ...], int] = {}
        self._market = PlayedMarket(recording, self._sent)
        self._players: dict[ServedConnection, _Player] = {}
        self._changed = asyncio.Event()
        self._started_s: float | None = None
        self._polled_s: float | None = None
        self._polled_to_end = False
        self._over = False

    async def run(self) -> None:
        """Wait for the end of all subscribed streams, close the connections, report the end."""
        # Everything here runs on one event loop, so nothing changes between two awaits. `_quiet`
        # waits for `_changed`, which every subscription, end of a stream and disconnection sets.
        reporting = asyncio.create_task(self._report_progress())
        try:
            while not await self._quiet():
                self._changed.clear()
        finally:
            reporting.cancel()
        self._over = True
        for connection in self._players:
            connection.changed.set()
        while self._players:
            self._changed.clear()
            await self._changed.wait()
        self._on_end(self.frames_sent)

    @property
    def progress(self) -> tuple[int, int]:
        """Frames sent and frames in total of the streams that are subscribed now."""
        wanted = [stream for stream in self._subscribed if stream in self._recording.frames]
        return sum(self._sent.get(stream, 0) for stream in wanted), sum(
            len(self._recording.frames[stream]) for stream in wanted
        )

    async def _report_progress(self) -> None:
        reported = (0, 0)
        while self._on_progress is not None:
            await asyncio.sleep(PROGRESS_EVERY_S)
            if self.progress != reported:
                reported = self.progress
                self._on_progress(*reported)

    async def play(self, connection: ServedConnection) -> str:
        """Send a connection its frames when they are due; return the close reason."""
        player = self._players.setdefault(
            connection, _Player(Cursor(self._recording, self._gates, dict(self._left)))
        )
        while True:
            # Cleared before the subscriptions are read: a change after that wakes the wait below.
            connection.changed.clear()
            self._follow(connection, player)
            await self._begin_new_streams(connection, player)
            frame = player.cursor.peek()
            if frame is not None and (wait_s := self._wait_s(frame)) <= 0:
                await self._send(connection, player, frame)
            elif player.cursor.exhausted and self._over:
                return END_OF_RECORDING
            else:
                if player.cursor.exhausted:
                    self._changed.set()
                await self._wait_for_change(connection, wait_s if frame is not None else None)

    def ended(self, connection: ServedConnection) -> None:
        """Remember the place of a connection in its streams, for the next one."""
        player = self._players.pop(connection, None)
        if player is not None:
            self._left |= {
                stream: max(place, self._left.get(stream, 0))
                for stream, place in player.cursor.places.items()
            }
        self._changed.set()

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the recorded answer, else one built from the frames sent so far.

        The n-th request of its kind gets the n-th recorded answer, later ones the last. If a book
        has changed since its last recorded snapshot, the answer is the present book, so that a
        client can resynchronise.
        """
        rest = self._recording.side.rest
        self._pass_time()
        recorded = self._recording.answers.get(rest.request_key(path, query), [])
        fetched = self._fetched.get(rest.request_key(path, query), 0)
        if recorded and not (
            fetched >= len(recorded) and self._book_moved(path, query, recorded[-1])
        ):
            return RestAnswer(200, recorded[min(fetched, len(recorded) - 1)].body)
        return rest.answer(path, query, self._market, self._clock.time_ns())

    def _pass_time(self) -> None:
        """Count frames as sent at their time while clients only poll."""
        now_s = self._now_s()
        if self._polled_s is None:
            self._polled_s = now_s
        waited_s = now_s - self._polled_s - LONG_QUIET_S
        if self._subscribed or waited_s < 0:
            return
        passed_s = waited_s * self._speed if self._speed else float("inf")
        for stream, frames in self._recording.frames.items():
            self._sent[stream] = bisect_right(frames, passed_s, key=lambda frame: frame.due_s)
        to_end = all(
            self._sent[stream] == len(frames) for stream, frames in self._recording.frames.items()
        )
        if to_end and not self._polled_to_end:
            self._polled_to_end = True
            self._changed.set()

    def answered(self, path: str, query: str) -> None:
        """Count a request; a snapshot lets the symbol's book frames pass."""
        rest = self._recording.side.rest
        key = rest.request_key(path, query)
        self._fetched[key] = self._fetched.get(key, 0) + 1
        symbol = rest.snapshot_symbol(path, query)
        if symbol is not None:
            self._gates.open(symbol)
            self._rebase(symbol, key)
            for connection in self._players:
                connection.changed.set()

    def _rebase(self, symbol: str, key: tuple[str, ...]) -> None:
        recorded, fetched = self._recording.answers.get(key, []), self._fetched[key]
        if fetched <= len(recorded):
            try:
                self._market.rebase(
                    symbol,
                    self._recording.side.rest.read_snapshot(symbol, recorded[fetched - 1].body),
                )
            except msgspec.DecodeError:
                return

    def _book_moved(self, path: str, query: str, snapshot: RecordedAnswer) -> bool:
        streams = self._recording.side.streams
        symbol = self._recording.side.rest.snapshot_symbol(path, query)
        return symbol is not None and any(
            self._recording.frames[stream][count - 1].line > snapshot.line
            for stream, count in self._sent.items()
            if streams.channel_of(stream) == "book" and streams.symbol_of(stream) == symbol
        )

    def _follow(self, connection: ServedConnection, player: _Player) -> None:
        streams = connection.streams()
        if streams == player.streams:
            return
        self._subscribed -= set(player.streams) - set(streams)
        self._subscribed |= set(streams)
        player.streams = streams
        player.cursor.follow(streams)
        if self._started_s is None:
            self._started_s = self._now_s()
            self._sent.clear()
        self._changed.set()

    async def _begin_new_streams(self, connection: ServedConnection, player: _Player) -> None:
        """Send the first frames of streams that were subscribed during the recording."""
        sides = self._recording.side.streams
        for stream in connection.new_streams():
            if player.cursor.places.get(stream, 0):
                channel, symbol = sides.channel_of(stream), sides.symbol_of(stream)
                for first in sides.first_frames(channel, symbol, self._market):
                    await connection.send(*first)

    def _wait_s(self, frame: Frame) -> float:
        if not self._speed or self._started_s is None:
            return 0.0
        return self._started_s + frame.due_s / self._speed - self._now_s()

    async def _send(self, connection: ServedConnection, player: _Player, frame: Frame) -> None:
        player.cursor.take()
        self._sent[frame.stream] = max(
            self._sent.get(frame.stream, 0), player.cursor.places[frame.stream]
        )
        self.frames_sent += 1
        await connection.send(frame.stream, frame.data)

    @staticmethod
    async def _wait_for_change(connection: ServedConnection, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await connection.changed.wait()
        except TimeoutError:
            return

    async def _quiet(self) -> bool:
        try:
            async with asyncio.timeout(self._quiet_s()):
                await self._changed.wait()
        except TimeoutError:
            return True
        return False

    def _quiet_s(self) -> float | None:
        """Return after how long without a change the recording has ended; None while it cannot."""
        if not self._subscribed:
            return QUIET_S if self._polled_to_end and not self._players else None
        wanted = [stream for stream in self._subscribed if stream in self._recording.frames]
        if any(
            self._sent.get(stream, 0) < len(self._recording.frames[stream]) for stream in wanted
        ):
            return None
        if any(not player.cursor.exhausted for player in self._players.values()):
            return None
        route_of = self._recording.side.streams.route_of
        missing = {route_of(stream) for stream in self._recording.frames} - {
            route_of(stream) for stream in wanted
        }
        return LONG_QUIET_S if missing else QUIET_S

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
