"""Candles and past funding, as every venue's documentation shows them."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError
from perps_actors.market.candle import Candle
from perps_actors.market.events import FundingPaid
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.registry import VENUES, venue
from perps_actors.venues.toolkit.rest import funding_pages, moments, pages

S = 1_000_000_000
T0 = 1_700_000_040
"""The start of a minute, in seconds."""
SYMBOLS = {
    "binance_futures": "BTCUSDT",
    "binance_delivery": "BTCUSD_PERP",
    "bybit": "BTCUSDT",
    "okx": "BTC-USDT-SWAP",
    "deribit": "BTC-PERPETUAL",
    "coinbase_international": "BTC_USDC-PERPETUAL",
    "kraken_futures": "PF_XBTUSD",
    "bitmex": "XBTUSD",
    "gateio_futures": "BTC_USDT",
    "htx_swap": "BTC-USDT",
}
NO_STREAM = {"kraken_futures"}
"""Venues that do not stream candles."""
DERIBIT_CHART = {
    "status": "ok",
    "ticks": [T0 * 1000, (T0 + 60) * 1000],
    "open": [10, 11.5],
    "high": [12, 11.5],
    "low": [9.5, 11],
    "close": [11.5, 11],
    "volume": [0.5, 0],
    "cost": [7, 0],
}
DATE = "2023-11-14T22:14:00.000Z"


def okx(*rows):
    return {"code": "0", "msg": "", "data": rows}


def bybit(*rows):
    return {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": 5}


def kline(open_time_ms):
    return [
        open_time_ms,
        "10",
        "12",
        "9.5",
        "11.5",
        "7",
        open_time_ms + 59_999,
        "80",
        3,
        "4",
        "40",
        "0",
    ]


HTX_CANDLE = {
    "id": T0,
    "open": 10,
    "close": 11.5,
    "high": 12,
    "low": 9.5,
    "amount": 0.007,
    "vol": 7,
    "count": 3,
}
BITMEX_BIN = {
    "timestamp": "2023-11-14T22:15:00.000Z",
    "symbol": "XBTUSD",
    "open": 10,
    "high": 12,
    "low": 9.5,
    "close": 11.5,
    "volume": 7,
}
CANDLES = {
    "binance_futures": [kline(T0 * 1000)],
    "binance_delivery": [kline(T0 * 1000)],
    "bybit": bybit([str(T0 * 1000), "10", "12", "9.5", "11.5", "7", "80"]),
    "okx": okx([str(T0 * 1000), "10", "12", "9.5", "11.5", "7", "0.07", "80", "1"]),
    "deribit": {
        "jsonrpc": "2.0",
        "result": {
            name: column if name == "status" else column[:1]
            for name, column in DERIBIT_CHART.items()
        },
    },
    "coinbase_international": {
        "result": {
            **{k: v if k == "status" else v[:1] for k, v in DERIBIT_CHART.items()},
            "volume": [7],
        }
    },
    "kraken_futures": {
        "candles": [
            {
                "time": T0 * 1000,
                "open": "10",
                "high": "12",
                "low": "9.5",
                "close": "11.5",
                "volume": 7,
            }
        ]
    },
    "bitmex": [BITMEX_BIN],
    "gateio_futures": [
        {"t": T0, "v": 7, "c": "11.5", "h": "12", "l": "9.5", "o": "10", "sum": "80"}
    ],
    "htx_swap": {"ch": "market.BTC-USDT.kline.1min", "data": [HTX_CANDLE], "status": "ok", "ts": 5},
}
"""Answers with one candle."""
BINANCE_KLINE = {
    "e": "kline",
    "E": (T0 + 5) * 1000,
    "k": {
        "t": T0 * 1000,
        "i": "1m",
        "o": "10",
        "c": "11.5",
        "h": "12",
        "l": "9.5",
        "v": "7",
        "x": False,
    },
}
BYBIT_KLINE = {
    "start": T0 * 1000,
    "open": "10",
    "close": "11.5",
    "high": "12",
    "low": "9.5",
    "volume": "7",
    "confirm": False,
}
CHART = {
    "tick": T0 * 1000,
    "open": 10,
    "high": 12,
    "low": 9.5,
    "close": 11.5,
    "volume": 7,
    "cost": 7,
}
STREAMED = {
    "binance_futures": {**BINANCE_KLINE, "s": "BTCUSDT"},
    "binance_delivery": {**BINANCE_KLINE, "s": "BTCUSD_PERP"},
    "bybit": {
        "topic": "kline.1.BTCUSDT",
        "type": "snapshot",
        "ts": (T0 + 5) * 1000,
        "data": [BYBIT_KLINE],
    },
    "okx": {
        "arg": {"channel": "candle1m", "instId": "BTC-USDT-SWAP"},
        "data": [[str(T0 * 1000), "10", "12", "9.5", "11.5", "7", "0.07", "80", "0"]],
    },
    "deribit": {
        "jsonrpc": "2.0",
        "method": "subscription",
        "params": {"channel": "chart.trades.BTC-PERPETUAL.1", "data": CHART},
    },
    "coinbase_international": {
        "method": "subscription",
        "params": {"channel": "chart.trades.BTC_USDC-PERPETUAL.1", "data": CHART},
    },
    "bitmex": {"table": "tradeBin1m", "action": "insert", "data": [BITMEX_BIN]},
    "gateio_futures": {
        "time": T0 + 5,
        "time_ms": (T0 + 5) * 1000,
        "channel": "futures.candlesticks",
        "event": "update",
        "result": [
            {
                "t": T0,
                "v": 7,
                "c": "11.5",
                "h": "12",
                "l": "9.5",
                "o": "10",
                "n": "1m_BTC_USDT",
                "w": False,
            }
        ],
    },
    "htx_swap": {"ch": "market.BTC-USDT.kline.1min", "ts": (T0 + 5) * 1000, "tick": HTX_CANDLE},
}
"""Frames with the same candle, before its end."""
SAYS_NOT = {"deribit", "coinbase_international", "htx_swap"}
"""Venues whose stream does not say whether a candle is closed."""
PAID = {
    "binance_futures": [
        {
            "symbol": "BTCUSDT",
            "fundingRate": "-0.0001",
            "fundingTime": T0 * 1000,
            "markPrice": "34287.5",
        }
    ],
    "binance_delivery": [
        {
            "symbol": "BTCUSD_PERP",
            "fundingRate": "-0.0001",
            "fundingTime": T0 * 1000,
            "markPrice": "34287.5",
        }
    ],
    "bybit": bybit(
        {"symbol": "BTCUSDT", "fundingRate": "-0.0001", "fundingRateTimestamp": str(T0 * 1000)}
    ),
    "okx": okx(
        {
            "instId": "BTC-USDT-SWAP",
            "fundingRate": "0.2",
            "realizedRate": "-0.0001",
            "fundingTime": str(T0 * 1000),
        }
    ),
    "deribit": {
        "result": [
            {"timestamp": T0 * 1000, "interest_1h": -0.0001, "interest_8h": 0.2, "index_price": 5}
        ]
    },
    "coinbase_international": {
        "result": [{"timestamp": T0 * 1000, "interest_1h": -0.0001, "interest_8h": 0.2}]
    },
    "kraken_futures": {
        "result": "success",
        "rates": [{"timestamp": DATE, "fundingRate": -9.1, "relativeFundingRate": -0.0001}],
    },
    "bitmex": [
        {
            "timestamp": DATE,
            "symbol": "XBTUSD",
            "fundingInterval": "2000-01-01T08:00:00.000Z",
            "fundingRate": -0.0001,
        }
    ],
    "gateio_futures": [{"t": T0, "r": "-0.0001"}],
    "htx_swap": {
        "status": "ok",
        "data": {
            "total_page": 1,
            "data": [
                {
                    "contract_code": "BTC-USDT",
                    "funding_time": str(T0 * 1000),
                    "funding_rate": "0.2",
                    "realized_rate": "-0.0001",
                }
            ],
        },
        "ts": 5,
    },
}
"""Answers with one funding."""


def read(name, requests, body):
    known = venue(name)
    return list(known.rest(known.endpoints).read(requests[0], 200, json.dumps(body).encode(), 7))


def rest_of(name):
    known = venue(name)
    return known.rest(known.endpoints)


def candles_of(name, since_s=T0, until_s=T0 + 60, interval_s=60):
    return rest_of(name).candles(SYMBOLS[name], interval_s, since_s * S, until_s * S)


def fundings_of(name, since_s=T0, until_s=T0 + 60):
    return rest_of(name).funding_history(SYMBOLS[name], since_s * S, until_s * S)


@pytest.mark.parametrize("name", VENUES)
def test_a_candle_of_an_answer_has_its_start_prices_and_volume(name):
    (candle,) = read(name, candles_of(name), CANDLES[name])
    assert (candle.instrument, candle.interval_s, candle.open_time_ns) == (
        InstrumentId(name, SYMBOLS[name]),
        60,
        T0 * S,
    )
    assert tuple(
        map(float, (candle.open, candle.high, candle.low, candle.close, candle.volume))
    ) == (10, 12, 9.5, 11.5, 7)
    assert candle.closed is (True if name in {"okx", "bitmex"} else None)


@pytest.mark.parametrize("name", VENUES)
def test_a_past_funding_has_the_settled_rate_and_its_time(name):
    (paid,) = read(name, fundings_of(name), PAID[name])
    assert (paid.instrument, float(paid.rate), paid.time_ns) == (
        InstrumentId(name, SYMBOLS[name]),
        -0.0001,
        T0 * S,
    )
    assert paid.mark == ("34287.5" if name.startswith("binance") else None)


@pytest.mark.parametrize("name", sorted(STREAMED))
def test_a_streamed_candle_says_whether_it_is_closed(name):
    known, data = venue(name), json.dumps(STREAMED[name]).encode()
    (candle,) = known.stream(known.endpoints).frame(
        "c", gzip.compress(data) if name == "htx_swap" else data, 7
    )
    assert (candle.instrument, candle.interval_s, candle.open_time_ns) == (
        InstrumentId(name, SYMBOLS[name]),
        60,
        T0 * S,
    )
    assert tuple(
        map(float, (candle.open, candle.high, candle.low, candle.close, candle.volume))
    ) == (10, 12, 9.5, 11.5, 7)
    assert candle.closed is (None if name in SAYS_NOT else name == "bitmex")


@pytest.mark.parametrize("name", VENUES)
def test_candles_are_subscribed_only_if_they_are_chosen(name):
    known = venue(name)
    usual = known.stream(known.endpoints)
    before = _asked(usual, usual.plan([SYMBOLS[name]]))
    if name in NO_STREAM:
        return
    asking = known.stream(known.endpoints, frozenset({"candles"}))
    words = ("kline", "candle", "chart", "Bin1m")
    assert not any(word in text for text in before for word in words)
    assert any(
        word in text for text in _asked(asking, asking.plan([SYMBOLS[name]])) for word in words
    )


def _asked(adapter, plans):
    return [
        text
        for plan in plans
        for text in (plan.url, *(frame.text for frame in adapter.opened(plan.name, 1)))
    ]


@pytest.mark.parametrize("name", VENUES)
def test_the_error_for_an_unknown_interval_names_the_setting(name):
    with pytest.raises(SettingsError, match="interval_s = 61"):
        candles_of(name, interval_s=61)


@pytest.mark.parametrize("name", VENUES)
def test_the_address_of_a_request_for_candles_gives_back_its_interval(name):
    for interval_s in rest_of(name).intervals:
        requests = candles_of(name, T0, T0 + 3 * 86_400, interval_s)
        assert {(request.purpose, request.symbol, request.interval_s) for request in requests} == {
            ("candles", SYMBOLS[name], interval_s)
        }
        assert [rest_of(name).request_for(request.url) for request in requests] == list(requests)
    assert {request.purpose for request in fundings_of(name)} == {"funding_history"}


@pytest.mark.parametrize("name", VENUES)
def test_a_long_span_is_requested_in_pages_and_an_empty_one_not_at_all(name):
    assert len({request.url for request in candles_of(name, T0, T0 + 60 * 5_000)}) >= 3
    assert candles_of(name, T0, T0) == ()


BAD = [
    ("open", 0),
    ("high", 9),
    ("low", 12),
    ("close", -1),
    ("volume", -7),
    ("open", "NaN"),
    ("close", None),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_an_inconsistent_candle_is_invalid_input_and_its_neighbour_is_read(field, value):
    good = CANDLES["bitmex"][0]
    outcomes = read("bitmex", candles_of("bitmex"), [{**good, field: value}, good])
    assert [type(outcome) for outcome in outcomes] == [InvalidInput, Candle]


def test_columns_of_different_lengths_are_refused():
    chart = {**DERIBIT_CHART, "close": [11.5]}
    (invalid_input,) = read("deribit", candles_of("deribit"), {"result": chart})
    assert "Expected columns of one length" in invalid_input.what


def test_columns_are_read_as_candles():
    first, last = read("deribit", candles_of("deribit"), {"result": DERIBIT_CHART})
    assert (first.close, last.open, last.volume) == ("11.5", "11.5", "0")


def test_fundings_of_kraken_are_rates_and_not_amounts():
    (paid,) = read("kraken_futures", fundings_of("kraken_futures"), PAID["kraken_futures"])
    assert paid == FundingPaid(
        InstrumentId("kraken_futures", "PF_XBTUSD"), "-0.0001", T0 * S, None, 7
    )


def test_candles_without_a_known_interval_are_invalid_input():
    known = venue("bybit")
    rest = known.rest(known.endpoints)
    request = rest.request_for("https://api.bybit.com/v5/market/kline?symbol=BTCUSDT&interval=W")
    (invalid_input,) = rest.read(request, 200, json.dumps(CANDLES["bybit"]).encode(), 7)
    assert "known length" in invalid_input.what


SPANS = st.tuples(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.sampled_from([60, 300, 3_600]),
    st.integers(1, 100),
)


@given(SPANS)
def test_pages_hold_each_candle_that_opens_in_the_span_once(span):
    since_s, length_s, step_s, most = span
    until_s = since_s + min(length_s, step_s * most * 50)
    found = list(pages(since_s * S, until_s * S, step_s, most))
    opened = [time_s for start, end in found for time_s in range(start // S, end // S, step_s)]
    assert opened == list(range(-(-since_s // step_s) * step_s, until_s, step_s))
    assert all(0 < end - start <= step_s * most * S for start, end in found)


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_pages_of_fundings_cover_the_span(since_s, length_s):
    found = list(funding_pages(since_s * S, (since_s + length_s) * S, 100))
    assert (found[0][0], found[-1][1]) == (since_s * S, (since_s + length_s) * S)
    assert all(end - start <= 100 * 3_600 * S for start, end in found)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.sampled_from([1, 1_000, 10**6, 10**9]))
def test_moments_are_the_whole_units_within_the_span(start_ns, length_ns, unit_ns):
    first, last = moments((start_ns, start_ns + length_ns), unit_ns)
    assert (first - 1) * unit_ns < start_ns <= first * unit_ns
    assert last * unit_ns < start_ns + length_ns <= (last + 1) * unit_ns
