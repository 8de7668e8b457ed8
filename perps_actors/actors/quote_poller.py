"""The quote poller: asks the venue for quotes at an interval, beside the streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from perps_actors.actors.reporter import Reporter
from perps_actors.actors.rest_desk import RestDesk
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.market.events import Touch
from perps_actors.market.mark import Mark
from perps_actors.market.mark_maker import price_of
from perps_actors.messages.control import Tick
from perps_actors.messages.feeds import AnswerArrived, HangUp, MakeRequest
from perps_actors.messages.marks import OfferMarks
from perps_actors.messages.polls import GetPollStatistics, PollNow, PollStatistics
from perps_actors.transport.wire import HttpAnswer, HttpRequest
from perps_actors.venues.contract import Complaint, RestAdapter


class QuotePoller(Actor):
    """Polls best bid and ask of all its symbols in as few requests as the venue allows, and offers them as marks of source `rest`.

    Takes: `PollNow`, `AnswerArrived`, `MakeRequest`, `HangUp`, `GetPollStatistics`, its own `Tick`. Tells: `OfferMarks` to whoever
    keeps the ladder; `poll_failed` and `input_rejected` events to the recorder. One poll is under way at a time: the next is set when
    the last is answered, and every request is answered within its total deadline, so a hung venue hangs nobody and nothing piles up.
    One bad row never blocks its neighbours. Inbox: *all*. A restart loses a poll under way and polls at once.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=10_000)

    def __init__(
        self,
        *,
        rest: RestAdapter,
        symbols: Sequence[str],
        interval_s: float,
        desk: RestDesk,
        offer_to: Teller,
        report: Reporter,
    ) -> None:
        super().__init__()
        self._rest = rest
        self._symbols = frozenset(symbols)
        self._requests = rest.quotes(tuple(symbols))
        self._interval_s = interval_s
        self._desk = desk
        self._offer_to = offer_to
        self._report = report
        self._under_way: list[HttpRequest] = []
        self._polls = self._failures = self._rejected = 0
        self._last_failure: str | None = None

    def on_start(self) -> None:
        """Poll at once."""
        self._poll()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case Tick() | PollNow():
                self._poll()
            case MakeRequest(request):
                self._desk.make(request, self)
            case AnswerArrived(answer):
                self._answered(answer)
            case HangUp(done):
                self._desk.hang_up()
                done.set(None)
            case GetPollStatistics():
                return PollStatistics(self._polls, self._failures, self._rejected, self._last_failure)
            case _:
                return super().on_receive(message)
        return None

    def _poll(self) -> None:
        if self._under_way:
            return
        self._polls += 1
        self._under_way = list(self._requests)
        for request in self._requests:
            self._desk.make(request, self)

    def _answered(self, answer: HttpAnswer) -> None:
        self._desk.answered(answer)
        try:
            self._offer(answer)
        finally:
            self._tick_off(answer.request)

    def _tick_off(self, answered: HttpRequest) -> None:
        # By identity: the answer to a request of an incarnation before, which may still come, ends no poll of this one.
        under_way = [request for request in self._under_way if request is not answered]
        if self._under_way and not under_way:
            self.after(self._interval_s, Tick())
        self._under_way = under_way

    def _offer(self, answer: HttpAnswer) -> None:
        if answer.status != 200:
            self._failures += 1
            self._last_failure = answer.error or f"status {answer.status}"
            self._report.tell("poll_failed", None, purpose=answer.request.purpose, why=self._last_failure)
            return
        marks: list[Mark] = []
        complaints: list[str] = []
        for outcome in self._rest.read(answer.request, answer.status, answer.body, answer.received_ns):
            match outcome:
                case Touch() if outcome.instrument.symbol in self._symbols:
                    mark = price_of(outcome, "rest", answer.monotonic_ns)
                    if mark is not None:
                        marks.append(mark)
                case Complaint(what):
                    complaints.append(what)
        self._rejected += len(complaints)
        if complaints:
            self._report.tell("input_rejected", None, count=len(complaints), last=complaints[-1])
        if marks:
            self._offer_to.tell(OfferMarks(tuple(marks)))
