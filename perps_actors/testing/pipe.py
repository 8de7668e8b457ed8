"""One connection of a simulated venue: frames travel down it in order, and faults strike what is put in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random

from perps_actors.errors import Fenced
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.simulator.venue_contract import StreamSession
from perps_actors.testing.weather import FaultKind, Weather
from perps_actors.transport.wire import ConnectionPlan, StreamListener

FULL_RETRY_S = 0.05
"""When the inside is looked at again that was full."""
READS_APART_S = 0.002
"""Time between two frames that do not come in one read."""

Framed = tuple[str, bytes]
"""A frame with the stream it belongs to."""


def _look_again_later() -> None:
    """Do nothing: a pipe looks again by itself, after `FULL_RETRY_S`."""


class Pipe:
    """A connection that is being opened, is open, or has ended; a `Link` to its owner."""

    def __init__(
        self,
        plan: ConnectionPlan,
        listener: StreamListener,
        session: StreamSession,
        *,
        begins_with: Callable[[str], Iterable[Framed]],
        runtime: SimulatedRuntime,
        weather: Weather,
        random: Random,
        began_ns: int,
    ) -> None:
        self.plan = plan
        self.ended = False
        self._listener = listener
        self._session = session
        self._begins_with = begins_with
        self._runtime = runtime
        self._weather = weather
        self._random = random
        self._began_ns = began_ns
        self._streams = frozenset(session.streams())
        self._open = False
        self._closing = False
        self._travelling: deque[tuple[int, bytes]] = deque()
        self._kept: dict[str, bytes] = {}
        self._last_due_ns = 0
        self._heard_ns = runtime.clock.monotonic_ns()

    # --- the owner's side

    def send(self, text: str) -> None:
        """Take a frame; what the venue answers comes down with the others."""
        if self._open and not self.ended:
            for answer in self._session.receive(text):
                self._put(answer.encode(), self._now_ns())
            before, self._streams = self._streams, frozenset(self._session.streams())
            self._begin(self._streams - before)

    def close(self, reason: str) -> None:
        """End the connection after a moment, wherever it stands. Idempotent."""
        if not self._closing:
            self._closing = True
            self._runtime.at(self._random.uniform(0.0, 0.01), lambda: self.end(reason, error=False))

    # --- the venue's side

    def arrive(self) -> None:
        """Be at the venue's door: opened, or refused."""
        if self.ended or self._closing:
            return
        if "refuse" in self._weather.holding(self._now_s()):
            self.end("connection refused", error=True)
            return
        self._open = True
        self._heard_ns = self._now_ns()
        self._tell(lambda: self._listener.opened(self.plan.name))
        self._begin(self._streams)

    def send_down(self, frames: Sequence[Framed], crossing: Callable[[], Framed]) -> None:
        """Send what happened at one moment, as far as this connection asked for it."""
        if not self._open or self.ended:
            return
        now_s = self._now_s()
        holding = self._weather.holding(now_s)
        if "mute" in holding or "silence" in holding:
            return
        wanted = [framed for framed in frames if framed[0] in self._streams]
        delay = self._weather.strikes("delay", now_s) if "delay" in holding else None
        travel_s = delay.end_s - now_s if delay is not None else self._random.uniform(0.001, 0.03)
        due_ns = self._now_ns() + int(travel_s * NS_PER_S)
        for stream, frame in wanted:
            apart = delay is None and self._random.random() < 0.3
            due_ns = max(due_ns, self._last_due_ns) + apart * int(READS_APART_S * NS_PER_S)
            for sent in (
                self._struck(stream, frame, holding, now_s, crossing) if holding else (frame,)
            ):
                self._put(sent, due_ns)

    def look(self) -> None:
        """End a connection on which nothing has come for too long, as the transport does; a pong counts."""
        if not self._open or self.ended:
            return
        if "mute" not in self._weather.holding(self._now_s()):
            self._heard_ns = self._now_ns()
        elif self._now_ns() - self._heard_ns > self.plan.silence_limit_s * NS_PER_S:
            self.end(f"nothing came for {self.plan.silence_limit_s:g} s", error=True)

    def end(self, reason: str, *, error: bool) -> None:
        """End at once, and tell the listener, once. What still travels is lost."""
        if not self.ended:
            self.ended = True
            self._travelling.clear()
            self._listener.closed(self.plan.name, reason, error)

    def _begin(self, streams: frozenset[str]) -> None:
        """Send what streams begin with that were subscribed."""
        for stream in sorted(streams):
            for _, frame in self._begins_with(stream):
                self._put(frame, self._now_ns())

    def _struck(
        self,
        stream: str,
        frame: bytes,
        holding: frozenset[FaultKind],
        now_s: float,
        crossing: Callable[[], Framed],
    ) -> Sequence[bytes]:
        """Return what becomes of a frame under the faults that hold."""
        struck = {
            kind
            for kind in ("lose", "duplicate", "reorder", "garble", "cross")
            if kind in holding and self._strikes(kind, now_s)
        }
        if "lose" in struck:
            return ()
        if "cross" in struck and crossing()[0] == stream:
            frame = crossing()[1]
        sent = [frame] * (2 if "duplicate" in struck else 1)
        if "garble" in struck:
            torn = self._random.random() < 0.5
            sent = (
                [frame[: self._random.randrange(len(frame))]]
                if torn
                else [self._random.randbytes(20), *sent]
            )
        if stream in self._kept:
            sent.append(self._kept.pop(stream))
        elif "reorder" in struck:
            self._kept[stream] = sent.pop()
        return sent

    def _strikes(self, kind: FaultKind, now_s: float) -> bool:
        return self._weather.strikes(kind, now_s) is not None

    def _put(self, frame: bytes, due_ns: int) -> None:
        if due_ns > self._last_due_ns or not self._travelling:
            # One more, because seconds round down to nanoseconds.
            self._runtime.at(max(0, due_ns - self._now_ns() + 1) / NS_PER_S, self._deliver)
        self._last_due_ns = max(due_ns, self._last_due_ns)
        text = self._session.dress(frame)
        self._travelling.append((self._last_due_ns, self._session.packed(text) or text))

    def _deliver(self) -> None:
        """Hand on what has arrived, in one read, unless the inside is full."""
        now_ns, travelling = self._now_ns(), self._travelling
        if not travelling or travelling[0][0] > now_ns or self._closing:
            return
        if not self._listener.has_room(_look_again_later):
            self._runtime.at(FULL_RETRY_S, self._deliver)
            return
        arrived: list[bytes] = []
        while travelling and travelling[0][0] <= now_ns:
            arrived.append(travelling.popleft()[1])
        wall_ns = self._runtime.clock.time_ns()
        self._tell(lambda: self._listener.frames(self.plan.name, tuple(arrived), wall_ns, now_ns))

    def _tell(self, news: Callable[[], None]) -> None:
        try:
            news()
        except Fenced as error:
            self.end(f"the listener failed: {error!r}", error=True)

    def _now_ns(self) -> int:
        return self._runtime.clock.monotonic_ns()

    def _now_s(self) -> float:
        return (self._now_ns() - self._began_ns) / NS_PER_S
