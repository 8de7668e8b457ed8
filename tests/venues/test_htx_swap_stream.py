from __future__ import annotations

import gzip
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
    Touch,
    Trade,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Endpoints, InvalidInput, SendFrame
from perps_actors.venues.htx_swap.schema import MAX_FRAME_BYTES
from perps_actors.venues.htx_swap.stream import HtxSwapStream
from tests.venues.htx_frames import (
    BBO,
    FUNDING,
    INDEX,
    LIQUIDATION,
    MARK,
    SNAPSHOT,
    TRADES,
    of_symbol,
    packed,
)

BTC = InstrumentId("htx_swap", "BTC-USDT")
MS = 1_000_000


def read(frame, adapter=None, connection="c"):
    return list((adapter or HtxSwapStream()).frame(connection, packed(frame), 7))


def changed(frame, **fields):
    return {**frame, "tick": {**frame["tick"], **fields}}


def first_row(frame, **fields):
    return {**frame, "data": [{**frame["data"][0], **fields}]}


def test_best_bid_and_ask_give_a_touch_at_the_outer_time():
    assert read(BBO) == [
        Touch(BTC, "86859.8", "6172", "86859.9", "817", None, 1790134831587 * MS, 7)
    ]


@pytest.mark.parametrize("none", [None, []])
def test_an_empty_side_has_no_price_and_two_empty_sides_give_no_touch(none):
    (touch,) = read(changed(BBO, bid=none))
    assert (touch.bid, touch.bid_size, touch.ask) == (None, None, "86859.9")
    assert read(changed(BBO, bid=none, ask=none)) == []


def test_each_trade_has_its_own_time_the_takers_side_and_contracts():
    assert read(TRADES) == [
        Trade(BTC, "buy", "13073.3", "2", "1316022650000", 1603708208335 * MS, 7),
        Trade(BTC, "sell", "13073.2", "4", "1316022650001", 1603708208336 * MS, 7),
    ]


def test_mark_and_index_come_separately_and_each_keeps_its_own_time():
    adapter = HtxSwapStream()
    assert read(MARK, adapter) == [VenueMark(BTC, "86826.6", None, 1790135117624 * MS, 7)]
    earlier = (Earlier("mark", 1790135117624 * MS, 7),)
    assert read(INDEX, adapter) == [
        VenueMark(BTC, "86826.6", "86842.15", 1790135118624 * MS, 7, earlier)
    ]
    (again,) = read({**MARK, "ts": 1790135119000}, adapter)
    assert again.earlier == (Earlier("index", 1790135118624 * MS, 7),)


def test_the_mark_is_forgotten_when_its_connection_ends():
    adapter = HtxSwapStream()
    read(MARK, adapter, "index-linear-0")
    assert list(adapter.closed("index-linear-0", 8)) == []
    (index,) = read(INDEX, adapter, "index-linear-0")
    assert (index.mark, index.earlier) == (None, ())


def test_a_funding_rate_is_paid_at_the_settlement_not_when_it_was_computed():
    assert read(FUNDING) == [
        Funding(BTC, "0.000064355479737646", None, 1790150400000 * MS, None, 1790135117894 * MS, 7)
    ]


@pytest.mark.parametrize(
    ("estimated", "predicted"), [("-0.00004", "-0.00004"), ("null", None), ("", None)]
)
def test_a_prediction_of_the_next_rate_is_reported_if_there_is_one(estimated, predicted):
    (funding,) = read(first_row(FUNDING, estimated_rate=estimated))
    assert funding.predicted == predicted


def test_a_rate_of_zero_is_a_rate_and_a_contract_without_rate_has_no_funding():
    (funding,) = read(first_row(FUNDING, funding_rate="0E-18"))
    assert funding.rate == "0E-18"
    assert read(first_row(FUNDING, funding_rate=None)) == []


def test_the_topic_of_all_contracts_gives_each_rate_and_a_bad_row_costs_itself_only():
    rows = [
        {**FUNDING["data"][0], "contract_code": code, "funding_rate": rate}
        for code, rate in (("A-USDT", "1"), ("B-USDT", "x"), ("C-USDT", "2"))
    ]
    a, b, c = read({**FUNDING, "topic": "public.*.funding_rate", "data": rows})
    assert (a.instrument.symbol, a.rate, c.instrument.symbol, c.rate) == (
        "A-USDT",
        "1",
        "C-USDT",
        "2",
    )
    assert (type(b), b.symbol) == (InvalidInput, "B-USDT")


def test_a_liquidation_has_the_side_of_its_order_and_contracts():
    assert read(LIQUIDATION) == [
        Liquidation(
            InstrumentId("htx_swap", "ETH-USDT"), "buy", "2446.26", "500", 1789670297217 * MS, 7
        )
    ]


@pytest.mark.parametrize(
    ("ping", "pong"),
    [
        ('{"ping":1790134831961}', '{"pong":1790134831961}'),
        ('{"op":"ping","ts":"1789676355591"}', '{"op":"pong","ts":"1789676355591"}'),
        ('{"op":"ping","ts":1492420473058}', '{"op":"pong","ts":1492420473058}'),
    ],
)
def test_a_ping_is_answered_with_its_number_in_the_same_spelling(ping, pong):
    assert read(ping) == [SendFrame("c", pong)]


@pytest.mark.parametrize(
    "ping", ['{"ping":"x"}', '{"ping":-1}', '{"op":"ping","ts":"1}"}', '{"ping":1e99}']
)
def test_a_ping_that_is_no_number_is_not_sent_back(ping):
    (invalid_input,) = read(ping)
    assert isinstance(invalid_input, InvalidInput)


@pytest.mark.parametrize(
    "frame",
    [
        {"id": "id1", "status": "ok", "subbed": "market.BTC-USDT.bbo", "ts": 1790134045107},
        {"id": "id1", "status": "ok", "unsubbed": "market.BTC-USDT.bbo", "ts": 1790134045107},
        {
            "op": "sub",
            "cid": "f1",
            "topic": "public.BTC-USDT.funding_rate",
            "ts": 1789676350590,
            "err-code": 0,
        },
        {
            "id": "id8",
            "rep": "market.BTC-USDT.trade.detail",
            "status": "ok",
            "data": [],
            "ts": 1603708046534,
        },
        {
            "op": "notify",
            "topic": "public.BTC-USDT.contract_info",
            "ts": 1,
            "data": [{"contract_code": "BTC-USDT"}],
        },
        {**MARK, "ch": "market.BTC-USDT.premium_index.1min"},
        {**MARK, "ch": "market.BTC-USDT.kline.1week"},
        {**SNAPSHOT, "ch": "market.BTC-USDT.depth.step1"},
        {"ch": "market.overview", "ts": 1},
        {"ch": "", "ts": 1},
    ],
)
def test_answers_and_unused_topics_give_nothing(frame):
    assert read(frame) == []


@pytest.mark.parametrize(
    "frame",
    [
        {
            "status": "error",
            "ts": 1790134833291,
            "id": "e",
            "err-code": "bad-request",
            "err-msg": "invalid topic",
        },
        {
            "op": "sub",
            "topic": "public.X.funding_rate",
            "ts": 1,
            "err-code": 2014,
            "err-msg": "invalid topic",
        },
        {"op": "close", "ts": 1, "err-msg": "invalid topic"},
        {"op": "error", "ts": 1, "err-msg": "invalid topic"},
    ],
)
def test_a_refusal_is_invalid_input_with_the_venues_words(frame):
    (invalid_input,) = read(frame)
    assert invalid_input.what.startswith("The venue refused")
    assert "invalid topic" in invalid_input.what


def test_a_recorded_frame_that_is_not_gzip_gives_the_same_events():
    assert list(HtxSwapStream().frame("c", json.dumps(BBO).encode(), 7)) == read(BBO)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gzip.compress(b" " * (MAX_FRAME_BYTES + 1)), "longer than"),
        (gzip.compress(b" " * 300_000_000), "longer than"),
        (packed(BBO)[:-9], "middle of its compression"),
        (packed(BBO) + b"more", "after the end"),
        (b"\x1f\x8bnonsense", "not gzip"),
        (b"", "truncated"),
    ],
    ids=["too long", "bomb", "torn", "trailing", "no gzip", "empty"],
)
def test_a_frame_that_cannot_be_unpacked_is_invalid_input(data, why):
    (invalid_input,) = HtxSwapStream().frame("c", data, 7)
    assert why in invalid_input.what


HOSTILE = [
    "",
    "-1",
    "0",
    "NaN",
    "1e999999",
    "1_0",
    "\uff11",
    "1" * 31,
    " 1",
    None,
    True,
    [],
    {},
    [1],
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    "frame",
    [
        lambda value: changed(BBO, ask=[value, 1]),
        lambda value: changed(TRADES, data=[{**TRADES["tick"]["data"][0], "price": value}]),
        lambda value: changed(TRADES, data=[{**TRADES["tick"]["data"][0], "amount": value}]),
        lambda value: changed(MARK, close=value),
        lambda value: changed(INDEX, close=value),
        lambda value: first_row(LIQUIDATION, price=value),
        lambda value: changed(SNAPSHOT, bids=[[value, 1]]),
        lambda value: changed(SNAPSHOT, bids=[[86859.8, value]] if value != "0" else [["x", "0"]]),
    ],
    ids=[
        "ask",
        "trade price",
        "trade amount",
        "mark",
        "index",
        "liquidation",
        "level price",
        "level size",
    ],
)
def test_an_impossible_number_is_invalid_input_or_an_empty_side(frame, value):
    for outcome in read(frame(value)):
        assert isinstance(outcome, InvalidInput) or (
            isinstance(outcome, Touch) and outcome.ask is None and value in (None, "0", "")
        )


@given(st.decimals(min_value="0.00000001", max_value="10000000", places=8))
def test_a_price_keeps_every_digit_that_the_venue_spelled(price):
    text = json.dumps(changed(SNAPSHOT, bids=[], asks=[["PRICE", 1]])).replace(
        '"PRICE"', f"{price:f}"
    )
    (top,) = read(text)
    assert top.ask == f"{price:f}"


def test_each_margin_type_has_its_own_streams_with_at_most_forty_topics():
    symbols = [f"C{number}-USDT" for number in range(14)] + ["BTC-USD"]
    plans = {
        plan.name: plan
        for plan in HtxSwapStream(Endpoints(stream="ws://127.0.0.1:1", rest="")).plan(symbols)
    }
    assert {
        name: (plan.url.removeprefix("ws://127.0.0.1:1"), len(plan.symbols))
        for name, plan in plans.items()
    } == {
        "market-linear-0": ("/linear-swap-ws", 13),
        "market-linear-1": ("/linear-swap-ws", 1),
        "market-inverse-0": ("/swap-ws", 1),
        "index-linear-0": ("/ws_index", 14),
        "index-inverse-0": ("/ws_index", 1),
        "notification-linear-0": ("/linear-swap-notification", 14),
        "notification-inverse-0": ("/swap-notification", 1),
    }
    assert plans["market-inverse-0"].sources == ("book", "touch", "trades")


def test_each_frame_subscribes_one_topic_and_the_book_is_incremental():
    adapter = HtxSwapStream()
    names = [plan.name for plan in adapter.plan(["BTC-USDT"])]
    assert [json.loads(frame.text) for name in names for frame in adapter.opened(name, 1)] == [
        {"sub": "market.BTC-USDT.depth.size_150.high_freq", "data_type": "incremental"},
        {"sub": "market.BTC-USDT.bbo"},
        {"sub": "market.BTC-USDT.trade.detail"},
        {"sub": "market.BTC-USDT.mark_price.1min"},
        {"sub": "market.BTC-USDT.index.1min"},
        {"op": "sub", "topic": "public.BTC-USDT.funding_rate"},
        {"op": "sub", "topic": "public.BTC-USDT.liquidation_orders"},
    ]


def test_a_plan_changes_on_an_open_connection_and_late_data_is_dropped():
    adapter = HtxSwapStream(channels=frozenset({"book"}))
    (before,) = adapter.plan(["BTC-USDT"])
    (after,) = adapter.plan(["ETH-USDT"])
    assert [json.loads(frame) for frame in adapter.amend(before, after)] == [
        {"unsub": "market.BTC-USDT.depth.size_150.high_freq", "data_type": "incremental"},
        {"sub": "market.ETH-USDT.depth.size_150.high_freq", "data_type": "incremental"},
    ]
    assert read(SNAPSHOT, adapter) == read(FUNDING, adapter) == []
    assert isinstance(read(of_symbol(SNAPSHOT, "ETH-USDT"), adapter)[0], BookTop)
    (invalid_input,) = read(of_symbol(SNAPSHOT, "XRP-USDT"), adapter)
    assert "not subscribed" in invalid_input.what


def test_an_unknown_channel_is_refused():
    with pytest.raises(SettingsError, match="books"):
        HtxSwapStream(channels=frozenset({"books"}))


def test_without_a_plan_symbols_are_followed_up_to_a_limit():
    adapter = HtxSwapStream()
    outcomes = [
        outcome
        for number in range(5_001)
        for outcome in read(of_symbol(BBO, f"A{number}-USDT"), adapter)
    ]
    assert [isinstance(outcome, Touch) for outcome in outcomes] == [True] * 5_000 + [False]
