"""How an actor makes REST requests: with good manners, on a worker, and the answer comes as a message."""

from __future__ import annotations

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import Clock
from perps_actors.messages.feeds import AnswerArrived, MakeRequest
from perps_actors.transport.etiquette import Etiquette
from perps_actors.transport.wire import HttpAnswer, HttpRequest, Network


class RestDesk:
    """Makes requests for one actor, which is told `AnswerArrived` for each, or `MakeRequest` when it is time to try again."""

    def __init__(self, etiquette: Etiquette, network: Network, clock: Clock) -> None:
        self._etiquette = etiquette
        self._network = network
        self._clock = clock

    def make(self, request: HttpRequest, actor: Actor) -> None:
        """Make the request now, or have the actor come back with it when the venue's limits allow it."""
        pause_s = self._etiquette.pause_s(request, self._clock.monotonic_ns())
        if pause_s > 0:
            actor.after(pause_s, MakeRequest(request))
            return
        tell = actor.voice().tell

        def answered(answer: HttpAnswer) -> None:
            tell(AnswerArrived(answer))

        self._network.request(request, answered)

    def answered(self, answer: HttpAnswer) -> None:
        """Note how a request went."""
        self._etiquette.answered(answer)
