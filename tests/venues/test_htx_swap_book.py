from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.htx_swap.stream import HtxSwapStream
from perps_actors.venues.toolkit.stream_book import PATIENCE_NS
from tests.venues.htx_frames import DELISTED, PUSHES, SNAPSHOT, STEP, packed

BASE_MS = 1_790_000_000_000
MS = 1_000_000
TOPIC = "depth.size_150.high_freq"
RESUBSCRIBED = [
    {"unsub": f"market.BTC-USDT.{TOPIC}", "data_type": "incremental"},
    {"sub": f"market.BTC-USDT.{TOPIC}", "data_type": "incremental"},
]


def depth(version, event="update", *, bids=(), asks=(), symbol="BTC-USDT", ms=None, topic=TOPIC):
    channel = f"market.{symbol}.{topic}"
    tick = {
        "event": event,
        "version": version,
        "bids": bids,
        "asks": asks,
        "ch": channel,
        "ts": 1,
        "id": 1,
        "mrid": 1,
    }
    return {"ch": channel, "ts": BASE_MS + version if ms is None else ms, "tick": tick}


def snapshot(version, bids=((100, 1),), asks=((101, 1),), **more):
    return depth(version, "snapshot", bids=bids, asks=asks, **more)


def step(ms=BASE_MS, **sides):
    return {
        "ch": "market.BTC-USD.depth.step0",
        "ts": ms,
        "tick": {"bids": [[100, 1]], "asks": [[101, 1]], "version": 1, **sides},
    }


class Session:
    """An adapter with a clock that counts frames."""

    def __init__(self, *frames):
        self.adapter = HtxSwapStream()
        self.now = 0
        for frame in frames:
            self.receive(frame)

    def receive(self, frame, connection="c"):
        self.now += 1
        return list(self.adapter.frame(connection, packed(frame), self.now))


def facts(outcomes):
    return [
        (o.snapshot, o.bid, o.bid_size, o.ask, o.ask_size, o.bid_levels, o.ask_levels, o.sequence)
        for o in outcomes
    ]


def is_withdrawn(outcomes, symbol="BTC-USDT"):
    """Return whether the book was withdrawn and its stream only resubscribed."""
    withdrawn, *sent = outcomes
    assert isinstance(withdrawn, BookWithdrawn)
    assert withdrawn.instrument.symbol == symbol
    return [
        json.loads(frame.text) for frame in sent if isinstance(frame, SendFrame)
    ] == RESUBSCRIBED


def test_a_snapshot_and_its_updates_make_the_book():
    session = Session()
    assert facts(session.receive(snapshot(7))) == [(True, "100", "1", "101", "1", 1, 1, 7)]
    outcomes = session.receive(depth(8, bids=[[100.5, 3], [100, 0]], asks=[[102, 4]]))
    assert facts(outcomes) == [(False, "100.5", "3", "101", "1", 1, 2, 8)]
    assert outcomes[0].venue_time_ns == (BASE_MS + 8) * MS
    assert session.adapter.depth("BTC-USDT", 5) == ([("100.5", "3")], [("101", "1"), ("102", "4")])


def test_an_update_without_change_moves_the_version_on():
    session = Session(snapshot(7))
    assert facts(session.receive(depth(8)))[0][-1] == 8
    assert facts(session.receive(depth(9, bids=[[99, 0]]))) == [
        (False, "100", "1", "101", "1", 1, 1, 9)
    ]


@pytest.mark.parametrize("version", [7, 9, 6, 1_000_000])
def test_a_version_gap_withdraws_the_book_until_the_next_snapshot(version):
    session = Session(snapshot(6), depth(7))
    assert is_withdrawn(session.receive(depth(version, ms=BASE_MS + 8)))
    assert session.adapter.depth("BTC-USDT", 5) == ([], [])
    assert session.receive(depth(version + 1)) == []
    assert facts(session.receive(snapshot(20))) == [(True, "100", "1", "101", "1", 1, 1, 20)]
    assert facts(session.receive(depth(21)))[0][-1] == 21


def test_a_later_snapshot_of_any_version_replaces_the_book():
    session = Session(snapshot(7, bids=[[99, 1], [98, 1]]))
    assert facts(session.receive(snapshot(3, bids=[[90, 2]]))) == [
        (True, "90", "2", "101", "1", 1, 1, 3)
    ]


def test_updates_before_the_snapshot_make_no_book_and_resubscribe_after_a_wait():
    session = Session()
    assert session.receive(depth(7, bids=[[100, 1]])) == []
    session.now += PATIENCE_NS
    assert [json.loads(frame.text) for frame in session.receive(depth(8))] == RESUBSCRIBED
    assert session.receive(depth(9)) == []


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (depth(8, bids=[[101, 1]]), "crossed"),
        (depth(8, ms=BASE_MS - 5_000), "venue time ran back"),
        (
            {**depth(8, "snapshot"), "tick": {"event": "snapshot", "version": 8, "bids": [[1, 1]]}},
            "without its sides",
        ),
        (snapshot(8, bids=[[102, 1]]), "crossed"),
    ],
    ids=["crossed", "backwards", "one side", "crossed snapshot"],
)
def test_a_suspect_book_is_withdrawn_at_once_and_its_stream_only_resubscribed(frame, cause):
    session = Session(snapshot(7))
    outcomes = session.receive(frame)
    assert is_withdrawn(outcomes)
    assert cause in outcomes[0].cause
    assert session.adapter.depth("BTC-USDT", 5) == ([], [])


def test_a_side_may_be_empty():
    session = Session(snapshot(7))
    assert facts(session.receive(depth(8, asks=[[101, 0]]))) == [
        (False, "100", "1", None, None, 1, 0, 8)
    ]


def test_a_fault_of_one_book_leaves_its_neighbour_alone():
    session = Session(snapshot(7), snapshot(7, symbol="ETH-USDT"))
    session.receive(depth(9))
    assert session.adapter.depth("BTC-USDT", 1) == ([], [])
    assert facts(session.receive(depth(8, symbol="ETH-USDT"))) == [
        (False, "100", "1", "101", "1", 1, 1, 8)
    ]


def test_the_end_of_a_connection_withdraws_its_books_only():
    session = Session()
    session.receive(snapshot(7), "market-linear-0")
    session.receive(snapshot(7, symbol="ETH-USDT"), "market-linear-1")
    (withdrawn,) = session.adapter.closed("market-linear-0", 9)
    assert (withdrawn.instrument.symbol, withdrawn.cause) == (
        "BTC-USDT",
        "connection market-linear-0 ended",
    )
    assert session.adapter.depth("ETH-USDT", 1) == ([("100", "1")], [("101", "1")])
    assert facts(session.receive(snapshot(1), "market-linear-0"))[0][-1] == 1


def test_a_whole_book_replaces_the_book_each_time_without_a_version():
    session = Session()
    (first,) = session.receive(STEP)
    assert first == BookTop(
        first.instrument, True, "13071.9", "38", "13081.9", "197", 2, 2, None, STEP["ts"] * MS, 1
    )
    assert first.instrument == ("htx_swap", "BTC-USD")
    assert facts(session.receive(step(STEP["ts"], bids=[]))) == [
        (True, None, None, "101", "1", 0, 1, None)
    ]


def test_a_book_without_sides_gives_nothing_and_withdraws_the_book():
    session = Session()
    assert session.receive(DELISTED) == []
    session.receive(step())
    (withdrawn,) = session.receive(step(bids=None, asks=None))
    assert "without its sides" in withdrawn.cause
    assert session.adapter.depth("BTC-USD", 1) == ([], [])


def test_a_whole_book_older_than_the_one_before_is_refused_until_the_next():
    session = Session(step(BASE_MS))
    (withdrawn,) = session.receive(step(BASE_MS - 60_000))
    assert "venue time ran back by 60 s" in withdrawn.cause
    assert facts(session.receive(step(BASE_MS + 100))) == [
        (True, "100", "1", "101", "1", 1, 1, None)
    ]


def test_a_crossed_whole_book_is_withdrawn_until_the_next_without_a_request():
    session = Session(step())
    (withdrawn,) = session.receive(step(bids=[[101, 1]]))
    assert isinstance(withdrawn, BookWithdrawn)
    assert len(session.receive(step())) == 1


def test_two_depths_of_one_contract_are_two_books():
    session = Session(snapshot(7), snapshot(70, bids=[[50, 1]], topic="depth.size_20.high_freq"))
    assert session.adapter.depth("BTC-USDT", 1)[0] == [("50", "1")]
    assert facts(session.receive(depth(8))) == [(False, "100", "1", "101", "1", 1, 1, 8)]
    assert facts(session.receive(depth(71, topic="depth.size_20.high_freq"))) == [
        (False, "50", "1", "101", "1", 1, 1, 71)
    ]


CHANGES = st.lists(
    st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 3)), min_size=1, max_size=40
)


def applied(changes):
    """Return the tops of a simple book up to the first crossed one."""
    bids, asks, tops = {20: 1}, {21: 1}, [(20, 21)]
    for is_bid, price, size in changes:
        side = bids if is_bid else asks
        side.pop(price, None)
        if size:
            side[price] = size
        best = max(bids, default=None), min(asks, default=None)
        if None not in best and best[0] >= best[1]:
            break
        tops.append(best)
    return tops


def tops_of(session, frames):
    outcomes = [outcome for frame in frames for outcome in session.receive(frame)]
    return [
        (o.bid and int(o.bid), o.ask and int(o.ask)) for o in outcomes if isinstance(o, BookTop)
    ]


def frames_of(changes):
    updates = [
        depth(version, **{"bids" if is_bid else "asks": [[price, size]]})
        for version, (is_bid, price, size) in enumerate(changes, 2)
    ]
    return [snapshot(1, bids=[[20, 1]], asks=[[21, 1]]), *updates]


@given(CHANGES)
@settings(deadline=None)
def test_the_book_equals_the_sum_of_its_changes_until_it_crosses(changes):
    assert tops_of(Session(), frames_of(changes)) == applied(changes)


@given(CHANGES, st.data())
@settings(deadline=None)
def test_lost_doubled_or_late_updates_give_no_top_that_the_venue_did_not_have(changes, data):
    frames = frames_of(changes)
    at = data.draw(st.integers(1, len(frames) - 1))
    spoiled = data.draw(
        st.sampled_from(
            [
                frames[:at] + frames[at + 1 :],
                frames[:at] + frames[at - 1 :],
                [*frames[:at], *frames[at + 1 :], frames[at]],
            ]
        )
    )
    true = applied(changes)
    seen = tops_of(Session(), spoiled)
    if at > 1:
        assert seen == true[: len(seen)]
    assert set(seen) <= set(true)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_frames_raise_nothing_and_the_next_snapshot_restores_the_book(data):
    adapter = HtxSwapStream()
    for _ in range(data.draw(st.integers(1, 6))):
        text = bytearray(json.dumps(data.draw(st.sampled_from(PUSHES))).encode())
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(text) - 1))
            text[at : at + data.draw(st.integers(0, 9))] = data.draw(
                st.binary(max_size=4)
                | st.sampled_from([b"0", b"null", b"[", b"-", b'"', b"9" * 20])
            )
        whole = packed(text.decode("latin-1")) if data.draw(st.booleans()) else bytes(text)
        adapter.frame(
            "c",
            whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole,
            1,
        )
    later = {**SNAPSHOT, "ts": SNAPSHOT["ts"] + 10**12}
    outcomes = [
        o
        for o in adapter.frame("c", packed(later), 2)
        if not isinstance(o, SendFrame | InvalidInput)
    ]
    assert [(type(o), o.bid, o.ask) for o in outcomes] == [(BookTop, "86859.8", "86859.9")]
    assert adapter.depth("BTC-USDT", 1) == ([("86859.8", "6172")], [("86859.9", "817")])
