"""How an actor makes REST requests: with good manners, on a worker, and the answer comes as a message."""

from __future__ import annotations

import threading
from contextlib import suppress

from perps_actors.errors import Fenced
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import Clock
from perps_actors.messages.feeds import AnswerArrived, MakeRequest
from perps_actors.transport.etiquette import RequestPacing
from perps_actors.transport.wire import HttpAnswer, HttpRequest, Network


class RequestScheduler:
    """Makes requests for one actor, which is told `AnswerArrived` for each, or `MakeRequest` when it is time to try again."""

    def __init__(self, etiquette: RequestPacing, network: Network, clock: Clock) -> None:
        self._etiquette = etiquette
        self._network = network
        self._clock = clock
        self._hung_up = False
        self._telling = threading.Lock()

    def make(self, request: HttpRequest, actor: Actor) -> None:
        """Make the request now, or have the actor come back with it when the venue's limits allow it; after `hang_up`, nothing."""
        if self._hung_up:
            return
        pause_s = self._etiquette.pause_s(request, self._clock.monotonic_ns())
        if pause_s > 0:
            actor.after(pause_s, MakeRequest(request))
            return
        tell = actor.voice().tell

        def answered(answer: HttpAnswer) -> None:
            # Whoever asked may have been replaced; its successor asks anew.
            with suppress(Fenced), self._telling:
                if not self._hung_up:
                    tell(AnswerArrived(answer))

        self._network.request(request, answered)

    def close_sources(self) -> None:
        """Make no request and tell of no answer any more, not even of one that a worker is about to tell."""
        with self._telling:
            self._hung_up = True

    def answered(self, answer: HttpAnswer, *, usable: bool = True) -> None:
        """Note how a request went, and whether its answer was of any use."""
        self._etiquette.answered(answer, usable=usable)
