"""Passive fakes: a probe that collects messages, a network that a test controls."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs

from perps_actors.errors import Fenced
from perps_actors.kernel.clock import Clock
from perps_actors.transport.wire import (
    AnswerListener,
    ConnectionPlan,
    HttpAnswer,
    HttpRequest,
    StreamListener,
    failed,
)


class Probe:
    """Collects the messages that it is told; stands in for an address."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, message: Any) -> bool:
        """Collect the message."""
        self.told.append(message)
        return True

    def of(self, kind: type) -> list[Any]:
        """Return the collected messages of a class."""
        return [message for message in self.told if isinstance(message, kind)]


@attrs.define
class FakeLink:
    """A connection of a `FakeNetwork`."""

    plan: ConnectionPlan
    listener: StreamListener
    network: FakeNetwork
    sent: list[str] = attrs.Factory(list)
    open: bool = True

    def send(self, text: str) -> None:
        """Collect the frame."""
        self.sent.append(text)

    def close(self, reason: str) -> None:
        """End the connection and tell the listener."""
        self.network.end(self, reason, error=False)


class FakeNetwork:
    """A network without sockets or threads: a test delivers frames, ends links, answers requests.

    A connection opens at once unless `refuse` is set; requests wait in `requests` for answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.links: list[FakeLink] = []
        self.requests: list[tuple[HttpRequest, AnswerListener]] = []
        self.refuse: str | None = None
        self._closed = False

    # --- the network's side

    def open(self, plan: ConnectionPlan, listener: StreamListener) -> FakeLink:
        """Open a connection, or refuse it."""
        link = FakeLink(plan, listener, self)
        self.links.append(link)
        if self._closed:
            link.close("closed")
        elif self.refuse is None:
            listener.opened(plan.name)
        else:
            self.end(link, self.refuse, error=True)
        return link

    def request(self, request: HttpRequest, listener: AnswerListener) -> None:
        """Keep a request until the test answers it; after `close` answer with an error."""
        if self._closed:
            listener(failed(request, "closed", self._clock))
        else:
            self.requests.append((request, listener))

    def close(self, deadline_s: float) -> int:  # noqa: ARG002 - nothing to wait for
        """End all connections and answer all waiting requests with an error."""
        self._closed = True
        for link in self.links:
            self.end(link, "closed", error=False)
        waiting, self.requests = self.requests, []
        for request, listener in waiting:
            # The actor that made the request may have been replaced meanwhile.
            with suppress(Fenced):
                listener(failed(request, "closed", self._clock))
        return 0

    # --- the test's side

    def link(self, connection: str) -> FakeLink:
        """Return the open connection of that name.

        Raises:
            LookupError: no such connection is open.
        """
        for link in reversed(self.links):
            if link.plan.name == connection and link.open:
                return link
        msg = f"No open connection {connection!r}"
        raise LookupError(msg)

    def deliver(self, connection: str, *frames: bytes) -> None:
        """Deliver frames in one read."""
        now_ns, monotonic_ns = self._clock.time_ns(), self._clock.monotonic_ns()
        self.link(connection).listener.frames(connection, frames, now_ns, monotonic_ns)

    def end(self, link: FakeLink, reason: str, *, error: bool) -> None:
        """End a connection, once."""
        if link.open:
            link.open = False
            link.listener.closed(link.plan.name, reason, error)

    def answer(
        self,
        purpose: str,
        body: bytes,
        *,
        status: int | None = 200,
        symbol: str | None = None,
        error: str | None = None,
    ) -> None:
        """Answer the first waiting request of a purpose (and symbol).

        Raises:
            LookupError: no such request waits.
        """
        for index, (request, listener) in enumerate(self.requests):
            if request.purpose == purpose and symbol in (None, request.symbol):
                del self.requests[index]
                listener(self._answer(request, status, body, error))
                return
        msg = f"No request for {purpose!r} of {symbol!r} waits"
        raise LookupError(msg)

    def _answer(
        self, request: HttpRequest, status: int | None, body: bytes, error: str | None
    ) -> HttpAnswer:
        return HttpAnswer(
            request=request,
            status=status,
            body=body,
            error=error,
            received_ns=self._clock.time_ns(),
            monotonic_ns=self._clock.monotonic_ns(),
        )
