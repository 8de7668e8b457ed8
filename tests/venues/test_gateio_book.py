from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.gateio_futures.rest import GateioFuturesRest
from perps_actors.venues.gateio_futures.stream import GateioFuturesStream
from perps_actors.venues.toolkit.stream_book import PATIENCE_NS

BTC = InstrumentId("gateio_futures", "BTC_USDT")
T = 1_789_455_580_261
AT = T * 1_000_000


def frame(channel, result, event="update", **more):
    return json.dumps(
        {
            "time": 1789455580,
            "time_ms": T + 19,
            "channel": channel,
            "event": event,
            "result": result,
            **more,
        }
    ).encode()


def full(
    last=10,
    bids=(("77222.9", "600"), ("77222.5", "10")),
    asks=(("77235", "40"), ("77235.2", "7")),
    stream="ob.BTC_USDT.50",
):
    return {"t": T, "full": True, "s": stream, "u": last, "b": bids, "a": asks}


def delta(first, last, stream="ob.BTC_USDT.50", time=T, **sides):
    return {"t": time, "s": stream, "U": first, "u": last, **sides}


class Session:
    """An adapter and one connection."""

    def __init__(self, **how):
        self.adapter = GateioFuturesStream(**how)
        self.now = AT

    def push(self, result, connection="usdt-0"):
        self.now += 1
        return list(self.adapter.frame(connection, frame("futures.obu", result), self.now))

    def change(self, first, last, *, bids=(), asks=(), size=str):
        self.now += 1
        sides = {
            "b": [{"p": p, "s": size(s)} for p, s in bids],
            "a": [{"p": p, "s": size(s)} for p, s in asks],
        }
        result = {"t": T + last, "s": "BTC_USDT", "U": first, "u": last, **sides, "l": "100"}
        return list(
            self.adapter.frame("usdt-0", frame("futures.order_book_update", result), self.now)
        )

    def full_change(self, last, bids=(("200", "1"),), asks=(("201", "1"),)):
        self.now += 1
        sides = {"b": [{"p": p, "s": s} for p, s in bids], "a": [{"p": p, "s": s} for p, s in asks]}
        result = {"t": T + last, "full": True, "s": "BTC_USDT", "u": last, **sides, "l": "100"}
        return list(
            self.adapter.frame("usdt-0", frame("futures.order_book_update", result), self.now)
        )

    def answer(self, last, bids=(("100", 1),), asks=(("101", 1),), status=200, body=None):
        self.now += 1
        sides = {
            "bids": [{"p": p, "s": s} for p, s in bids],
            "asks": [{"p": p, "s": s} for p, s in asks],
        }
        answer = json.dumps(
            {"id": last, "current": T / 1000 + 1, "update": T / 1000, **sides}
        ).encode()
        return list(
            self.adapter.answer(request(), status, answer if body is None else body, self.now)
        )

    def depth(self, symbol="BTC_USDT"):
        return self.adapter.depth(symbol, 10)


def request(symbol="BTC_USDT"):
    base = "https://api.gateio.ws/api/v4/futures/usdt"
    url = f"{base}/order_book?contract={symbol}&limit=100&with_id=true"
    return HttpRequest(url=url, purpose="depth", symbol=symbol)


def resubscription(symbol="BTC_USDT"):
    return [(op, "futures.obu", [f"ob.{symbol}.50"]) for op in ("unsubscribe", "subscribe")]


def sent(outcomes):
    requests = [json.loads(outcome.text) for outcome in outcomes if isinstance(outcome, SendFrame)]
    return [(each["event"], each["channel"], each["payload"]) for each in requests]


def types(outcomes):
    return [type(outcome) for outcome in outcomes]


def test_a_full_message_begins_the_book_without_a_first_number():
    session = Session()
    assert session.push(full()) == [
        BookTop(BTC, True, "77222.9", "600", "77235", "40", 2, 2, 10, AT, session.now)
    ]
    assert session.depth() == (
        [("77222.9", "600"), ("77222.5", "10")],
        [("77235", "40"), ("77235.2", "7")],
    )


def test_a_delta_sets_levels_and_deletes_levels_of_size_zero_known_or_not():
    session = Session()
    session.push(full())
    (top,) = session.push(delta(11, 14, b=[["77222.9", "648"], ["70000", "0"]], a=[["77235", "0"]]))
    assert (top.snapshot, top.bid_size, top.ask, top.bid_levels, top.ask_levels, top.sequence) == (
        False,
        "648",
        "77235.2",
        2,
        1,
        14,
    )


def test_a_delta_without_levels_moves_the_number_on_and_confirms_the_top():
    session = Session()
    session.push(full())
    (top,) = session.push(delta(11, 19, time=T + 20))
    assert (top.bid, top.sequence, top.venue_time_ns) == ("77222.9", 19, (T + 20) * 1_000_000)
    assert types(session.push(delta(20, 20, b=[["77223", "1"]]))) == [BookTop]


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (delta(12, 14), "gap: update 10 was followed by 12 to 14"),
        (delta(10, 14), "gap"),
        (delta(5, 9), "gap"),
        (delta(11, 10), "gap"),
        ({**delta(1, 11), "U": None}, "gap: update 10 was followed by None"),
        (delta(11, 12, b=[["77235", "1"]]), "crossed: bid 77235 at or above ask 77235"),
        (delta(11, 12, time=T - 5_000), "venue time ran back by 5 s"),
    ],
    ids=str,
)
def test_an_impossible_change_withdraws_the_book_and_resubscribes_its_stream_only(result, cause):
    session = Session()
    session.push(full())
    session.push(full(stream="ob.ETH_USDT.50"))
    outcomes = session.push(result)
    assert isinstance(outcomes[0], BookWithdrawn)
    assert cause in outcomes[0].cause
    assert sent(outcomes) == resubscription()
    assert session.depth() == ([], [])
    assert session.push(delta(15, 16)) == []
    assert len(session.depth("ETH_USDT")[0]) == 2
    assert types(session.push(full(30))) == [BookTop]
    assert types(session.push(delta(31, 31))) == [BookTop]


def test_a_later_full_message_with_any_number_replaces_the_book():
    session = Session()
    session.push(full(100))
    (top,) = session.push(full(5, bids=[["1", "1"]], asks=[]))
    assert (top.snapshot, top.bid, top.ask, top.ask_levels, top.sequence) == (True, "1", None, 0, 5)


def test_deltas_before_the_full_message_give_nothing_and_resubscribe_only_after_a_wait():
    session = Session()
    assert session.push(delta(1, 2)) == []
    session.now += PATIENCE_NS
    assert sent(session.push(delta(3, 4))) == resubscription()


def test_an_impossible_level_is_invalid_input_and_the_next_message_shows_the_gap():
    session = Session()
    session.push(full())
    assert types(session.push(delta(11, 12, b=[["77222", "NaN"]]))) == [InvalidInput]
    assert types(session.push(delta(13, 14))) == [BookWithdrawn, SendFrame, SendFrame]


def test_only_the_first_stream_feeds_a_book():
    session = Session()
    session.push(full())
    assert session.push(full(stream="ob.BTC_USDT.400", bids=[["1", "1"]])) == []
    assert session.change(11, 12) == []
    assert session.answer(50) == []
    assert session.depth()[0][0] == ("77222.9", "600")


def test_the_end_of_a_connection_withdraws_its_books_only():
    session = Session()
    session.push(full())
    session.push(full(stream="ob.ETH_USDT.50"), connection="usdt-1")
    (withdrawn,) = session.adapter.closed("usdt-0", 77)
    assert withdrawn == BookWithdrawn(BTC, "connection usdt-0 ended", 77)
    assert list(session.adapter.closed("usdt-0", 78)) == []
    assert session.depth() == ([], [])
    assert len(session.depth("ETH_USDT")[0]) == 2


@pytest.mark.parametrize("size", [int, str])
def test_changes_wait_for_a_snapshot_and_older_ones_are_dropped(size):
    session = Session()
    assert session.change(5, 8, bids=[("100", 9)], size=size) == [request()]
    assert session.change(9, 12, bids=[("100", 7)], size=size) == []
    snapshot, after = session.answer(9)
    assert (snapshot.snapshot, snapshot.sequence, snapshot.bid_size, snapshot.venue_time_ns) == (
        True,
        9,
        "1",
        AT,
    )
    assert (after.sequence, after.bid_size) == (12, "7")
    (top,) = session.change(13, 13, asks=[("101", 0), ("102", 5)], size=size)
    assert (top.ask, top.ask_size, top.sequence) == ("102", "5", 13)


def test_a_size_that_is_a_json_number_keeps_its_spelling():
    session = Session()
    session.full_change(7)
    text = frame("futures.order_book_update", {"t": T, "s": "BTC_USDT", "U": 8, "u": 8, "b": []})
    changed = text.replace(b'"b": []', b'"b": [{"p": "200.5", "s": 1.50e-7}]')
    (top,) = session.adapter.frame("usdt-0", changed, 1)
    assert (top.bid, top.bid_size) == ("200.5", "1.50e-7")


@pytest.mark.parametrize(
    ("first", "last", "joins"), [(11, 12, True), (9, 11, True), (12, 14, False)]
)
def test_a_change_joins_a_snapshot_only_if_it_has_the_number_after_it(first, last, joins):
    session = Session()
    session.answer(10)
    assert types(session.change(first, last)) == (
        [BookTop] if joins else [BookWithdrawn, HttpRequest]
    )


def test_a_gap_between_changes_withdraws_the_book_and_requests_a_snapshot():
    session = Session()
    session.change(1, 5)
    session.answer(5)
    assert types(session.change(6, 7)) == [BookTop]
    withdrawn, again = session.change(9, 9)
    assert (type(withdrawn), again) == (BookWithdrawn, request())
    assert session.depth() == ([], [])
    assert types(session.answer(8)) == [BookTop, BookTop]


def test_a_full_message_among_changes_replaces_the_book_and_needs_no_snapshot():
    session = Session()
    session.change(1, 5)
    (top,) = session.full_change(7)
    assert (top.snapshot, top.bid, top.ask, top.sequence) == (True, "200", "201", 7)
    assert types(session.change(8, 9, bids=[("200", 5)])) == [BookTop]
    (top,) = session.full_change(100, bids=[])
    assert (top.bid, top.ask, top.sequence) == (None, "201", 100)
    assert types(session.change(101, 101)) == [BookTop]


def test_a_crossed_full_message_withdraws_the_book_and_requests_a_snapshot():
    session = Session()
    session.full_change(7)
    assert types(session.full_change(8, bids=[("300", "1")])) == [
        BookWithdrawn,
        InvalidInput,
        HttpRequest,
    ]
    assert session.depth() == ([], [])
    assert types(session.answer(9)) == [BookTop]


def test_a_change_without_its_first_number_is_invalid_input():
    session = Session()
    session.full_change(7)
    result = {"t": T, "s": "BTC_USDT", "u": 8, "b": [], "a": []}
    (invalid_input,) = session.adapter.frame(
        "usdt-0", frame("futures.order_book_update", result), 1
    )
    assert isinstance(invalid_input, InvalidInput)


def test_a_message_without_event_is_read_as_in_the_documentation():
    text = json.dumps({"channel": "futures.obu", "result": full(), "time_ms": T}).encode()
    assert types(GateioFuturesStream().frame("usdt-0", text, 1)) == [BookTop]


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (None, b"", "no answer"),
        (429, b"", "429"),
        (200, b"<html>", "malformed"),
        (200, b'{"id":1}', "update"),
        (200, b"[" * 100_000, "depth"),
    ],
)
def test_a_failed_snapshot_is_invalid_input_and_the_next_change_requests_another(
    status, body, named
):
    session = Session()
    session.change(1, 5)
    (invalid_input,) = session.answer(5, status=status, body=body)
    assert named in invalid_input.what
    assert session.change(6, 7) == [request()]


def test_a_snapshot_with_an_impossible_level_is_refused():
    session = Session()
    session.change(1, 5)
    (invalid_input,) = session.answer(5, bids=[("-1", 1)])
    assert isinstance(invalid_input, InvalidInput)
    assert session.depth() == ([], [])


def test_the_end_of_a_connection_withdraws_a_book_with_rest_snapshots():
    session = Session()
    session.change(1, 5)
    session.answer(5)
    assert types(session.adapter.closed("usdt-0", 1)) == [BookWithdrawn]
    assert types(session.push(full())) == [BookTop]  # another channel may feed it from here on


changes = st.lists(
    st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 3), st.integers(1, 4)), max_size=40
)


@given(changes)
def test_the_book_equals_the_sum_of_its_messages(steps):
    session, sides, last = Session(), ({}, {}), 10
    session.push(full(last, bids=[], asks=[]))
    for bid, price, size, numbers in steps:
        level = [[str(price if bid else price + 100), str(size)]]
        assert types(
            session.push(delta(last + 1, last + numbers, **{"b" if bid else "a": level}))
        ) == [BookTop]
        last += numbers
        side = sides[not bid]
        side.pop(level[0][0], None)
        if size:
            side[level[0][0]] = str(size)
    bids = sorted(sides[0].items(), key=lambda item: -int(item[0]))
    assert session.depth() == (bids, sorted(sides[1].items(), key=lambda item: int(item[0])))


def test_the_snapshot_request_equals_the_rest_adapters():
    assert GateioFuturesRest().depth("BTC_USDT") == request()
