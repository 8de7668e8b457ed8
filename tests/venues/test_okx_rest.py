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
from perps_actors.venues.contract import Endpoints, InvalidInput
from perps_actors.venues.okx.rest import OkxRest
from perps_actors.venues.registry import venue

REST = OkxRest()
SYMBOL = "BTC-USDT-SWAP"
BTC = InstrumentId("okx", SYMBOL)
BASE = "https://www.okx.com/api/v5"
T0 = "1700000000002"
AT = 1_700_000_000_002_000_000
ROW = {
    "instId": SYMBOL,
    "last": "64000.15",
    "bidPx": "64000.1",
    "bidSz": "2",
    "askPx": "64000.2",
    "askSz": "0.5",
    "ts": T0,
}


def read(request, rows, status=200):
    body = (
        rows
        if isinstance(rows, bytes)
        else json.dumps({"code": "0", "msg": "", "data": rows}).encode()
    )
    return list(REST.read(request, status, body, 7))


(ALL,) = REST.quotes([SYMBOL, "ETH-USDT-SWAP"])
(MARKS,) = REST.poll("mark", [SYMBOL])
(INTEREST,) = REST.poll("open_interest", [SYMBOL])


def test_quotes_are_one_request_for_all_perpetuals_or_for_one_symbol():
    assert HttpRequest(url=f"{BASE}/market/tickers?instType=SWAP", purpose="quotes") == ALL
    (one,) = REST.quotes([SYMBOL, SYMBOL])
    assert one == HttpRequest(
        url=f"{BASE}/market/ticker?instId={SYMBOL}", purpose="quotes", symbol=SYMBOL
    )
    assert [request.url[-7:] for request in REST.quotes([SYMBOL, "BTC-USD-260327"])] == [
        "pe=SWAP",
        "FUTURES",
    ]
    assert REST.quotes([]) == ()


def test_a_ticker_is_a_touch():
    assert read(ALL, [ROW]) == [Touch(BTC, "64000.1", "2", "64000.2", "0.5", "64000.15", AT, 7)]


@pytest.mark.parametrize(
    "bad",
    [
        {**ROW, "bidPx": "-1"},
        {**ROW, "ts": "x"},
        {**ROW, "instId": ""},
        {**ROW, "askPx": "1"},
        None,
        7,
        {},
    ],
)
def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read(bad):
    first, invalid_input, last = read(ALL, [ROW, bad, ROW])
    assert isinstance(invalid_input, InvalidInput)
    assert type(first) is type(last) is Touch


def test_venue_marks_funding_and_open_interest_are_read():
    assert read(MARKS, [{"instId": SYMBOL, "markPx": "5", "ts": T0}]) == [
        VenueMark(BTC, "5", None, AT, 7)
    ]
    assert read(INTEREST, [{"instId": SYMBOL, "oi": "6", "ts": T0}]) == [
        OpenInterest(BTC, "6", AT, 7)
    ]
    row = {
        "instId": SYMBOL,
        "fundingRate": "0.0001",
        "nextFundingRate": "",
        "fundingTime": T0,
        "nextFundingTime": "9",
        "ts": T0,
    }
    request = REST.poll("funding", [SYMBOL])[0]
    assert (request.url, request.symbol) == (f"{BASE}/public/funding-rate?instId={SYMBOL}", SYMBOL)
    assert read(request, [row]) == [Funding(BTC, "0.0001", None, AT, None, AT, 7)]


def test_a_request_for_mark_prices_counts_twice_because_half_as_many_are_allowed():
    assert (MARKS.weight, INTEREST.weight, ALL.weight) == (2, 1, 1)


def test_depth_is_read_as_a_book():
    request = REST.depth(SYMBOL)
    (top,) = read(
        request,
        [{"bids": [["1", "2", "0", "1"]], "asks": [["3", "4", "0", "1"]], "ts": T0, "seqId": 9}],
    )
    assert (top.instrument, top.bid, top.ask_size, top.sequence, top.venue_time_ns) == (
        BTC,
        "1",
        "4",
        9,
        AT,
    )
    (invalid_input,) = read(request, [])
    assert invalid_input.symbol == SYMBOL


def test_a_refusal_is_invalid_input_in_the_venues_words():
    (invalid_input,) = read(ALL, b'{"code":"50011","msg":"Too Many Requests","data":[]}')
    assert "50011: Too Many Requests" in invalid_input.what


@pytest.mark.parametrize(("status", "named"), [(429, "429"), (503, "503"), (None, "no answer")])
def test_a_status_other_than_200_is_invalid_input_that_names_it(status, named):
    (invalid_input,) = read(ALL, [ROW], status)
    assert named in invalid_input.what


@given(
    st.binary(max_size=100),
    st.sampled_from(
        [ALL, REST.depth("A"), MARKS, REST.poll("funding", ["A-SWAP"])[0], REST.instruments()[0]]
    ),
)
def test_no_bytes_raise_an_exception(body, request):
    assert all(isinstance(outcome, InvalidInput) for outcome in read(request, body))


@pytest.mark.parametrize(
    ("url", "purpose", "symbol"),
    [
        ("http://127.0.0.1:9/api/v5/market/ticker?instId=A-B-SWAP", "quotes", "A-B-SWAP"),
        (f"{BASE}/market/books?instId=A&sz=400", "depth", "A"),
        (f"{BASE}/public/instruments?instType=SWAP", "instruments", None),
        (f"{BASE}/market/trades", "unknown", None),
        ("http://[bad", "unknown", None),
    ],
)
def test_an_address_has_its_purpose_on_any_host(url, purpose, symbol):
    request = REST.request_for(url)
    assert (request.purpose, request.symbol) == (purpose, symbol)


INSTRUMENT = {
    "instId": "BTC-USD_UM-SWAP",
    "instType": "SWAP",
    "instFamily": "BTC-USD_UM",
    "uly": "BTC-USD",
    "ctType": "linear",
    "ctVal": "0.01",
    "ctMult": "2",
    "settleCcy": "USD",
    "tickSz": "0.1",
    "lotSz": "0.01",
    "expTime": "",
    "state": "live",
}


@pytest.mark.parametrize(
    ("change", "canonical", "size", "perpetual", "trading"),
    [
        ({}, "BTC-USD_UM-PERP", "0.02", True, True),
        ({"ctMult": "", "state": "suspend"}, "BTC-USD_UM-PERP", "0.01", True, False),
        (
            {"instType": "FUTURES", "expTime": "1774598400000"},
            "BTC-USD_UM-260327",
            "0.02",
            False,
            True,
        ),
    ],
)
def test_instruments_are_perpetual_or_dated_and_worth_value_times_multiplier(
    change, canonical, size, perpetual, trading
):
    (found,) = REST.read_instruments(
        json.dumps({"code": "0", "data": [{**INSTRUMENT, **change}]}).encode()
    )
    assert (found.canonical, found.contract_size, found.perpetual, found.trading) == (
        canonical,
        Decimal(size),
        perpetual,
        trading,
    )
    assert (found.margin, found.tick, found.lot) == ("USD", Decimal("0.1"), Decimal("0.01"))


def test_a_row_that_is_not_a_contract_is_left_out_and_another_answer_raises():
    rows = [
        {**INSTRUMENT, "instType": "SPOT"},
        {**INSTRUMENT, "instType": "OPTION"},
        {**INSTRUMENT, "ctVal": ""},
        7,
        INSTRUMENT,
    ]
    assert len(REST.read_instruments(json.dumps({"code": "0", "data": rows}).encode())) == 1
    with pytest.raises(VenueError, match="Expected a list of instruments"):
        REST.read_instruments(b"[]")


def test_the_venue_is_registered_with_its_limit_and_current_addresses():
    entry = venue("okx")
    assert entry.endpoints == Endpoints(stream="wss://ws.okx.com:8443", rest="https://www.okx.com")
    assert entry.weight_per_minute == 600
    assert isinstance(entry.rest(entry.endpoints), OkxRest)
