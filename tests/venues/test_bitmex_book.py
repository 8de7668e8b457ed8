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
    fields = {"symbol": symbol, "id": level, "side": side, "size": size, "price": price, **more}
    return {name: value for name, value in fields.items() if value is not None}


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

    def receive(self, action, *rows, connection="ws", **more):
        self.now += 1
        frame = {"table": "orderBookL2", "action": action, "data": rows, **more}
        return list(self.adapter.frame(connection, json.dumps(frame).encode(), self.now))

    def depth(self, symbol="XBTUSD"):
        return self.adapter.depth(symbol, 10)

    def synced(self):
        self.receive("partial", *PARTIAL)
        return self


def resubscription(symbol="XBTUSD"):
    topic = f"orderBookL2:{symbol}"
    return [
        SendFrame("ws", json.dumps({"op": op, "args": [topic]}, separators=(",", ":")))
        for op in ("unsubscribe", "subscribe")
    ]


def test_messages_before_the_partial_are_dropped():
    session = Session()
    assert session.receive("insert", row(1, "Buy", 10, 99)) == []
    assert session.receive("update", row(9, "Buy", 10)) == []
    assert session.receive("delete", row(9, "Buy")) == []
    assert session.depth() == ([], [])


def test_a_later_partial_replaces_the_book():
    session = Session()
    (top,) = session.receive("partial", *PARTIAL)
    assert top == BookTop(XBT, True, "99.5", "10", "100", "30", 2, 2, None, None, session.now)
    (top,) = session.receive("partial", row(7, "Buy", 1, 98))
    assert (top.snapshot, top.bid, top.ask, top.bid_levels, top.ask_levels) == (
        True,
        "98",
        None,
        1,
        0,
    )
    assert isinstance(session.receive("update", row(1, "Buy", 11))[1], BookWithdrawn)


def test_the_last_of_two_rows_with_one_id_in_a_partial_counts():
    (top,) = Session().receive("partial", *PARTIAL, row(1, "Buy", 7, 98.5))
    assert (top.bid, top.bid_size, top.bid_levels) == ("99", "20", 2)


@pytest.mark.parametrize(
    "bad", [{"price": "x"}, {"price": -1}, {"size": [1]}, {"size": None}], ids=repr
)
def test_a_partial_with_an_impossible_row_is_invalid_input_and_makes_no_book(bad):
    session = Session()
    invalid_input, *resubscribed = session.receive(
        "partial", *PARTIAL, {**row(5, "Sell", 50, 101), **bad}
    )
    assert isinstance(invalid_input, InvalidInput)
    assert (resubscribed, session.depth()) == ([], ([], []))


def test_an_empty_partial_makes_an_empty_book():
    session = Session()
    (top,) = session.receive("partial", filter={"symbol": "XBTUSD"})
    assert (top.snapshot, top.bid, top.ask) == (True, None, None)
    (top,) = session.receive("insert", row(1, "Sell", 5, 100))
    assert (top.bid, top.ask, top.ask_size) == (None, "100", "5")


def test_updates_and_deletes_find_their_price_by_id_and_side():
    session = Session().synced()
    (top,) = session.receive("update", row(1, "Buy", 11), row(3, "Sell", 33))
    assert (top.snapshot, top.bid, top.bid_size, top.ask_size) == (False, "99.5", "11", "33")
    (top,) = session.receive("delete", row(1, "Buy"), row(3, "Sell"))
    assert (top.bid, top.bid_size, top.ask, top.ask_size) == ("99", "20", "100.5", "40")
    (top,) = session.receive("insert", row(3, "Buy", 7, 99.25), row(3, "Sell", 8, 99.75))
    assert (top.bid, top.ask) == ("99.25", "99.75")


def test_rows_with_price_and_time_are_read():
    session = Session().synced()
    times = {"timestamp": "2024-11-24T08:26:22.356Z", "transactTime": "2024-11-24T08:26:22.275Z"}
    (top,) = session.receive("update", row(1, "Buy", 11, 99.5, **times))
    assert (top.bid_size, top.venue_time_ns) == ("11", 1_732_436_782_356_000_000)
    (top,) = session.receive("delete", row(1, "Buy", None, 99.5, **times))
    assert (top.bid, top.bid_levels) == ("99", 1)


def test_an_update_with_another_price_moves_the_level():
    session = Session().synced()
    (top,) = session.receive("update", row(1, "Buy", 11, 99.75))
    assert (top.bid, top.bid_levels) == ("99.75", 2)
    (top,) = session.receive("delete", row(1, "Buy"))
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
def test_an_impossible_change_withdraws_the_book_and_resubscribes_its_stream_only(
    action, rows, cause
):
    session = Session().synced()
    *_, withdrawn, end, again = session.receive(action, *rows)
    assert isinstance(withdrawn, BookWithdrawn)
    assert cause in withdrawn.cause
    assert [end, again] == resubscription()
    assert session.depth() == ([], [])
    assert session.receive("insert", row(11, "Buy", 1, 50)) == []
    (top,) = session.receive("partial", *PARTIAL)
    assert (top.snapshot, top.bid) == (True, "99.5")
    assert [type(outcome) for outcome in session.receive("update", row(2, "Buy", 5))] == [BookTop]


def test_a_fault_of_one_symbol_leaves_another_symbol_of_the_same_message_alone():
    session = Session().synced()
    session.receive(
        "partial", row(1, "Buy", 10, 2, symbol="ETHUSD"), row(2, "Sell", 10, 3, symbol="ETHUSD")
    )
    outcomes = session.receive("update", row(9, "Buy", 5), row(1, "Buy", 7, symbol="ETHUSD"))
    assert [type(outcome) for outcome in outcomes] == [
        InvalidInput,
        BookWithdrawn,
        SendFrame,
        SendFrame,
        BookTop,
    ]
    assert session.depth() == ([], [])
    assert session.depth("ETHUSD") == ([("2", "7")], [("3", "10")])


def test_a_venue_time_that_runs_back_withdraws_the_book():
    session = Session().synced()
    session.receive("update", row(1, "Buy", 11, timestamp="2024-11-24T08:26:22.356Z"))
    assert (
        len(session.receive("update", row(1, "Buy", 12, timestamp="2024-11-24T08:26:21.400Z"))) == 1
    )
    withdrawn, *_ = session.receive(
        "update", row(1, "Buy", 13, timestamp="2024-11-24T08:26:19.400Z")
    )
    assert withdrawn == BookWithdrawn(XBT, "venue time ran back by 2 s", session.now)


@pytest.mark.parametrize(
    ("text", "suspect"),
    [
        (
            (
                '{"table":"orderBookL2","action":"update","data":'
                '[{"symbol":"XBTUSD","id":1,"side":"Buy","si'
            ),
            {"XBTUSD"},
        ),
        (
            (
                '{"table":"orderBookL2","action":"update","data":'
                '[{"symbol":"XBTUSD","id":"x","side":"Buy"}]}'
            ),
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
def test_an_unreadable_book_message_withdraws_the_books_it_may_have_changed(text, suspect):
    session = Session().synced()
    session.receive("partial", row(1, "Buy", 10, 2, symbol="ETHUSD"))
    outcomes = session.adapter.frame("ws", text.encode(), session.now)
    assert {
        outcome.instrument.symbol for outcome in outcomes if isinstance(outcome, BookWithdrawn)
    } == suspect


def test_the_end_of_a_connection_withdraws_its_books_only():
    session = Session().synced()
    session.receive("partial", row(1, "Buy", 10, 2, symbol="ETHUSD"), connection="other")
    (withdrawn,) = session.adapter.closed("ws", 77)
    assert (withdrawn.instrument.symbol, withdrawn.received_ns) == ("XBTUSD", 77)
    assert "ws" in withdrawn.cause
    assert list(session.adapter.closed("ws", 78)) == []
    assert session.depth("ETHUSD") == ([("2", "10")], [])
    assert (
        session.receive("update", row(1, "Buy", 5)) == []
    )  # before the partial of the next connection


def test_too_many_ids_withdraw_the_book():
    session = Session().synced()
    for block in range(5):
        outcomes = session.receive(
            "insert", *(row(100 + block * 9_000 + n, "Buy", 1, 1) for n in range(9_000))
        )
    assert isinstance(outcomes[1], BookWithdrawn)
    assert "40000" in outcomes[1].cause


changes = st.lists(
    st.tuples(
        st.sampled_from(["Buy", "Sell"]), st.integers(1, 12), st.integers(0, 3), st.booleans()
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(changes)
def test_the_book_equals_the_sum_of_its_messages(steps):
    session, expected = Session(), {}
    session.receive("partial", filter={"symbol": "XBTUSD"})
    for side, level, size, priced in steps:
        key, price = (level, side), level if side == "Buy" else level + 100
        if key not in expected:
            session.receive("insert", row(level, side, size + 1, price))
            expected[key] = (price, size + 1)
        elif size:
            session.receive("update", row(level, side, size, price if priced else None))
            expected[key] = (price, size)
        else:
            session.receive("delete", row(level, side))
            del expected[key]
    bids = sorted((value for (_, side), value in expected.items() if side == "Buy"), reverse=True)
    asks = sorted(value for (_, side), value in expected.items() if side == "Sell")
    assert session.adapter.depth("XBTUSD", 50) == (
        [(str(p), str(s)) for p, s in bids],
        [(str(p), str(s)) for p, s in asks],
    )
