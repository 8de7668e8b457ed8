from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.kraken_futures.stream import KrakenFuturesStream
from perps_actors.venues.toolkit.stream_book import PATIENCE_NS

BASE_MS = 1_700_000_000_000
RESUBSCRIBED = [
    {"event": "unsubscribe", "feed": "book", "product_ids": ["PF_XBTUSD"]},
    {"event": "subscribe", "feed": "book", "product_ids": ["PF_XBTUSD"]},
]


def rows(levels):
    return [{"price": price, "qty": qty} for price, qty in levels]


class Session:
    """An adapter, one connection, and a clock that counts inputs."""

    def __init__(self):
        self.adapter = KrakenFuturesStream()
        self.now = 0

    def feed(self, connection="public-0", **frame):
        self.now += 1
        return list(self.adapter.frame(connection, json.dumps(frame).encode(), self.now))

    def snapshot(
        self, seq, bids=((100, 1),), asks=((101, 1),), *, symbol="PF_XBTUSD", bad=None, **more
    ):
        frame = {
            "feed": "book_snapshot",
            "product_id": symbol,
            "seq": seq,
            "timestamp": BASE_MS + seq,
            "tickSize": None,
        }
        return self.feed(**{**frame, "bids": rows(bids), "asks": rows(asks), **more, **(bad or {})})

    def delta(self, seq, side="buy", price=99, qty=1, *, symbol="PF_XBTUSD", **more):
        frame = {
            "feed": "book",
            "product_id": symbol,
            "side": side,
            "seq": seq,
            "price": price,
            "qty": qty,
            "timestamp": BASE_MS + seq,
        }
        return self.feed(**{**frame, **more})

    def synced(self, **more):
        (top,) = self.snapshot(10, **more)
        assert top.snapshot
        return self


def sent(outcomes):
    return [json.loads(outcome.text) for outcome in outcomes if isinstance(outcome, SendFrame)]


def test_a_snapshot_makes_a_book_and_each_delta_changes_one_level():
    session = Session()
    (whole,) = session.snapshot(10, [(34892.5, 6385), (34892, 1e-4)], [(34911.5, 20598)])
    assert (whole.snapshot, whole.bid, whole.bid_size, whole.ask, whole.sequence) == (
        True,
        "34892.5",
        "6385",
        "34911.5",
        10,
    )
    (top,) = session.delta(11, "sell", 34911.0, 2.5)
    assert top == BookTop(
        top.instrument,
        False,
        "34892.5",
        "6385",
        "34911.0",
        "2.5",
        2,
        2,
        11,
        (BASE_MS + 11) * 1_000_000,
        session.now,
    )
    (gone,) = session.delta(12, "buy", 34892.50, 0.0)
    assert (gone.bid, gone.bid_size, gone.bid_levels) == ("34892", "0.0001", 1)


@pytest.mark.parametrize("seq", [12, 10, 9, 1])
def test_a_gap_withdraws_the_book_and_resubscribes_its_stream_only(seq):
    session = Session().synced()
    withdrawn, *requests = session.delta(seq)
    assert withdrawn == BookWithdrawn(
        withdrawn.instrument, f"gap: number 10 was followed by {seq}", session.now
    )
    assert sent(requests) == RESUBSCRIBED
    assert session.adapter.depth("PF_XBTUSD", 5) == ([], [])
    assert session.delta(seq + 1) == []
    (top,) = session.snapshot(50)
    assert (top.snapshot, top.sequence) == (True, 50)
    assert [outcome.sequence for outcome in session.delta(51)] == [51]


@pytest.mark.parametrize(
    ("delta", "cause"),
    [
        ({"side": "buy", "price": 101}, "crossed"),
        ({"side": "sell", "price": 99.5}, "crossed"),
        ({"timestamp": BASE_MS - 5_000}, "ran back"),
    ],
)
def test_a_suspect_book_is_withdrawn_with_its_cause(delta, cause):
    withdrawn, *requests = Session().synced().delta(11, **delta)
    assert cause in withdrawn.cause
    assert sent(requests) == RESUBSCRIBED


def test_a_missing_snapshot_is_requested_again_but_not_with_every_delta():
    session = Session().synced()
    session.delta(12)
    assert [session.delta(n) for n in range(13, 20)] == [[]] * 7
    session.now += PATIENCE_NS
    assert sent(session.delta(20)) == RESUBSCRIBED


def test_deltas_before_the_first_snapshot_give_nothing():
    assert Session().delta(5) == []


def test_each_product_has_its_own_numbers():
    session = Session().synced().synced(symbol="PI_ETHUSD")
    assert [outcome.sequence for outcome in session.delta(11)] == [11]
    session.delta(99)
    (top,) = session.delta(11, price=100.5, symbol="PI_ETHUSD")
    assert (top.instrument.symbol, top.bid) == ("PI_ETHUSD", "100.5")


def test_deleting_an_unknown_level_changes_nothing_and_sides_may_be_empty():
    session = Session().synced()
    (same,) = session.delta(11, "buy", 55, 0)
    assert (same.bid, same.bid_levels) == ("100", 1)
    (empty,) = session.delta(12, "sell", 101, 0)
    assert (empty.ask, empty.ask_size, empty.ask_levels) == (None, None, 0)


def test_the_end_of_a_connection_withdraws_its_books_only():
    session = Session().synced().synced(symbol="PI_ETHUSD", connection="public-1")
    (withdrawn,) = session.adapter.closed("public-0", 77)
    assert (withdrawn.instrument.symbol, withdrawn.received_ns) == ("PF_XBTUSD", 77)
    assert list(session.adapter.closed("public-0", 78)) == []
    assert session.adapter.depth("PI_ETHUSD", 1) == ([("100", "1")], [("101", "1")])


@pytest.mark.parametrize(
    "change",
    [
        {"price": 0},
        {"price": "99"},
        {"price": None},
        {"qty": -1},
        {"qty": [1]},
        {"price": 10**31},
        {"side": "both"},
        {"timestamp": 1.5},
    ],
    ids=repr,
)
def test_a_malformed_delta_is_one_invalid_input_and_the_next_delta_shows_the_gap(change):
    session = Session().synced()
    assert [type(outcome) for outcome in session.delta(11, **change)] == [InvalidInput]
    withdrawn, *_ = session.delta(12)
    assert isinstance(withdrawn, BookWithdrawn)


@pytest.mark.parametrize(
    "change",
    [
        {"bids": None},
        {"bids": [{"price": 1}]},
        {"asks": [[1, 2]]},
        {"bids": [{"price": -1, "qty": 1}]},
    ],
    ids=repr,
)
def test_a_malformed_snapshot_is_one_invalid_input_and_a_synced_book_stays(change):
    session = Session().synced()
    assert [type(outcome) for outcome in session.snapshot(20, bad=change)] == [InvalidInput]
    assert [outcome.sequence for outcome in session.delta(11)] == [11]


faults = st.lists(
    st.sampled_from(["pass", "pass", "pass", "drop", "twice", "close", "spoil", "swap"]),
    min_size=10,
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(faults, st.integers(0, 2**32))
def test_a_synced_book_is_correct_whichever_messages_are_lost_doubled_or_swapped(plan, seed):
    chance, session, true, seq = (
        random.Random(seed),
        Session(),
        {"buy": {100: 1}, "sell": {110: 1}},
        10,
    )
    history, held = {}, []
    session.snapshot(10, true["buy"].items(), true["sell"].items())
    for fault in [*plan, "pass"]:
        if fault == "close":
            session.adapter.closed("public-0", session.now)
        side = chance.choice(["buy", "sell"])
        price, qty, seq = (
            chance.randint(95, 104) if side == "buy" else chance.randint(106, 115),
            chance.choice([0, 1, 2]),
            seq + 1,
        )
        true[side][price] = qty
        true[side] = {price: size for price, size in true[side].items() if size}
        history[seq] = (
            max(true["buy"], default=None),
            min(true["sell"], default=None),
            len(true["buy"]),
            len(true["sell"]),
        )
        delta = {"seq": seq, "side": side, "price": price, "qty": "x" if fault == "spoil" else qty}
        held = [*held, *[delta] * {"drop": 0, "twice": 2}.get(fault, 1)]
        if fault == "swap":
            continue
        outcomes = [outcome for delta in reversed(held) for outcome in session.delta(**delta)]
        held = []
        for top in (outcome for outcome in outcomes if isinstance(outcome, BookTop)):
            tops = tuple(price and Decimal(price) for price in (top.bid, top.ask))
            assert (*tops, top.bid_levels, top.ask_levels) == history[top.sequence]
        if sent(outcomes):
            session.snapshot(seq, true["buy"].items(), true["sell"].items())
    session.snapshot(seq, true["buy"].items(), true["sell"].items())
    bids, asks = session.adapter.depth("PF_XBTUSD", 100)
    assert [{int(price): int(size) for price, size in side} for side in (bids, asks)] == list(
        true.values()
    )
