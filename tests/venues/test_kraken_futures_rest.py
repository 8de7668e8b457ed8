from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
from perps_actors.market.events import OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.kraken_futures.rest import KrakenFuturesRest

REST = KrakenFuturesRest()
ROW = {
    "symbol": "PF_AAPLxUSD",
    "bid": 200.1,
    "bidSize": 3,
    "ask": 200.2,
    "askSize": 4.5,
    "last": 200,
    "markPrice": 200.15,
    "indexPrice": 200.11,
    "openInterest": 0.0,
    "fundingRate": 1.5e-05,
}


def answered(rows, url="https://futures.kraken.com/derivatives/api/v3/tickers", **more):
    body = {"result": "success", "serverTime": "2025-11-17T00:34:37.524Z", "tickers": rows, **more}
    return list(REST.read(REST.request_for(url), 200, json.dumps(body).encode(), 7))


def test_quotes_take_one_request_for_one_symbol_or_for_all():
    (one,), (every,) = (
        REST.quotes(["PF_XBTUSD", "PF_XBTUSD"]),
        REST.quotes(["PF_XBTUSD", "PI_ETHUSD"]),
    )
    assert one.url == "https://futures.kraken.com/derivatives/api/v3/tickers/PF_XBTUSD"
    assert every.url == "https://futures.kraken.com/derivatives/api/v3/tickers"
    assert REST.quotes([]) == ()
    assert [REST.request_for(request.url) for request in (one, every)] == [one, every]


def test_a_ticker_gives_touch_mark_and_open_interest_at_the_answers_time_in_upper_case():
    apple, at = InstrumentId("kraken_futures", "PF_AAPLXUSD"), 1_763_339_677_524_000_000
    wanted = [
        Touch(apple, "200.1", "3", "200.2", "4.5", "200", at, 7),
        VenueMark(apple, "200.15", "200.11", at, 7),
        OpenInterest(apple, "0.0", at, 7),
    ]
    assert answered([ROW]) == wanted
    one = "https://futures.kraken.com/derivatives/api/v3/tickers/PF_AAPLXUSD"
    assert answered(None, one, ticker=ROW) == wanted


def test_a_bad_row_is_one_invalid_input():
    invalid_input, *rest = answered([{**ROW, "ask": 1}, ROW])
    assert invalid_input.symbol == "PF_AAPLXUSD"
    assert len(rest) == 3


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (None, b"", "no answer"),
        (429, b"", "rate limit"),
        (200, b"<html>", "malformed"),
        (200, b"[" * 100_000, "Expected"),
        (200, b'{"result":"error","error":"apiLimitExceeded"}', "apiLimitExceeded"),
        (200, b'{"result":"success"}', "in row"),
        (200, b'{"result":"success","serverTime":"1960-01-01T00:00:00Z","tickers":[]}', "1970"),
    ],
)
def test_an_unusable_answer_is_one_invalid_input(status, body, named):
    (invalid_input,) = REST.read(REST.quotes(["A", "B"])[0], status, body, 7)
    assert isinstance(invalid_input, InvalidInput)
    assert named in invalid_input.what


def test_answers_of_other_endpoints_are_not_read():
    for url in (
        "https://futures.kraken.com/derivatives/api/v3/history?symbol=PI_XBTUSD",
        "http://[",
    ):
        assert REST.request_for(url).purpose == "unknown"
    assert list(REST.read(REST.instruments()[0], 200, b"{}", 7)) == []


INVERSE = {
    "symbol": "fi_xbtusd_210924",
    "type": "futures_inverse",
    "tickSize": 0.5,
    "contractSize": 1,
    "tradeable": True,
}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({**INVERSE, "symbol": "pi_xbtusd"}, ("BTC-USD-PERP", "BTC", False, True)),
        (
            {**INVERSE, "lastTradingTime": "2021-09-24T15:00:00.000Z"},
            ("BTC-USD-210924", "BTC", False, False),
        ),
        (
            {
                **INVERSE,
                "symbol": "PF_SOLEUR",
                "type": "flexible_futures",
                "base": "SOL",
                "quote": "EUR",
            },
            ("SOL-EUR-PERP", "EUR", True, True),
        ),
    ],
)
def test_an_instrument_has_the_currency_of_its_settlement(row, expected):
    (found,) = REST.read_instruments(
        json.dumps({"result": "success", "instruments": [row]}).encode()
    )
    assert (found.canonical, found.margin, found.linear, found.perpetual) == expected
    assert found.id.symbol == row["symbol"].upper()


@pytest.mark.parametrize(("precision", "lot"), [(3, "0.001"), (0, "1"), (-3, "1000")])
def test_the_precision_of_quantities_is_the_number_of_decimals(precision, lot):
    row = {
        **INVERSE,
        "type": "flexible_futures",
        "symbol": "PF_XBTUSD",
        "contractValueTradePrecision": precision,
    }
    (found,) = REST.read_instruments(json.dumps({"instruments": [row]}).encode())
    assert found.lot == Decimal(lot)


def test_rows_that_are_no_contract_are_left_out():
    rows = [
        {**INVERSE, "type": "spot index"},
        {**INVERSE, "tickSize": 0},
        {**INVERSE, "symbol": "what"},
        5,
        {"symbol": "rr_xbtusd"},
    ]
    assert REST.read_instruments(json.dumps({"instruments": rows}).encode()) == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"instruments":5}', b"[" * 100_000])
def test_an_answer_that_is_no_list_of_instruments_is_refused(body):
    with pytest.raises(VenueError, match="list of instruments"):
        REST.read_instruments(body)


@given(st.binary())
def test_any_answer_is_read_without_an_exception(body):
    REST.read(REST.quotes(["A"])[0], 200, body, 1)
