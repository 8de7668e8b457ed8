from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.venues.bybit.stream import BybitStream
from perps_actors.venues.contract import InvalidInput, SendFrame

BASE_MS = 1_700_000_000_000
SECOND_NS = 1_000_000_000


def message(u, *, kind="delta", bids=(), asks=(), symbol="BTCUSDT", depth=50, time=None):
    data = {"s": symbol, "b": bids, "a": asks, "u": u, "seq": u * 1000}
    topic = f"orderbook.{depth}.{symbol}"
    return json.dumps(
        {"topic": topic, "type": kind, "ts": time or BASE_MS + u, "data": data, "cts": BASE_MS - 2}
    ).encode()


class Session:
    def __init__(self):
        self.adapter = BybitStream()
        self.now = 0

    def snapshot(self, u, bids=(("100", "1"),), asks=(("101", "1"),), **kwargs):
        return self.say(message(u, kind="snapshot", bids=bids, asks=asks, **kwargs))

    def delta(self, u, **kwargs):
        return self.say(message(u, **kwargs))

    def say(self, frame, connection="linear-0"):
        self.now += 1
        return list(self.adapter.frame(connection, frame, self.now))

    def synced(self, **kwargs):
        assert tops(self.snapshot(10, **kwargs)) == [(True, 10)]
        return self


def tops(outcomes):
    assert all(isinstance(outcome, BookTop) for outcome in outcomes), outcomes
    return [(outcome.snapshot, outcome.sequence) for outcome in outcomes]


def resubscription(symbol="BTCUSDT", connection="linear-0"):
    topic = f"orderbook.50.{symbol}"
    return [
        SendFrame(connection, json.dumps({"op": op, "args": [topic]}, separators=(",", ":")))
        for op in ("unsubscribe", "subscribe")
    ]


def withdrawn_for(outcomes, cause, symbol="BTCUSDT"):
    withdrawn, *requested = outcomes
    assert isinstance(withdrawn, BookWithdrawn)
    assert withdrawn.instrument.symbol == symbol
    assert cause in withdrawn.cause
    assert requested == resubscription(symbol)


def test_a_snapshot_makes_the_book_and_deltas_numbered_one_higher_change_it():
    session = Session().synced()
    (top,) = session.delta(11, bids=[["100", "2"]], asks=[["101", "0"], ["102", "3"]])
    assert (top.bid, top.bid_size, top.ask, top.ask_size, top.bid_levels, top.ask_levels) == (
        "100",
        "2",
        "102",
        "3",
        1,
        1,
    )
    assert (top.snapshot, top.sequence, top.venue_time_ns) == (
        False,
        11,
        (BASE_MS + 11) * 1_000_000,
    )
    assert session.adapter.depth("BTCUSDT", 5) == ([("100", "2")], [("102", "3")])


@pytest.mark.parametrize("u", [12, 10, 9, 1_000_000, 0])
def test_any_other_number_is_a_gap_that_withdraws_the_book_and_resubscribes_it_alone(u):
    session = Session().synced()
    withdrawn_for(session.delta(u, bids=[["100", "2"]]), f"gap: update 10 was followed by {u}")
    assert session.adapter.depth("BTCUSDT", 5) == ([], [])
    assert session.delta(11) == []
    assert tops(session.snapshot(500)) == [(True, 500)]
    assert tops(session.delta(501)) == [(False, 501)]


def test_a_gap_of_one_book_leaves_another_unchanged():
    session = Session().synced()
    session.synced(symbol="ETHUSDT")
    withdrawn_for(session.delta(13), "gap")
    assert tops(session.delta(11, symbol="ETHUSDT")) == [(False, 11)]


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_an_update_numbered_one_after_a_restart_of_the_service_replaces_the_book(kind):
    session = Session().synced()
    (top,) = session.say(message(1, kind=kind, bids=[["90", "1"]], asks=[["91", "1"]]))
    assert (top.snapshot, top.bid, top.ask, top.bid_levels) == (True, "90", "91", 1)
    assert tops(session.delta(2)) == [(False, 2)]


def test_a_repeated_snapshot_with_the_same_number_is_not_a_gap():
    session = Session().synced(depth=1)
    assert tops(session.snapshot(10, depth=1)) == [(True, 10)]
    assert tops(session.delta(11, depth=1)) == [(False, 11)]


def test_a_later_snapshot_replaces_the_book():
    session = Session().synced()
    (top,) = session.snapshot(700, bids=[["50", "1"]], asks=[["51", "1"]])
    assert (top.bid, top.ask, top.bid_levels, top.ask_levels) == ("50", "51", 1, 1)


@pytest.mark.parametrize("asks", [[["100", "1"]], [["99.5", "1"]]])
def test_a_crossed_or_locked_book_is_withdrawn(asks):
    withdrawn_for(Session().synced().delta(11, asks=asks), "crossed")


def test_a_book_is_withdrawn_if_venue_time_runs_back():
    withdrawn_for(Session().synced().delta(11, time=BASE_MS - 5_000), "venue time ran back")


def test_a_side_may_be_empty_and_deleting_a_missing_level_changes_nothing():
    (top,) = Session().synced().delta(11, bids=[["100", "0"], ["55", "0"]])
    assert (top.bid, top.bid_size, top.bid_levels, top.ask) == (None, None, 0, "101")


def test_books_of_different_depths_are_separate():
    session = Session().synced()
    session.snapshot(3, depth=1, bids=[["100.5", "1"]], asks=[["100.6", "1"]])
    assert tops(session.delta(11)) == [(False, 11)]
    assert session.adapter.depth("BTCUSDT", 1) == ([("100", "1")], [("101", "1")])


def test_a_book_that_stays_crossed_is_resubscribed_ever_more_rarely():
    session = Session().synced()
    withdrawn_for(session.delta(12), "gap")
    for _ in range(20):
        assert [
            o for o in session.snapshot(20, bids=[["101", "1"]]) if isinstance(o, SendFrame)
        ] == []
    session.now += 60 * SECOND_NS
    assert [
        o for o in session.snapshot(20, bids=[["101", "1"]]) if isinstance(o, SendFrame)
    ] == resubscription()


def test_an_ended_connection_withdraws_the_books_that_it_fed_and_no_other():
    session = Session().synced()
    session.say(message(5, kind="snapshot", bids=[["1", "1"]], symbol="ETHUSDT"), "linear-1")
    (withdrawn,) = session.adapter.closed("linear-0", 99)
    assert (withdrawn.instrument.symbol, withdrawn.received_ns) == ("BTCUSDT", 99)
    assert list(session.adapter.closed("linear-0", 100)) == []
    assert session.delta(11) == []
    assert tops(session.say(message(6, symbol="ETHUSDT"), "linear-1")) == [(False, 6)]
    session.synced()


def test_a_malformed_message_changes_nothing_and_the_next_one_finds_the_gap():
    session = Session().synced()
    (invalid_input,) = session.delta(11, bids=[["100", "-1"]])
    assert isinstance(invalid_input, InvalidInput)
    assert session.adapter.depth("BTCUSDT", 1)[0] == [("100", "1")]
    withdrawn_for(session.delta(12), "gap")


@given(
    st.lists(st.tuples(st.sampled_from("ba"), st.integers(0, 5), st.integers(0, 2)), max_size=30),
    st.data(),
)
def test_a_synced_book_is_the_venues_although_frames_are_lost_doubled_or_reordered(steps, data):
    true, frames, state = {}, [], ({100: 1}, {101: 1})
    frames.append((10, message(10, kind="snapshot", bids=[["100", "1"]], asks=[["101", "1"]])))
    true[10] = ({100: 1}, {101: 1})
    for number, (side, away, size) in enumerate(steps, start=11):
        levels = state[side == "a"]
        price = 100 - away if side == "b" else 101 + away
        levels.pop(price, None)
        if size:
            levels[price] = size
        row = [[str(price), str(size)]]
        frames.append(
            (
                number,
                message(number, bids=row if side == "b" else [], asks=row if side == "a" else []),
            )
        )
        true[number] = (dict(state[0]), dict(state[1]))
    order = data.draw(st.lists(st.sampled_from(frames), max_size=40))
    session = Session()
    for _, frame in frames[:1] + order:
        for outcome in session.say(frame):
            if isinstance(outcome, BookTop):
                bids, asks = session.adapter.depth("BTCUSDT", 100)
                assert (
                    {int(p): int(s) for p, s in bids},
                    {int(p): int(s) for p, s in asks},
                ) == true[outcome.sequence]
    assert tops(session.snapshot(999)) == [(True, 999)]
