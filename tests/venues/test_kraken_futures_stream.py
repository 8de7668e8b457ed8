from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.events import Funding, Liquidation, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.kraken_futures.stream import KrakenFuturesStream

SYMBOL = "PF_ETHUSD"
ETH = InstrumentId("kraken_futures", SYMBOL)
AT = 1_770_920_339_237_000_000
TICKER = {
    "feed": "ticker",
    "product_id": SYMBOL,
    "bid": 1907.3,
    "bid_size": 0.097,
    "ask": 1907.4,
    "ask_size": 0.112,
    "index": 1907.83,
    "last": 1907.7,
    "time": 1_770_920_339_237,
    "funding_rate": 0.91,
    "funding_rate_prediction": -0.014,
    "relative_funding_rate": -2.6e-6,
    "relative_funding_rate_prediction": -7.3e-6,
    "next_funding_rate_time": 1_770_922_800_000,
    "markPrice": 1907.459,
    "openInterest": 17059.147,
    "suspended": False,
}
TRADE = {
    "feed": "trade",
    "product_id": SYMBOL,
    "uid": "16dc1852",
    "side": "sell",
    "type": "fill",
    "seq": 96905,
    "time": 1_770_920_339_237,
    "qty": 0.0003,
    "price": 1907.0,
}


def read(frame, adapter=None):
    return list((adapter or KrakenFuturesStream()).frame("public-0", json.dumps(frame).encode(), 7))


def without(frame, *names):
    return {name: value for name, value in frame.items() if name not in names}


def test_a_ticker_gives_touch_mark_open_interest_and_funding_as_a_rate():
    assert read(TICKER) == [
        Touch(ETH, "1907.3", "0.097", "1907.4", "0.112", "1907.7", AT, 7),
        VenueMark(ETH, "1907.459", "1907.83", AT, 7),
        OpenInterest(ETH, "17059.147", AT, 7),
        Funding(ETH, "-2.6e-06", "-7.3e-06", 1_770_922_800_000_000_000, "1907.459", AT, 7),
    ]


def test_funding_as_money_per_contract_is_not_taken_for_a_rate():
    (*_, funding) = read(
        without(TICKER, "relative_funding_rate", "relative_funding_rate_prediction")
    )
    assert (funding.rate, funding.predicted, funding.next_time_ns) == (
        None,
        None,
        1_770_922_800_000_000_000,
    )


def test_a_dated_product_has_no_funding():
    dated = without(
        TICKER,
        "relative_funding_rate",
        "relative_funding_rate_prediction",
        "next_funding_rate_time",
    )
    assert [type(event) for event in read(dated)] == [Touch, VenueMark, OpenInterest]


def test_a_ticker_gives_events_of_the_fields_that_it_carries_only():
    assert read({"feed": "ticker", "product_id": SYMBOL, "time": 5, "openInterest": 1}) == [
        OpenInterest(ETH, "1", 5_000_000, 7)
    ]


def test_a_best_price_of_zero_is_an_empty_side():
    touch, *_ = read({**TICKER, "ask": 0.0, "ask_size": 0.0})
    assert (touch.bid, touch.ask, touch.ask_size) == ("1907.3", None, "0")


def test_a_light_ticker_gives_a_touch_without_sizes_and_time():
    lite = {"feed": "ticker_lite", "product_id": SYMBOL, "bid": 1907.3, "ask": 1907.4, "last": 1}
    assert read(lite) == [Touch(ETH, "1907.3", None, "1907.4", None, None, None, 7)]


@pytest.mark.parametrize("kind", ["fill", "block", "termination"])
def test_a_trade_has_the_takers_side(kind):
    assert read({**TRADE, "type": kind}) == [
        Trade(ETH, "sell", "1907.0", "0.0003", "16dc1852", AT, 7)
    ]


def test_a_trade_of_type_liquidation_gives_both_events():
    trade, liquidation = read({**TRADE, "type": "liquidation"})
    assert trade.trade_id == "16dc1852"
    assert liquidation == Liquidation(ETH, "sell", "1907.0", "0.0003", AT, 7)


def test_trades_before_the_subscription_are_backlog_in_the_order_of_the_message():
    row = without(TRADE, "feed", "product_id")
    snapshot = {
        "feed": "trade_snapshot",
        "product_id": SYMBOL,
        "trades": [{**TRADE, "uid": "new"}, {**row, "uid": "old", "type": "liquidation"}],
    }
    found = read(snapshot)
    assert [(trade.trade_id, trade.backlog) for trade in found] == [("new", True), ("old", True)]


def test_a_backlog_with_a_long_number_is_read_and_one_with_a_bad_number_refused():
    long = "0.12345678901234567890"
    text = json.dumps(
        {"feed": "trade_snapshot", "product_id": SYMBOL, "trades": [{**TRADE, "qty": 12345}]}
    )
    (trade,) = KrakenFuturesStream().frame("ws", text.replace("12345", long).encode(), 7)
    assert trade.amount == long
    (invalid_input,) = KrakenFuturesStream().frame("ws", text.replace("12345", "-1").encode(), 7)
    assert isinstance(invalid_input, InvalidInput)


HOSTILE = ["1", "NaN", True, [], {}, -1, 10**31, "\uff11"]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("field", ["bid", "ask_size", "markPrice", "index", "openInterest"])
def test_a_ticker_with_a_bad_number_is_one_invalid_input(field, value):
    (invalid_input,) = read({**TICKER, field: value})
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.symbol == SYMBOL
    assert len(invalid_input.what) <= 200


@pytest.mark.parametrize(
    "change",
    [{"price": 0}, {"qty": None}, {"qty": "1"}, {"time": -1}, {"side": "x"}, {"uid": 5}],
    ids=repr,
)
def test_a_malformed_trade_is_one_invalid_input(change):
    assert [type(outcome) for outcome in read({**TRADE, **change})] == [InvalidInput]


@pytest.mark.parametrize(
    "frame",
    [
        {"event": "info", "version": 1},
        {"event": "subscribed", "feed": "book", "product_ids": [SYMBOL]},
        {"event": "unsubscribed", "feed": "book", "product_ids": [SYMBOL]},
        {"event": "pong"},
        {"feed": "heartbeat", "time": 1},
        {"feed": "something_new", "product_id": SYMBOL},
    ],
    ids=repr,
)
def test_acknowledgements_and_unused_feeds_give_nothing(frame):
    assert read(frame) == []


@pytest.mark.parametrize("event", ["error", "alert", "subscribed_failed"])
def test_a_refusal_is_invalid_input_with_the_venues_words(event):
    (invalid_input,) = read({"event": event, "message": "Invalid product id"})
    assert "Invalid product id" in invalid_input.what


def test_a_plan_has_the_current_address_and_pings_in_time():
    (plan,) = KrakenFuturesStream().plan([SYMBOL, SYMBOL])
    assert (plan.url, plan.symbols, plan.sources) == (
        "wss://futures.kraken.com/ws/v1",
        (SYMBOL,),
        ("book", "touch", "trades"),
    )
    text, every_s = plan.keep_alive
    assert json.loads(text) == {"event": "ping"}
    assert every_s < 60


@pytest.mark.parametrize("count", [1, 50, 51, 100, 101, 250])
def test_every_product_is_subscribed_once_in_each_feed(count):
    adapter = KrakenFuturesStream()
    symbols = [f"PF_S{n}USD" for n in range(count)]
    requests = [
        json.loads(frame.text)
        for plan in adapter.plan(symbols)
        for frame in adapter.opened(plan.name, 1)
    ]
    assert max(len(request["product_ids"]) for request in requests) <= 50
    subscribed = [
        (request["feed"], symbol) for request in requests for symbol in request["product_ids"]
    ]
    assert sorted(subscribed) == sorted(
        (feed, symbol) for feed in ("book", "ticker", "trade") for symbol in symbols
    )


def test_a_plan_changes_on_an_open_connection():
    adapter = KrakenFuturesStream()
    (before,) = adapter.plan(["PF_AUSD", "PF_BUSD"])
    (after,) = adapter.plan(["PF_BUSD", "PF_CUSD"])
    requests = [json.loads(text) for text in adapter.amend(before, after)]
    assert {(request["event"], *request["product_ids"]) for request in requests} == {
        ("unsubscribe", "PF_AUSD"),
        ("subscribe", "PF_CUSD"),
    }
    assert len(requests) == 6
    assert read({**TICKER, "product_id": "PF_AUSD"}, adapter) == []


def test_after_a_plan_data_of_other_symbols_is_invalid_input():
    adapter = KrakenFuturesStream()
    adapter.plan(["PF_XBTUSD"])
    (invalid_input,) = read(TICKER, adapter)
    assert "not subscribed" in invalid_input.what


def test_an_impossible_symbol_is_refused_with_the_name_of_the_setting():
    with pytest.raises(SettingsError, match="symbols"):
        KrakenFuturesStream().plan([""])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"null",
        b"{}",
        b"0",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"feed":' * 100_000,
        b'{"feed":"ticker","product_id":"\xff"}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_text_that_is_no_message_is_one_invalid_input(data):
    (invalid_input,) = KrakenFuturesStream().frame("public-0", data, 1)
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.what.isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_exception(data):
    KrakenFuturesStream().frame("public-0", data, 1)
