from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.events import (
    BookTop,
    Funding,
    Liquidation,
    OpenInterest,
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Endpoints, InvalidInput
from perps_actors.venues.gateio_futures.stream import GateioFuturesStream

BTC = InstrumentId("gateio_futures", "BTC_USDT")
AT = 1_615_366_379_123_000_000
TOUCH = {
    "t": 1615366379123,
    "u": 2517661076,
    "s": "BTC_USDT",
    "b": "54696.6",
    "B": 37000,
    "a": "54696.7",
    "A": "47061",
}
TRADE = {
    "size": -108,
    "id": 27753479,
    "create_time": 1615366379,
    "create_time_ms": 1615366379123,
    "price": "96.4",
    "contract": "BTC_USDT",
}
TICKER = {
    "contract": "BTC_USDT",
    "last": "118.4",
    "change_percentage": "0.77",
    "funding_rate": "-0.000114",
    "funding_rate_indicative": "0.01875",
    "mark_price": "118.35",
    "index_price": "118.36",
    "total_size": "73648",
}
FORCED = {"price": "215.1", "size": "-124.5", "time": 1615366379123, "contract": "BTC_USDT"}
FULL = {
    "t": 1615366379123,
    "full": True,
    "s": "ob.BTC_USDT.50",
    "u": 10,
    "b": [["9", "1"]],
    "a": [["11", "2"]],
}


def frame(channel, result, event="update", **more):
    message = {
        "time": 1615366379,
        "time_ms": 1615366379123,
        "channel": f"futures.{channel}",
        "event": event,
        "result": result,
    }
    return json.dumps(message | more).encode()


def read(channel, result, adapter=None, **more):
    return list(
        (adapter or GateioFuturesStream()).frame("usdt-0", frame(channel, result, **more), 7)
    )


def test_a_book_ticker_gives_a_touch_from_sizes_in_any_spelling():
    assert read("book_ticker", TOUCH) == [
        Touch(BTC, "54696.6", "37000", "54696.7", "47061", None, AT, 7)
    ]


def test_a_side_without_orders_has_no_price():
    assert read("book_ticker", {**TOUCH, "a": "", "A": 0}) == [
        Touch(BTC, "54696.6", "37000", None, None, None, AT, 7)
    ]


@pytest.mark.parametrize("ask", ["54696.6", "54696.60", "1"])
def test_a_crossed_or_locked_touch_is_refused(ask):
    (invalid_input,) = read("book_ticker", {**TOUCH, "a": ask})
    assert (type(invalid_input), invalid_input.symbol) == (InvalidInput, "BTC_USDT")


@pytest.mark.parametrize(
    ("size", "side", "amount"),
    [(-108, "sell", "108"), (5, "buy", "5"), ("-0.5", "sell", "0.5"), ("2.5", "buy", "2.5")],
)
def test_the_sign_of_a_trades_size_gives_the_takers_side(size, side, amount):
    assert read("trades", [{**TRADE, "size": size}]) == [
        Trade(BTC, side, "96.4", amount, "27753479", AT, 7)
    ]


def test_an_internal_trade_is_skipped():
    assert read("trades", [{**TRADE, "is_internal": True}]) == []
    assert (
        len(read("trades", [{**TRADE, "is_internal": True}, {**TRADE, "is_internal": False}])) == 1
    )


def test_a_ticker_gives_venue_mark_funding_and_open_interest_at_the_messages_time():
    assert read("tickers", [TICKER]) == [
        VenueMark(BTC, "118.35", "118.36", AT, 7),
        Funding(BTC, "-0.000114", "0.01875", None, "118.35", AT, 7),
        OpenInterest(BTC, "73648", AT, 7),
    ]


def test_a_ticker_gives_events_of_the_fields_that_it_carries_only():
    assert read("tickers", [{"contract": "BTC_USDT", "last": "5"}]) == []
    assert read("tickers", [{"contract": "BTC_USDT", "index_price": "5", "funding_rate": ""}]) == [
        VenueMark(BTC, None, "5", AT, 7)
    ]


@pytest.mark.parametrize(
    "time",
    [
        {"time": 1615366379123},
        {"time": 1615366379.123},
        {"time_ms": 1615366379123, "time": 1615366379},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("price", "size", "side"), [("215.1", "-124.5", "sell"), (215.1, 124.5, "buy")]
)
def test_a_liquidation_has_its_orders_side_in_any_spelling_of_time_and_numbers(
    time, price, size, side
):
    row = {"price": price, "size": size, "contract": "BTC_USDT", **time}
    assert read("public_liquidates", [row]) == [Liquidation(BTC, side, "215.1", "124.5", AT, 7)]


def test_several_liquidations_of_one_message_are_read():
    assert [
        event.price for event in read("public_liquidates", [FORCED, {**FORCED, "price": "215.2"}])
    ] == ["215.1", "215.2"]


@pytest.mark.parametrize(
    "text",
    [
        frame("pong", None, event=""),
        frame(
            "obu",
            {"status": "success"},
            event="subscribe",
            payload=["ob.BTC_USDT.50"],
            conn_id="c5",
        ),
        frame("tickers", {"status": "success"}, event="unsubscribe", error=None),
        frame("contract_info", {"contract": "BTC_USDT"}, event="all"),
        frame(
            "candlesticks",
            [{"n": "7d_BTC_USDT", "t": 1, "o": "1", "h": "1", "l": "1", "c": "1", "v": 1}],
        ),
    ],
)
def test_acknowledgements_and_unused_channels_give_nothing(text):
    assert list(GateioFuturesStream().frame("usdt-0", text, 7)) == []


def test_a_refusal_is_invalid_input_with_the_venues_words():
    refused = {"error": {"code": 2, "message": "Alert sub ob.BTC_USDT.50"}}
    (invalid_input,) = read("obu", {"status": "fail"}, event="subscribe", **refused)
    assert (
        invalid_input.what == "The venue refused futures.obu subscribe: 2, Alert sub ob.BTC_USDT.50"
    )


def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read():
    first, invalid_input, last = read("trades", [TRADE, {**TRADE, "price": "NaN"}, TRADE])
    assert (type(first), type(invalid_input), type(last)) == (Trade, InvalidInput, Trade)
    assert [type(outcome) for outcome in read("trades", [{"contract": 5}, TRADE, 7])] == [
        InvalidInput,
        Trade,
        InvalidInput,
    ]


NUMBERS = [
    *(("book_ticker", TOUCH, f) for f in "bBaA"),
    *(("trades", TRADE, f) for f in ("price", "size")),
]
HOSTILE = ["NaN", "-", "--1", "1_0", "1e999", "\uff11", [], {}, True, "1" * 31, " 1"]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(("channel", "row", "field"), NUMBERS, ids=str)
def test_an_impossible_number_is_invalid_input(channel, row, field, value):
    changed = {**row, field: value}
    (invalid_input,) = read(channel, [changed] if channel == "trades" else changed)
    assert isinstance(invalid_input, InvalidInput)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[" * 100_000,
        b'{"channel":' * 100_000,
        b"\xff",
        b"null",
        b"{}",
        b"7",
        b'{"channel":null}',
    ],
)
def test_text_that_is_no_message_is_one_invalid_input(data):
    (invalid_input,) = GateioFuturesStream().frame("usdt-0", data, 1)
    assert isinstance(invalid_input, InvalidInput)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["BTC_USDT", "-1", "1e5"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["p", "s", "contract", "U"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CHANGE = {
    "t": 1615366379123,
    "s": "BTC_USDT",
    "U": 1,
    "u": 2,
    "b": [{"p": "9", "s": 1}],
    "a": [{"p": "11", "s": "0"}],
}
EVENTS = {
    "book_ticker": TOUCH,
    "obu": FULL,
    "order_book_update": CHANGE,
    "trades": TRADE,
    "tickers": TICKER,
    "public_liquidates": FORCED,
}


@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_a_mutated_message_raises_nothing_and_the_next_full_message_restores_the_book(
    channel, data
):
    adapter = GateioFuturesStream()
    read("obu", FULL, adapter)
    event = EVENTS[channel]
    mutant = {**event, data.draw(st.sampled_from(sorted(event))): data.draw(values)}
    read(
        channel,
        [mutant] if channel in ("trades", "tickers", "public_liquidates") else mutant,
        adapter,
    )
    cut = frame(channel, data.draw(values))
    adapter.frame("usdt-0", cut[: data.draw(st.integers(0, len(cut)))], 1)
    adapter.frame("usdt-0", data.draw(st.binary(max_size=50)), 1)
    (top,) = read("obu", FULL, adapter)
    assert (type(top), top.bid, top.ask, top.sequence) == (BookTop, "9", "11", 10)


def requests(adapter, connection):
    return [json.loads(frame.text) for frame in adapter.opened(connection, 1)]


def test_a_plan_subscribes_one_channel_per_request_and_pings():
    adapter = GateioFuturesStream()
    (plan,) = adapter.plan(["BTC_USDT", "ETH_USDT", "BTC_USDT"])
    assert (plan.name, plan.url, plan.symbols) == (
        "usdt-0",
        "wss://fx-ws.gateio.ws/v4/ws/usdt",
        ("BTC_USDT", "ETH_USDT"),
    )
    assert plan.sources == ("book", "touch", "trades")
    text, every_s = plan.keep_alive
    assert (json.loads(text)["channel"], every_s) == ("futures.ping", 15.0)
    sent = requests(adapter, "usdt-0")
    assert {request["event"] for request in sent} == {"subscribe"}
    assert all(type(request["time"]) is int for request in sent)
    both = ["BTC_USDT", "ETH_USDT"]
    assert {request["channel"]: request["payload"] for request in sent} == {
        "futures.obu": ["ob.BTC_USDT.50", "ob.ETH_USDT.50"],
        "futures.book_ticker": both,
        "futures.trades": both,
        "futures.tickers": both,
        "futures.public_liquidates": both,
    }


def test_many_symbols_take_several_connections_and_requests():
    adapter = GateioFuturesStream(channels=frozenset({"book"}))
    plans = adapter.plan([f"S{n}_USDT" for n in range(230)])
    assert [len(plan.symbols) for plan in plans] == [100, 100, 30]
    payloads = [request["payload"] for plan in plans for request in requests(adapter, plan.name)]
    assert [len(payload) for payload in payloads] == [50, 50, 50, 50, 30]
    assert len({stream for payload in payloads for stream in payload}) == 230


def test_books_with_rest_snapshots_are_subscribed_one_by_one():
    adapter = GateioFuturesStream(channels=frozenset({"book"}), book="futures.order_book_update")
    adapter.plan(["BTC_USDT", "ETH_USDT"])
    assert [(sent["channel"], sent["payload"]) for sent in requests(adapter, "usdt-0")] == [
        ("futures.order_book_update", ["BTC_USDT", "100ms", "100"]),
        ("futures.order_book_update", ["ETH_USDT", "100ms", "100"]),
    ]


def test_a_plan_changes_on_an_open_connection_and_late_data_is_dropped():
    adapter = GateioFuturesStream(channels=frozenset({"book", "touch"}))
    (before,) = adapter.plan(["BTC_USDT", "ETH_USDT"])
    (after,) = adapter.plan(["ETH_USDT", "SOL_USDT"])
    sent = [json.loads(text) for text in adapter.amend(before, after)]
    assert {(request["channel"], request["event"], *request["payload"]) for request in sent} == {
        ("futures.obu", "unsubscribe", "ob.BTC_USDT.50"),
        ("futures.obu", "subscribe", "ob.SOL_USDT.50"),
        ("futures.book_ticker", "unsubscribe", "BTC_USDT"),
        ("futures.book_ticker", "subscribe", "SOL_USDT"),
    }
    assert read("obu", FULL, adapter) == []
    assert read("trades", [TRADE], adapter) == []
    (invalid_input,) = read("book_ticker", {**TOUCH, "s": "LTC_USDT"}, adapter)
    assert "'LTC_USDT': not subscribed" in invalid_input.what


def test_a_plan_with_another_address_needs_another_connection():
    (before,) = GateioFuturesStream().plan(["BTC_USDT"])
    local = GateioFuturesStream(Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9"))
    (after,) = local.plan(["BTC_USDT"])
    assert (after.url, local.amend(before, after)) == ("ws://127.0.0.1:9/v4/ws/usdt", None)


def test_a_symbol_may_be_in_any_script():
    (top,) = read("obu", {**FULL, "s": "ob.币安人生_USDT.50"})
    assert top.instrument.symbol == "币安人生_USDT"


@pytest.mark.parametrize("symbol", ["", "A\nB", "x" * 41])
def test_an_impossible_symbol_is_refused_with_the_name_of_the_setting(symbol):
    with pytest.raises(SettingsError, match="symbols"):
        GateioFuturesStream().plan([symbol])


def test_an_unknown_channel_is_refused_with_the_known_channels():
    with pytest.raises(
        SettingsError,
        match=r"channels = 'books'.*book, candles, liquidations, marks, touch, trades",
    ):
        GateioFuturesStream(channels=frozenset({"books"}))
