from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.deribit.stream import DeribitStream
from perps_actors.venues.toolkit.stream_book import PATIENCE_NS

BASE_MS = 1_700_000_000_000
SYMBOL = "BTC-PERPETUAL"


def notice(channel, data):
    return json.dumps(
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    ).encode()


def book(change_id, previous=None, bids=(), asks=(), *, symbol=SYMBOL, time=None, **more):
    kind = "snapshot" if previous is None else "change"
    data = {
        "type": kind,
        "instrument_name": symbol,
        "timestamp": BASE_MS + change_id if time is None else time,
        "change_id": change_id,
    }
    if previous is not None:
        data["prev_change_id"] = previous
    return notice(f"book.{symbol}.100ms", {**data, "bids": bids, "asks": asks, **more})


class Session:
    """An adapter, one connection, and a clock that counts inputs."""

    def __init__(self, **adapter):
        self.adapter = DeribitStream(**adapter)
        self.now = 0

    def book(self, *args, connection="public-0", **kwargs):
        self.now += 1
        return list(self.adapter.frame(connection, book(*args, **kwargs), self.now))

    def synced(self, symbol=SYMBOL, connection="public-0"):
        """Return this session with a synced book at change 10."""
        (top,) = self.book(
            10, None, [["new", 100, 1]], [["new", 101, 1]], symbol=symbol, connection=connection
        )
        assert top.snapshot
        return self


def resubscription(outcomes):
    """Return the requests among `outcomes` as (method, channels)."""
    sent = [json.loads(outcome.text) for outcome in outcomes if isinstance(outcome, SendFrame)]
    return [(request["method"], request["params"]["channels"]) for request in sent]


RESUBSCRIBED = [
    ("public/unsubscribe", ["book.BTC-PERPETUAL.100ms"]),
    ("public/subscribe", ["book.BTC-PERPETUAL.100ms"]),
]


def test_a_snapshot_makes_a_book_and_a_change_that_names_it_is_applied():
    session = Session()
    (whole,) = session.book(
        10, None, [["new", 100.5, 10], ["new", 99, 8.7e3]], [["new", 101, 1e-06]]
    )
    assert (whole.snapshot, whole.bid, whole.bid_size, whole.ask, whole.ask_size) == (
        True,
        "100.5",
        "10",
        "101",
        "1e-06",
    )
    (top,) = session.book(14, 10, [["delete", 100.5, 0.0], ["change", 99, 2]], [["new", 100.9, 3]])
    assert top == BookTop(
        top.instrument,
        False,
        "99",
        "2",
        "100.9",
        "3",
        1,
        2,
        14,
        (BASE_MS + 14) * 1_000_000,
        session.now,
    )
    assert session.adapter.depth(SYMBOL, 1) == ([("99", "2")], [("100.9", "3")])


def test_a_gap_withdraws_the_book_at_once_and_resubscribes_it_alone():
    session = Session().synced()
    withdrawn, *requested = session.book(13, 12, [["new", 100.5, 1]])
    assert withdrawn == BookWithdrawn(
        withdrawn.instrument, "gap: change 10 was followed by one after 12", session.now
    )
    assert resubscription(requested) == RESUBSCRIBED
    assert {frame.connection for frame in requested} == {"public-0"}
    assert session.adapter.depth(SYMBOL, 5) == ([], [])
    assert session.book(14, 13) == []
    (top,) = session.book(20, None, [["new", 100, 1]])
    assert (top.snapshot, top.ask) == (True, None)
    assert [outcome.sequence for outcome in session.book(21, 20)] == [21]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"change_id": 10, "previous": 9}, "gap"),
        ({"change_id": 11, "previous": 10, "bids": [["new", 101, 1]]}, "crossed"),
        ({"change_id": 11, "previous": 10, "time": BASE_MS - 5_000}, "ran back"),
    ],
)
def test_a_withdrawn_book_has_a_named_cause(change, cause):
    withdrawn, *requested = Session().synced().book(**change)
    assert cause in withdrawn.cause
    assert resubscription(requested) == RESUBSCRIBED


def test_a_new_snapshot_replaces_the_book():
    session = Session().synced()
    (top,) = session.book(5, None, [["new", 90, 1]], [["new", 91, 1]])
    assert (top.snapshot, top.sequence, top.bid_levels, top.ask_levels) == (True, 5, 1, 1)
    assert [outcome.bid for outcome in session.book(6, 5, [["new", 90.5, 1]])] == ["90.5"]


def test_a_crossed_snapshot_makes_no_book_and_another_is_requested_later():
    session = Session()
    withdrawn, *_ = session.book(10, None, [["new", 101, 1]], [["new", 101, 1]])
    assert isinstance(withdrawn, BookWithdrawn)
    session.now += PATIENCE_NS
    assert resubscription(session.book(11, 10)) == RESUBSCRIBED


def test_a_missing_snapshot_is_requested_again_but_not_with_every_change():
    session = Session().synced()
    session.book(13, 12)
    assert [resubscription(session.book(n, n - 1)) for n in range(14, 20)] == [[]] * 6
    session.now += PATIENCE_NS
    assert resubscription(session.book(20, 19)) == RESUBSCRIBED


def test_deleting_a_missing_level_changes_nothing_and_sides_may_be_empty():
    session = Session().synced()
    (top,) = session.book(11, 10, [["delete", 55, 0]], [["delete", 101, 0]])
    assert (top.bid, top.ask, top.ask_size, top.bid_levels, top.ask_levels) == (
        "100",
        None,
        None,
        1,
        0,
    )
    (empty,) = session.book(12, 11, [["delete", 100, 0]])
    assert (empty.bid, empty.bid_levels) == (None, 0)


def test_a_deleted_level_is_removed_whatever_its_amount():
    (top,) = Session().synced().book(11, 10, [["delete", 100, 7]])
    assert (top.bid, top.bid_levels) == (None, 0)


def test_a_gap_of_one_instrument_leaves_another_unchanged():
    session = Session().synced().synced("ETH-PERPETUAL")
    session.book(99, 98)
    (top,) = session.book(11, 10, [["new", 100.5, 1]], symbol="ETH-PERPETUAL")
    assert (top.instrument.symbol, top.bid) == ("ETH-PERPETUAL", "100.5")


def test_a_connection_that_ends_withdraws_the_books_that_it_fed_and_no_other():
    session = Session().synced().synced("ETH-PERPETUAL", "public-1")
    (withdrawn,) = session.adapter.closed("public-0", 77)
    assert (withdrawn.instrument.symbol, withdrawn.cause) == (SYMBOL, "connection public-0 ended")
    assert list(session.adapter.closed("public-0", 78)) == []
    assert session.adapter.depth("ETH-PERPETUAL", 1) == ([("100", "1")], [("101", "1")])


def test_an_unreadable_change_is_a_gap_at_the_next_one():
    session = Session().synced()
    (invalid_input,) = session.book(11, 10, [["new", "x", 1]])
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.symbol == SYMBOL
    withdrawn, *_ = session.book(12, 11)
    assert isinstance(withdrawn, BookWithdrawn)


@pytest.mark.parametrize(
    "change",
    [
        {"bids": [["new", -1, 1]]},
        {"bids": [["new", 1, -1]]},
        {"bids": [["new", 0, 1]]},
        {"asks": [["new", None, 1]]},
        {"asks": [["moved", 1, 1]]},
        {"asks": [["new", 1]]},
        {"asks": None},
        {"bids": [["new", 10**31, 1]]},
        {"bids": [["new", [], {}]]},
        {"prev_change_id": "10"},
        {"timestamp": -1},
        {"instrument_name": ""},
        {"type": "other"},
    ],
    ids=repr,
)
def test_a_malformed_change_is_one_invalid_input(change):
    assert [type(outcome) for outcome in Session().synced().book(11, 10, **change)] == [
        InvalidInput
    ]


def test_a_grouped_book_is_a_snapshot_each_time():
    adapter = DeribitStream()
    for change_id in (7, 5):
        data = {
            "timestamp": BASE_MS,
            "instrument_name": SYMBOL,
            "change_id": change_id,
            "bids": [[99, 1]],
            "asks": [[100, 2]],
        }
        (top,) = adapter.frame("public-0", notice(f"book.{SYMBOL}.none.10.100ms", data), 1)
        assert (top.snapshot, top.sequence, top.bid, top.ask_size) == (True, change_id, "99", "2")


faults = st.lists(
    st.sampled_from(["pass", "pass", "pass", "drop", "twice", "close", "spoil"]),
    min_size=10,
    max_size=50,
)


@settings(max_examples=100, deadline=None)
@given(faults, st.integers(0, 2**32))
def test_a_synced_book_is_the_true_one_although_frames_are_lost_doubled_or_spoilt(plan, seed):
    chance, session, true, change_id = random.Random(seed), Session(), ({100: 1}, {110: 1}), 10
    session.book(10, None, [["new", 100, 1]], [["new", 110, 1]])
    for fault in [*plan, "pass"]:
        if fault == "close":
            session.adapter.closed("public-0", session.now)
        previous, change_id = change_id, change_id + chance.randint(1, 3)
        rows = []
        for side, prices in zip(true, (range(95, 105), range(106, 115)), strict=True):
            changed = {price: chance.choice([0, 1, 2]) for price in prices if chance.random() < 0.3}
            rows.append(
                [
                    ["delete" if not size else "change", price, size]
                    for price, size in changed.items()
                ]
            )
            side.update(changed)
            for price in [price for price, size in side.items() if not size]:
                del side[price]
        outcomes = []
        for _ in range({"drop": 0, "twice": 2}.get(fault, 1)):
            outcomes += session.book(
                change_id, previous, *rows, **({"timestamp": "x"} if fault == "spoil" else {})
            )
        for top in (
            outcome
            for outcome in outcomes
            if isinstance(outcome, BookTop) and outcome.sequence == change_id
        ):
            assert (top.bid_levels, top.ask_levels) == (len(true[0]), len(true[1]))
            assert top.bid is None or Decimal(top.bid) == max(true[0])
            assert top.ask is None or Decimal(top.ask) == min(true[1])
        session.now += PATIENCE_NS if chance.random() < 0.3 else 0
        if any(isinstance(outcome, SendFrame) for outcome in outcomes):
            whole = [[["new", price, size] for price, size in side.items()] for side in true]
            session.book(change_id, None, *whole)
    session.now += PATIENCE_NS
    whole = [[["new", price, size] for price, size in side.items()] for side in true]
    session.book(change_id, None, *whole)
    bids, asks = session.adapter.depth(SYMBOL, 100)
    assert [{int(price): int(size) for price, size in side} for side in (bids, asks)] == list(true)
