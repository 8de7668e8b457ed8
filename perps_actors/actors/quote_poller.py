"""The quote poller: asks the venue for quotes at an interval, beside the streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import attrs

from perps_actors.feeds.actor_spec import ANSWER_BYTES, FEEDS, ActorSpec
from perps_actors.feeds.reporter import Reporter
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.timers import Timer
from perps_actors.market.events import Touch
from perps_actors.market.mark import Mark
from perps_actors.market.mark_maker import price_of
from perps_actors.messages.control import SetPolling
from perps_actors.messages.feeds import (
    AnswerArrived,
    CloseSources,
    GetPollStatistics,
    MakeRequest,
    PollNow,
    PollStatistics,
)
from perps_actors.messages.marks import OfferMarks
from perps_actors.settings import Market
from perps_actors.transport.rate_limits import Priority
from perps_actors.transport.wire import HttpAnswer, HttpRequest
from perps_actors.venues.contract import InvalidInput, RestAdapter


@attrs.frozen
class _Poll:
    control = True
    request: HttpRequest


class QuotePoller(Actor):
    """Polls best bid and ask of its symbols and offers them as marks of source `rest`.

    Takes: `PollNow`, `SetPolling`, `AnswerArrived`, `MakeRequest`, `CloseSources`,
    `GetPollStatistics`, its own timers. Tells: `OfferMarks` to the stream consumer;
    `poll_failed` and `input_rejected` events to the recorder. Each request is made again an
    interval after its own answer, and every answer comes within a total deadline, so that a venue
    that hangs blocks no actor and requests never pile up. One bad row never blocks its neighbours.
    Inbox: takes all. A restart loses the requests under way and polls at once.
    """

    inbox_policy: ClassVar[InboxPolicy] = InboxPolicy(bound=10_000)

    def __init__(
        self,
        *,
        rest: RestAdapter,
        symbols: Sequence[str],
        interval_s: float,
        scheduler: RequestScheduler,
        offer_to: Teller,
        report: Reporter,
    ) -> None:
        super().__init__()
        self._rest = rest
        self._scheduler = scheduler
        self._offer_to = offer_to
        self._report = report
        self._under_way: dict[HttpRequest, HttpRequest] = {}
        self._next: dict[HttpRequest, Timer] = {}
        self._plan(symbols, interval_s)
        self._polls = self._failures = self._rejected = 0
        self._last_failure: str | None = None

    def _plan(self, symbols: Sequence[str], interval_s: float) -> None:
        self._symbols = frozenset(symbols)
        self._requests = self._rest.quotes(tuple(symbols)) if symbols else ()
        self._interval_s = interval_s

    def on_start(self) -> None:
        """Poll at once."""
        self._poll_all()

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case _Poll(request):
                self._poll(request)
            case PollNow():
                self._poll_all()
            case MakeRequest(request):
                self._scheduler.make(request, self)
            case AnswerArrived(answer):
                self._answered(answer)
            case CloseSources(done):
                self._scheduler.close_sources()
                done.set(None)
            case SetPolling(symbols=symbols, interval_s=interval_s):
                self._plan(symbols, interval_s)
                self._poll_all()
            case GetPollStatistics():
                return PollStatistics(
                    self._polls, self._failures, self._rejected, self._last_failure
                )
            case _:
                return super().on_receive(message)
        return None

    def _poll_all(self) -> None:
        for request in self._requests:
            self._poll(request)

    def _poll(self, request: HttpRequest) -> None:
        timer = self._next.pop(request, None)
        if timer is not None:
            timer.cancel()
        if request in self._requests and request not in self._under_way:
            self._polls += 1
            self._under_way[request] = request
            self._scheduler.make(request, self)

    def _answered(self, answer: HttpAnswer) -> None:
        self._scheduler.answered(answer)
        try:
            self._offer(answer)
        finally:
            self._tick_off(answer.request)

    def _tick_off(self, answered: HttpRequest) -> None:
        # By identity: the answer to a request of an incarnation before, which may still come, ends
        # no poll of this one.
        if self._under_way.get(answered) is answered:
            del self._under_way[answered]
            self._next[answered] = self.after(self._interval_s, _Poll(answered))

    def _offer(self, answer: HttpAnswer) -> None:
        if answer.status != 200:
            self._failures += 1
            self._last_failure = answer.error or f"status {answer.status}"
            self._report.tell(
                "poll_failed", None, purpose=answer.request.purpose, why=self._last_failure
            )
            return
        marks: list[Mark] = []
        invalid_inputs: list[str] = []
        times: list[int] = []
        for outcome in self._rest.read(
            answer.request, answer.status, answer.body, answer.received_ns
        ):
            if isinstance(outcome, Touch) and outcome.venue_time_ns is not None:
                times.append(outcome.venue_time_ns)
            match outcome:
                case Touch() if outcome.instrument.symbol in self._symbols:
                    mark = price_of(outcome, "rest", answer.monotonic_ns)
                    if mark is not None:
                        marks.append(mark)
                case InvalidInput(what):
                    invalid_inputs.append(what)
        self._rejected += len(invalid_inputs)
        if invalid_inputs:
            self._report.tell(
                "input_rejected", None, count=len(invalid_inputs), last=invalid_inputs[-1]
            )
        if marks:
            self._offer_to.tell(OfferMarks(tuple(marks), max(times, default=None)))


def _make(
    *,
    market: Market,
    rest: RestAdapter,
    scheduler: Callable[[Priority], RequestScheduler],
    stream_consumer: Teller,
    report: Reporter,
) -> QuotePoller:
    plan = _changed(market)
    return QuotePoller(
        rest=rest,
        symbols=plan.symbols,
        interval_s=plan.interval_s,
        scheduler=scheduler(Priority.QUOTE),
        offer_to=stream_consumer,
        report=report,
    )


def _changed(market: Market) -> SetPolling:
    assert market.poll is not None, "a resolved market has its settings of polling"
    symbols = market.symbols if market.poll.enabled else ()
    return SetPolling(symbols=symbols, interval_s=market.poll.interval_s)


SPEC = ActorSpec(
    name="quote_poller",
    make=_make,
    group=FEEDS,
    bound=10_000,
    item_bytes=ANSWER_BYTES,
    per_market=True,
    listens_to=(CloseSources,),
    sections=("symbols", "poll"),
    changed=_changed,
)
