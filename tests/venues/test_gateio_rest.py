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
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.gateio_futures.rest import GateioFuturesRest
from perps_actors.venues.registry import venue

REST = GateioFuturesRest()
BASE = "https://api.gateio.ws/api/v4/futures/usdt"
BTC = InstrumentId("gateio_futures", "BTC_USDT")
QUOTE = {
    "last": "102969.5",
    "contract": "BTC_USDT",
    "funding_rate": "0.000178",
    "funding_rate_indicative": "0.00018",
    "mark_price": "102961.81",
    "index_price": "102796.9",
    "total_size": "196983402",
    "highest_bid": "102984.6",
    "highest_size": "110787",
    "lowest_ask": "102984.7",
    "lowest_size": "229255",
}
CONTRACT = {
    "name": "BTC_USDT",
    "type": "direct",
    "quanto_multiplier": "0.0001",
    "mark_price": "37985.6",
    "index_price": "37954.92",
    "funding_rate": "0.002053",
    "funding_rate_indicative": "0.000219",
    "funding_next_apply": 1610035200,
    "order_size_min": 1,
    "order_price_round": "0.1",
    "position_size": 5223816,
    "status": "trading",
    "in_delisting": False,
}
(ALL,) = REST.quotes(["BTC_USDT", "ETH_USDT"])


def read(request, answer, status=200):
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return list(REST.read(request, status, body, 7))


def test_quotes_take_one_request_and_a_smaller_answer_for_one_symbol():
    assert HttpRequest(url=f"{BASE}/tickers", purpose="quotes") == ALL
    assert REST.quotes(["A&B"]) == (
        HttpRequest(url=f"{BASE}/tickers?contract=A%26B", purpose="quotes", symbol="A&B"),
    )
    assert REST.quotes([]) == ()


def test_a_ticker_gives_touch_venue_mark_funding_and_open_interest_without_time():
    assert read(ALL, [QUOTE]) == [
        Touch(BTC, "102984.6", "110787", "102984.7", "229255", "102969.5", None, 7),
        VenueMark(BTC, "102961.81", "102796.9", None, 7),
        Funding(BTC, "0.000178", "0.00018", None, "102961.81", None, 7),
        OpenInterest(BTC, "196983402", None, 7),
    ]


def test_the_list_of_contracts_gives_the_next_funding_time():
    assert read(REST.instruments()[0], [CONTRACT]) == [
        VenueMark(BTC, "37985.6", "37954.92", None, 7),
        Funding(BTC, "0.002053", "0.000219", 1_610_035_200_000_000_000, "37985.6", None, 7),
        OpenInterest(BTC, "5223816", None, 7),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {**QUOTE, "lowest_ask": "x"},
        {**QUOTE, "contract": ""},
        {},
        None,
        7,
        {**QUOTE, "total_size": "-1"},
    ],
    ids=str,
)
def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read(bad):
    outcomes = read(ALL, [QUOTE, bad, QUOTE])
    assert [type(outcome) for outcome in outcomes].count(InvalidInput) == 1
    assert [type(outcome) for outcome in outcomes].count(Touch) == 2


@pytest.mark.parametrize(("status", "named"), [(429, "429"), (503, "503"), (None, "no answer")])
def test_a_status_other_than_200_is_invalid_input_that_names_it(status, named):
    (invalid_input,) = read(ALL, [QUOTE], status)
    assert named in invalid_input.what


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[" * 100_000, b"\xff", b"null", b'{"label":"INVALID"}'],
    ids=lambda b: repr(b[:20]),
)
def test_a_body_that_is_no_answer_is_one_invalid_input(body):
    (invalid_input,) = read(ALL, body)
    assert isinstance(invalid_input, InvalidInput)


@given(st.binary(max_size=100), st.sampled_from([ALL, REST.instruments()[0], REST.depth("A")]))
def test_any_body_is_read_without_an_exception(body, request):
    assert all(isinstance(outcome, InvalidInput) for outcome in read(request, body))


@pytest.mark.parametrize(
    ("url", "purpose", "symbol"),
    [
        (f"{BASE}/tickers", "quotes", None),
        ("http://127.0.0.1:80/api/v4/futures/usdt/tickers?contract=A", "quotes", "A"),
        (f"{BASE}/order_book?contract=A&limit=10&with_id=true", "depth", "A"),
        (f"{BASE}/contracts", "instruments", None),
        (f"{BASE}/insurance", "unknown", None),
        ("https://[bad", "unknown", None),
    ],
)
def test_the_purpose_and_symbol_of_a_request_follow_from_its_address(url, purpose, symbol):
    assert REST.request_for(url) == HttpRequest(url=url, purpose=purpose, symbol=symbol)


def test_contracts_are_listed_with_canonical_names_ticks_lots_and_sizes():
    rows = [
        CONTRACT,
        {**CONTRACT, "name": "SOL_USDT", "order_size_min": "0.1", "in_delisting": True},
        {**CONTRACT, "name": "BAD_USDT", "order_price_round": "x"},
        7,
        {**CONTRACT, "name": "OLD_USDT", "status": "delisted"},
    ]
    btc, sol, old = REST.read_instruments(json.dumps(rows).encode())
    assert (btc.id, btc.canonical, btc.base, btc.quote, btc.margin) == (
        BTC,
        "BTC-USDT-PERP",
        "BTC",
        "USDT",
        "USDT",
    )
    assert (btc.tick, btc.lot, btc.contract_size) == (Decimal("0.1"), Decimal(1), Decimal("0.0001"))
    assert (btc.linear, btc.perpetual) == (True, True)
    assert (sol.lot, btc.trading, sol.trading, old.trading) == (Decimal("0.1"), True, False, False)


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000], ids=lambda b: repr(b[:20]))
def test_an_answer_that_is_no_list_of_contracts_is_refused(body):
    with pytest.raises(VenueError, match="list of instruments"):
        REST.read_instruments(body)


def test_the_registry_has_the_venue():
    found = venue("gateio_futures")
    assert found.rest(found.endpoints).instruments()[0].url == f"{BASE}/contracts"
    assert (
        found.stream(found.endpoints).plan(["BTC_USDT"])[0].url
        == "wss://fx-ws.gateio.ws/v4/ws/usdt"
    )
    assert found.weight_per_minute == 1_200
