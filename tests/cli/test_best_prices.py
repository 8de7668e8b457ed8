from __future__ import annotations

import threading

from perps_actors.cli.best_prices import HOLD_NS, BestPriceWatch
from perps_actors.errors import ActorUnavailable
from perps_actors.kernel.clock import ManualClock
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.feeds import Tops

BTC = InstrumentId("binance_futures", "BTCUSDT")
TOPS = Tops(((BTC, (("99", "1"), ("101", "2"))),))
LIMIT_S = 10


class Consumer:
    """Answers with what it was given last; says when it was asked."""

    def __init__(self, *answers: Tops | ActorUnavailable) -> None:
        self._answers = list(answers)
        self.asked = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()

    def ask(self) -> Tops:
        self.asked.release()
        assert self.free.wait(LIMIT_S)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Tops):
            return answer
        raise answer

    def wait_for_questions(self, count: int) -> None:
        for _ in range(count):
            assert self.asked.acquire(timeout=LIMIT_S)


def test_the_last_answer_is_at_hand_until_it_is_too_old() -> None:
    clock, consumer = ManualClock(), Consumer(TOPS, ActorUnavailable("gone"))
    watch = BestPriceWatch(consumer.ask, clock, every_s=0.001)
    assert watch.latest() == {}
    with watch:
        consumer.wait_for_questions(2)
        assert watch.latest() == {BTC: ("99", "101")}
        clock.advance(HOLD_NS)
        assert watch.latest() == {BTC: ("99", "101")}
        clock.advance(1)
        assert watch.latest() == {}
    watch.thread.join(LIMIT_S)
    assert not watch.thread.is_alive()


def test_nobody_waits_for_an_answer_that_does_not_come() -> None:
    consumer = Consumer(TOPS)
    consumer.free.clear()
    watch = BestPriceWatch(consumer.ask, ManualClock(), every_s=0.001)
    with watch:
        consumer.wait_for_questions(1)
        assert watch.latest() == {}
    assert watch.thread.is_alive()
    consumer.free.set()
    watch.thread.join(LIMIT_S)
    assert not watch.thread.is_alive()


def test_a_consumer_that_is_restarted_is_asked_again() -> None:
    consumer = Consumer(ActorUnavailable("gone"), TOPS)
    watch = BestPriceWatch(consumer.ask, ManualClock(), every_s=0.001)
    with watch:
        consumer.wait_for_questions(3)
        assert watch.latest() == {BTC: ("99", "101")}
    watch.thread.join(LIMIT_S)
