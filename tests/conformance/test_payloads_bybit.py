from __future__ import annotations

from decimal import Decimal

import pytest

from perps_actors.market.candle import Candle
from perps_actors.market.events import BookTop, Funding, FundingPaid, OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bybit.rest import BybitRest
from perps_actors.venues.bybit.stream import BybitStream
from perps_actors.venues.contract import InvalidInput

BTC = InstrumentId("bybit", "BTCUSDT")
REST = BybitRest()


@pytest.fixture
def payload(data_folder):
    return lambda name: (data_folder / "payloads" / "bybit" / name).read_bytes()


def answered(url, body):
    request = REST.request_for(f"https://api.bybit.com/v5/market/{url}")
    return [*BybitStream().answer(request, 200, body, 7), *REST.read(request, 200, body, 7)]


def test_the_book_snapshot(payload):
    (top,) = BybitStream().frame("linear-0", payload("ws_orderbook_snapshot.json"), 7)
    assert top == BookTop(
        BTC,
        True,
        "27450.00",
        "0.500",
        "27451.00",
        "0.750",
        2,
        2,
        123456789,
        1_709_891_679_000_000_000,
        7,
    )


def test_the_ticker(payload):
    at = 1_673_272_861_686_000_000
    assert list(BybitStream().frame("linear-0", payload("ws_ticker_linear.json"), 7)) == [
        Touch(BTC, "17215.50", "84.489", "17216.00", "83.020", "17216.00", at, 7),
        VenueMark(BTC, "17217.33", "17227.36", at, 7),
        Funding(BTC, "-0.000212", None, 1_673_280_000_000_000_000, "17217.33", at, 7),
        OpenInterest(BTC, "68744.761", at, 7),
    ]


def test_the_acknowledgement_and_the_refusal(payload):
    assert list(BybitStream().frame("linear-0", payload("ws_subscription_ack.json"), 7)) == []
    (invalid_input,) = BybitStream().frame("linear-0", payload("ws_subscription_failure.json"), 7)
    assert "Invalid topic: invalid.topic.BTCUSDT" in invalid_input.what


def test_the_depth_snapshot(payload):
    (top,) = answered(
        "orderbook?category=linear&symbol=BTCUSDT", payload("http_get_orderbook.json")
    )
    assert (top.bid, top.bid_size, top.ask, top.ask_size, top.bid_levels) == (
        "27450.50",
        "1.500",
        "27451.00",
        "1.200",
        3,
    )
    assert (top.instrument, top.venue_time_ns) == (BTC, 1_709_891_679_000_000_000)


def test_the_list_of_instruments(payload):
    btc, eth = REST.read_instruments(payload("http_get_instruments_linear.json"))
    assert (btc.id, btc.canonical, btc.base, btc.quote, btc.margin) == (
        BTC,
        "BTC-USDT-PERP",
        "BTC",
        "USDT",
        "USDT",
    )
    assert (btc.tick, btc.lot, btc.contract_size) == (Decimal("0.5"), Decimal("0.001"), Decimal(1))
    assert (btc.linear, btc.perpetual, btc.trading) == (True, True, True)
    assert (eth.canonical, eth.tick, eth.lot) == ("ETH-USDT-PERP", Decimal("0.05"), Decimal("0.01"))


@pytest.mark.parametrize("name", ["funding_history", "klines_linear"])
def test_an_answer_of_another_endpoint_is_invalid_input_with_a_reason(payload, name):
    outcomes = answered("tickers?category=linear", payload(f"http_get_{name}.json"))
    assert outcomes
    assert all(
        isinstance(outcome, InvalidInput) and "Expected" in outcome.what for outcome in outcomes
    )


def test_the_candles_of_an_answer(payload):
    assert answered(
        "kline?category=linear&symbol=BTCUSDT&interval=1", payload("http_get_klines_linear.json")
    ) == [
        Candle(
            BTC,
            60,
            1_709_891_679_000_000_000,
            "27450",
            "27460",
            "27440",
            "27455",
            "123.45",
            None,
            None,
            7,
        )
    ]


def test_the_history_of_funding(payload):
    assert answered(
        "funding/history?category=linear&symbol=BTCUSDT", payload("http_get_funding_history.json")
    ) == [
        FundingPaid(BTC, "0.0001", 1_709_884_800_000_000_000, None, 7),
        FundingPaid(BTC, "0.00015", 1_709_856_000_000_000_000, None, 7),
    ]
