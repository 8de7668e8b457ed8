from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.okx.stream import OkxStream

BASE_MS = 1_700_000_000_000
BTC = "BTC-USDT-SWAP"
ETH = "ETH-USDT-SWAP"


def message(seq, prev, *, action="update", bids=(), asks=(), symbol=BTC, time=None, numbered=True):
    rows = [[[price, size, "0", "1"] for price, size in side] for side in (bids, asks)]
    data = {"asks": rows[1], "bids": rows[0], "ts": str(time or BASE_MS + seq), "checksum": 0}
    if numbered:
        data |= {"seqId": seq, "prevSeqId": prev}
    return json.dumps(
        {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [data]}
    ).encode()


class Session:
    def __init__(self):
        self.adapter = OkxStream()
        self.now = 0

    def snapshot(self, seq, bids=(("100", "1"),), asks=(("101", "1"),), **kwargs):
        return self.say(message(seq, -1, action="snapshot", bids=bids, asks=asks, **kwargs))

    def update(self, seq, prev, **kwargs):
        return self.say(message(seq, prev, **kwargs))

    def say(self, frame, connection="public-0"):
        self.now += 1
        return list(self.adapter.frame(connection, frame, self.now))

    def synced(self, **kwargs):
        assert tops(self.snapshot(10, **kwargs)) == [(True, 10)]
        return self


def tops(outcomes):
    assert all(isinstance(outcome, BookTop) for outcome in outcomes), outcomes
    return [(outcome.snapshot, outcome.sequence) for outcome in outcomes]


def resubscription(symbol=BTC):
    args = [{"channel": "books", "instId": symbol}]
    return [
        SendFrame("public-0", json.dumps({"op": op, "args": args}, separators=(",", ":")))
        for op in ("unsubscribe", "subscribe")
    ]


def withdrawn_for(outcomes, cause):
    withdrawn, *requested = outcomes
    assert isinstance(withdrawn, BookWithdrawn)
    assert cause in withdrawn.cause
    assert requested == resubscription()


def test_a_snapshot_makes_the_book_and_chained_updates_change_it():
    session = Session().synced()
    (top,) = session.update(15, 10, bids=[["100", "2"]], asks=[["101", "0"], ["102", "3"]])
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
        15,
        (BASE_MS + 15) * 1_000_000,
    )


def test_a_keep_alive_changes_nothing_and_is_not_a_gap():
    session = Session().synced()
    assert tops(session.update(15, 10)) == [(False, 15)]
    (top,) = session.update(15, 15)
    assert (top.bid, top.bid_size, top.ask, top.ask_size) == ("100", "1", "101", "1")
    assert tops(session.update(16, 15)) == [(False, 16)]


def test_numbers_that_start_low_again_after_maintenance_are_not_a_gap():
    session = Session().synced()
    said = [
        session.update(seq, prev, time=BASE_MS + at)
        for at, (seq, prev) in enumerate([(15, 10), (15, 15), (3, 15), (5, 3)])
    ]
    assert [tops(outcomes) for outcomes in said] == [
        [(False, 15)],
        [(False, 15)],
        [(False, 3)],
        [(False, 5)],
    ]


@pytest.mark.parametrize("prev", [9, 11, -1, 0])
def test_an_update_that_follows_another_number_is_a_gap_that_resubscribes_the_book_alone(prev):
    session = Session().synced()
    session.synced(symbol=ETH)
    withdrawn_for(
        session.update(20, prev, bids=[["100", "2"]]),
        f"gap: update 10 was followed by one after {prev}",
    )
    assert session.adapter.depth(BTC, 5) == ([], [])
    assert session.update(21, 20) == []
    assert tops(session.update(11, 10, symbol=ETH)) == [(False, 11)]
    assert tops(session.snapshot(500)) == [(True, 500)]


def test_an_update_without_a_number_in_a_numbered_book_is_a_gap():
    withdrawn_for(Session().synced().update(11, 10, numbered=False), "gap")


def test_books_of_before_2022_need_no_numbers():
    session = Session()
    assert tops(session.snapshot(1, numbered=False)) == [(True, None)]
    assert tops(session.update(2, 1, numbered=False)) == [(False, None)]


@pytest.mark.parametrize("asks", [[["100", "1"]], [["99.5", "1"]]])
def test_a_crossed_or_locked_book_is_withdrawn(asks):
    withdrawn_for(Session().synced().update(11, 10, asks=asks), "crossed")


def test_a_book_is_withdrawn_if_venue_time_runs_back():
    withdrawn_for(Session().synced().update(11, 10, time=BASE_MS - 5_000), "venue time ran back")


def test_a_side_may_be_empty_and_deleting_a_missing_level_changes_nothing():
    (top,) = Session().synced().update(11, 10, asks=[["101", "0"], ["155", "0"]])
    assert (top.ask, top.ask_size, top.ask_levels, top.bid) == (None, None, 0, "100")


def test_a_checksum_is_not_read():
    frame = message(10, -1, action="snapshot", bids=[["1", "1"]]).replace(
        b'"checksum": 0', b'"checksum": 12345'
    )
    assert tops(Session().say(frame)) == [(True, 10)]


def test_an_ended_connection_withdraws_the_books_that_it_fed():
    session = Session().synced()
    (withdrawn,) = session.adapter.closed("public-0", 99)
    assert (withdrawn.instrument.symbol, withdrawn.received_ns) == (BTC, 99)
    assert list(session.adapter.closed("public-0", 100)) == []
    assert list(session.adapter.closed("public-1", 100)) == []
    session.synced()


def test_a_malformed_message_changes_nothing_and_the_next_one_finds_the_gap():
    session = Session().synced()
    (invalid_input,) = session.update(11, 10, bids=[["100", "-1"]])
    assert isinstance(invalid_input, InvalidInput)
    assert session.adapter.depth(BTC, 1)[0] == [("100", "1")]
    withdrawn_for(session.update(12, 11), "gap")


@given(
    st.lists(st.tuples(st.sampled_from("ba"), st.integers(0, 5), st.integers(0, 2)), max_size=30),
    st.data(),
)
def test_a_synced_book_is_the_venues_although_frames_are_lost_doubled_or_reordered(steps, data):
    state = ({100: 1}, {101: 1})
    true = {10: (dict(state[0]), dict(state[1]))}
    frames = [message(10, -1, action="snapshot", bids=[["100", "1"]], asks=[["101", "1"]])]
    for number, (side, away, size) in enumerate(steps, start=11):
        levels, price = state[side == "a"], 100 - away if side == "b" else 101 + away
        levels.pop(price, None)
        if size:
            levels[price] = size
        row = [[str(price), str(size)]]
        frames.append(
            message(
                number, number - 1, bids=row if side == "b" else [], asks=row if side == "a" else []
            )
        )
        true[number] = (dict(state[0]), dict(state[1]))
    session = Session()
    for frame in frames[:1] + data.draw(st.lists(st.sampled_from(frames), max_size=40)):
        for outcome in session.say(frame):
            if isinstance(outcome, BookTop):
                bids, asks = session.adapter.depth(BTC, 100)
                assert (
                    {int(p): int(s) for p, s in bids},
                    {int(p): int(s) for p, s in asks},
                ) == true[outcome.sequence]
    assert tops(session.snapshot(999)) == [(True, 999)]
