"""The connections of one consumer, over all attempts to keep them open."""

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
"""Returns the frames that turn a connection of one plan into one of another, or None."""


class ConnectionListener:
    """Tells the consumer what a connection reports, on the thread of the network."""

    def __init__(self, voice: Voice, gate: Gate | None, session: int) -> None:
        self._tell: Callable[[Any], object] = voice.tell
        self._gate = gate
        self._session = session

    def mute(self) -> None:
        """Tell nothing from now on; the consumer has reported the end of this connection itself."""
        self._tell = _ignore

    def has_room(self, resume: Callable[[], None]) -> bool:
        """Return whether the gate is open; if not, `resume` is called when it is."""
        return self._gate is None or self._gate.has_room(resume)

    def opened(self, connection: str) -> None:
        """Tell the consumer."""
        self._tell(ConnectionOpened(connection, self._session))

    def frames(
        self, connection: str, frames: tuple[bytes, ...], received_ns: int, monotonic_ns: int
    ) -> None:
        """Tell the consumer all frames of one read in one message."""
        self._tell(FramesArrived(connection, self._session, frames, received_ns, monotonic_ns))

    def closed(self, connection: str, reason: str, error: bool) -> None:  # noqa: FBT001
        """Tell the consumer, unless its incarnation was replaced."""
        with suppress(Fenced):
            self._tell(ConnectionClosed(connection, self._session, reason, error))


@attrs.define
class PooledConnection:
    """A connection of the pool, over all attempts."""

    plan: ConnectionPlan
    backoff: Backoff
    session: int = 0
    """Number of the present attempt; messages of earlier attempts are ignored."""
    link: Link | None = None
    up: bool = False
    """Whether the handshake is done."""
    listener: ConnectionListener | None = None
    told_heard_ns: int | None = None


def _ignore(_: Any) -> None:
    """Do nothing."""


class ConnectionPool:
    """Opens the connections of a market, and again when they end or before the venue closes them.

    Args:
        network: opens connections.
        gate: sources stop reading while it is shut.
        backoff: pauses between attempts.
        random: their jitter.
        after: sets a timer of the consumer.
        sessions: numbers the attempts of all incarnations of the consumer, because messages of an
            attempt of the previous one may still wait for the present one.
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
        self._closing: Answer | None = None
        self._connections: dict[str, PooledConnection] = {}
        self.reconnects = 0

    def open(self, plans: Iterable[ConnectionPlan], voice: Voice) -> None:
        """Open every connection of the plans."""
        for plan in plans:
            connection = self._connections[plan.name] = PooledConnection(
                plan, Backoff(self._backoff, self._random)
            )
            self._connect(connection, voice)

    def amend(
        self, plans: Iterable[ConnectionPlan], amend: Amendment, voice: Voice
    ) -> tuple[ConnectionPlan, ...]:
        """Change the connections to other plans, and reopen as few as possible.

        Return the plans of the open connections that were closed.
        """
        wanted = {plan.name: plan for plan in plans}
        gone = [connection for name, connection in self._connections.items() if name not in wanted]
        for connection in gone:
            del self._connections[connection.plan.name]
        ended = [
            connection.plan for connection in gone if self._end(connection, "no longer wanted")
        ]
        for name, plan in wanted.items():
            if name not in self._connections:
                self.open((plan,), voice)
                continue
            connection = self._connections[name]
            if connection.plan != plan and self._amended(connection, plan, amend):
                ended.append(plan)
                self._connect(connection, voice)
        return tuple(ended)

    def _amended(
        self, connection: PooledConnection, plan: ConnectionPlan, amend: Amendment
    ) -> bool:
        """Change the plan of a connection; return whether it was closed for that."""
        before, connection.plan = connection.plan, plan
        if connection.link is None:
            return False
        frames = amend(before, plan) if connection.up else None
        if frames is None:
            return self._end(connection, "changed")
        for frame in frames:
            connection.link.send(frame)
        return False

    def _connect(self, connection: PooledConnection, voice: Voice) -> None:
        connection.session = next(self._sessions)
        connection.listener = ConnectionListener(voice, self._gate, connection.session)
        connection.link = self._network.open(connection.plan, connection.listener)

    def current(self, name: str, session: int) -> PooledConnection | None:
        """Return the connection of an attempt; None if it is not the present attempt."""
        connection = self._connections.get(name)
        return connection if connection is not None and connection.session == session else None

    def opened(self, connection: PooledConnection, now_ns: int) -> None:
        """Note that the handshake is done, and set the timer of the replacement."""
        connection.up = True
        connection.backoff.worked(now_ns)
        if connection.plan.max_age_s is not None:
            self._after(
                connection.plan.max_age_s, Reconnect(connection.plan.name, connection.session)
            )

    def closed(self, connection: PooledConnection, now_ns: int) -> None:
        """Note that the connection ended, and set the timer of the next attempt."""
        connection.link = None
        connection.up = False
        if self._closing is None:
            self._after(
                connection.backoff.next_pause_s(now_ns),
                Reconnect(connection.plan.name, connection.session),
            )
        else:
            self._settle(self._closing)

    def reconnect(self, connection: PooledConnection, voice: Voice) -> None:
        """Open a connection that has ended, or close an old one, whose end leads back here."""
        if connection.link is not None:
            connection.link.close("replaced before the venue closes it")
        elif self._closing is None:
            self.reconnects += 1
            self._connect(connection, voice)

    @property
    def sources_closed(self) -> bool:
        """Whether no further connection is opened."""
        return self._closing is not None

    def close_sources(self, reason: str, done: Answer) -> None:
        """Close all connections for good.

        `done` is settled when each has told all that it had read, and its end.
        """
        self._closing = done
        for connection in self._connections.values():
            if connection.link is not None:
                connection.link.close(reason)
        self._settle(done)

    def _settle(self, done: Answer) -> None:
        if all(connection.link is None for connection in self._connections.values()):
            done.set(None)

    def send(self, name: str, text: str) -> None:
        """Send a text frame, if the connection is open."""
        connection = self._connections.get(name)
        if connection is not None and connection.link is not None:
            connection.link.send(text)

    def close(self, reason: str) -> tuple[ConnectionPlan, ...]:
        """Close all connections and ignore their messages; return the plans of the open ones."""
        connections, self._connections = self._connections, {}
        return tuple(
            connection.plan for connection in connections.values() if self._end(connection, reason)
        )

    def _end(self, connection: PooledConnection, reason: str) -> bool:
        """Close a connection and ignore its messages; return False if it was not open."""
        if connection.link is None or connection.listener is None:
            return False
        connection.listener.mute()
        connection.link.close(reason)
        connection.link, connection.up = None, False
        return True
