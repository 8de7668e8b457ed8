from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest

from perps_actors.market.candle import Candle
from perps_actors.market.events import FundingPaid, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import InvalidInput

BTC = InstrumentId("binance_futures", "BTCUSDT")
REST = BinanceFuturesRest()


@pytest.fixture
def payload(data_folder):
    return lambda name: (data_folder / "payloads" / "binance_futures" / name).read_bytes()


def answered(url, body):
    request = REST.request_for(f"https://fapi.binance.com/fapi/v1/{url}")
    return [
        *BinanceFuturesStream().answer(request, 200, body, 7),
        *REST.read(request, 200, body, 7),
    ]


def test_the_aggregate_trade(payload):
    assert list(BinanceFuturesStream().frame("market-0", payload("agg_trade_stream.json"), 7)) == [
        Trade(BTC, "sell", "0.001", "100", "5933014", 123_456_785_000_000, 7)
    ]


def test_the_mark_price(payload):
    mark, funding = BinanceFuturesStream().frame("market-0", payload("mark_price_stream.json"), 7)
    assert mark == VenueMark(BTC, "11794.15000000", "11784.62659091", 1_562_305_380_000_000_000, 7)
    assert (funding.rate, funding.next_time_ns, funding.mark) == (
        "0.00038167",
        1_562_306_400_000_000_000,
        "11794.15000000",
    )


def test_unread_streams_give_nothing(payload):
    assert list(BinanceFuturesStream().frame("market-0", payload("ticker_stream.json"), 7)) == []


def test_the_candle_of_a_minute_that_is_not_over(payload):
    at = 1_638_747_660_000_000_000
    assert list(BinanceFuturesStream().frame("market-0", payload("kline_stream_open.json"), 7)) == [
        Candle(BTC, 60, at, "0.0010", "0.0025", "0.0015", "0.0020", "1000", False, at, 7)
    ]


def test_the_candles_of_an_answer(payload):
    assert answered(
        "klines?symbol=BTCUSDT&interval=1m", payload("http_futures_market_klines.json")
    ) == [
        Candle(
            BTC,
            60,
            1_499_040_000_000_000_000,
            "0.01634790",
            "0.80000000",
            "0.01575800",
            "0.01577100",
            "148976.11427815",
            None,
            None,
            7,
        )
    ]


def test_the_history_of_funding(payload):
    assert answered(
        "fundingRate?symbol=BTCUSDT", payload("http_futures_market_funding_rate.json")
    ) == [
        FundingPaid(BTC, "-0.03750000", 1_570_608_000_000_000_000, None, 7),
        FundingPaid(BTC, "0.00010000", 1_570_636_800_000_000_000, None, 7),
    ]


@pytest.mark.parametrize(
    ("name", "snapshot_id", "top"),
    [
        ("depth_update_stream.json", 158, ("0.0024", "10", "0.0026", "100", 1, 1, 160)),
        (
            "ws_futures_depth_update.json",
            390497878,
            ("7405.43", "2.562", "7405.96", "3.340", 5, 5, 390497878),
        ),
    ],
)
def test_a_depth_update_requests_a_snapshot_and_is_applied_to_it(payload, name, snapshot_id, top):
    adapter = BinanceFuturesStream()
    (request,) = adapter.frame("public-0", payload(name), 7)
    assert request == REST.depth("BTCUSDT")
    body = json.dumps({"lastUpdateId": snapshot_id, "bids": [], "asks": []}).encode()
    empty, after = adapter.answer(request, 200, body, 8)
    assert (empty.bid, empty.ask, empty.venue_time_ns) == (None, None, None)
    assert (
        after.bid,
        after.bid_size,
        after.ask,
        after.ask_size,
        after.bid_levels,
        after.ask_levels,
        after.sequence,
    ) == top


def test_the_depth_snapshot(payload):
    (top,) = answered("depth?symbol=BTCUSDT&limit=1000", payload("http_futures_market_depth.json"))
    assert (top.bid, top.bid_size, top.ask, top.ask_size) == (
        "4.00000000",
        "431.00000000",
        "4.00000200",
        "12.00000000",
    )
    assert (top.sequence, top.venue_time_ns, top.snapshot) == (
        1027024,
        1_589_436_922_972_000_000,
        True,
    )


def test_the_book_ticker(payload):
    assert answered(
        "ticker/bookTicker?symbol=BTCUSDT", payload("http_futures_market_book_ticker.json")
    ) == [
        Touch(
            BTC,
            "4.00000000",
            "431.00000000",
            "4.00000200",
            "9.00000000",
            None,
            1_589_437_530_011_000_000,
            7,
        )
    ]


def test_the_open_interest(payload):
    assert answered(
        "openInterest?symbol=BTCUSDT", payload("http_futures_market_open_interest.json")
    ) == [OpenInterest(BTC, "10659.509", 1_589_437_530_011_000_000, 7)]


@pytest.mark.parametrize("name", ["funding_rate", "klines", "trades"])
def test_an_answer_of_another_endpoint_is_invalid_input_with_a_reason(payload, name):
    outcomes = answered("ticker/bookTicker", payload(f"http_futures_market_{name}.json"))
    assert outcomes
    assert all(
        isinstance(outcome, InvalidInput)
        and ("Expected" in outcome.what or "missing" in outcome.what)
        for outcome in outcomes
    )
    assert answered("trades?symbol=BTCUSDT", payload(f"http_futures_market_{name}.json")) == []


def test_the_list_of_instruments(payload):
    found = REST.read_instruments(payload("http_futures_market_exchange_info.json"))
    assert (found[0].id.symbol, found[0].canonical, found[0].perpetual) == (
        "BTCUSDT",
        "BTC-USDT-PERP",
        True,
    )
    assert (found[0].tick, found[0].lot) == (Decimal("0.10"), Decimal("0.001"))
    assert len(found) == len(
        json.loads(payload("http_futures_market_exchange_info.json"))["symbols"]
    )


def test_the_list_of_instruments_of_the_recorded_session(data_folder):
    with gzip.open(data_folder / "recordings" / "binance_futures" / "raw.jsonl.gz", "rt") as file:
        found = REST.read_instruments(json.loads(file.readline())["data"].encode())
    by_symbol = {instrument.id.symbol: instrument for instrument in found}
    assert len(found) == 122
    assert by_symbol["BTCUSDT_210924"].canonical == "BTC-USDT-210924"
    assert [by_symbol[s].perpetual for s in ("SUSHIUSDT", "BTCUSDT_210924", "BTCSTUSDT")] == [
        True,
        False,
        False,
    ]
    assert not by_symbol["BTCSTUSDT"].trading
