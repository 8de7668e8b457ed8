from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
from perps_actors.market.events import Funding, OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.deribit.rest import DeribitRest
from perps_actors.venues.registry import venue

REST = DeribitRest()
ROW = {
    "instrument_name": "SOL_USDC-PERPETUAL",
    "creation_timestamp": 1_700_000_000_000,
    "bid_price": 150.1,
    "ask_price": 150.2,
    "last": 150,
    "mark_price": 150.15,
    "current_funding": 0.0,
    "open_interest": 1.5e6,
    "mid_price": 150.15,
}


def answered(request, result, status=200, **more):
    return list(
        REST.read(
            request, status, json.dumps({"jsonrpc": "2.0", "result": result, **more}).encode(), 7
        )
    )


def test_one_request_per_currency_fetches_the_quotes_of_all_symbols():
    found = REST.quotes(
        ["BTC-PERPETUAL", "SOL_USDC-PERPETUAL", "ETH_USDC-PERPETUAL", "SOL_USDC-PERPETUAL"]
    )
    assert [request.url for request in found] == [
        "https://www.deribit.com/api/v2/public/ticker?instrument_name=BTC-PERPETUAL",
        "https://www.deribit.com/api/v2/public/get_book_summary_by_currency?currency=USDC&kind=future",
    ]
    assert REST.quotes([]) == ()
    for request in found:
        assert REST.request_for(request.url) == request


def test_requests_to_the_gateway_have_its_own_address():
    known = venue("coinbase_international")
    (request,) = known.rest(known.endpoints).quotes(["BTC_USDC-PERPETUAL"])
    assert (
        request.url
        == "https://drb.coinbase.com/api/v2/public/ticker?instrument_name=BTC_USDC-PERPETUAL"
    )


def test_a_bulk_row_gives_touch_mark_funding_and_open_interest():
    request = REST.quotes(["SOL_USDC-PERPETUAL", "ETH_USDC-PERPETUAL"])[0]
    sol, at = InstrumentId("deribit", "SOL_USDC-PERPETUAL"), 1_700_000_000_000_000_000
    assert answered(request, [ROW]) == [
        Touch(sol, "150.1", None, "150.2", None, "150", at, 7),
        VenueMark(sol, "150.15", None, at, 7),
        Funding(sol, "0.0", None, None, "150.15", at, 7),
        OpenInterest(sol, "1500000.0", at, 7),
    ]


def test_a_bad_row_is_one_invalid_input_and_an_empty_side_is_none():
    request = REST.quotes(["SOL_USDC-PERPETUAL", "ETH_USDC-PERPETUAL"])[0]
    invalid_input, touch, *_ = answered(
        request, [{**ROW, "bid_price": "150"}, {**ROW, "bid_price": None, "last": None}]
    )
    assert invalid_input.symbol == "SOL_USDC-PERPETUAL"
    assert (touch.bid, touch.bid_size, touch.ask, touch.last) == (None, "0", "150.2", None)


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (None, b"", "no answer"),
        (429, b"", "rate limit"),
        (503, b"", "out of order"),
        (200, b"<html>", "malformed"),
        (200, b"[" * 100_000, "Expected an answer"),
        (200, b'{"error":{"code":10028,"message":"too_many_requests"}}', "too_many_requests"),
        (200, b'{"result":{}}', "array"),
    ],
)
def test_an_unusable_answer_is_one_invalid_input(status, body, named):
    request = REST.quotes(["SOL_USDC-PERPETUAL", "ETH_USDC-PERPETUAL"])[0]
    (invalid_input,) = REST.read(request, status, body, 7)
    assert isinstance(invalid_input, InvalidInput)
    assert named in invalid_input.what


def test_answers_of_other_methods_are_not_read():
    request = REST.request_for("https://www.deribit.com/api/v2/public/get_time")
    assert request.purpose == "unknown"
    assert answered(request, 1) == []
    assert REST.request_for("http://[").purpose == "unknown"


def test_the_list_of_futures_is_requested_at_its_weight():
    request = REST.instruments()[0]
    assert (
        request.url
        == "https://www.deribit.com/api/v2/public/get_instruments?currency=any&kind=future"
    )
    assert request.weight == 20


LINEAR = {
    "instrument_name": "SOL_USDC-PERPETUAL",
    "kind": "future",
    "settlement_period": "perpetual",
    "instrument_type": "linear",
    "base_currency": "SOL",
    "quote_currency": "USDC",
    "counter_currency": "USDC",
    "settlement_currency": "USDC",
    "tick_size": 0.01,
    "min_trade_amount": 0.1,
    "contract_size": 0.1,
    "is_active": False,
    "expiration_timestamp": 32_503_708_800_000,
}


def test_a_linear_perpetual_is_margined_in_its_quote_currency():
    (found,) = REST.read_instruments(
        json.dumps(
            {"result": [LINEAR, {**LINEAR, "kind": "option"}, {**LINEAR, "tick_size": 0}, 5]}
        ).encode()
    )
    assert (found.canonical, found.margin, found.linear, found.perpetual, found.trading) == (
        "SOL-USDC-PERP",
        "USDC",
        True,
        True,
        False,
    )
    assert (found.tick, found.lot, found.contract_size) == (
        Decimal("0.01"),
        Decimal("0.1"),
        Decimal("0.1"),
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"result":5}', b"[" * 100_000])
def test_an_answer_that_is_not_a_list_of_instruments_is_an_error(body):
    with pytest.raises(VenueError, match="list of instruments"):
        REST.read_instruments(body)


@given(
    st.sampled_from(
        [
            "ticker?instrument_name=A",
            "get_book_summary_by_currency?currency=A",
            "get_last_trades_by_instrument",
        ]
    ),
    st.binary(),
)
def test_no_answer_raises_an_exception(method, body):
    REST.read(REST.request_for(f"https://h/api/v2/public/{method}"), 200, body, 1)
