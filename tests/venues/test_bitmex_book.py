from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bitmex.stream import BitmexStream
from perps_actors.venues.contract import InvalidInput, SendFrame

XBT = InstrumentId("bitmex", "XBTUSD")
AT = 1_700_000_000_000_000_000


def row(level, side="Buy", size=None, price=None, symbol="XBTUSD", **more):
    told = {"symbol": symbol, "id": level, "side": side, "size": size, "price": price, **more}
    return {name: value for name, value in told.items() if value is not None}


PARTIAL = (
    row(1, "Buy", 10, 99.5),
    row(2, "Buy", 20, 99),
    row(3, "Sell", 30, 100),
    row(4, "Sell", 40, 100.5),
)


class Session:
    """An adapter and one connection."""

    def __init__(self):
        self.adapter = BitmexStream()
        self.now = AT

    def say(self, action, *rows, connection="ws", **more):
        self.now += 1
        frame = {"table": "orderBookL2", "action": action, "data": rows, **more}
        return list(self.adapter.frame(connection, json.dumps(frame).encode(), self.now))

    def depth(self, symbol="XBTUSD"):
        return self.adapter.depth(symbol, 10)

    def good(self):
        self.say("partial", *PARTIAL)
        return self


def renewal(symbol="XBTUSD"):
    topic = f"orderBookL2:{symbol}"
    return [
        SendFrame("ws", json.dumps({"op": op, "args": [topic]}, separators=(",", ":")))
        for op in ("unsubscribe", "subscribe")
    ]


def test_whatever_comes_before_the_partial_is_dropped():
    session = Session()
    assert session.say("insert", row(1, "Buy", 10, 99)) == []
    assert session.say("update", row(9, "Buy", 10)) == []
    assert session.say("delete", row(9, "Buy")) == []
    assert session.depth() == ([], [])


def test_a_partial_is_the_whole_book_and_a_later_one_replaces_it():
    session = Session()
    (top,) = session.say("partial", *PARTIAL)
    assert top == BookTop(XBT, True, "99.5", "10", "100", "30", 2, 2, None, None, session.now)
    (top,) = session.say("partial", row(7, "Buy", 1, 98))
    assert (top.snapshot, top.bid, top.ask, top.bid_levels, top.ask_levels) == (
        True,
        "98",
        None,
        1,
        0,
    )
    assert isinstance(session.say("update", row(1, "Buy", 11))[1], BookWithdrawn)


def test_a_row_that_a_partial_has_twice_stands_where_it_was_told_last():
    (top,) = Session().say("partial", *PARTIAL, row(1, "Buy", 7, 98.5))
    assert (top.bid, top.bid_size, top.bid_levels) == ("99", "20", 2)


@pytest.mark.parametrize(
    "spoilt", [{"price": "x"}, {"price": -1}, {"size": [1]}, {"size": None}], ids=repr
)
def test_a_partial_with_a_row_that_cannot_be_is_a_complaint_and_no_book(spoilt):
    session = Session()
    invalid_input, *renewed = session.say(
        "partial", *PARTIAL, {**row(5, "Sell", 50, 101), **spoilt}
    )
    assert isinstance(invalid_input, InvalidInput)
    assert (renewed, session.depth()) == ([], ([], []))


def test_an_empty_partial_is_an_empty_book():
    session = Session()
    (top,) = session.say("partial", filter={"symbol": "XBTUSD"})
    assert (top.snapshot, top.bid, top.ask) == (True, None, None)
    (top,) = session.say("insert", row(1, "Sell", 5, 100))
    assert (top.bid, top.ask, top.ask_size) == (None, "100", "5")


def test_updates_and_deletes_find_their_price_by_id_and_side():
    session = Session().good()
    (top,) = session.say("update", row(1, "Buy", 11), row(3, "Sell", 33))
    assert (top.snapshot, top.bid, top.bid_size, top.ask_size) == (False, "99.5", "11", "33")
    (top,) = session.say("delete", row(1, "Buy"), row(3, "Sell"))
    assert (top.bid, top.bid_size, top.ask, top.ask_size) == ("99", "20", "100.5", "40")
    (top,) = session.say("insert", row(3, "Buy", 7, 99.25), row(3, "Sell", 8, 99.75))
    assert (top.bid, top.ask) == ("99.25", "99.75")


def test_todays_rows_bring_their_price_and_time_along():
    session = Session().good()
    times = {"timestamp": "2024-11-24T08:26:22.356Z", "transactTime": "2024-11-24T08:26:22.275Z"}
    (top,) = session.say("update", row(1, "Buy", 11, 99.5, **times))
    assert (top.bid_size, top.venue_time_ns) == ("11", 1_732_436_782_356_000_000)
    (top,) = session.say("delete", row(1, "Buy", None, 99.5, **times))
    assert (top.bid, top.bid_levels) == ("99", 1)


def test_a_price_that_comes_along_moves_the_level():
    session = Session().good()
    (top,) = session.say("update", row(1, "Buy", 11, 99.75))
    assert (top.bid, top.bid_levels) == ("99.75", 2)
    (top,) = session.say("delete", row(1, "Buy"))
    assert (top.bid, top.bid_levels) == ("99", 1)


@pytest.mark.parametrize(
    ("action", "rows", "cause"),
    [
        ("update", [row(1, "Buy", 5), row(9, "Buy", 5)], "update of level 9 (Buy)"),
        ("update", [row(1, "Sell", 5, 99.5)], "update of level 1 (Sell)"),
        ("delete", [row(9, "Sell")], "delete of level 9 (Sell)"),
        ("insert", [row(9, "Buy", 5)], "price and size of level 9"),
        ("insert", [row(9, "Buy", None, 98)], "price and size of level 9"),
        ("update", [row(1, "Buy", -5)], "'-5'"),
        ("insert", [row(9, "Buy", 5, 0)], "'0'"),
        ("insert", [row(9, "Buy", 5, 100)], "crossed"),
        ("update", [row(1, "Buy", 5, timestamp="1960-01-01T00:00:00Z")], "1970"),
    ],
)
def test_a_book_that_cannot_be_right_is_withdrawn_and_its_stream_alone_subscribed_anew(
    action, rows, cause
):
    session = Session().good()
    *_, withdrawn, end, again = session.say(action, *rows)
    assert isinstance(withdrawn, BookWithdrawn)
    assert cause in withdrawn.cause
    assert [end, again] == renewal()
    assert session.depth() == ([], [])
    assert session.say("insert", row(11, "Buy", 1, 50)) == []
    (top,) = session.say("partial", *PARTIAL)
    assert (top.snapshot, top.bid) == (True, "99.5")
    assert [type(said) for said in session.say("update", row(2, "Buy", 5))] == [BookTop]


def test_a_neighbour_is_untouched_even_if_one_message_speaks_of_both():
    session = Session().good()
    session.say(
        "partial", row(1, "Buy", 10, 2, symbol="ETHUSD"), row(2, "Sell", 10, 3, symbol="ETHUSD")
    )
    said = session.say("update", row(9, "Buy", 5), row(1, "Buy", 7, symbol="ETHUSD"))
    assert [type(outcome) for outcome in said] == [
        InvalidInput,
        BookWithdrawn,
        SendFrame,
        SendFrame,
        BookTop,
    ]
    assert session.depth() == ([], [])
    assert session.depth("ETHUSD") == ([("2", "7")], [("3", "10")])


def test_venue_time_may_not_run_back():
    session = Session().good()
    session.say("update", row(1, "Buy", 11, timestamp="2024-11-24T08:26:22.356Z"))
    assert len(session.say("update", row(1, "Buy", 12, timestamp="2024-11-24T08:26:21.400Z"))) == 1
    withdrawn, *_ = session.say("update", row(1, "Buy", 13, timestamp="2024-11-24T08:26:19.400Z"))
    assert withdrawn == BookWithdrawn(XBT, "venue time ran back by 2 s", session.now)


@pytest.mark.parametrize(
    ("text", "doubted"),
    [
        (
            '{"table":"orderBookL2","action":"update","data":[{"symbol":"XBTUSD","id":1,"side":"Buy","si',
            {"XBTUSD"},
        ),
        (
            '{"table":"orderBookL2","action":"update","data":[{"symbol":"XBTUSD","id":"x","side":"Buy"}]}',
            {"XBTUSD"},
        ),
        ('{"table":"orderBookL2","action":"update","da', {"XBTUSD", "ETHUSD"}),
        (
            '{"table":"orderBookL2","action":"replace","data":[{"symbol":"NEVER"}]}',
            {"XBTUSD", "ETHUSD"},
        ),
        ('{"table":"quote","action":"insert","data":[{"symbol":"XBTUSD",', set()),
        ('{"success":true,"subscribe":"orderBookL2:XBTUSD"}', set()),
    ],
)
def test_a_book_message_that_cannot_be_read_withdraws_the_books_it_may_have_changed(text, doubted):
    session = Session().good()
    session.say("partial", row(1, "Buy", 10, 2, symbol="ETHUSD"))
    said = session.adapter.frame("ws", text.encode(), session.now)
    assert {
        outcome.instrument.symbol for outcome in said if isinstance(outcome, BookWithdrawn)
    } == doubted


def test_the_end_of_its_connection_withdraws_a_book_and_no_other():
    session = Session().good()
    session.say("partial", row(1, "Buy", 10, 2, symbol="ETHUSD"), connection="other")
    (withdrawn,) = session.adapter.closed("ws", 77)
    assert (withdrawn.instrument.symbol, withdrawn.received_ns) == ("XBTUSD", 77)
    assert "ws" in withdrawn.cause
    assert list(session.adapter.closed("ws", 78)) == []
    assert session.depth("ETHUSD") == ([("2", "10")], [])
    assert (
        session.say("update", row(1, "Buy", 5)) == []
    )  # before the partial of the next connection


def test_more_ids_than_any_book_has_are_not_remembered():
    session = Session().good()
    for block in range(5):
        said = session.say(
            "insert", *(row(100 + block * 9_000 + n, "Buy", 1, 1) for n in range(9_000))
        )
    assert isinstance(said[1], BookWithdrawn)
    assert "40000" in said[1].cause


changes = st.lists(
    st.tuples(
        st.sampled_from(["Buy", "Sell"]), st.integers(1, 12), st.integers(0, 3), st.booleans()
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(changes)
def test_the_book_is_the_sum_of_its_messages(steps):
    session, held = Session(), {}
    session.say("partial", filter={"symbol": "XBTUSD"})
    for side, level, size, priced in steps:
        key, price = (level, side), level if side == "Buy" else level + 100
        if key not in held:
            session.say("insert", row(level, side, size + 1, price))
            held[key] = (price, size + 1)
        elif size:
            session.say("update", row(level, side, size, price if priced else None))
            held[key] = (price, size)
        else:
            session.say("delete", row(level, side))
            del held[key]
    bids = sorted((value for (_, side), value in held.items() if side == "Buy"), reverse=True)
    asks = sorted(value for (_, side), value in held.items() if side == "Sell")
    assert session.adapter.depth("XBTUSD", 50) == (
        [(str(p), str(s)) for p, s in bids],
        [(str(p), str(s)) for p, s in asks],
    )
