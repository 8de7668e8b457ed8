from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.events import Funding, Liquidation, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import Endpoints, InvalidInput

BTC = InstrumentId("binance_futures", "BTCUSDT")
TICKER = {
    "e": "bookTicker",
    "u": 5,
    "s": "BTCUSDT",
    "b": "64000.10",
    "B": "2",
    "a": "64000.20",
    "A": "0.5",
    "T": 1700000000001,
    "E": 1700000000002,
}
TRADE = {
    "e": "aggTrade",
    "E": 1700000000005,
    "s": "BTCUSDT",
    "a": 42,
    "p": "64000.1",
    "q": "0.010",
    "f": 1,
    "l": 2,
    "T": 1700000000003,
    "m": True,
}
MARK = {
    "e": "markPriceUpdate",
    "E": 1700000000000,
    "s": "BTCUSDT",
    "p": "64001.5",
    "ap": "64001.6",
    "i": "64000.9",
    "P": "1",
    "r": "-0.0001",
    "T": 1700006400000,
    "st": 1,
}
LIFECYCLE = {
    "s": "BTCUSDT",
    "S": "SELL",
    "o": "LIMIT",
    "f": "IOC",
    "q": "0.014",
    "p": "63000",
    "ap": "63100.5",
    "X": "FILLED",
    "l": "0.014",
    "z": "0.014",
    "T": 1,
}
FORCED = {"e": "forceOrder", "E": 1700000000009, "o": LIFECYCLE}
DEPTH = {
    "e": "depthUpdate",
    "E": 1700000000000,
    "T": 1,
    "s": "BTCUSDT",
    "U": 1,
    "u": 2,
    "pu": 0,
    "b": [["1", "2"]],
    "a": [["3", "4"]],
}
EVENTS = [TICKER, TRADE, MARK, FORCED, DEPTH]


def said(data, adapter=None, *, bare=False):
    frame = data if bare else {"stream": "btcusdt@any", "data": data}
    return list(
        (adapter or BinanceFuturesStream()).frame("public-0", json.dumps(frame).encode(), 7)
    )


@pytest.mark.parametrize("bare", [False, True])
def test_a_book_ticker_is_a_touch(bare):
    assert said({**TICKER, "ps": "BTCUSDT", "st": 1}, bare=bare) == [
        Touch(BTC, "64000.10", "2", "64000.20", "0.5", None, 1_700_000_000_002_000_000, 7)
    ]


@pytest.mark.parametrize(("buyer_is_maker", "side"), [(True, "sell"), (False, "buy")])
def test_an_aggregate_trade_is_a_trade_on_the_takers_side_at_trade_time(buyer_is_maker, side):
    assert said({**TRADE, "m": buyer_is_maker}) == [
        Trade(BTC, side, "64000.1", "0.010", "42", 1_700_000_000_003_000_000, 7)
    ]


def test_a_mark_price_gives_venue_mark_and_funding():
    at = 1_700_000_000_000_000_000
    assert said(MARK) == [
        VenueMark(BTC, "64001.5", "64000.9", at, 7),
        Funding(BTC, "-0.0001", None, 1_700_006_400_000_000_000, "64001.5", at, 7),
    ]


def test_a_contract_without_funding_gives_a_venue_mark_only():
    assert said({**MARK, "r": "", "T": 0, "i": ""}) == [
        VenueMark(BTC, "64001.5", None, 1_700_000_000_000_000_000, 7)
    ]


@pytest.mark.parametrize(
    ("more", "price"), [({}, "63100.5"), ({"ap": "0"}, "63000"), ({"ap": None}, "63000")]
)
def test_a_forced_order_is_a_liquidation_at_its_average_price_if_it_has_one(more, price):
    assert said({**FORCED, "o": LIFECYCLE | more}) == [
        Liquidation(BTC, "sell", price, "0.014", 1_700_000_000_009_000_000, 7)
    ]


@pytest.mark.parametrize(
    "frame",
    [
        {"result": None, "id": 1},
        {"result": ["btcusdt@depth"], "id": 3},
        {
            "stream": "btcusdt@continuousKline",
            "data": {"e": "continuous_kline", "E": 1, "ps": "BTCUSDT", "k": {"e": "bookTicker"}},
        },
        {"e": "24hrTicker", "s": "BTCUSDT"},
        {"stream": "btcusdt@new", "data": {"e": "somethingNew"}},
    ],
)
def test_acknowledgements_and_unread_streams_give_nothing(frame):
    assert said(frame, bare=True) == []


@pytest.mark.parametrize(
    "frame",
    [
        {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
        {"code": 2, "msg": "Invalid request"},
    ],
)
def test_a_refusal_is_invalid_input_in_the_venues_words(frame):
    (invalid_input,) = said(frame, bare=True)
    assert "Invalid request" in invalid_input.what


HOSTILE = [
    "",
    "-1",
    "0",
    "0.000",
    "NaN",
    "Infinity",
    "1e999999",
    "1e21",
    "1_0",
    "\uff11",
    "1" * 31,
    "\u0663",
    " 1",
    "1\n",
    None,
    1,
    1.5,
    True,
    [],
    {},
]
NUMBERS = [(TICKER, f) for f in "bBaA"] + [(TRADE, f) for f in "pq"] + [(MARK, "p")]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(("event", "field"), NUMBERS, ids=str)
def test_a_price_or_quantity_that_is_not_above_zero_is_invalid_input(event, field, value):
    (invalid_input,) = said({**event, field: value})
    assert isinstance(invalid_input, InvalidInput)
    assert "\n" not in invalid_input.what
    assert len(invalid_input.what) <= 200


@pytest.mark.parametrize(
    "value", ["-1", "NaN", "1_0", "1e999999", "\uff11", "", None, 2, "1 2"], ids=repr
)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("side", ["a", "b"])
def test_a_bad_level_makes_the_whole_delta_invalid_input(side, place, value):
    row = ["1", "2"]
    row[place] = value
    assert [type(o) for o in said({**DEPTH, side: [["1", "2"], row]})] == [InvalidInput]


@pytest.mark.parametrize(
    "change",
    [
        {"s": ""},
        {"s": None},
        {"s": 5},
        {"s": "x" * 41},
        {"s": "A\nB"},
        {"E": -1},
        {"E": 10**13},
        {"E": "1"},
        {"E": True},
        {"u": 2**63},
        {"U": 1.5},
        {"pu": None},
        {"b": None},
        {"b": [["1"]]},
        {"b": [["1", "2", "3"]]},
        {"b": {"1": "2"}},
        {"a": [["9", "1"]] * 5_001},
        {"b": [["0", "1"]]},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_a_malformed_delta_is_invalid_input_and_requests_nothing(change):
    assert [type(o) for o in said({**DEPTH, **change})] == [InvalidInput]


@pytest.mark.parametrize("field", ["s", "E", "b", "B", "a", "A"])
def test_a_missing_field_is_named(field):
    (invalid_input,) = said({name: value for name, value in TICKER.items() if name != field})
    assert f"`{field}`" in invalid_input.what


@pytest.mark.parametrize(("bid", "ask"), [("64000.3", "64000.2"), ("64000.2", "64000.20")])
def test_a_crossed_or_locked_touch_is_invalid_input(bid, ask):
    (invalid_input,) = said({**TICKER, "b": bid, "a": ask})
    assert invalid_input.symbol == "BTCUSDT"
    assert bid in invalid_input.what
    assert ask in invalid_input.what


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
        b'{"data":' * 100_000,
        b'{"stream":"a","data":{"e":"bookTicker","x":' + b'{"x":' * 100_000,
        b"\xff\xfe",
        b'{"stream":"a","data":{"e":"bookTicker","s":"\xff"}}',
        b"null",
        b"0",
        b'"x"',
        b"{}",
        b'{"data":null}',
        b"\x00" * 1000,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_text_that_is_not_a_message_is_one_invalid_input(data):
    (invalid_input,) = BinanceFuturesStream().frame("public-0", data, 1)
    assert isinstance(invalid_input, InvalidInput)
    assert len(invalid_input.what) <= 200
    assert invalid_input.what.isprintable()


@given(st.binary(max_size=200))
def test_no_bytes_raise_an_exception(data):
    BinanceFuturesStream().frame("public-0", data, 1)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["1", "-1", "1e5", "BTCUSDT"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*"eEsbBaAuUTpqmoS", "pu", "data"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.sampled_from(EVENTS), st.data())
def test_a_message_with_any_field_replaced_is_read_or_invalid_input(event, data):
    adapter = BinanceFuturesStream()
    field = data.draw(st.sampled_from(sorted(event)))
    mutant = {**event, field: data.draw(json_values)}
    said(mutant, adapter)
    cut = json.dumps({"stream": "x", "data": event})
    adapter.frame("public-0", cut[: data.draw(st.integers(0, len(cut)))].encode(), 1)
    assert said(TICKER, adapter) == [
        Touch(BTC, "64000.10", "2", "64000.20", "0.5", None, 1_700_000_000_002_000_000, 7)
    ]


def test_a_plan_has_current_addresses_and_replaces_connections_before_the_venue_closes_them():
    public, market = BinanceFuturesStream().plan(["BTCUSDT", "ETHUSDT", "BTCUSDT"])
    assert public.name == "public-0"
    assert public.url == (
        "wss://fstream.binance.com/public/stream?streams="
        "btcusdt@depth@100ms/btcusdt@bookTicker/ethusdt@depth@100ms/ethusdt@bookTicker"
    )
    assert market.name == "market-0"
    assert market.url == (
        "wss://fstream.binance.com/market/stream?streams="
        "btcusdt@aggTrade/btcusdt@markPrice@1s/btcusdt@forceOrder"
        "/ethusdt@aggTrade/ethusdt@markPrice@1s/ethusdt@forceOrder"
    )
    assert public.max_age_s == market.max_age_s == 23.5 * 3600


@pytest.mark.parametrize("count", [1, 66, 67, 100, 101, 450])
def test_all_streams_are_planned_with_at_most_two_hundred_on_a_connection(count):
    symbols = [f"S{n}USDT" for n in range(count)]
    plans = BinanceFuturesStream().plan(symbols)
    streams = [plan.url.partition("streams=")[2].split("/") for plan in plans]
    assert max(map(len, streams)) <= 200
    assert sorted(stream for shard in streams for stream in shard) == sorted(
        f"{s.lower()}@{c}"
        for s in symbols
        for c in ("depth@100ms", "bookTicker", "aggTrade", "markPrice@1s", "forceOrder")
    )
    assert len({plan.name for plan in plans}) == len(plans)


def test_only_chosen_channels_are_planned_at_the_given_address():
    adapter = BinanceFuturesStream(
        Endpoints(stream="ws://127.0.0.1:9", rest="http://127.0.0.1:9"), frozenset({"touch"})
    )
    assert [plan.url for plan in adapter.plan(["BTCUSDT"])] == [
        "ws://127.0.0.1:9/public/stream?streams=btcusdt@bookTicker"
    ]


def test_a_symbol_cannot_add_another_stream_to_the_address():
    (plan,) = BinanceFuturesStream(channels=frozenset({"touch"})).plan(["A/b@depth?x#y"])
    assert plan.url.endswith("?streams=a%2Fb%40depth%3Fx%23y@bookTicker")


@pytest.mark.parametrize("symbol", ["", "A\nB", "x" * 41])
def test_the_error_for_an_impossible_symbol_names_the_setting(symbol):
    with pytest.raises(SettingsError, match="symbols"):
        BinanceFuturesStream().plan([symbol])


def test_the_error_for_an_unknown_channel_names_the_setting_and_the_known_channels():
    with pytest.raises(
        SettingsError,
        match=r"channels = 'books'.*book, candles, liquidations, marks, touch, trades",
    ):
        BinanceFuturesStream(channels=frozenset({"books"}))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["e"])
def test_after_a_plan_data_of_other_symbols_is_invalid_input(event):
    adapter = BinanceFuturesStream()
    adapter.plan(["ETHUSDT"])
    (invalid_input,) = said(event, adapter)
    assert "'BTCUSDT': not subscribed" in invalid_input.what
    adapter.plan(["BTCUSDT"])
    assert not any(isinstance(o, InvalidInput) for o in said(event, adapter))


def test_the_number_of_symbols_without_a_plan_is_bounded():
    adapter = BinanceFuturesStream()
    for n in range(5_000):
        assert isinstance(said({**TICKER, "s": f"S{n}"}, adapter)[0], Touch)
    (invalid_input,) = said(TICKER, adapter)
    assert "5000" in invalid_input.what


def test_an_opened_connection_sends_nothing_because_its_address_subscribes():
    assert list(BinanceFuturesStream().opened("public-0", 1)) == []
