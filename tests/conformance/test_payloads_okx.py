from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest

from perps_actors.market.candle import Candle
from perps_actors.market.events import BookTop, Funding, FundingPaid, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.okx.rest import OkxRest
from perps_actors.venues.okx.stream import OkxStream

SWAP = InstrumentId("okx", "BTC-USDT-SWAP")
SPOT = InstrumentId("okx", "BTC-USDT")
REST = OkxRest()


@pytest.fixture
def payload(data_folder):
    return lambda name: (data_folder / "payloads" / "okx" / name).read_bytes()


def answered(path, body):
    request = REST.request_for(f"https://www.okx.com/api/v5/{path}")
    return [*OkxStream().answer(request, 200, body, 7), *REST.read(request, 200, body, 7)]


def test_the_book_snapshot(payload):
    (top,) = OkxStream().frame("public-0", payload("ws_books_snapshot.json"), 7)
    assert top == BookTop(
        SPOT, True, "8476.97", "256", "8476.98", "415", 8, 8, 123456, 1_597_026_383_085_000_000, 7
    )


def test_the_funding_rate(payload):
    at = 1_744_590_349_506_000_000
    assert list(OkxStream().frame("public-0", payload("ws_funding_rate.json"), 7)) == [
        Funding(SWAP, "0.0001", "0.0002", at, None, at, 7)
    ]


def test_the_ticker(payload):
    assert list(OkxStream().frame("public-0", payload("ws_tickers.json"), 7)) == [
        Touch(SPOT, "8888.88", "5", "9999.99", "11", "9999.99", 1_597_026_383_085_000_000, 7)
    ]


def test_the_mark_price(payload):
    assert answered("public/mark-price?instType=SWAP", payload("http_get_mark_price.json")) == [
        VenueMark(SWAP, "84660.1", None, 1_744_590_349_506_000_000, 7)
    ]


def test_the_depth_snapshot(payload):
    (top,) = answered(
        "market/books?instId=BTC-USDT-SWAP&sz=400", payload("http_get_order_book.json")
    )
    assert top == BookTop(
        SWAP,
        True,
        "41006.7",
        "0.48792100",
        "41006.8",
        "0.60038921",
        3,
        3,
        None,
        1_704_067_200_000_000_000,
        7,
    )


def test_the_list_of_perpetuals(payload):
    body = payload("http_get_instruments_swap.json")
    found = REST.read_instruments(body)
    assert len(found) == len(json.loads(body)["data"])
    inverse, linear = found[:2]
    assert (inverse.id.symbol, inverse.canonical, inverse.margin) == (
        "BTC-USD-SWAP",
        "BTC-USD-PERP",
        "BTC",
    )
    assert (inverse.contract_size, inverse.linear, inverse.tick, inverse.lot) == (
        Decimal(100),
        False,
        Decimal("0.1"),
        Decimal(1),
    )
    assert (linear.id.symbol, linear.canonical, linear.margin) == (
        "ETH-USDT-SWAP",
        "ETH-USDT-PERP",
        "USDT",
    )
    assert (linear.contract_size, linear.linear, linear.lot, linear.perpetual) == (
        Decimal("0.1"),
        True,
        Decimal("0.01"),
        True,
    )


@pytest.mark.parametrize("name", ["candlesticks", "funding_rate_history", "order_book"])
def test_an_answer_of_another_endpoint_is_invalid_input_with_a_reason(payload, name):
    outcomes = answered("market/tickers?instType=SWAP", payload(f"http_get_{name}.json"))
    assert outcomes
    assert all(
        isinstance(outcome, InvalidInput)
        and ("Expected" in outcome.what or "missing" in outcome.what)
        for outcome in outcomes
    )


def test_the_candles_of_an_answer(payload):
    at = 1_625_097_600_000_000_000
    assert answered(
        "market/candles?instId=BTC-USDT-SWAP&bar=1m", payload("http_get_candlesticks.json")
    ) == [
        Candle(SWAP, 60, at, "33528.6", "33870.0", "33528.6", "33783.9", "778.838", False, None, 7),
        Candle(
            SWAP,
            60,
            at + 60 * 10**9,
            "33783.9",
            "33783.9",
            "33782.1",
            "33782.1",
            "0.123",
            False,
            None,
            7,
        ),
    ]


def test_the_candle_of_a_day(payload):
    (candle,) = OkxStream().frame("business-0", payload("ws_candle.json"), 7)
    assert candle == Candle(
        SPOT,
        86_400,
        1_597_026_383_085_000_000,
        "8533.02",
        "8553.74",
        "8527.17",
        "8548.26",
        "45247",
        True,
        None,
        7,
    )


def test_the_history_of_funding_has_the_settled_rates(payload):
    assert answered(
        "public/funding-rate-history?instId=BTC-USDT-SWAP",
        payload("http_get_funding_rate_history.json"),
    ) == [
        FundingPaid(SWAP, "0.00015", 1_704_067_200_000_000_000, None, 7),
        FundingPaid(SWAP, "-0.00002", 1_704_038_400_000_000_000, None, 7),
    ]


def test_the_lists_of_instruments_of_the_recorded_session(data_folder):
    with gzip.open(data_folder / "recordings" / "okx" / "raw.jsonl.gz", "rt") as file:
        spot, swaps, futures, *_ = (
            REST.read_instruments(json.loads(file.readline())["data"].encode()) for _ in range(5)
        )
    assert spot == ()
    by_symbol = {instrument.id.symbol: instrument for instrument in (*swaps, *futures)}
    assert by_symbol["UNI-USD-SWAP"].canonical == "UNI-USD-PERP"
    assert (by_symbol["UNI-USD-SWAP"].contract_size, by_symbol["UNI-USD-SWAP"].linear) == (
        Decimal(10),
        False,
    )
    dated = by_symbol["BTC-USD-220527"]
    assert (dated.canonical, dated.perpetual, dated.linear, dated.margin) == (
        "BTC-USD-220527",
        False,
        False,
        "BTC",
    )
