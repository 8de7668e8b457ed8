"""A consumer's connections over all their attempts. Plain bookkeeping: the consumer says what happened, this says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import attrs

from perps_actors.errors import Fenced
from perps_actors.kernel.address import Answer
from perps_actors.kernel.gate import Gate
from perps_actors.kernel.lease import Voice
from perps_actors.messages.feeds import ConnectionClosed, ConnectionOpened, FramesArrived, Reconnect
from perps_actors.transport.rate_limits import Backoff, BackoffPolicy
from perps_actors.transport.wire import ConnectionPlan, Link, Network

Amendment = Callable[[ConnectionPlan, ConnectionPlan], tuple[str, ...] | None]
"""Of the adapter: the frames that turn a connection of one plan into one of another, or None."""


class ConnectionListener:
    """Hears a connection on its own thread and only tells; the gate decides whether it may read on."""

    def __init__(self, voice: Voice, gate: Gate | None, session: int) -> None:
        self._tell: Callable[[Any], object] = voice.tell
        self._gate = gate
        self._session = session

    def mute(self) -> None:
        """Tell no more: the consumer has told the end of this connection itself."""
        self._tell = _nobody

    def has_room(self, resume: Callable[[], None]) -> bool:
        """Return whether the gate is open; if not, `resume` is called when it is."""
        return self._gate is None or self._gate.has_room(resume)

    def opened(self, connection: str) -> None:
        """Tell the consumer."""
        self._tell(ConnectionOpened(connection, self._session))

    def frames(
        self, connection: str, frames: tuple[bytes, ...], received_ns: int, monotonic_ns: int
    ) -> None:
        """Tell the consumer, all frames of one read in one message."""
        self._tell(FramesArrived(connection, self._session, frames, received_ns, monotonic_ns))

    def closed(self, connection: str, reason: str, error: bool) -> None:  # noqa: FBT001 - the listener's protocol
        """Tell the consumer, if it still lives."""
        with suppress(Fenced):
            self._tell(ConnectionClosed(connection, self._session, reason, error))


@attrs.define
class Connection:
    """One connection of a plan."""

    plan: ConnectionPlan
    backoff: Backoff
    session: int = 0
    """Number of the present attempt; what earlier ones still say is ignored."""
    link: Link | None = None
    up: bool = False
    """Whether the handshake is done."""
    listener: ConnectionListener | None = None
    told_heard_ns: int | None = None


def _nobody(_: Any) -> None:
    """Hear nothing."""


class ConnectionPool:
    """All connections of one venue: opened, replaced before the venue cuts them, opened again when they end.

    `sessions` numbers the attempts over all incarnations of the consumer, because what an old one was told may still wait for the
    new one.
    """

    def __init__(
        self,
        *,
        network: Network,
        gate: Gate | None,
        backoff: BackoffPolicy,
        random: Random,
        after: Callable[[float, Any], object],
        sessions: Iterator[int],
    ) -> None:
        self._network = network
        self._gate = gate
        self._backoff = backoff
        self._random = random
        self._after = after
        self._sessions = sessions
        self._hung_up: Answer | None = None
        self._lines: dict[str, Connection] = {}
        self.reconnects = 0

    def open(self, plans: Iterable[ConnectionPlan], voice: Voice) -> None:
        """Open every connection of the plans."""
        for plan in plans:
            line = self._lines[plan.name] = Connection(plan, Backoff(self._backoff, self._random))
            self._connect(line, voice)

    def amend(
        self, plans: Iterable[ConnectionPlan], amend: Amendment, voice: Voice
    ) -> tuple[ConnectionPlan, ...]:
        """Turn the open connections into those of other plans, with as few of them opened anew as can be.

        Return the plans of those that were open and are no more.
        """
        wanted = {plan.name: plan for plan in plans}
        gone = [line for name, line in self._lines.items() if name not in wanted]
        for line in gone:
            del self._lines[line.plan.name]
        ended = [line.plan for line in gone if self._end(line, "no longer wanted")]
        for name, plan in wanted.items():
            if name not in self._lines:
                self.open((plan,), voice)
                continue
            line = self._lines[name]
            if line.plan != plan and self._amended(line, plan, amend):
                ended.append(plan)
                self._connect(line, voice)
        return tuple(ended)

    def _amended(self, line: Connection, plan: ConnectionPlan, amend: Amendment) -> bool:
        """Change the plan of a line; return whether its connection was ended for that."""
        before, line.plan = line.plan, plan
        if line.link is None:
            return False
        frames = amend(before, plan) if line.up else None
        if frames is None:
            return self._end(line, "changed")
        for frame in frames:
            line.link.send(frame)
        return False

    def _connect(self, line: Connection, voice: Voice) -> None:
        line.session = next(self._sessions)
        line.listener = ConnectionListener(voice, self._gate, line.session)
        line.link = self._network.open(line.plan, line.listener)

    def current(self, connection: str, session: int) -> Connection | None:
        """Return the line that speaks; None for what an attempt that was given up still says."""
        line = self._lines.get(connection)
        return line if line is not None and line.session == session else None

    def opened(self, line: Connection, now_ns: int) -> None:
        """Note that the handshake is done, and when the connection has to be replaced."""
        line.up = True
        line.backoff.worked(now_ns)
        if line.plan.max_age_s is not None:
            self._after(line.plan.max_age_s, Reconnect(line.plan.name, line.session))

    def closed(self, line: Connection, now_ns: int) -> None:
        """Note that the connection ended, and try again after a pause."""
        line.link = None
        line.up = False
        if self._hung_up is None:
            self._after(line.backoff.next_pause_s(now_ns), Reconnect(line.plan.name, line.session))
        else:
            self._settle(self._hung_up)

    def reconnect(self, line: Connection, voice: Voice) -> None:
        """Open a connection that has ended; one that has come of age is closed first and its end leads back here."""
        if line.link is not None:
            line.link.close("replaced before the venue cuts it")
        elif self._hung_up is None:
            self.reconnects += 1
            self._connect(line, voice)

    @property
    def sources_closed(self) -> bool:
        """Whether no connection is opened any more."""
        return self._hung_up is not None

    def close_sources(self, reason: str, done: Answer) -> None:
        """End all connections and open none again; `done` is settled once each has told all it had read, and its end."""
        self._hung_up = done
        for line in self._lines.values():
            if line.link is not None:
                line.link.close(reason)
        self._settle(done)

    def _settle(self, done: Answer) -> None:
        if all(line.link is None for line in self._lines.values()):
            done.set(None)

    def send(self, connection: str, text: str) -> None:
        """Send a text frame, if the connection is open."""
        line = self._lines.get(connection)
        if line is not None and line.link is not None:
            line.link.send(text)

    def close(self, reason: str) -> tuple[ConnectionPlan, ...]:
        """Close all, with no more news of them; return the plans of those that were open."""
        lines, self._lines = self._lines, {}
        return tuple(line.plan for line in lines.values() if self._end(line, reason))

    def _end(self, line: Connection, reason: str) -> bool:
        """Close a connection, with no more news of it; return False when it was not open."""
        if line.link is None or line.listener is None:
            return False
        line.listener.mute()
        line.link.close(reason)
        line.link, line.up = None, False
        return True
