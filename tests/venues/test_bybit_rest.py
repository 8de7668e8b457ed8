from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bybit.rest import BybitRest
from perps_actors.venues.contract import Endpoints, InvalidInput
from perps_actors.venues.registry import venue

REST = BybitRest()
BTC = InstrumentId("bybit", "BTCUSDT")
BASE = "https://api.bybit.com/v5/market"
AT = 1_700_000_000_002_000_000
ROW = {
    "symbol": "BTCUSDT",
    "lastPrice": "64000.15",
    "markPrice": "64001.5",
    "indexPrice": "64000.9",
    "bid1Price": "64000.10",
    "bid1Size": "2",
    "ask1Price": "64000.20",
    "ask1Size": "0.5",
    "fundingRate": "0.0001",
    "nextFundingTime": "1700006400000",
    "openInterest": "5",
}


def answer(*rows, **more):
    return {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"category": "linear", "list": rows},
        "time": 1_700_000_000_002,
        **more,
    }


def read(request, body, status=200):
    return list(
        REST.read(
            request, status, body if isinstance(body, bytes) else json.dumps(body).encode(), 7
        )
    )


(ALL,) = REST.quotes(["BTCUSDT", "ETHUSDT"])


def test_quotes_are_one_request_per_category_for_all_symbols_or_for_the_only_one():
    assert HttpRequest(url=f"{BASE}/tickers?category=linear", purpose="quotes") == ALL
    assert REST.quotes(["BTCUSD", "BTCUSDT", "BTCUSDT", "ETHUSDT"]) == (
        ALL,
        HttpRequest(
            url=f"{BASE}/tickers?category=inverse&symbol=BTCUSD", purpose="quotes", symbol="BTCUSD"
        ),
    )
    assert REST.quotes([]) == ()


def test_a_ticker_gives_touch_mark_funding_and_open_interest_at_the_answers_time():
    assert read(ALL, answer(ROW)) == [
        Touch(BTC, "64000.10", "2", "64000.20", "0.5", "64000.15", AT, 7),
        VenueMark(BTC, "64001.5", "64000.9", AT, 7),
        Funding(BTC, "0.0001", None, 1_700_006_400_000_000_000, "64001.5", AT, 7),
        OpenInterest(BTC, "5", AT, 7),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {**ROW, "bid1Price": "-1"},
        {**ROW, "symbol": ""},
        {"symbol": "X"},
        {**ROW, "lastPrice": 5},
        None,
        7,
    ],
)
def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read(bad):
    outcomes = read(ALL, answer(ROW, bad, ROW))
    assert [type(outcome) for outcome in outcomes].count(Touch) == 2
    assert [type(outcome) for outcome in outcomes].count(InvalidInput) == 1


def test_a_refusal_is_invalid_input_in_the_venues_words():
    (invalid_input,) = read(
        ALL, {"retCode": 10006, "retMsg": "Too many visits!", "result": {}, "time": 1}
    )
    assert "10006: Too many visits!" in invalid_input.what


@pytest.mark.parametrize(("status", "named"), [(403, "403"), (503, "503"), (None, "no answer")])
def test_a_status_other_than_200_is_invalid_input_that_names_it(status, named):
    (invalid_input,) = read(ALL, answer(ROW), status)
    assert named in invalid_input.what


@given(
    st.binary(max_size=100), st.sampled_from([ALL, REST.depth("BTCUSDT"), REST.instruments()[0]])
)
def test_no_bytes_raise_an_exception(body, request):
    assert all(isinstance(outcome, InvalidInput) for outcome in read(request, body))


def test_depth_is_requested_in_the_symbols_category_and_read_as_a_book():
    request = REST.depth("BTCUSDH26")
    assert request.url == f"{BASE}/orderbook?category=inverse&symbol=BTCUSDH26&limit=500"
    result = {
        "s": "BTCUSDH26",
        "b": [["1", "2"]],
        "a": [["3", "4"]],
        "ts": 1_700_000_000_002,
        "u": 5,
        "seq": 6,
    }
    body = {"retCode": 0, "retMsg": "OK", "result": result, "time": 5}
    (top,) = read(request, body)
    assert (top.instrument.symbol, top.bid, top.ask_size, top.sequence, top.venue_time_ns) == (
        "BTCUSDH26",
        "1",
        "4",
        5,
        AT,
    )
    (invalid_input,) = read(REST.depth("BTCUSDT"), body)
    assert "Expected the book of BTCUSDT, was of 'BTCUSDH26'" in invalid_input.what


@pytest.mark.parametrize(
    ("url", "purpose", "symbol"),
    [
        (
            "http://127.0.0.1:9/v5/market/tickers?category=linear&symbol=BTCUSDT",
            "quotes",
            "BTCUSDT",
        ),
        ("https://api.bybit.com/v5/market/orderbook?symbol=A", "depth", "A"),
        ("https://api.bybit.com/v5/market/instruments-info?category=linear", "instruments", None),
        ("https://api.bybit.com/v5/market/recent-trade", "unknown", None),
        ("http://[bad", "unknown", None),
    ],
)
def test_an_address_has_its_purpose_on_any_host(url, purpose, symbol):
    request = REST.request_for(url)
    assert (request.purpose, request.symbol) == (purpose, symbol)


INSTRUMENT = {
    "symbol": "BTCUSDH26",
    "contractType": "InverseFutures",
    "status": "Trading",
    "baseCoin": "BTC",
    "quoteCoin": "USD",
    "settleCoin": "BTC",
    "deliveryTime": "1774598400000",
    "priceFilter": {"tickSize": "0.5"},
    "lotSizeFilter": {"qtyStep": "1"},
}


@pytest.mark.parametrize(
    ("change", "canonical", "linear", "perpetual"),
    [
        ({}, "BTC-USD-260327", False, False),
        (
            {"symbol": "BTCUSD", "contractType": "InversePerpetual", "deliveryTime": "0"},
            "BTC-USD-PERP",
            False,
            True,
        ),
        ({"contractType": "LinearFutures", "quoteCoin": "USDC"}, "BTC-USDC-260327", True, False),
    ],
)
def test_instruments_are_linear_or_inverse_perpetual_or_dated(change, canonical, linear, perpetual):
    (found,) = REST.read_instruments(json.dumps(answer({**INSTRUMENT, **change})).encode())
    assert (found.canonical, found.linear, found.perpetual) == (canonical, linear, perpetual)
    assert (found.margin, found.tick, found.contract_size, found.trading) == (
        "BTC",
        Decimal("0.5"),
        Decimal(1),
        True,
    )


def test_a_bad_row_of_instruments_is_left_out_and_another_answer_raises():
    rows = [
        {**INSTRUMENT, "contractType": "Spot"},
        {**INSTRUMENT, "priceFilter": {"tickSize": "0"}},
        None,
        INSTRUMENT,
    ]
    assert len(REST.read_instruments(json.dumps(answer(*rows)).encode())) == 1
    with pytest.raises(VenueError, match="Expected a list of instruments"):
        REST.read_instruments(b"[]")


def test_the_venue_is_registered_with_its_limit_and_current_addresses():
    entry = venue("bybit")
    assert entry.endpoints == Endpoints(
        stream="wss://stream.bybit.com", rest="https://api.bybit.com"
    )
    assert entry.weight_per_minute == 7_200
    assert isinstance(entry.rest(entry.endpoints), BybitRest)
