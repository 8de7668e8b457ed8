from __future__ import annotations

import json
from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, FundingPaid, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.bitmex.rest import BitmexRest
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.registry import venue

REST = BitmexRest()
BASE = "https://www.bitmex.com/api/v1"
XBT = InstrumentId("bitmex", "XBTUSD")
ROW = {
    "symbol": "XBTUSD",
    "timestamp": "2021-07-22T22:36:05.000Z",
    "markPrice": 2003.93,
    "indicativeSettlePrice": 2003.18,
    "fundingRate": 0.000551,
    "indicativeFundingRate": 0.000253,
    "fundingTimestamp": "2021-07-23T04:00:00.000Z",
    "openInterest": 1403475,
    "bidPrice": 2003.75,
    "askPrice": 2003.8,
    "lastPrice": 2003.75,
}
(ALL,) = REST.quotes(["XBTUSD", "ETHUSD"])


def read(request, answer, status=200):
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return list(REST.read(request, status, body, 7))


def test_quotes_take_one_request_and_a_smaller_answer_for_one_symbol():
    assert HttpRequest(url=f"{BASE}/instrument/active", purpose="quotes") == ALL
    assert REST.quotes(["A&B"]) == (
        HttpRequest(url=f"{BASE}/instrument?symbol=A%26B", purpose="quotes", symbol="A&B"),
    )
    assert REST.quotes([]) == ()


@pytest.mark.parametrize(
    "request_", [ALL, REST.instruments()[0]], ids=lambda request: request.purpose
)
def test_the_list_of_contracts_gives_quotes_venue_marks_funding_and_open_interest(request_):
    assert [type(event) for event in read(request_, [ROW])] == [
        VenueMark,
        Touch,
        Funding,
        OpenInterest,
    ]
    assert read(request_, [ROW])[1] == Touch(
        XBT, "2003.75", None, "2003.8", None, "2003.75", 1_626_993_365_000_000_000, 7
    )


@pytest.mark.parametrize(
    "bad",
    [
        {**ROW, "bidPrice": "x"},
        {**ROW, "symbol": ""},
        {"timestamp": 5},
        None,
        7,
        [],
        {**ROW, "openInterest": -1},
    ],
)
def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read(bad):
    outcomes = read(ALL, [ROW, bad, ROW])
    assert [type(outcome) for outcome in outcomes].count(InvalidInput) == 1
    assert [type(outcome) for outcome in outcomes].count(VenueMark) == 2


@pytest.mark.parametrize(
    ("status", "named"), [(429, "429"), (503, "503"), (401, "401"), (None, "no answer")]
)
def test_a_status_other_than_200_is_invalid_input_that_names_it(status, named):
    (invalid_input,) = read(ALL, [ROW], status)
    assert named in invalid_input.what


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b"\xff", b"null", b"{}"], ids=lambda b: repr(b[:20])
)
def test_a_body_that_is_no_answer_is_one_invalid_input(body):
    (invalid_input,) = read(ALL, body)
    assert isinstance(invalid_input, InvalidInput)


@given(
    st.binary(max_size=100),
    st.sampled_from(
        [ALL, *REST.funding_history("A", 0, 1), REST.request_for(f"{BASE}/trade?symbol=A")]
    ),
)
def test_any_body_is_read_without_an_exception(body, request):
    assert all(isinstance(outcome, InvalidInput) for outcome in read(request, body))


def test_past_fundings_and_trades_are_read():
    row = {
        "timestamp": "2021-07-22T20:00:00.000Z",
        "symbol": "XBTUSD",
        "fundingInterval": "2000-01-01T08:00:00.000Z",
        "fundingRate": -0.0001,
    }
    at = 1_626_984_000_000_000_000
    assert read(REST.funding_history("XBTUSD", 0, 1)[0], [row]) == [
        FundingPaid(XBT, "-0.0001", at, None, 7)
    ]
    trade = {
        "timestamp": "2021-07-22T20:00:00.000Z",
        "symbol": "XBTUSD",
        "side": "Buy",
        "size": 5,
        "price": 2000,
        "trdMatchID": "x",
    }
    assert read(REST.request_for(f"{BASE}/trade?symbol=XBTUSD"), [trade]) == [
        Trade(XBT, "buy", "2000", "5", "x", at, 7, backlog=True)
    ]


@pytest.mark.parametrize(
    ("url", "purpose", "symbol"),
    [
        (f"{BASE}/instrument/active", "quotes", None),
        ("http://127.0.0.1:80/api/v1/instrument?symbol=A", "quotes", "A"),
        (f"{BASE}/funding?symbol=A&reverse=true", "funding_history", "A"),
        (f"{BASE}/chat", "unknown", None),
        ("https://[bad", "unknown", None),
    ],
)
def test_the_purpose_and_symbol_of_a_request_follow_from_its_address(url, purpose, symbol):
    assert REST.request_for(url) == HttpRequest(url=url, purpose=purpose, symbol=symbol)


def listed(symbol, typ="FFWCSX", **more):
    return {
        "symbol": symbol,
        "typ": typ,
        "state": "Open",
        "underlying": "XBT",
        "quoteCurrency": "USD",
        "settlCurrency": "XBt",
        "tickSize": 0.1,
        "lotSize": 100,
        "multiplier": -100000000,
        "isInverse": True,
        "underlyingToSettleMultiplier": -100000000,
        "quoteToSettleMultiplier": None,
        "expiry": None,
    } | more


LINEAR = {
    "isInverse": False,
    "underlyingToSettleMultiplier": None,
    "quoteCurrency": "USDT",
    "settlCurrency": "USDt",
}


def instruments(*rows):
    return REST.read_instruments(json.dumps(rows).encode())


def test_an_inverse_perpetual_is_sized_in_quote_currency():
    (found,) = instruments(listed("XBTUSD"))
    assert (found.id, found.canonical, found.base, found.quote, found.margin) == (
        XBT,
        "BTC-USD-PERP",
        "BTC",
        "USD",
        "BTC",
    )
    assert (found.tick, found.lot, found.contract_size) == (
        Decimal("0.1"),
        Decimal(100),
        Decimal(1),
    )
    assert (found.linear, found.perpetual, found.trading) == (False, True, True)


def test_a_linear_contract_is_sized_in_its_base_and_a_dated_one_is_named_by_its_last_day():
    linear, dated = instruments(
        listed(
            "XBTUSDT",
            **LINEAR,
            multiplier=1,
            quoteToSettleMultiplier=1000000,
            tickSize=1e-8,
            state="Settled",
        ),
        listed("XBTU21", typ="FFCCSX", expiry="2021-09-24T12:00:00.000Z"),
    )
    assert (linear.canonical, linear.margin, linear.contract_size) == (
        "BTC-USDT-PERP",
        "USDT",
        Decimal("0.000001"),
    )
    assert (linear.linear, linear.trading, linear.tick) == (True, False, Decimal("1e-8"))
    assert (dated.canonical, dated.perpetual) == ("BTC-USD-210924", False)


def test_a_quanto_contract_is_sized_at_the_present_rate_in_any_decimal_context():
    row = listed(
        "ETHUSD",
        **LINEAR | {"quoteCurrency": "USD", "settlCurrency": "XBt"},
        multiplier=100,
        quoteToSettleMultiplier=3108,
    )
    with localcontext(getcontext()) as host:
        host.prec = 3
        (found,) = instruments(row)
    assert round(found.contract_size, 6) == Decimal("0.032175")


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "MRBXXX"},
        {"typ": "FFCCSX"},
        {"tickSize": None},
        {"multiplier": "x"},
        {"underlyingToSettleMultiplier": 0},
        {"underlyingToSettleMultiplier": None},
        {"state": 5},
    ],
    ids=str,
)
def test_rows_that_are_no_contract_or_unreadable_are_left_out(change):
    assert [
        found.id.symbol for found in instruments(listed("A"), listed("B") | change, 7, listed("C"))
    ] == ["A", "C"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[" * 100_000, b'{"error":{}}'], ids=lambda b: repr(b[:20])
)
def test_an_answer_that_is_no_list_of_instruments_is_refused(body):
    with pytest.raises(VenueError, match="list of instruments"):
        REST.read_instruments(body)


def test_the_registry_has_the_venue():
    found = venue("bitmex")
    assert found.rest(found.endpoints).instruments()[0].url == f"{BASE}/instrument/active"
    assert found.stream(found.endpoints).plan(["XBTUSD"])[0].url == "wss://ws.bitmex.com/realtime"
    assert found.weight_per_minute == 30
