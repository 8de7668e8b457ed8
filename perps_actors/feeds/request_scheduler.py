"""How an actor makes requests: paced, on a worker, with the answer as a message."""

from __future__ import annotations

import threading
from contextlib import suppress

from perps_actors.errors import Fenced
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import Clock
from perps_actors.messages.feeds import AnswerArrived, MakeRequest
from perps_actors.transport.rate_limits import RequestPacing
from perps_actors.transport.wire import HttpAnswer, HttpRequest, Network


class RequestScheduler:
    """Makes the requests of one actor.

    The actor is told `AnswerArrived` for each request, or `MakeRequest` when it is time to make it.
    """

    def __init__(self, pacing: RequestPacing, network: Network, clock: Clock) -> None:
        self._pacing = pacing
        self._network = network
        self._clock = clock
        self._closed = False
        # Taken by the actor that closes and by the workers that tell answers: once `close_sources`
        # has returned, no worker is between its look at `_closed` and its message.
        self._telling = threading.Lock()

    def make(self, request: HttpRequest, actor: Actor) -> None:
        """Make the request now, or tell the actor to make it when the limits allow it."""
        if self._closed:
            return
        pause_s = self._pacing.pause_s(request, self._clock.monotonic_ns())
        if pause_s > 0:
            actor.after(pause_s, MakeRequest(request))
            return
        tell = actor.voice().tell

        def answered(answer: HttpAnswer) -> None:
            # A replaced incarnation is not told; its successor makes its own requests.
            with suppress(Fenced), self._telling:
                if not self._closed:
                    tell(AnswerArrived(answer))

        self._network.request(request, answered)

    def close_sources(self) -> None:
        """Make no more requests and pass on no more answers, from any thread."""
        with self._telling:
            self._closed = True

    def answered(self, answer: HttpAnswer, *, usable: bool = True) -> None:
        """Note how a request went, and whether its answer was of any use."""
        self._pacing.answered(answer, usable=usable)
