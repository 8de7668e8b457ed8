from __future__ import annotations

import json
import random
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.toolkit.rest_snapshot_book import MAX_WAITING

BASE_MS = 1_700_000_000_000


def depth(last, *, previous, first=None, bids=(), asks=(), symbol="BTCUSDT", time=None):
    data = {
        "e": "depthUpdate",
        "E": BASE_MS + last if time is None else time,
        "s": symbol,
        "U": previous + 1 if first is None else first,
        "u": last,
        "pu": previous,
        "b": bids,
        "a": asks,
    }
    return json.dumps({"stream": f"{symbol.lower()}@depth@100ms", "data": data}).encode()


def snapshot(last, bids=(("100", "1"),), asks=(("101", "1"),)):
    return json.dumps(
        {"lastUpdateId": last, "E": BASE_MS + last, "T": BASE_MS + last, "bids": bids, "asks": asks}
    ).encode()


def request_for(symbol="BTCUSDT"):
    url = f"https://fapi.binance.com/fapi/v1/depth?symbol={symbol}&limit=1000"
    return HttpRequest(url=url, weight=20, purpose="depth", symbol=symbol)


class Session:
    """An adapter with all its outcomes, one connection, and a clock that counts inputs."""

    def __init__(self):
        self.adapter = BinanceFuturesStream()
        self.now = 0

    def depth(self, *args, **kwargs):
        self.now += 1
        return list(self.adapter.frame("public-0", depth(*args, **kwargs), self.now))

    def snapshot(self, *args, symbol="BTCUSDT", **kwargs):
        self.now += 1
        return list(
            self.adapter.answer(request_for(symbol), 200, snapshot(*args, **kwargs), self.now)
        )

    def answer(self, status, body, symbol="BTCUSDT"):
        return list(self.adapter.answer(request_for(symbol), status, body, self.now))

    def synced(self):
        """Return this session with a synced book at update 10."""
        self.snapshot(9)
        assert tops(self.depth(10, previous=9)) == [(False, 10)]
        return self


def tops(outcomes):
    assert all(isinstance(outcome, BookTop) for outcome in outcomes), outcomes
    return [(outcome.snapshot, outcome.sequence) for outcome in outcomes]


def test_the_first_delta_requests_the_snapshot_once_and_gives_no_event():
    session = Session()
    assert session.depth(10, previous=5) == [request_for()]
    assert session.depth(12, previous=10) == []
    assert session.adapter.depth("BTCUSDT", 5) == ([], [])


def test_the_snapshot_gives_its_top_and_one_for_each_waiting_delta_that_still_applies():
    session = Session()
    session.depth(10, previous=5, bids=[["99", "7"]])
    session.depth(14, previous=10, bids=[["100", "2"]])
    session.depth(16, previous=14, asks=[["101", "0"], ["102", "3"]])
    outcomes = session.snapshot(12)
    assert tops(outcomes) == [(True, 12), (False, 14), (False, 16)]
    assert [(o.bid, o.bid_size, o.ask, o.ask_size) for o in outcomes] == [
        ("100", "1", "101", "1"),
        ("100", "2", "101", "1"),
        ("100", "2", "102", "3"),
    ]
    assert [o.venue_time_ns for o in outcomes] == [(BASE_MS + u) * 1_000_000 for u in (12, 14, 16)]
    assert (outcomes[-1].bid_levels, outcomes[-1].ask_levels, outcomes[-1].received_ns) == (
        1,
        1,
        session.now,
    )
    assert session.adapter.depth("BTCUSDT", 5) == ([("100", "2")], [("102", "3")])


@pytest.mark.parametrize(
    ("first", "last", "previous", "joins"),
    [
        (8, 12, 7, True),  # the snapshot is within its updates
        (8, 10, 7, True),  # its last update is the snapshot's
        (10, 12, 6, True),  # its first update is the snapshot's
        (15, 17, 10, True),  # its previous update is the snapshot's
        (11, 12, 9, False),
        (15, 17, 14, False),
    ],
)
def test_a_delta_joins_the_snapshot_exactly_if_it_spans_or_continues_it(
    first, last, previous, joins
):
    session = Session()
    session.snapshot(10)
    outcomes = session.depth(last, previous=previous, first=first)
    if joins:
        assert tops(outcomes) == [(False, last)]
    else:
        assert isinstance(outcomes[0], BookWithdrawn)
        assert outcomes[1:] == [request_for()]


def test_deltas_older_than_the_snapshot_are_dropped_before_and_after_it():
    session = Session()
    session.depth(5, previous=3, bids=[["100", "99"]])
    assert tops(session.snapshot(10)) == [(True, 10)]
    assert session.depth(8, previous=5, bids=[["100", "88"]]) == []
    assert tops(session.depth(12, previous=8)) == [(False, 12)]
    assert session.adapter.depth("BTCUSDT", 1)[0] == [("100", "1")]


def test_a_snapshot_older_than_the_waiting_deltas_is_refused_and_requested_again():
    session = Session()
    session.depth(20, previous=15)
    refused, again = session.snapshot(12)
    assert isinstance(refused, InvalidInput)
    assert "16" in refused.what
    assert "12" in refused.what
    assert again == request_for()
    assert tops(session.snapshot(18)) == [(True, 18), (False, 20)]


def test_a_gap_withdraws_the_book_and_the_delta_after_it_waits_for_the_new_snapshot():
    session = Session().synced()
    withdrawn, again = session.depth(14, previous=12, bids=[["100.5", "4"]])
    assert withdrawn == BookWithdrawn(
        withdrawn.instrument, "gap: update 10 was followed by one after 12", session.now
    )
    assert withdrawn.instrument == ("binance_futures", "BTCUSDT")
    assert again == request_for()
    assert session.adapter.depth("BTCUSDT", 5) == ([], [])
    outcomes = session.snapshot(13)
    assert tops(outcomes) == [(True, 13), (False, 14)]
    assert outcomes[-1].bid == "100.5"


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        ({"last": 10, "previous": 9}, "gap"),
        ({"last": 10, "previous": 10, "first": 10}, "ran backwards"),
        ({"last": 11, "previous": 10, "time": BASE_MS - 5_000}, "time ran back by 5.01 s"),
        ({"last": 11, "previous": 10, "bids": [["101", "1"]]}, "crossed"),
        (
            {"last": 11, "previous": 10, "asks": [["99.5", "1"]]},
            "crossed: bid 100 at or above ask 99.5",
        ),
        (
            {"last": 11, "previous": 10, "bids": [[str(n / 1000), "1"] for n in range(1, 5001)]},
            None,
        ),
    ],
)
def test_a_withdrawn_book_has_a_named_cause(frame, cause):
    session = Session().synced()
    outcomes = session.depth(**frame)
    if cause is None:
        assert tops(outcomes) == [(False, 11)]
    else:
        assert cause in outcomes[0].cause
        assert outcomes[1:] == [request_for()]


def test_venue_time_may_step_back_a_little():
    session = Session().synced()
    assert tops(session.depth(11, previous=10, time=BASE_MS + 10 - 900)) == [(False, 11)]


def test_a_book_that_grows_beyond_twenty_thousand_levels_is_withdrawn():
    session = Session().synced()
    for step in range(1, 5):
        rows = [[f"{step}.{n:04d}", "1"] for n in range(5_000)]
        outcomes = session.depth(10 + step, previous=9 + step, bids=rows)
    assert "more than 20000 levels" in outcomes[0].cause


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (None, b"", "no answer"),
        (429, b"", "429"),
        (418, b"", "banned"),
        (503, b"", "503"),
        (200, b"<html>", "malformed"),
        (200, b'{"lastUpdateId":1}', "bids"),
        (200, snapshot(10, bids=[["-1", "1"]]), "-1"),
        (200, snapshot(10, asks=[["NaN", "1"]]), "NaN"),
        (200, snapshot(10, bids=[["105", "1"]]), "crossed"),
        (200, snapshot(10, bids=[["1", "1"]] * 5_001), "5000"),
        (200, b'{"lastUpdateId":' + b"[" * 100_000, "int"),
        (200, b'{"more":' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_failed_snapshot_is_invalid_input_and_the_next_delta_requests_it_again(
    status, body, named
):
    session = Session()
    session.depth(10, previous=9)
    (invalid_input,) = session.answer(status, body)
    assert isinstance(invalid_input, InvalidInput)
    assert named in invalid_input.what
    assert invalid_input.symbol == "BTCUSDT"
    assert session.adapter.depth("BTCUSDT", 1) == ([], [])
    assert session.depth(11, previous=10) == [request_for()]
    assert tops(session.snapshot(11)) == [(True, 11), (False, 11)]


def test_a_synced_book_ignores_a_snapshot():
    session = Session().synced()
    assert session.snapshot(50, bids=[["1", "1"]]) == []
    assert tops(session.depth(11, previous=10)) == [(False, 11)]
    assert session.adapter.depth("BTCUSDT", 1)[0] == [("100", "1")]


def test_a_connection_that_ends_withdraws_the_books_that_it_fed_and_no_other():
    session = Session().synced()
    session.snapshot(9, symbol="ETHUSDT")
    session.adapter.frame("public-1", depth(10, previous=9, symbol="ETHUSDT"), 1)
    (withdrawn,) = session.adapter.closed("public-0", 77)
    assert (withdrawn.instrument.symbol, withdrawn.received_ns) == ("BTCUSDT", 77)
    assert "public-0" in withdrawn.cause
    assert list(session.adapter.closed("public-0", 78)) == []
    assert session.adapter.depth("ETHUSDT", 1) == ([("100", "1")], [("101", "1")])


def test_a_snapshot_after_the_connection_ended_makes_no_book():
    session = Session()
    session.depth(10, previous=9)
    session.adapter.closed("public-0", 1)
    assert session.snapshot(10) == []
    assert session.adapter.depth("BTCUSDT", 1) == ([], [])
    assert session.depth(30, previous=20) == [request_for()]
    assert tops(session.snapshot(30)) == [(True, 30), (False, 30)]


def test_deltas_of_an_ended_connection_are_not_applied_to_a_later_snapshot():
    session = Session()
    session.depth(10, previous=9)
    session.adapter.closed("public-0", 1)
    session.depth(30, previous=20)
    refused, again = session.snapshot(10)
    assert isinstance(refused, InvalidInput)
    assert again == request_for()


def test_the_time_of_a_snapshot_does_not_order_deltas():
    session = Session()
    session.snapshot(10_000)
    assert tops(session.depth(10_001, previous=10_000, time=BASE_MS)) == [(False, 10_001)]


def test_a_gap_among_waiting_deltas_is_found_if_the_snapshot_is_older_than_it():
    session = Session()
    for last, previous in ((10, 9), (12, 10), (20, 15), (22, 20)):
        session.depth(last, previous=previous)
    *applied, withdrawn, again = session.snapshot(11)
    assert tops(applied) == [(True, 11), (False, 12)]
    assert (type(withdrawn), again) == (BookWithdrawn, request_for())
    assert tops(session.snapshot(18)) == [(True, 18), (False, 20), (False, 22)]


def test_waiting_deltas_are_bounded_and_the_oldest_are_dropped_first():
    session = Session()
    for last in range(1, MAX_WAITING + 3):
        session.depth(last, previous=last - 1)
    refused, again = session.snapshot(1)
    assert isinstance(refused, InvalidInput)
    assert again == request_for()
    outcomes = session.snapshot(MAX_WAITING)
    assert tops(outcomes) == [(True, MAX_WAITING), *((False, MAX_WAITING + n) for n in range(3))]


def test_levels_of_waiting_deltas_are_bounded_too():
    session = Session()
    rows = [[f"0.{n:05d}", "1"] for n in range(1, 5_001)]
    for last in range(1, 43):
        session.depth(last, previous=last - 1, bids=rows)
    refused, _ = session.snapshot(1)
    assert "reaches update 3" in refused.what


def test_an_unreadable_frame_is_a_gap_at_the_next_one_and_the_next_snapshot_repairs_it():
    session = Session().synced()
    (invalid_input,) = session.depth(11, previous=10, bids=[["100.5", "NaN"]])
    assert isinstance(invalid_input, InvalidInput)
    withdrawn, again = session.depth(12, previous=11)
    assert (type(withdrawn), again) == (BookWithdrawn, request_for())
    assert tops(session.snapshot(11)) == [(True, 11), (False, 12)]


@attrs.define
class Market:
    """The true book of one symbol, its deltas, and a snapshot of each moment."""

    random: random.Random
    last: int = 1
    bids: dict = attrs.field(factory=lambda: {100: 5})
    asks: dict = attrs.field(factory=lambda: {101: 5})
    history: dict = attrs.field(factory=dict)

    def __attrs_post_init__(self):
        self.remember()

    def remember(self):
        bid = max(self.bids, default=None)
        ask = min(self.asks, default=None)
        self.history[self.last] = (
            bid,
            self.bids.get(bid),
            ask,
            self.asks.get(ask),
            dict(self.bids),
            dict(self.asks),
        )

    def move(self):
        """Change some levels in one or more updates, never crossing; return the delta."""
        previous, first = self.last, self.last + self.random.randint(1, 3)
        self.last = first + self.random.randint(0, 2)
        middle = self.random.randint(95, 105)
        bids = {
            price: self.random.choice([0, 0, 1, 2])
            for price in range(middle - 3, middle)
            if self.random.random() < 0.5
        }
        asks = {
            price: self.random.choice([0, 0, 1, 2])
            for price in range(middle, middle + 3)
            if self.random.random() < 0.5
        }
        bids |= {price: 0 for price in self.bids if price >= middle}
        asks |= {price: 0 for price in self.asks if price < middle}
        for side, changed in ((self.bids, bids), (self.asks, asks)):
            side.update(changed)
            for price in [p for p, size in side.items() if not size]:
                del side[price]
        self.remember()
        rows = [[[f"{p / 10:.2f}", str(s)] for p, s in side.items()] for side in (bids, asks)]
        return {
            "last": self.last,
            "previous": previous,
            "first": first,
            "bids": rows[0],
            "asks": rows[1],
        }

    def some_moment(self):
        return self.random.choice(list(self.history))

    def snapshot_at(self, last):
        *_, bids, asks = self.history[last]
        return {
            "last": last,
            "bids": [[f"{p / 10:.2f}", str(s)] for p, s in bids.items()],
            "asks": [[f"{p / 10:.2f}", str(s)] for p, s in asks.items()],
        }


def check_against(market, outcomes):
    for outcome in outcomes:
        if isinstance(outcome, BookTop):
            said = [
                None if v is None else Decimal(v)
                for v in (outcome.bid, outcome.bid_size, outcome.ask, outcome.ask_size)
            ]
            bid, bid_size, ask, ask_size, bids, asks = market.history[outcome.sequence]
            assert said == [
                None if bid is None else Decimal(bid) / 10,
                bid_size,
                None if ask is None else Decimal(ask) / 10,
                ask_size,
            ]
            assert (outcome.bid_levels, outcome.ask_levels) == (len(bids), len(asks))


faults = st.lists(
    st.sampled_from(["pass", "pass", "pass", "pass", "drop", "twice", "close", "snapshot"]),
    min_size=20,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(faults, st.integers(0, 2**32), st.integers(0, 6))
def test_a_synced_book_is_the_true_one_although_frames_are_lost_doubled_or_late(
    plan, seed, lateness
):
    market, session = Market(random.Random(seed)), Session()
    pending: list[tuple[int, int]] = []  # (step at which the answer comes, moment of the snapshot)
    for step, fault in enumerate([*plan, *["pass"] * (lateness * 3 + 6)]):
        event = market.move()
        outcomes = []
        if fault == "close":
            outcomes += session.adapter.closed("public-0", step)
        if fault == "snapshot":
            outcomes += session.snapshot(**market.snapshot_at(market.some_moment()))
        for _ in range({"drop": 0, "twice": 2}.get(fault, 1)):
            outcomes += session.depth(**event)
        check_against(market, outcomes)
        due = [moment for at, moment in pending if at <= step]
        pending = [(at, moment) for at, moment in pending if at > step]
        for moment in due:
            late = session.snapshot(**market.snapshot_at(moment))
            check_against(market, late)
            outcomes += late
        pending += [
            (step + lateness, market.last)
            for outcome in outcomes
            if isinstance(outcome, HttpRequest)
        ]
        assert len(pending) <= 1 or "snapshot" in plan
    bids, asks = session.adapter.depth("BTCUSDT", 500)
    *_, true_bids, true_asks = market.history[market.last]
    assert {Decimal(p): Decimal(s) for p, s in bids} == {
        Decimal(p) / 10: Decimal(s) for p, s in true_bids.items()
    }
    assert {Decimal(p): Decimal(s) for p, s in asks} == {
        Decimal(p) / 10: Decimal(s) for p, s in true_asks.items()
    }


def test_a_gap_of_one_instrument_leaves_another_unchanged():
    session = Session().synced()
    session.snapshot(9, symbol="ETHUSDT")
    assert tops(session.depth(10, previous=9, symbol="ETHUSDT")) == [(False, 10)]
    session.depth(99, previous=98)
    assert tops(session.depth(11, previous=10, symbol="ETHUSDT")) == [(False, 11)]
    assert session.adapter.depth("ETHUSDT", 1) == ([("100", "1")], [("101", "1")])


def test_a_snapshot_of_a_symbol_that_is_no_longer_followed_gives_nothing():
    session = Session()
    session.adapter.plan(["BTCUSDT", "ETHUSDT"])
    session.depth(10, previous=9)
    session.adapter.plan(["ETHUSDT"])
    assert session.snapshot(9) == session.answer(500, b"") == session.depth(11, previous=10) == []
    (invalid,) = session.snapshot(9, symbol="XRPUSDT")
    assert "not subscribed" in invalid.what
