from __future__ import annotations

import json
from decimal import Decimal
from random import Random

import attrs
import pytest

from perps_actors.actors.quote_poller import QuotePoller
from perps_actors.feeds.request_scheduler import RequestScheduler
from perps_actors.messages.feeds import AnswerArrived, GetPollStatistics, PollNow
from perps_actors.messages.marks import OfferMarks
from perps_actors.testing import FakeNetwork, Probe
from perps_actors.transport.rate_limits import (
    BackoffPolicy,
    Priority,
    RateLimiter,
    RequestPacing,
)
from perps_actors.transport.wire import HttpAnswer
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
INTERVAL_S = 5.0


def row(symbol, bid, ask, **more):
    return {
        "symbol": symbol,
        "bidPrice": bid,
        "bidQty": "1",
        "askPrice": ask,
        "askQty": "1",
        "time": 1_700_000_000_000,
        **more,
    }


@attrs.define
class Desk:
    """A poller at work, the venue it asks and whom it offers marks to."""

    bench: object
    network: FakeNetwork
    offers: Probe = attrs.Factory(Probe)
    limiter: RateLimiter = attrs.Factory(lambda: RateLimiter(800))
    cell: object = None

    def poller(self, symbols=SYMBOLS):
        pacing = RequestPacing(self.limiter, Priority.QUOTE, BackoffPolicy(jitter=0.0), Random(0))
        return QuotePoller(
            rest=BinanceFuturesRest(),
            symbols=symbols,
            interval_s=INTERVAL_S,
            scheduler=RequestScheduler(pacing, self.network, self.bench.clock),
            offer_to=self.offers,
            report=self.bench.report,
        )

    def start(self, symbols=SYMBOLS):
        self.cell = self.bench.run(self.poller(symbols))
        return self

    @property
    def waiting(self):
        return [request for request, _ in self.network.requests]

    def answer(self, *rows, **how):
        self.network.answer("quotes", json.dumps(rows).encode(), **how)
        self.bench.runtime.settle()

    def refuse(self, status, retry_after_s=None):
        [(request, listener)] = self.network.requests
        self.network.requests.clear()
        now = self.bench.clock
        listener(
            HttpAnswer(
                request=request,
                status=status,
                body=b"",
                error=None,
                received_ns=now.time_ns(),
                monotonic_ns=now.monotonic_ns(),
                retry_after_s=retry_after_s,
            )
        )
        self.bench.runtime.settle()

    def offered(self):
        return [
            (mark.instrument.symbol, mark.mark)
            for offer in self.offers.of(OfferMarks)
            for mark in offer.marks
        ]


@pytest.fixture
def scheduler(bench):
    return Desk(bench, FakeNetwork(bench.clock))


def test_all_symbols_are_asked_for_in_one_request_at_once(scheduler) -> None:
    scheduler.start()
    assert [request.url for request in scheduler.waiting] == [
        "https://fapi.binance.com/fapi/v1/ticker/bookTicker"
    ]


def test_one_symbol_is_asked_for_alone(scheduler) -> None:
    scheduler.start(("ETHUSDT",))
    assert [request.symbol for request in scheduler.waiting] == ["ETHUSDT"]


def test_quotes_are_offered_as_mids_of_source_rest_with_the_venues_time(scheduler, bench) -> None:
    scheduler.start().answer(row("BTCUSDT", "100", "101"), row("ETHUSDT", "0.1", "0.2"))
    assert scheduler.offered() == [("BTCUSDT", Decimal("100.5")), ("ETHUSDT", Decimal("0.15"))]
    [offer] = scheduler.offers.told
    assert {(mark.source, mark.venue_time_ns, mark.received_ns) for mark in offer.marks} == {
        ("rest", 1_700_000_000_000_000_000, bench.clock.time_ns())
    }


def test_symbols_that_nobody_asked_for_are_left_out(scheduler) -> None:
    scheduler.start().answer(row("BTCUSDT", "1", "3"), row("DOGEUSDT", "1", "3"))
    assert scheduler.offered() == [("BTCUSDT", 2)]


@pytest.mark.parametrize(
    "bad",
    [
        row("ETHUSDT", "0", "5"),
        row("ETHUSDT", "-1", "5"),
        row("ETHUSDT", "NaN", "5"),
        row("ETHUSDT", "1", "Infinity"),
        row("ETHUSDT", "1", "1e999999"),
        row("ETHUSDT", "100", "1"),
        row("ETHUSDT", "", ""),
        row("ETHUSDT", None, "1"),
        row("ETHUSDT", 1.5, 2.5),
        row("", "1", "2"),
        row(None, "1", "2"),
        {"symbol": "ETHUSDT"},
        [],
        "oops",
        None,
        17,
    ],
)
def test_a_bad_row_is_counted_and_its_neighbours_are_offered(scheduler, bench, bad) -> None:
    scheduler.start().answer(row("BTCUSDT", "1", "3"), bad, row("SOLUSDT", "5", "7"))
    assert scheduler.offered() == [("BTCUSDT", 2), ("SOLUSDT", 6)]
    assert bench.ask(scheduler.cell, GetPollStatistics()).rejected == 1
    [(_, _, told)] = bench.told_of("input_rejected")
    assert told["count"] == 1
    bench.runtime.advance(INTERVAL_S)
    assert len(scheduler.waiting) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[", b"null", b'{"code":-1,"msg":"x"}', b"[" * 5000, b"\xff\xfe"]
)
def test_an_answer_that_is_no_list_of_quotes_stops_nothing(scheduler, bench, body) -> None:
    scheduler.start().network.answer("quotes", body)
    bench.runtime.settle()
    assert scheduler.offered() == []
    bench.runtime.advance(INTERVAL_S)
    scheduler.answer(row("BTCUSDT", "1", "3"))
    assert scheduler.offered() == [("BTCUSDT", 2)]


def test_a_poll_that_hangs_is_the_only_one_under_way_and_the_next_follows_its_answer(
    scheduler, bench
) -> None:
    scheduler.start()
    bench.runtime.advance(600)
    bench.tell(scheduler.cell, PollNow(), PollNow())
    assert len(scheduler.waiting) == 1
    assert bench.ask(scheduler.cell, GetPollStatistics()).polls == 1
    scheduler.answer(row("BTCUSDT", "1", "3"))
    bench.runtime.advance(INTERVAL_S - 0.01)
    assert scheduler.waiting == []
    bench.runtime.advance(0.01)
    assert len(scheduler.waiting) == 1


def test_poll_now_polls_at_once_and_again_only_after_the_answer(scheduler, bench) -> None:
    scheduler.start().answer()
    bench.tell(scheduler.cell, PollNow())
    assert len(scheduler.waiting) == 1
    bench.tell(scheduler.cell, PollNow())
    assert len(scheduler.waiting) == 1


def test_a_failed_poll_is_told_with_its_cause_and_the_next_is_made(scheduler, bench) -> None:
    scheduler.start().network.answer("quotes", b"", status=None, error="no answer within 10 s")
    bench.runtime.settle()
    assert bench.told_of("poll_failed") == [
        ("poll_failed", None, {"purpose": "quotes", "why": "no answer within 10 s"})
    ]
    bench.runtime.advance(INTERVAL_S + 1)
    scheduler.answer(status=503)
    statistics = bench.ask(scheduler.cell, GetPollStatistics())
    assert (statistics.polls, statistics.failures, statistics.last_failure) == (2, 2, "status 503")


@pytest.mark.parametrize("status", [429, 418])
def test_a_refusal_puts_requests_off_for_as_long_as_the_venue_says(
    scheduler, bench, status
) -> None:
    scheduler.start().refuse(status, retry_after_s=120.0)
    bench.runtime.advance(119.9)
    bench.tell(scheduler.cell, PollNow())
    assert scheduler.waiting == []
    bench.runtime.advance(0.2)
    assert len(scheduler.waiting) == 1


def test_a_refusal_without_a_time_puts_requests_off_for_the_longest_pause(scheduler, bench) -> None:
    scheduler.start().refuse(429)
    bench.runtime.advance(9.9)
    assert scheduler.waiting == []
    bench.runtime.advance(0.2)
    assert len(scheduler.waiting) == 1


def test_the_answer_to_a_poll_of_an_incarnation_before_ends_no_poll_and_stops_no_clock(
    scheduler, bench
) -> None:
    scheduler.start()
    request, _ = scheduler.network.requests.pop()
    body = json.dumps([row("BTCUSDT", "1", "3")]).encode()
    late = AnswerArrived(
        HttpAnswer(
            request=request, status=200, body=body, error=None, received_ns=1, monotonic_ns=0
        )
    )
    scheduler.cell.install(scheduler.poller())
    bench.tell(scheduler.cell, late)
    assert scheduler.offered() == [("BTCUSDT", 2)]
    bench.runtime.advance(INTERVAL_S)
    assert len(scheduler.waiting) == 1
    scheduler.answer()
    for _ in range(5):
        bench.runtime.advance(INTERVAL_S)
        assert len(scheduler.waiting) == 1
        scheduler.answer()


def test_a_poller_without_symbols_asks_nothing(scheduler, bench) -> None:
    scheduler.start(())
    bench.runtime.advance(60)
    assert scheduler.waiting == []


def test_started_alone_its_ref_can_be_asked(scheduler) -> None:
    ref = QuotePoller.start(
        rest=BinanceFuturesRest(),
        symbols=SYMBOLS,
        interval_s=INTERVAL_S,
        scheduler=RequestScheduler(
            RequestPacing(RateLimiter(10), Priority.QUOTE, BackoffPolicy(), Random(0)),
            scheduler.network,
            scheduler.bench.clock,
        ),
        offer_to=Probe(),
        report=scheduler.bench.report,
    )
    try:
        assert ref.ask(GetPollStatistics(), timeout=5).polls == 1
    finally:
        ref.stop(timeout=5)
