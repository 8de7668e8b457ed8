"""A connection of a simulated venue in virtual time, and the faults between venue and system."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Literal

import attrs

from perps_actors.errors import Fenced
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.simulator.venue_contract import Framed, StreamSession
from perps_actors.transport.wire import ConnectionPlan, StreamListener

FaultKind = Literal[
    "lose",
    "duplicate",
    "reorder",
    "garble",
    "cross",
    "delay",
    "silence",
    "mute",
    "cut",
    "close",
    "refuse",
    "rest_fail",
    "rest_late",
    "rest_refuse",
    "rest_garble",
]
"""
Faults of frames: `lose`, `duplicate`, `reorder` (two frames of a stream swap), `garble` (noise or a
torn frame), `cross` (a delta that crosses the book), `delay` (frames arrive together at its end),
`silence` (pongs only), `mute` (nothing, as on a half-open connection).
Faults of connections: `cut` (without a close frame) and `close`, both at the start of the fault,
`refuse` (no connection can be opened).
Faults of answers: `rest_fail` (no answer), `rest_late`, `rest_refuse` (429, 418 or 503, drawn from
the seed), `rest_garble`.
"""


@attrs.frozen
class WireFault:
    """One fault: `do` from `at_s` after the start of the venue for `for_s` seconds."""

    at_s: float
    do: FaultKind
    for_s: float = 0.0
    share: float = 1.0
    """Share of affected frames or requests, from 0 to 1."""

    @property
    def end_s(self) -> float:
        """End of the fault."""
        return self.at_s + self.for_s


class WireFaults:
    """The planned faults of a simulated venue."""

    def __init__(self, faults: Sequence[WireFault], random: Random) -> None:
        self._faults = tuple(faults)
        self._random = random

    def strikes(self, kind: FaultKind, now_s: float) -> WireFault | None:
        """Return the fault that affects one frame or request; None if it is spared."""
        for fault in self._faults:
            if (
                fault.do == kind
                and fault.at_s <= now_s < fault.end_s
                and (fault.share >= 1.0 or self._random.random() < fault.share)
            ):
                return fault
        return None

    def holding(self, now_s: float) -> frozenset[FaultKind]:
        """Return the kinds of active faults."""
        return frozenset(fault.do for fault in self._faults if fault.at_s <= now_s < fault.end_s)

    def starts(self, *kinds: FaultKind) -> list[WireFault]:
        """Return the faults of these kinds."""
        return [fault for fault in self._faults if fault.do in kinds]


FULL_RETRY_S = 0.05
"""Time until a link retries to deliver to a full inbox."""
READS_APART_S = 0.002
"""Time between two frames that arrive in separate reads."""


def _retry_later() -> None:
    """Do nothing: a link retries by itself after `FULL_RETRY_S`."""


class SimulatedLink:
    """A connection that is opening, open or ended. Frames arrive in order, except for faults."""

    def __init__(
        self,
        plan: ConnectionPlan,
        listener: StreamListener,
        session: StreamSession,
        *,
        begins_with: Callable[[str], Iterable[Framed]],
        runtime: SimulatedRuntime,
        faults: WireFaults,
        random: Random,
        began_ns: int,
    ) -> None:
        self.plan = plan
        self.ended = False
        self._listener = listener
        self._session = session
        self._begins_with = begins_with
        self._runtime = runtime
        self._faults = faults
        self._random = random
        self._began_ns = began_ns
        self._streams = frozenset(session.streams())
        self._open = False
        self._closing = False
        self._in_flight: deque[tuple[int, bytes]] = deque()
        self._held_back: dict[str, bytes] = {}
        self._last_due_ns = 0
        self._active_ns = runtime.clock.monotonic_ns()

    # --- the owner's side

    def send(self, text: str) -> None:
        """Send a frame to the venue; its answers arrive with the other frames."""
        if self._open and not self.ended:
            for answer in self._session.receive(text):
                self._put(answer.encode(), self._now_ns())
            before, self._streams = self._streams, frozenset(self._session.streams())
            self._begin(self._streams - before)

    def close(self, reason: str) -> None:
        """End the connection after a moment. Idempotent."""
        if not self._closing:
            self._closing = True
            self._runtime.at(self._random.uniform(0.0, 0.01), lambda: self.end(reason, error=False))

    # --- the venue's side

    def arrive(self) -> None:
        """Reach the venue: open the connection, or be refused."""
        if self.ended or self._closing:
            return
        if "refuse" in self._faults.holding(self._now_s()):
            self.end("connection refused", error=True)
            return
        self._open = True
        self._active_ns = self._now_ns()
        self._notify(lambda: self._listener.opened(self.plan.name))
        self._begin(self._streams)

    def send_down(self, frames: Sequence[Framed], crossing: Callable[[], Framed]) -> None:
        """Send the subscribed frames among those of one moment."""
        if not self._open or self.ended:
            return
        now_s = self._now_s()
        holding = self._faults.holding(now_s)
        if "mute" in holding or "silence" in holding:
            return
        wanted = [framed for framed in frames if framed[0] in self._streams]
        delay = self._faults.strikes("delay", now_s) if "delay" in holding else None
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
        """End the connection if it was silent for too long, as the transport does; pongs count."""
        if not self._open or self.ended:
            return
        if "mute" not in self._faults.holding(self._now_s()):
            self._active_ns = self._now_ns()
        elif self._now_ns() - self._active_ns > self.plan.silence_limit_s * NS_PER_S:
            self.end(f"nothing came for {self.plan.silence_limit_s:g} s", error=True)

    def end(self, reason: str, *, error: bool) -> None:
        """End at once and tell the listener, once; frames on their way are lost."""
        if not self.ended:
            self.ended = True
            self._in_flight.clear()
            self._listener.closed(self.plan.name, reason, error)

    def _begin(self, streams: frozenset[str]) -> None:
        """Send the first frames of newly subscribed streams."""
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
        """Return the frames that arrive instead of one frame under the active faults."""
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
        if stream in self._held_back:
            sent.append(self._held_back.pop(stream))
        elif "reorder" in struck:
            self._held_back[stream] = sent.pop()
        return sent

    def _strikes(self, kind: FaultKind, now_s: float) -> bool:
        return self._faults.strikes(kind, now_s) is not None

    def _put(self, frame: bytes, due_ns: int) -> None:
        if due_ns > self._last_due_ns or not self._in_flight:
            # Plus 1, because seconds round down to nanoseconds.
            self._runtime.at(max(0, due_ns - self._now_ns() + 1) / NS_PER_S, self._deliver)
        self._last_due_ns = max(due_ns, self._last_due_ns)
        text = self._session.formatted(frame)
        self._in_flight.append((self._last_due_ns, self._session.compressed(text) or text))

    def _deliver(self) -> None:
        """Deliver the frames that arrived in one read, unless the listener has no room."""
        now_ns, in_flight = self._now_ns(), self._in_flight
        if not in_flight or in_flight[0][0] > now_ns or self._closing:
            return
        if not self._listener.has_room(_retry_later):
            self._runtime.at(FULL_RETRY_S, self._deliver)
            return
        arrived: list[bytes] = []
        while in_flight and in_flight[0][0] <= now_ns:
            arrived.append(in_flight.popleft()[1])
        wall_ns = self._runtime.clock.time_ns()
        self._notify(lambda: self._listener.frames(self.plan.name, tuple(arrived), wall_ns, now_ns))

    def _notify(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Fenced as error:
            self.end(f"the listener failed: {error!r}", error=True)

    def _now_ns(self) -> int:
        return self._runtime.clock.monotonic_ns()

    def _now_s(self) -> float:
        return (self._now_ns() - self._began_ns) / NS_PER_S
