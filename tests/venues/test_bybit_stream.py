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
from perps_actors.venues.bybit.stream import BybitStream
from perps_actors.venues.contract import Endpoints, InvalidInput, SendFrame

BTC = InstrumentId("bybit", "BTCUSDT")
T0, T1, T2 = 1_700_000_000_000, 1_700_000_000_100, 1_700_000_000_200
MS = 1_000_000
TICKER = {
    "symbol": "BTCUSDT",
    "tickDirection": "PlusTick",
    "lastPrice": "64000.5",
    "markPrice": "64001.5",
    "indexPrice": "64000.9",
    "openInterest": "68744.761",
    "openInterestValue": "1183601235.91",
    "singleOpenInterest": "34372.3805",
    "fundingRate": "-0.0001",
    "nextFundingTime": "1700006400000",
    "fundingCap": "0.005",
    "bid1Price": "64000.10",
    "bid1Size": "2",
    "ask1Price": "64000.20",
    "ask1Size": "0.5",
}
TRADE = {
    "T": T1,
    "s": "BTCUSDT",
    "S": "Buy",
    "v": "0.001",
    "p": "64000.1",
    "L": "PlusTick",
    "i": "20f43950-d8dd",
    "BT": False,
    "RPI": True,
}
LIQUIDATION = {"T": T1, "s": "BTCUSDT", "S": "Sell", "v": "20000", "p": "63000.5"}
BOOK = {"s": "BTCUSDT", "b": [["100", "1"]], "a": [["101", "2"]], "u": 7, "seq": 9}


def frame(topic, data, kind="snapshot", at=T0):
    return json.dumps({"topic": topic, "type": kind, "ts": at, "data": data}).encode()


FRAMES = [
    frame("tickers.BTCUSDT", TICKER),
    frame("publicTrade.BTCUSDT", [TRADE]),
    frame("allLiquidation.BTCUSDT", [LIQUIDATION]),
    frame("orderbook.50.BTCUSDT", BOOK),
    frame("orderbook.50.BTCUSDT", {**BOOK, "u": 8}, "delta"),
]


def said(data, adapter=None, received_ns=7):
    return list((adapter or BybitStream()).frame("linear-0", data, received_ns))


def ticker(adapter, at, received_ns=7, **fields):
    return said(
        frame("tickers.BTCUSDT", {"symbol": "BTCUSDT", **fields}, "delta", at), adapter, received_ns
    )


def test_a_ticker_snapshot_gives_touch_mark_funding_and_open_interest():
    assert said(FRAMES[0]) == [
        Touch(BTC, "64000.10", "2", "64000.20", "0.5", "64000.5", T0 * MS, 7),
        VenueMark(BTC, "64001.5", "64000.9", T0 * MS, 7),
        Funding(BTC, "-0.0001", None, 1_700_006_400_000 * MS, "64001.5", T0 * MS, 7),
        OpenInterest(BTC, "68744.761", T0 * MS, 7),
    ]


def test_a_delta_updates_its_fields_and_the_others_keep_their_time():
    adapter = BybitStream()
    said(FRAMES[0], adapter, 7)
    (touch,) = ticker(adapter, T1, 8, bid1Price="64000.15", bid1Size="3")
    assert (touch.bid, touch.bid_size, touch.ask, touch.last, touch.venue_time_ns) == (
        "64000.15",
        "3",
        "64000.20",
        "64000.5",
        T1 * MS,
    )
    assert touch.earlier == tuple(Earlier(name, T0 * MS, 7) for name in ("ask", "ask_size", "last"))
    (mark, of_funding), index = (
        ticker(adapter, T2, 9, markPrice="64003"),
        ticker(adapter, T2 + 1, 10, indexPrice="64002"),
    )
    assert mark == VenueMark(BTC, "64003", "64000.9", T2 * MS, 9, (Earlier("index", T0 * MS, 7),))
    assert (of_funding.mark, of_funding.earlier) == (
        "64003",
        (Earlier("rate", T0 * MS, 7), Earlier("next_time_ns", T0 * MS, 7)),
    )
    assert index == [
        VenueMark(BTC, "64003", "64002", (T2 + 1) * MS, 10, (Earlier("mark", T2 * MS, 9),))
    ]
    (funding,) = ticker(adapter, T2 + 2, 11, fundingRate="0.0002")
    assert (funding.rate, funding.mark, funding.next_time_ns) == (
        "0.0002",
        "64003",
        1_700_006_400_000 * MS,
    )
    assert funding.earlier == (Earlier("next_time_ns", T0 * MS, 7), Earlier("mark", T2 * MS, 9))


@pytest.mark.parametrize(
    "fields", [{"openInterestValue": "5"}, {"singleOpenInterest": "3"}, {"volume24h": "1"}, {}]
)
def test_a_delta_without_a_field_that_is_read_gives_nothing(fields):
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    assert ticker(adapter, T1, **fields) == []


def test_a_mark_updates_funding_and_open_interest_does_not_update_the_touch():
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    assert [type(outcome) for outcome in ticker(adapter, T1, markPrice="1", openInterest="2")] == [
        VenueMark,
        Funding,
        OpenInterest,
    ]


def test_a_delta_before_any_snapshot_gives_its_own_fields_only():
    assert ticker(BybitStream(), T1, lastPrice="5") == [
        Touch(BTC, None, None, None, None, "5", T1 * MS, 7)
    ]


def test_a_later_snapshot_clears_earlier_fields():
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    (touch,) = said(frame("tickers.BTCUSDT", {"symbol": "BTCUSDT", "lastPrice": "5"}), adapter)
    assert (touch.bid, touch.last, touch.earlier) == (None, "5", ())


def test_a_side_that_became_empty_has_no_price():
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    (touch,) = ticker(adapter, T1, bid1Price="", bid1Size="0")
    assert (touch.bid, touch.bid_size, touch.ask) == (None, None, "64000.20")


def test_a_crossed_touch_is_invalid_input_and_the_other_events_are_read():
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    invalid_input, mark = ticker(adapter, T1, bid1Price="64000.2", bid1Size="1", indexPrice="64003")
    assert (invalid_input.symbol, mark.index) == ("BTCUSDT", "64003")
    (touch,) = ticker(adapter, T2, ask1Price="64000.3", ask1Size="1")
    assert (touch.bid, touch.ask) == ("64000.2", "64000.3")


def test_a_dated_contract_gives_no_funding():
    outcomes = said(frame("tickers.BTCUSDT", {**TICKER, "fundingRate": "", "nextFundingTime": ""}))
    assert Funding not in {type(outcome) for outcome in outcomes}


@pytest.mark.parametrize(("side", "taker"), [("Buy", "buy"), ("Sell", "sell")])
def test_a_trade_has_the_takers_side_and_its_own_time(side, taker):
    assert said(frame("publicTrade.BTCUSDT", [{**TRADE, "S": side}, TRADE]))[0] == Trade(
        BTC, taker, "64000.1", "0.001", "20f43950-d8dd", T1 * MS, 7
    )


@pytest.mark.parametrize(("position", "order"), [("Buy", "sell"), ("Sell", "buy")])
def test_a_liquidated_long_position_gives_a_sell(position, order):
    assert said(frame("allLiquidation.BTCUSDT", [{**LIQUIDATION, "S": position}])) == [
        Liquidation(BTC, order, "63000.5", "20000", T1 * MS, 7)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "", "op": "subscribe"},
        {"success": True, "ret_msg": "pong", "conn_id": "c", "op": "ping"},
        {"op": "pong", "args": ["1"], "conn_id": "c"},
        {"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": 1, "data": []},
        {
            "topic": "orderbook.rpi.BTCUSDT",
            "type": "snapshot",
            "ts": 1,
            "data": {"s": "BTCUSDT", "b": [["1", "2", "3"]], "a": [], "u": 1},
        },
    ],
)
def test_answers_and_unread_topics_give_nothing(answer):
    assert said(json.dumps(answer).encode()) == []


def test_a_refusal_is_invalid_input_in_the_venues_words():
    (invalid_input,) = said(
        b'{"success":false,"ret_msg":"error:handler not found,topic:orderbook.50.X",'
        b'"op":"subscribe"}'
    )
    assert "handler not found" in invalid_input.what


def test_a_plan_has_a_connection_per_category_with_the_venues_ping():
    adapter = BybitStream()
    linear, inverse = adapter.plan(
        ["BTCUSDT", "BTCUSD", "BTCPERP", "BTC-26DEC25", "BTCUSDH26", "BTCUSDT-26DEC25"]
    )
    assert (linear.name, linear.url) == ("linear-0", "wss://stream.bybit.com/v5/public/linear")
    assert (inverse.name, inverse.url, inverse.symbols) == (
        "inverse-0",
        "wss://stream.bybit.com/v5/public/inverse",
        ("BTCUSD", "BTCUSDH26"),
    )
    assert linear.symbols == ("BTCUSDT", "BTCPERP", "BTC-26DEC25", "BTCUSDT-26DEC25")
    assert linear.sources == ("book", "touch", "trades")
    assert linear.keep_alive == ('{"op":"ping"}', 20.0)


def test_an_opened_connection_subscribes_its_topics():
    adapter = BybitStream()
    adapter.plan(["BTCUSDT"])
    assert adapter.opened("linear-0", 1) == [
        SendFrame(
            "linear-0",
            '{"op":"subscribe","args":["orderbook.50.BTCUSDT","tickers.BTCUSDT","publicTrade.BTCUSDT","allLiquidation.BTCUSDT"]}',
        )
    ]


def test_a_connection_has_no_more_topics_than_the_venue_accepts():
    adapter = BybitStream()
    plans = adapter.plan([f"{n:036}USDT" for n in range(200)])
    assert [len(plan.symbols) for plan in plans] == [80, 80, 40]
    for plan in plans:
        args = [
            topic
            for sent in adapter.opened(plan.name, 1)
            for topic in json.loads(sent.text)["args"]
        ]
        assert len(json.dumps(args)) <= 21_000
        assert len(args) == 4 * len(plan.symbols)


def test_added_and_removed_symbols_are_changed_on_the_open_connection():
    adapter = BybitStream(channels=frozenset({"trades"}))
    (before,) = adapter.plan(["BTCUSDT", "ETHUSDT"])
    (after,) = adapter.plan(["ETHUSDT", "XRPUSDT"])
    assert adapter.amend(before, after) == (
        '{"op":"unsubscribe","args":["publicTrade.BTCUSDT"]}',
        '{"op":"subscribe","args":["publicTrade.XRPUSDT"]}',
    )
    assert said(FRAMES[1], adapter) == []
    (invalid_input,) = said(frame("publicTrade.DOGEUSDT", []), adapter)
    assert "not subscribed" in invalid_input.what


def test_only_chosen_channels_are_subscribed_at_the_given_address():
    adapter = BybitStream(
        Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9"), frozenset({"marks"})
    )
    (plan,) = adapter.plan(["BTCUSDT"])
    assert (plan.url, plan.sources) == ("ws://127.0.0.1:9/v5/public/linear", ("touch",))
    assert adapter.opened("linear-0", 1)[0].text == '{"op":"subscribe","args":["tickers.BTCUSDT"]}'
    with pytest.raises(SettingsError, match="books"):
        BybitStream(channels=frozenset({"books"}))


def test_an_ended_connection_clears_the_fields_of_its_tickers():
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    adapter.closed("linear-0", 9)
    assert ticker(adapter, T1, lastPrice="5") == [
        Touch(BTC, None, None, None, None, "5", T1 * MS, 7)
    ]


HOSTILE = [
    "-1",
    "NaN",
    "Infinity",
    "1e999999",
    "1_0",
    "\uff11",
    "1" * 31,
    " 1",
    "1\n",
    1,
    1.5,
    True,
    [],
    {},
]
NUMBERS = [
    "bid1Price",
    "bid1Size",
    "ask1Price",
    "lastPrice",
    "markPrice",
    "indexPrice",
    "openInterest",
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("field", NUMBERS)
def test_a_ticker_with_a_bad_number_is_one_invalid_input_and_changes_nothing(field, value):
    adapter = BybitStream()
    said(FRAMES[0], adapter)
    (invalid_input,) = ticker(adapter, T1, **{field: value, "ask1Size": "9"})
    assert isinstance(invalid_input, InvalidInput)
    (touch,) = ticker(adapter, T2, lastPrice="5")
    assert touch.ask_size == "0.5"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[" * 100_000,
        b'{"topic":"tickers.BTCUSDT","data":' + b'{"x":' * 100_000,
        b"\xff\xfe",
        b"null",
        b"0",
        b"{}",
        b'{"topic":"orderbook.50.","type":"snapshot","data":{"s":"","b":[],"a":[],"u":1}}',
        b'{"topic":"tickers.BTCUSDT","type":"delta"}',
        b'{"topic":"tickers.BTCUSDT","type":"other","data":{"symbol":"BTCUSDT"}}',
        b'{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"ETHUSDT"}}',
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","data":[{"s":"ETHUSDT","T":1,"S":"Buy","p":"1","v":"1","i":""}]}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_text_that_is_not_a_message_is_one_invalid_input(data):
    (invalid_input,) = said(data)
    assert isinstance(invalid_input, InvalidInput)
    assert len(invalid_input.what) <= 200
    assert invalid_input.what.isprintable()


def test_the_number_of_symbols_without_a_plan_is_bounded():
    adapter = BybitStream()
    for n in range(5_000):
        said(frame(f"publicTrade.S{n}USDT", []), adapter)
    (invalid_input,) = said(FRAMES[1], adapter)
    assert "5000" in invalid_input.what


@given(st.binary(max_size=200))
def test_no_bytes_raise_an_exception(data):
    said(data)


@given(st.data())
def test_mutated_cut_and_reordered_frames_raise_nothing_and_the_next_snapshots_restore_the_books(
    data,
):
    adapter = BybitStream()
    for original in data.draw(st.lists(st.sampled_from(FRAMES), max_size=8)):
        mutant = bytearray(original)
        for _ in range(data.draw(st.integers(0, 3))):
            mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
        said(
            bytes(
                mutant[: data.draw(st.integers(0, len(mutant)))]
                if data.draw(st.booleans())
                else mutant
            ),
            adapter,
        )
    (top,) = [outcome for outcome in said(FRAMES[3], adapter) if isinstance(outcome, BookTop)]
    assert (top.bid, top.ask, top.bid_levels, top.ask_levels) == ("100", "101", 1, 1)
    assert said(FRAMES[0], adapter)[0] == Touch(
        BTC, "64000.10", "2", "64000.20", "0.5", "64000.5", T0 * MS, 7
    )
