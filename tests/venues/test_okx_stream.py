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
from perps_actors.venues.contract import Endpoints, InvalidInput, SendFrame
from perps_actors.venues.okx.stream import OkxStream

SYMBOL = "BTC-USDT-SWAP"
BTC = InstrumentId("okx", SYMBOL)
T0 = 1_700_000_000_000
AT = T0 * 1_000_000
TICKER = {
    "instType": "SWAP",
    "instId": SYMBOL,
    "last": "9999.9",
    "lastSz": "1",
    "askPx": "9999.8",
    "askSz": "11",
    "bidPx": "9999.7",
    "bidSz": "5",
    "ts": str(T0),
}
TRADE = {
    "instId": SYMBOL,
    "tradeId": "130639474",
    "px": "42219.9",
    "sz": "0.12",
    "side": "sell",
    "ts": str(T0),
    "count": "3",
    "source": "0",
}
MARK = {"instType": "SWAP", "instId": SYMBOL, "markPx": "64001.5", "ts": str(T0)}
INDEX = {"instId": "BTC-USDT", "idxPx": "64000.9", "high24h": "1", "ts": str(T0 + 1)}
FUNDING = {
    "instId": SYMBOL,
    "instType": "SWAP",
    "fundingRate": "-0.0001515",
    "nextFundingRate": "",
    "fundingTime": "1700006400000",
    "nextFundingTime": "1700035200000",
    "method": "current_period",
    "settState": "settled",
    "ts": str(T0),
}
INTEREST = {
    "instId": SYMBOL,
    "instType": "SWAP",
    "oi": "2874486.99000000925",
    "oiCcy": "28744.86",
    "oiUsd": "1",
    "ts": str(T0),
}
DETAIL = {
    "bkLoss": "0",
    "bkPx": "0.007831",
    "ccy": "",
    "posSide": "short",
    "side": "buy",
    "sz": "13",
    "ts": str(T0),
}
LIQUIDATION = {
    "details": [DETAIL],
    "instFamily": "BTC-USDT",
    "instId": SYMBOL,
    "instType": "SWAP",
    "uly": "BTC-USDT",
}
BOOK = {
    "asks": [["101", "2", "0", "1"]],
    "bids": [["100", "1", "0", "1"]],
    "ts": str(T0),
    "seqId": 7,
    "prevSeqId": -1,
    "checksum": 0,
}


def frame(channel, *rows, name=SYMBOL, **more):
    return json.dumps({"arg": {"channel": channel, "instId": name}, **more, "data": rows}).encode()


SNAPSHOT = frame("books", BOOK, action="snapshot")
FRAMES = [
    SNAPSHOT,
    frame("tickers", TICKER),
    frame("trades", TRADE),
    frame("mark-price", MARK),
    frame("index-tickers", INDEX, name="BTC-USDT"),
    frame("funding-rate", FUNDING),
    frame("open-interest", INTEREST),
    frame("liquidation-orders", LIQUIDATION),
    frame("books", {**BOOK, "prevSeqId": 7, "seqId": 8}, action="update"),
]


def said(data, adapter=None, received_ns=7):
    return list((adapter or OkxStream()).frame("public-0", data, received_ns))


def test_a_ticker_is_a_touch():
    assert said(frame("tickers", TICKER)) == [
        Touch(BTC, "9999.7", "5", "9999.8", "11", "9999.9", AT, 7)
    ]


def test_an_empty_side_is_none():
    (touch,) = said(frame("tickers", {**TICKER, "askPx": "", "askSz": "", "last": ""}))
    assert (touch.bid, touch.ask, touch.ask_size, touch.last) == ("9999.7", None, None, None)


def test_a_crossed_touch_is_invalid_input():
    (invalid_input,) = said(frame("tickers", {**TICKER, "askPx": "9999.7"}))
    assert invalid_input.symbol == SYMBOL


def test_trades_have_the_takers_side():
    assert said(frame("trades", TRADE, {**TRADE, "side": "buy"})) == [
        Trade(BTC, side, "42219.9", "0.12", "130639474", AT, 7) for side in ("sell", "buy")
    ]


def test_a_push_without_data_is_one_invalid_input():
    (invalid_input,) = OkxStream().frame(
        "ws", json.dumps({"arg": {"channel": "books", "instId": SYMBOL}}).encode(), AT
    )
    assert isinstance(invalid_input, InvalidInput)


def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read():
    first, invalid_input, last = said(frame("trades", TRADE, {**TRADE, "px": "0"}, TRADE))
    assert isinstance(invalid_input, InvalidInput)
    assert type(first) is type(last) is Trade


def test_mark_and_index_come_separately_and_keep_their_own_times():
    adapter = OkxStream()
    assert said(frame("mark-price", MARK), adapter) == [VenueMark(BTC, "64001.5", None, AT, 7)]
    (index,) = said(frame("index-tickers", INDEX, name="BTC-USDT"), adapter, 8)
    assert index == VenueMark(
        BTC, "64001.5", "64000.9", AT + 1_000_000, 8, (Earlier("mark", AT, 7),)
    )
    (mark,) = said(frame("mark-price", {**MARK, "markPx": "64002", "ts": str(T0 + 5)}), adapter, 9)
    assert mark == VenueMark(
        BTC, "64002", "64000.9", AT + 5_000_000, 9, (Earlier("index", AT + 1_000_000, 8),)
    )


def test_an_index_updates_every_contract_on_it_and_no_other():
    adapter = OkxStream()
    adapter.plan(["BTC-USD-SWAP", "BTC-USD_UM-SWAP", "BTC-USD-260327", "BTC-USDT-SWAP"])
    events = said(frame("index-tickers", {**INDEX, "instId": "BTC-USD"}, name="BTC-USD"), adapter)
    assert [mark.instrument.symbol for mark in events] == [
        "BTC-USD-SWAP",
        "BTC-USD_UM-SWAP",
        "BTC-USD-260327",
    ]


def test_funding_is_due_at_the_funding_time_and_an_empty_prediction_is_none():
    assert said(frame("funding-rate", FUNDING)) == [
        Funding(BTC, "-0.0001515", None, 1_700_006_400_000_000_000, None, AT, 7)
    ]
    (funding,) = said(frame("funding-rate", {**FUNDING, "nextFundingRate": "0.0002"}))
    assert funding.predicted == "0.0002"


def test_open_interest_is_in_contracts_with_all_its_digits():
    assert said(frame("open-interest", INTEREST)) == [
        OpenInterest(BTC, "2874486.99000000925", AT, 7)
    ]


def test_a_liquidation_has_the_side_of_the_order():
    assert said(frame("liquidation-orders", LIQUIDATION)) == [
        Liquidation(BTC, "buy", "0.007831", "13", AT, 7)
    ]


def test_liquidations_of_symbols_that_were_not_planned_are_ignored():
    adapter = OkxStream()
    adapter.plan(["ETH-USDT-SWAP"])
    assert said(frame("liquidation-orders", LIQUIDATION), adapter) == []


@pytest.mark.parametrize(
    "data",
    [
        b"pong",
        b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"},"connId":"a4d3ae55"}',
        b'{"event":"unsubscribe","arg":{"channel":"books","instId":"BTC-USDT-SWAP"}}',
        b'{"event":"channel-conn-count","channel":"orders","connCount":"2"}',
        b'{"arg":{"channel":"candle1W","instId":"BTC-USDT-SWAP"},"data":[["1597026383085","1","1","1","1","1","1","1","1"]]}',
    ],
)
def test_answers_and_unread_channels_give_nothing(data):
    assert said(data) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            (
                b'{"event":"error","code":"60018","msg":"Wrong URL or channel doesn\'t exist",'
                b'"connId":"a"}'
            ),
            "60018",
        ),
        (
            (
                b'{"event":"notice","code":"64008",'
                b'"msg":"The connection will soon be closed for a service upgrade."}'
            ),
            "service upgrade",
        ),
    ],
)
def test_refusals_and_notices_are_invalid_input_in_the_venues_words(data, words):
    (invalid_input,) = said(data)
    assert words in invalid_input.what


def test_a_plan_has_the_current_address_and_the_venues_ping():
    adapter = OkxStream()
    (plan,) = adapter.plan([SYMBOL])
    assert (plan.name, plan.url, plan.symbols) == (
        "public-0",
        "wss://ws.okx.com:8443/ws/v5/public",
        (SYMBOL,),
    )
    assert (plan.sources, plan.keep_alive) == (("book", "touch", "trades"), ("ping", 20.0))
    (sent,) = adapter.opened("public-0", 1)
    assert isinstance(sent, SendFrame)
    assert json.loads(sent.text) == {
        "op": "subscribe",
        "args": [
            *(
                {"channel": channel, "instId": SYMBOL}
                for channel in ("books", "tickers", "trades", "mark-price")
            ),
            {"channel": "index-tickers", "instId": "BTC-USDT"},
            *(
                {"channel": channel, "instId": SYMBOL}
                for channel in ("funding-rate", "open-interest")
            ),
            {"channel": "liquidation-orders", "instType": "SWAP"},
        ],
    }


def test_a_dated_future_has_no_funding_and_a_spot_pair_no_mark():
    adapter = OkxStream(channels=frozenset({"marks"}))
    (plan,) = adapter.plan(["BTC-USD-260327", "BTC-USDT"])
    assert json.loads(adapter.opened(plan.name, 1)[0].text)["args"] == [
        {"channel": "mark-price", "instId": "BTC-USD-260327"},
        {"channel": "index-tickers", "instId": "BTC-USD"},
        {"channel": "open-interest", "instId": "BTC-USD-260327"},
    ]


def test_many_symbols_take_several_connections_and_requests_within_the_venues_limits():
    adapter = OkxStream()
    plans = adapter.plan([f"{n:030}-USDT-SWAP" for n in range(120)])
    assert [len(plan.symbols) for plan in plans] == [50, 50, 20]
    frames = [sent.text for plan in plans for sent in adapter.opened(plan.name, 1)]
    assert max(map(len, frames)) <= 64 * 1024
    args = [json.dumps(arg) for frame in frames for arg in json.loads(frame)["args"]]
    assert len(args) == len(set(args)) == 120 * 7 + 1


def test_added_and_removed_symbols_are_changed_on_the_open_connection_and_a_shared_index_stays():
    adapter = OkxStream(channels=frozenset({"marks", "liquidations"}))
    (before,) = adapter.plan(["BTC-USD-SWAP", "BTC-USD_UM-SWAP"])
    (after,) = adapter.plan(["BTC-USD-SWAP", "ETH-USD-SWAP"])
    gone, new = (json.loads(text) for text in adapter.amend(before, after))
    assert [(arg["channel"], arg["instId"]) for arg in gone["args"]] == [
        (channel, "BTC-USD_UM-SWAP") for channel in ("mark-price", "funding-rate", "open-interest")
    ]
    assert [(arg["channel"], arg["instId"]) for arg in new["args"]][:2] == [
        ("mark-price", "ETH-USD-SWAP"),
        ("index-tickers", "ETH-USD"),
    ]
    assert (
        said(
            frame("mark-price", {**MARK, "instId": "BTC-USD_UM-SWAP"}, name="BTC-USD_UM-SWAP"),
            adapter,
        )
        == []
    )


def test_after_a_plan_data_of_other_symbols_is_invalid_input():
    adapter = OkxStream()
    adapter.plan(["ETH-USDT-SWAP"])
    for data in (SNAPSHOT, frame("tickers", TICKER)):
        (invalid_input,) = said(data, adapter)
        assert "not subscribed" in invalid_input.what


def test_the_error_for_an_unknown_channel_names_the_setting():
    with pytest.raises(SettingsError, match="books"):
        OkxStream(
            Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9"), frozenset({"books"})
        )


HOSTILE = [
    "-1",
    "NaN",
    "1e999999",
    "1_0",
    "\uff11",
    "1" * 31,
    " 1",
    "1\n",
    None,
    1,
    1.5,
    True,
    [],
    {},
]
NUMBERS = [
    ("trades", TRADE, "px"),
    ("trades", TRADE, "sz"),
    ("mark-price", MARK, "markPx"),
    ("open-interest", INTEREST, "oi"),
    ("mark-price", MARK, "ts"),
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(("channel", "row", "field"), NUMBERS, ids=str)
def test_a_row_with_a_bad_number_or_time_is_one_invalid_input(channel, row, field, value):
    (invalid_input,) = said(frame(channel, {**row, field: value}))
    assert isinstance(invalid_input, InvalidInput)
    assert len(invalid_input.what) <= 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ping pong",
        b"[" * 100_000,
        b'{"arg":{"channel":"books"},"data":' + b'{"x":' * 100_000,
        b"\xff\xfe",
        b"null",
        b"{}",
        b'{"arg":{"channel":"books","instId":""},"action":"snapshot","data":[{"asks":[],"bids":[],"ts":"1"}]}',
        b'{"arg":{"channel":"books","instId":"A"},"action":"other","data":[{"asks":[],"bids":[],"ts":"1"}]}',
        b'{"arg":{"channel":"books","instId":"A"},"action":"update","data":[{"asks":[["1"]],"bids":[],"ts":"1"}]}',
        b'{"arg":{"channel":"tickers","instId":"A"},"data":{}}',
        b'{"arg":{"channel":"tickers","instId":"A"}}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_text_that_is_not_a_message_is_one_invalid_input(data):
    (invalid_input,) = said(data)
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.what.isprintable()


def test_rows_of_a_frame_beyond_the_limit_are_one_invalid_input():
    *trades, invalid_input = said(frame("trades", *[TRADE] * 1_001))
    assert len(trades) == 1_000
    assert "1001" in invalid_input.what


@given(st.binary(max_size=200))
def test_no_bytes_raise_an_exception(data):
    said(data)


@given(st.data())
def test_mutated_cut_and_reordered_frames_raise_nothing_and_the_next_snapshot_restores_the_book(
    data,
):
    adapter = OkxStream()
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
    (top,) = [outcome for outcome in said(SNAPSHOT, adapter) if isinstance(outcome, BookTop)]
    assert (top.bid, top.ask, top.bid_levels, top.ask_levels) == ("100", "101", 1, 1)
    assert said(frame("trades", TRADE), adapter)[0].price == "42219.9"
