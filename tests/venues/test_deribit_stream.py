from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.events import Funding, Liquidation, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import Endpoints, InvalidInput
from perps_actors.venues.deribit.stream import DeribitStream
from perps_actors.venues.registry import venue

SYMBOL = "BTC-PERPETUAL"
BTC = InstrumentId("deribit", SYMBOL)
AT = 1_700_000_000_000_000_000
TICKER = {
    "timestamp": 1_700_000_000_000,
    "instrument_name": SYMBOL,
    "best_bid_price": 8.7e3,
    "best_bid_amount": 10,
    "best_ask_price": 8700.5,
    "best_ask_amount": 20.0,
    "last_price": 8699,
    "mark_price": 8700.21,
    "index_price": 8700.11,
    "current_funding": -3.1e-06,
    "funding_8h": 1e-05,
    "open_interest": 1000,
    "stats": {"high": None},
}
TRADE = {
    "trade_seq": 1,
    "trade_id": "77",
    "timestamp": 1_700_000_000_000,
    "price": 8700.0,
    "amount": 30,
    "direction": "buy",
    "instrument_name": SYMBOL,
}


def notice(channel, data):
    return json.dumps(
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    ).encode()


def said(channel, data, adapter=None):
    return list((adapter or DeribitStream()).frame("public-0", notice(channel, data), 7))


def test_a_ticker_gives_touch_mark_funding_and_open_interest_at_its_own_time():
    assert said(f"ticker.{SYMBOL}.100ms", TICKER) == [
        Touch(BTC, "8700.0", "10", "8700.5", "20.0", "8699", AT, 7),
        VenueMark(BTC, "8700.21", "8700.11", AT, 7),
        Funding(BTC, "-3.1e-06", None, None, "8700.21", AT, 7),
        OpenInterest(BTC, "1000", AT, 7),
    ]


def test_an_instrument_that_is_not_perpetual_has_no_funding():
    dated = {name: value for name, value in TICKER.items() if "funding" not in name}
    assert [type(event) for event in said(f"ticker.{SYMBOL}.100ms", dated)] == [
        Touch,
        VenueMark,
        OpenInterest,
    ]


@pytest.mark.parametrize(
    ("absent", "event"),
    [("open_interest", OpenInterest), ("mark_price", None), ("last_price", None)],
)
def test_absent_fields_of_a_ticker_give_no_events(absent, event):
    events = said(
        f"ticker.{SYMBOL}.100ms", {name: value for name, value in TICKER.items() if name != absent}
    )
    assert [type(one) for one in events] == [
        one for one in (Touch, VenueMark, Funding, OpenInterest) if one is not event
    ]
    assert "" not in [getattr(one, name) for one in events for name in one.__struct_fields__]


@pytest.mark.parametrize("none", [0.0, None])
def test_a_best_price_of_zero_or_null_is_an_empty_side(none):
    touch, *_ = said(
        f"ticker.{SYMBOL}.100ms",
        {**TICKER, "best_bid_price": none, "best_bid_amount": 0.0, "last_price": None},
    )
    assert touch == Touch(BTC, None, "0", "8700.5", "20.0", None, AT, 7)


def test_a_quote_gives_a_touch_only():
    quote = {
        name: value for name, value in TICKER.items() if name.startswith(("best", "time", "inst"))
    }
    assert [type(event) for event in said(f"quote.{SYMBOL}", quote)] == [Touch]


def test_open_interest_comes_with_every_grouped_ticker_and_with_raw_ones_if_it_changed():
    adapter = DeribitStream()

    def events(channel, **more):
        return [
            event.open_interest
            for event in said(channel, {**TICKER, **more}, adapter)
            if isinstance(event, OpenInterest)
        ]

    grouped, raw = f"ticker.{SYMBOL}.100ms", f"ticker.{SYMBOL}.raw"
    assert [events(grouped), events(grouped)] == [["1000"], ["1000"]]
    assert [events(raw), events(raw), events(raw, open_interest=1001), events(raw)] == [
        ["1000"],
        [],
        ["1001"],
        ["1000"],
    ]


@pytest.mark.parametrize(
    ("mark", "sides"),
    [(None, []), ("T", ["buy"]), ("M", ["sell"]), ("MT", ["buy", "sell"])],
    ids=["none", "taker", "maker", "both"],
)
def test_a_trade_gives_the_liquidations_of_its_sides(mark, sides):
    row = TRADE if mark is None else {**TRADE, "liquidation": mark}
    trade, *liquidations = said(f"trades.{SYMBOL}.100ms", [row])
    assert trade == Trade(BTC, "buy", "8700.0", "30", "77", AT, 7)
    assert liquidations == [Liquidation(BTC, side, "8700.0", "30", AT, 7) for side in sides]


def test_trades_of_a_whole_kind_have_the_instrument_of_each_row():
    rows = [TRADE, {**TRADE, "instrument_name": "ETH-PERPETUAL", "direction": "sell"}]
    assert [
        (event.instrument.symbol, event.side) for event in said("trades.future.any.100ms", rows)
    ] == [
        (SYMBOL, "buy"),
        ("ETH-PERPETUAL", "sell"),
    ]


HOSTILE = ["1", "NaN", True, [], {}, -1, 10**31, "8700\n", "\uff11"]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    "field", ["best_bid_price", "best_ask_amount", "mark_price", "index_price", "open_interest"]
)
def test_a_ticker_with_a_bad_number_is_one_invalid_input(field, value):
    (invalid_input,) = said(f"ticker.{SYMBOL}.100ms", {**TICKER, field: value})
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.symbol == SYMBOL
    assert len(invalid_input.what) <= 200


@pytest.mark.parametrize("field", ["price", "amount"])
@pytest.mark.parametrize("value", [*HOSTILE, 0], ids=repr)
def test_a_trade_with_a_bad_number_is_one_invalid_input(field, value):
    assert [
        type(outcome) for outcome in said(f"trades.{SYMBOL}.100ms", [{**TRADE, field: value}])
    ] == [InvalidInput]


def test_a_crossed_touch_is_invalid_input():
    (invalid_input,) = said(f"ticker.{SYMBOL}.100ms", {**TICKER, "best_ask_price": 8699})
    assert "below the ask" in invalid_input.what


def test_a_test_request_is_answered_at_once_on_its_connection():
    frame = json.dumps(
        {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}
    ).encode()
    (answer,) = DeribitStream().frame("public-3", frame, 1)
    assert answer.connection == "public-3"
    assert json.loads(answer.text)["method"] == "public/test"


@pytest.mark.parametrize(
    "frame",
    [
        {"method": "heartbeat", "params": {"type": "heartbeat"}},
        {"id": 0, "result": {"version": "1.2.26"}},
        {"id": 5, "result": "ok"},
        {
            "method": "subscription",
            "params": {"channel": "perpetual.BTC-PERPETUAL.100ms", "data": {"interest": 0.1}},
        },
        {
            "method": "subscription",
            "params": {"channel": "platform_state", "data": {"locked": True}},
        },
    ],
    ids=lambda frame: str(frame)[:40],
)
def test_answers_and_unread_channels_give_nothing(frame):
    assert (
        list(DeribitStream().frame("public-0", json.dumps({"jsonrpc": "2.0", **frame}).encode(), 1))
        == []
    )


def test_a_refusal_is_invalid_input_in_the_venues_words():
    frame = (
        b'{"jsonrpc":"2.0","id":1,"error":'
        b'{"message":"raw_subscriptions_not_available_for_unauthorized","code":13778}}'
    )
    (invalid_input,) = DeribitStream().frame("public-0", frame, 1)
    assert "raw_subscriptions_not_available_for_unauthorized" in invalid_input.what


def test_channels_that_the_venue_does_not_grant_are_invalid_input():
    adapter = DeribitStream()
    adapter.plan([SYMBOL, "NOPE-PERPETUAL"])
    subscribe = json.loads(adapter.opened("public-0", 1)[-1].text)
    granted = [channel for channel in subscribe["params"]["channels"] if "NOPE" not in channel]
    frame = json.dumps({"jsonrpc": "2.0", "id": subscribe["id"], "result": granted}).encode()
    (invalid_input,) = adapter.frame("public-0", frame, 1)
    assert "book.NOPE-PERPETUAL.100ms" in invalid_input.what
    assert SYMBOL not in invalid_input.what
    assert list(adapter.frame("public-0", frame, 1)) == []


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("deribit", "wss://www.deribit.com/ws/api/v2"),
        ("coinbase_international", "wss://streams.drb.coinbase.com/ws/api/v2"),
    ],
)
def test_a_plan_has_the_current_address_and_a_keep_alive_message(name, url):
    known = venue(name)
    (plan,) = known.stream(known.endpoints).plan([SYMBOL, SYMBOL])
    assert (plan.url, plan.symbols, plan.sources) == (url, (SYMBOL,), ("book", "touch", "trades"))
    text, every_s = plan.keep_alive
    assert json.loads(text)["method"] == "public/test"
    assert every_s < 30


def test_events_of_the_gateway_have_its_own_venue_name():
    known = venue("coinbase_international")
    adapter = known.stream(known.endpoints)
    touch, *_ = said(
        "ticker.BTC_USDC-PERPETUAL.100ms",
        {**TICKER, "instrument_name": "BTC_USDC-PERPETUAL"},
        adapter,
    )
    assert touch.instrument == ("coinbase_international", "BTC_USDC-PERPETUAL")


@pytest.mark.parametrize("count", [1, 33, 34, 100, 101, 250])
def test_every_channel_is_subscribed_once_in_requests_of_at_most_a_hundred(count):
    adapter = DeribitStream(Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9"))
    symbols = [f"S{n}-PERPETUAL" for n in range(count)]
    plans = adapter.plan(symbols)
    assert max(len(plan.symbols) for plan in plans) <= 100
    requested = []
    for plan in plans:
        heartbeat, *requests = [json.loads(frame.text) for frame in adapter.opened(plan.name, 1)]
        assert heartbeat["method"] == "public/set_heartbeat"
        assert heartbeat["params"]["interval"] >= 10
        assert {request["method"] for request in requests} == {"public/subscribe"}
        assert max(len(request["params"]["channels"]) for request in requests) <= 100
        requested += [channel for request in requests for channel in request["params"]["channels"]]
    assert sorted(requested) == sorted(
        f"{kind}.{symbol}.100ms" for symbol in symbols for kind in ("book", "ticker", "trades")
    )


def test_another_plan_subscribes_added_and_unsubscribes_removed_symbols():
    adapter = DeribitStream()
    (before,) = adapter.plan(["A-PERPETUAL", "B-PERPETUAL"])
    (after,) = adapter.plan(["B-PERPETUAL", "C-PERPETUAL"])
    gone, new = [json.loads(text) for text in adapter.amend(before, after)]
    assert (gone["method"], new["method"]) == ("public/unsubscribe", "public/subscribe")
    assert all(".A-PERPETUAL." in channel for channel in gone["params"]["channels"])
    assert all(".C-PERPETUAL." in channel for channel in new["params"]["channels"])
    assert (
        said("ticker.A-PERPETUAL.100ms", {**TICKER, "instrument_name": "A-PERPETUAL"}, adapter)
        == []
    )


def test_after_a_plan_data_of_other_symbols_is_invalid_input():
    adapter = DeribitStream()
    adapter.plan(["ETH-PERPETUAL"])
    for channel, data in ((f"ticker.{SYMBOL}.100ms", TICKER), (f"trades.{SYMBOL}.100ms", [TRADE])):
        (invalid_input,) = said(channel, data, adapter)
        assert "not subscribed" in invalid_input.what


def test_the_error_for_an_impossible_symbol_names_the_setting():
    with pytest.raises(SettingsError, match="symbols"):
        DeribitStream().plan(["A\nB"])


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
        b'{"params":' * 100_000,
        b'{"method":"subscription","params":{"channel":5}}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_text_that_is_not_a_message_is_one_invalid_input(data):
    (invalid_input,) = DeribitStream().frame("public-0", data, 1)
    assert isinstance(invalid_input, InvalidInput)
    assert invalid_input.what.isprintable()


@given(st.binary(max_size=200))
def test_no_bytes_raise_an_exception(data):
    DeribitStream().frame("public-0", data, 1)


def test_a_reopened_connection_subscribes_everything_again():
    adapter = DeribitStream()
    adapter.plan([SYMBOL])
    first = [json.loads(frame.text)["params"] for frame in adapter.opened("public-0", 1)]
    adapter.closed("public-0", 1)
    assert [json.loads(frame.text)["params"] for frame in adapter.opened("public-0", 1)] == first
    assert list(adapter.answer(None, 200, b"", 1)) == []
