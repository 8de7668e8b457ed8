"""The recorded venue: plays a recording to whoever subscribes, at a multiple of its pace or as fast as it is read."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from typing import Final

import attrs
import msgspec

from perps_actors.kernel.clock import Clock
from perps_actors.market.feed_state import END_OF_RECORDING
from perps_actors.market.mark import Provenance
from perps_actors.simulator.cursor import Cursor, Gates
from perps_actors.simulator.played import PlayedMarket
from perps_actors.simulator.recording import Frame, RecordedAnswer, Recording
from perps_actors.simulator.rest_side import RestAnswer
from perps_actors.simulator.source import Connection

QUIET_S: Final = 0.5
"""Every kind of connection that has frames was served, and nothing new came for so long: that was the end."""
PROGRESS_EVERY_S: Final = 0.25
LONG_QUIET_S: Final = 2.0
"""The same while a kind of connection with frames in the recording was not asked for: a client may need long to open its second one."""


@attrs.define(eq=False)
class _Player:
    """What is known of one open connection."""

    cursor: Cursor
    streams: tuple[str, ...] = ()


class RecordedVenue:
    """A source that plays a recording.

    A stream that a connection left in the middle goes on from there on the next connection that asks for it, as time goes on at a
    venue; no connection is closed before all are done, and whoever comes after that is told the end at once. A connection none of whose
    streams is in the recording stays mute until then. For a client that only polls, time goes on a while after its first request, and ends
    with an answer out of the whole of it.

    Attributes:
        frames_sent: frames sent to all connections.

    Args:
        say_end: called with the frames sent, when all are.
        say_progress: called now and then with `progress`, when it has changed.
    """

    provenance: Provenance = "recording"

    def __init__(
        self,
        recording: Recording,
        clock: Clock,
        *,
        speed: float,
        say_end: Callable[[int], None],
        say_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.symbols = recording.perpetuals
        self.frames_sent = 0
        self._recording = recording
        self._clock = clock
        self._speed = speed
        self._say_end = say_end
        self._say_progress = say_progress
        self._gates = Gates(recording)
        self._sent: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._asked: set[str] = set()
        self._fetched: dict[tuple[str, ...], int] = {}
        self._market = PlayedMarket(recording, self._sent)
        self._players: dict[Connection, _Player] = {}
        self._changed = asyncio.Event()
        self._started_s: float | None = None
        self._polled_s: float | None = None
        self._polled_to_end = False
        self._over = False

    async def run(self) -> None:
        """Wait until all that was asked for is sent and nothing more is asked for, then say so, once."""
        async with self._progress_said():
            while not await self._quiet():
                self._changed.clear()
        self._over = True
        for connection in self._players:
            connection.stirred.set()
        while self._players:
            self._changed.clear()
            await self._changed.wait()
        self._say_end(self.frames_sent)

    @property
    def progress(self) -> tuple[int, int]:
        """Frames sent and frames there are, of the streams that are asked for now."""
        asked = [stream for stream in self._asked if stream in self._recording.frames]
        return sum(self._sent.get(stream, 0) for stream in asked), sum(
            len(self._recording.frames[stream]) for stream in asked
        )

    @contextlib.asynccontextmanager
    async def _progress_said(self) -> AsyncIterator[None]:
        saying = asyncio.create_task(self._keep_saying_progress())
        try:
            yield
        finally:
            saying.cancel()

    async def _keep_saying_progress(self) -> None:
        said = (0, 0)
        while self._say_progress is not None:
            await asyncio.sleep(PROGRESS_EVERY_S)
            if self.progress != said:
                said = self.progress
                self._say_progress(*said)

    async def play(self, connection: Connection) -> str:
        """Send a connection the frames of its streams, each when it is due and free to go; return at the end of them."""
        player = self._players.setdefault(
            connection, _Player(Cursor(self._recording, self._gates, dict(self._left)))
        )
        while True:
            connection.stirred.clear()
            self._follow(connection, player)
            await self._begin_anew(connection, player)
            frame = player.cursor.peek()
            if frame is not None and (wait_s := self._wait_s(frame)) <= 0:
                await self._send(connection, player, frame)
            elif player.cursor.exhausted and self._over:
                return END_OF_RECORDING
            else:
                if player.cursor.exhausted:
                    self._changed.set()
                await self._stirred(connection, wait_s if frame is not None else None)

    def ended(self, connection: Connection) -> None:
        """Remember where a connection left its streams."""
        player = self._players.pop(connection, None)
        if player is not None:
            self._left |= {
                stream: max(place, self._left.get(stream, 0))
                for stream, place in player.cursor.places.items()
            }
        self._changed.set()

    def answer(self, path: str, query: str) -> RestAnswer:
        """Return the recorded answer: the n-th to the n-th request of its kind, the last to all further ones; else one made of frames.

        A book that has moved on since its last recorded snapshot is answered as it stands now: a client that lost the thread can
        find it again.
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
        """Take for sent what would have been by now, where nobody subscribes anything: who only polls finds a market that moves."""
        now_s = self._now_s()
        if self._polled_s is None:
            self._polled_s = now_s
        waited_s = now_s - self._polled_s - LONG_QUIET_S
        if self._asked or waited_s < 0:
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
        """Count a fetch; a symbol's book frames that waited for it go on."""
        rest = self._recording.side.rest
        key = rest.request_key(path, query)
        self._fetched[key] = self._fetched.get(key, 0) + 1
        symbol = rest.snapshot_symbol(path, query)
        if symbol is not None:
            self._gates.open(symbol)
            self._rebase(symbol, key)
            for connection in self._players:
                connection.stirred.set()

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

    def _follow(self, connection: Connection, player: _Player) -> None:
        streams = connection.streams()
        if streams == player.streams:
            return
        self._asked -= set(player.streams) - set(streams)
        self._asked |= set(streams)
        player.streams = streams
        player.cursor.follow(streams)
        if self._started_s is None:
            self._started_s = self._now_s()
            self._sent.clear()
        self._changed.set()

    async def _begin_anew(self, connection: Connection, player: _Player) -> None:
        """Send what streams begin with that are subscribed in the middle of the recording."""
        sides = self._recording.side.streams
        for stream in connection.begun():
            if player.cursor.places.get(stream, 0):
                channel, symbol = sides.channel_of(stream), sides.symbol_of(stream)
                for first in sides.first_frames(channel, symbol, self._market):
                    await connection.send(*first)

    def _wait_s(self, frame: Frame) -> float:
        if not self._speed or self._started_s is None:
            return 0.0
        return self._started_s + frame.due_s / self._speed - self._now_s()

    async def _send(self, connection: Connection, player: _Player, frame: Frame) -> None:
        player.cursor.take()
        self._sent[frame.stream] = max(
            self._sent.get(frame.stream, 0), player.cursor.places[frame.stream]
        )
        self.frames_sent += 1
        await connection.send(frame.stream, frame.data)

    @staticmethod
    async def _stirred(connection: Connection, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await connection.stirred.wait()
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
        """Return how long nothing must happen for this to be the end; None while it cannot be."""
        if not self._asked:
            return QUIET_S if self._polled_to_end and not self._players else None
        asked = [stream for stream in self._asked if stream in self._recording.frames]
        if any(self._sent.get(stream, 0) < len(self._recording.frames[stream]) for stream in asked):
            return None
        if any(not player.cursor.exhausted for player in self._players.values()):
            return None
        route_of = self._recording.side.streams.route_of
        missing = {route_of(stream) for stream in self._recording.frames} - {
            route_of(stream) for stream in asked
        }
        return LONG_QUIET_S if missing else QUIET_S

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
