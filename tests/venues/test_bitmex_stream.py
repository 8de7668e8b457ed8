from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.events import (
    BookTop,
    Earlier,
    Funding,
    Liquidation,
    OpenInterest,
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bitmex.stream import BitmexStream
from perps_actors.venues.contract import Endpoints, InvalidInput, SendFrame

XBT = InstrumentId("bitmex", "XBTUSD")
TIME, AT = "2024-11-24T23:33:19.034Z", 1_732_491_199_034_000_000
QUOTE = {
    "timestamp": TIME,
    "symbol": "XBTUSD",
    "bidSize": 300,
    "bidPrice": 97882.5,
    "askPrice": 97887.1,
    "askSize": 200,
}
TRADE = {
    "timestamp": TIME,
    "symbol": "XBTUSD",
    "side": "Sell",
    "size": 100,
    "price": 97893.7,
    "trdMatchID": "00000000-006d",
}
CONTRACT = {
    "symbol": "XBTUSD",
    "timestamp": TIME,
    "markPrice": 97849.76,
    "indicativeSettlePrice": 97843.77,
    "fundingRate": 0.00011,
    "indicativeFundingRate": 0.000125,
    "fundingTimestamp": "2024-11-25T04:00:00.000Z",
    "openInterest": 411647400,
    "bidPrice": 97882.5,
    "askPrice": 97887.1,
    "lastPrice": 97893.7,
}
PAID = 1_732_507_200_000_000_000
LATER, LATER_AT = "2024-11-24T23:33:20.000Z", 1_732_491_200_000_000_000


def frame(table, action, *rows):
    return json.dumps({"table": table, "action": action, "data": rows}).encode()


def read(table, action, *rows, adapter=None, received_ns=7):
    return list((adapter or BitmexStream()).frame("ws", frame(table, action, *rows), received_ns))


def after_partial():
    adapter = BitmexStream()
    read("instrument", "partial", CONTRACT, adapter=adapter)
    return adapter


@pytest.mark.parametrize("action", ["partial", "insert"])
def test_a_quote_is_a_touch(action):
    assert read("quote", action, QUOTE, {**QUOTE, "bidSize": 5}) == [
        Touch(XBT, "97882.5", "300", "97887.1", "200", None, AT, 7),
        Touch(XBT, "97882.5", "5", "97887.1", "200", None, AT, 7),
    ]


def test_a_null_price_in_a_quote_is_an_empty_side():
    assert read("quote", "insert", {**QUOTE, "askPrice": None, "askSize": None}) == [
        Touch(XBT, "97882.5", "300", None, None, None, AT, 7)
    ]


def test_a_trade_has_the_takers_side_and_a_trade_in_the_partial_is_backlog():
    assert read("trade", "insert", TRADE) == [
        Trade(XBT, "sell", "97893.7", "100", "00000000-006d", AT, 7)
    ]
    assert read("trade", "partial", {**TRADE, "side": "Buy"}) == [
        Trade(XBT, "buy", "97893.7", "100", "00000000-006d", AT, 7, backlog=True)
    ]


def test_an_index_value_among_the_trades_is_one_invalid_input():
    index = {
        "timestamp": TIME,
        "symbol": ".BXBT",
        "side": "",
        "size": 5,
        "price": 97000.5,
        "trdMatchID": None,
    }
    first, invalid_input, last = read("trade", "insert", TRADE, index, TRADE)
    assert (type(first), type(invalid_input), invalid_input.symbol, type(last)) == (
        Trade,
        InvalidInput,
        ".BXBT",
        Trade,
    )


def test_a_liquidation_is_reported_once_when_its_order_is_placed():
    row = {"orderID": "8b4a", "symbol": "XBTUSD", "side": "Buy", "price": 97000, "leavesQty": 4500}
    assert read("liquidation", "insert", row) == [Liquidation(XBT, "buy", "97000", "4500", None, 7)]
    assert read("liquidation", "partial", row) == []
    assert (
        read("liquidation", "update", {"orderID": "8b4a", "symbol": "XBTUSD", "leavesQty": 1}) == []
    )
    assert read("liquidation", "delete", {"orderID": "8b4a", "symbol": "XBTUSD"}) == []


def test_a_contract_row_gives_mark_touch_funding_and_open_interest():
    assert read("instrument", "partial", CONTRACT) == [
        VenueMark(XBT, "97849.76", "97843.77", AT, 7),
        Touch(XBT, "97882.5", None, "97887.1", None, "97893.7", AT, 7),
        Funding(XBT, "0.00011", "0.000125", PAID, None, AT, 7),
        OpenInterest(XBT, "411647400", AT, 7),
    ]


def test_a_dated_contract_has_no_funding():
    without = {"fundingRate": None, "indicativeFundingRate": None, "fundingTimestamp": None}
    assert [type(event) for event in read("instrument", "partial", CONTRACT | without)] == [
        VenueMark,
        Touch,
        OpenInterest,
    ]


@pytest.mark.parametrize(
    ("changed", "event"),
    [
        (
            {"markPrice": 97850},
            VenueMark(XBT, "97850", "97843.77", LATER_AT, 9, (Earlier("index", AT, 7),)),
        ),
        (
            {"indicativeSettlePrice": 97850},
            VenueMark(XBT, "97849.76", "97850", LATER_AT, 9, (Earlier("mark", AT, 7),)),
        ),
        ({"openInterest": 5}, OpenInterest(XBT, "5", LATER_AT, 9)),
        (
            {"indicativeFundingRate": -1e-05},
            Funding(XBT, "0.00011", "-1e-05", PAID, None, LATER_AT, 9),
        ),
        ({"bidPrice": 97883}, Touch(XBT, "97883", None, "97887.1", None, "97893.7", LATER_AT, 9)),
        ({"lastPrice": 97880}, Touch(XBT, "97882.5", None, "97887.1", None, "97880", LATER_AT, 9)),
    ],
)
def test_an_update_keeps_the_earlier_time_of_fields_that_it_does_not_carry(changed, event):
    (result,) = read(
        "instrument",
        "update",
        {"symbol": "XBTUSD", "timestamp": LATER, **changed},
        adapter=after_partial(),
        received_ns=9,
    )
    if isinstance(event, Funding | Touch):
        carried = {"bidPrice": "bid", "lastPrice": "last", "indicativeFundingRate": "predicted"}[
            next(iter(changed))
        ]
        assert {field.field for field in result.earlier} == {
            "bid",
            "ask",
            "last",
            "rate",
            "predicted",
            "next_time_ns",
        } & set(result.__struct_fields__) - {carried}
        assert {(field.venue_time_ns, field.received_ns) for field in result.earlier} == {(AT, 7)}
        result = type(result)(
            *(getattr(result, name) for name in result.__struct_fields__ if name != "earlier")
        )
    assert result == event


def test_an_update_of_unused_fields_gives_no_event():
    assert (
        read(
            "instrument",
            "update",
            {"symbol": "XBTUSD", "timestamp": LATER, "openValue": 5, "fairPrice": 6},
            adapter=after_partial(),
        )
        == []
    )


def test_a_partial_replaces_all_earlier_fields():
    assert read(
        "instrument",
        "partial",
        {"symbol": "XBTUSD", "timestamp": LATER, "markPrice": 5},
        adapter=after_partial(),
    ) == [VenueMark(XBT, "5", None, LATER_AT, 7)]


def test_an_update_before_the_partial_or_after_the_connection_ended_is_dropped():
    update = {"symbol": "XBTUSD", "timestamp": LATER, "markPrice": 5}
    assert read("instrument", "update", update) == []
    adapter = after_partial()
    adapter.closed("another", 8)
    assert len(read("instrument", "update", update, adapter=adapter)) == 1
    adapter.closed("ws", 8)
    assert read("instrument", "update", update, adapter=adapter) == []


def test_a_bad_number_costs_its_row_only():
    invalid_input, *rest = read(
        "instrument", "partial", {**CONTRACT, "markPrice": "x"}, {**CONTRACT, "symbol": "ETHUSD"}
    )
    assert (type(invalid_input), invalid_input.symbol) == (InvalidInput, "XBTUSD")
    assert {event.instrument.symbol for event in rest} == {"ETHUSD"}


def test_a_touch_that_crosses_until_the_next_update_is_invalid_input_and_costs_nothing_else():
    adapter = after_partial()
    update = {"symbol": "XBTUSD", "timestamp": LATER, "bidPrice": 97900, "markPrice": 97888}
    mark, invalid_input = read("instrument", "update", update, adapter=adapter)
    assert (mark.mark, type(invalid_input)) == ("97888", InvalidInput)
    (touch,) = read(
        "instrument",
        "update",
        {"symbol": "XBTUSD", "timestamp": LATER, "askPrice": 97901},
        adapter=adapter,
    )
    assert (touch.bid, touch.ask) == ("97900", "97901")


def test_the_next_funding_is_one_interval_after_a_payment():
    row = {
        "timestamp": TIME,
        "symbol": "XBTUSD",
        "fundingInterval": "2000-01-01T08:00:00.000Z",
        "fundingRate": 0.0001,
    }
    assert read("funding", "insert", row) == [
        Funding(XBT, "0.0001", None, AT + 8 * 3_600 * 1_000_000_000, None, AT, 7)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "pong",
        '{"info":"Welcome to the BitMEX Realtime API.","version":"2.0.0","limit":{"remaining":39}}',
        (
            '{"success":true,"subscribe":"quote:XBTUSD",'
            '"request":{"op":"subscribe","args":["quote:XBTUSD"]}}'
        ),
        '{"table":"orderBookL2_25","action":"update","data":[{"symbol":"XBTUSD","id":1}]}',
        '{"table":"tradeBin1m","action":"insert","data":[]}',
    ],
)
def test_acknowledgements_and_unused_tables_give_nothing(text):
    assert list(BitmexStream().frame("ws", text.encode(), 7)) == []


def test_a_refusal_is_invalid_input_with_the_venues_words():
    text = (
        '{"status":400,"error":"Unknown or expired symbol.","meta":{},'
        '"request":{"op":"subscribe","args":["quote:NEVER"]}}'
    )
    (invalid_input,) = BitmexStream().frame("ws", text.encode(), 7)
    assert "Unknown or expired symbol" in invalid_input.what


NUMBERS = [
    *(("quote", QUOTE, f) for f in ("bidPrice", "bidSize", "askPrice", "askSize")),
    *(("trade", TRADE, f) for f in ("price", "size")),
]


@pytest.mark.parametrize(
    "value",
    ["NaN", "-1", -1, "1_0", "1e999", "\uff11", [], {}, True, "1" * 31, int("1" * 31)],
    ids=repr,
)
@pytest.mark.parametrize(("table", "row", "field"), NUMBERS, ids=str)
def test_an_impossible_number_is_invalid_input(table, row, field, value):
    (invalid_input,) = read(table, "insert", {**row, field: value})
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.symbol == "XBTUSD"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[" * 100_000,
        b'{"table":' * 100_000,
        b"\xff",
        b"null",
        b"{}",
        b"7",
        b'{"table":null}',
    ],
)
def test_text_that_is_no_message_is_one_invalid_input(data):
    (invalid_input,) = BitmexStream().frame("ws", data, 1)
    assert isinstance(invalid_input, InvalidInput)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["XBTUSD", TIME, "Buy"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(CONTRACT)), inner, max_size=3)
    ),
    max_leaves=6,
)
BOOK = {"symbol": "XBTUSD", "id": 5, "side": "Buy", "size": 1, "price": 90000, "timestamp": TIME}
ROWS = {"quote": QUOTE, "trade": TRADE, "instrument": CONTRACT, "orderBookL2": BOOK}


@given(
    st.sampled_from(sorted(ROWS)),
    st.sampled_from(["partial", "insert", "update", "delete", "x"]),
    st.data(),
)
def test_a_mutated_message_raises_nothing_and_the_next_partial_restores_the_book(
    table, action, data
):
    adapter = after_partial()
    read("orderBookL2", "partial", {**BOOK, "id": 1}, adapter=adapter)
    mutant = {**ROWS[table], data.draw(st.sampled_from(sorted(ROWS[table]))): data.draw(values)}
    read(table, action, mutant, adapter=adapter)
    cut = frame(table, action, mutant)
    adapter.frame("ws", cut[: data.draw(st.integers(0, len(cut)))], 1)
    adapter.frame("ws", data.draw(st.binary(max_size=50)), 1)
    (top,) = read("orderBookL2", "partial", BOOK, adapter=adapter)
    assert (top.bid, top.bid_levels, top.ask_levels) == ("90000", 1, 0)
    assert [type(event) for event in read("instrument", "partial", CONTRACT, adapter=adapter)] == [
        VenueMark,
        Touch,
        Funding,
        OpenInterest,
    ]


def test_a_plan_subscribes_fifty_topics_per_request_and_pings():
    adapter = BitmexStream()
    (plan,) = adapter.plan(["XBTUSD", "ETHUSD", "XBTUSD"])
    assert (plan.name, plan.url, plan.symbols) == (
        "realtime-0",
        "wss://ws.bitmex.com/realtime",
        ("XBTUSD", "ETHUSD"),
    )
    assert (plan.sources, plan.keep_alive) == (("book", "touch", "trades"), ("ping", 5.0))
    (request,) = adapter.opened("realtime-0", 1)
    tables = ["orderBookL2", "quote", "trade", "instrument", "liquidation"]
    assert json.loads(request.text) == {
        "op": "subscribe",
        "args": [f"{t}:{s}" for s in ("XBTUSD", "ETHUSD") for t in tables],
    }
    assert list(adapter.opened("realtime-1", 1)) == []
    plans = adapter.plan([f"S{n}" for n in range(250)])
    requests = [frame for plan in plans for frame in adapter.opened(plan.name, 1)]
    topics = [topic for request in requests for topic in json.loads(request.text)["args"]]
    assert (len(plans), len(topics), len(set(topics))) == (3, 1_250, 1_250)
    assert max(len(json.loads(request.text)["args"]) for request in requests) == 50


def test_a_plan_changes_on_an_open_connection_and_late_data_is_dropped():
    adapter = BitmexStream(channels=frozenset({"touch"}))
    (before,) = adapter.plan(["XBTUSD", "ETHUSD"])
    (after,) = adapter.plan(["ETHUSD", "SOLUSD"])
    assert [json.loads(text) for text in adapter.amend(before, after)] == [
        {"op": "unsubscribe", "args": ["quote:XBTUSD"]},
        {"op": "subscribe", "args": ["quote:SOLUSD"]},
    ]
    assert read("quote", "insert", QUOTE, adapter=adapter) == []
    assert read("orderBookL2", "partial", BOOK, adapter=adapter) == []
    (invalid_input,) = read("quote", "insert", {**QUOTE, "symbol": "LTCUSD"}, adapter=adapter)
    assert "'LTCUSD': not subscribed" in invalid_input.what
    (invalid_input,) = read("orderBookL2", "partial", {**BOOK, "symbol": "LTCUSD"}, adapter=adapter)
    assert "'LTCUSD': not subscribed" in invalid_input.what


def test_a_plan_with_another_address_needs_another_connection():
    (before,) = BitmexStream().plan(["XBTUSD"])
    local = BitmexStream(Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9"))
    (after,) = local.plan(["XBTUSD"])
    assert after.url == "ws://127.0.0.1:9/realtime"
    assert local.amend(before, after) is None


def test_a_broken_book_is_resubscribed_on_its_planned_connection():
    adapter = BitmexStream()
    adapter.plan(["XBTUSD"])
    adapter.frame("realtime-0", frame("orderBookL2", "partial", BOOK), 1)
    sent = [
        result
        for result in adapter.frame(
            "realtime-0", frame("orderBookL2", "delete", {**BOOK, "id": 9}), 2
        )
        if type(result) is SendFrame
    ]
    assert [(result.connection, json.loads(result.text)["op"]) for result in sent] == [
        ("realtime-0", "unsubscribe"),
        ("realtime-0", "subscribe"),
    ]
    assert type(adapter.frame("realtime-0", frame("orderBookL2", "partial", BOOK), 3)[0]) is BookTop


@pytest.mark.parametrize("symbol", ["", "A\nB", "x" * 41])
def test_an_impossible_symbol_is_refused_with_the_name_of_the_setting(symbol):
    with pytest.raises(SettingsError, match="symbols"):
        BitmexStream().plan([symbol])


def test_an_unknown_channel_is_refused_with_the_known_channels():
    with pytest.raises(
        SettingsError,
        match=r"channels = 'books'.*book, candles, liquidations, marks, touch, trades",
    ):
        BitmexStream(channels=frozenset({"books"}))
