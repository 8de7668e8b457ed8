from __future__ import annotations

from decimal import Decimal

import pytest

from perps_actors.market.candle import Candle
from perps_actors.market.events import (
    BookTop,
    BookWithdrawn,
    Funding,
    OpenInterest,
    Touch,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.kraken_futures.rest import KrakenFuturesRest
from perps_actors.venues.kraken_futures.stream import KrakenFuturesStream

XBT = InstrumentId("kraken_futures", "PI_XBTUSD")
REST = KrakenFuturesRest()


@pytest.fixture
def payload(data_folder):
    return lambda name: (data_folder / "payloads" / "kraken_futures" / name).read_bytes()


def answered(path, body):
    return list(REST.read(REST.request_for(f"https://futures.kraken.com{path}"), 200, body, 7))


def test_the_book_snapshot_and_a_delta_that_does_not_follow_it(payload):
    adapter = KrakenFuturesStream()
    (whole,) = adapter.frame("public-0", payload("ws_futures_book_snapshot.json"), 7)
    assert whole == BookTop(
        XBT,
        True,
        "34892.5",
        "6385",
        "34911.5",
        "20598",
        2,
        2,
        326072249,
        1_612_269_825_817_000_000,
        7,
    )
    withdrawn, *requested = adapter.frame("public-0", payload("ws_futures_book_delta.json"), 8)
    assert withdrawn == BookWithdrawn(XBT, "gap: number 326072249 was followed by 326094134", 8)
    assert [type(frame) for frame in requested] == [SendFrame, SendFrame]


def test_the_ticker(payload):
    at = 1_676_393_235_406_000_000
    assert list(KrakenFuturesStream().frame("public-0", payload("ws_futures_ticker.json"), 7)) == [
        Touch(XBT, "21978.5", "2536.0", "21987.0", "13948.0", "21983.5", at, 7),
        VenueMark(XBT, "21979.68641534714", "21984.54", at, 7),
        OpenInterest(XBT, "30072580.0", at, 7),
        Funding(
            XBT,
            "-1.380384722222e-6",
            "-8.047629166667e-6",
            1_676_394_000_000_000_000,
            "21979.68641534714",
            at,
            7,
        ),
    ]


def test_the_tickers(payload):
    found = answered("/derivatives/api/v3/tickers", payload("http_futures_tickers.json"))
    at = 1_763_339_677_524_000_000
    assert found[:3] == [
        Touch(XBT, "91415.0", "4960.0", "91490.5", "5020.0", "91415.0", at, 7),
        VenueMark(XBT, "91506.6009839176", "91468.38", at, 7),
        OpenInterest(XBT, "21279580.0", at, 7),
    ]
    assert [(event.instrument.symbol, type(event)) for event in found[3:]] == [
        ("PF_ETHUSD", kind) for kind in (Touch, VenueMark, OpenInterest)
    ]


def test_the_list_of_instruments(payload):
    inverse, linear, small, stock = REST.read_instruments(payload("http_futures_instruments.json"))
    assert (inverse.id, inverse.canonical, inverse.margin, inverse.linear) == (
        XBT,
        "BTC-USD-PERP",
        "BTC",
        False,
    )
    assert (inverse.tick, inverse.lot, inverse.contract_size, inverse.trading) == (
        Decimal("0.5"),
        Decimal(1),
        Decimal(1),
        True,
    )
    assert (linear.canonical, linear.margin, linear.lot) == (
        "ETH-USD-PERP",
        "USD",
        Decimal("0.001"),
    )
    assert (small.tick, small.lot) == (Decimal("1e-10"), Decimal(1000))
    assert (stock.id.symbol, stock.canonical) == ("PF_AAPLXUSD", "AAPLx-USD-PERP")
    assert all(found.perpetual for found in (inverse, linear, small, stock))


def test_candles_of_trades_are_read_and_candles_of_marks_are_not(payload):
    body = payload("http_futures_candles_mark.json")
    first, _, last = answered("/api/charts/v1/trade/PF_XBTUSD/1h?from=1731715200", body)
    linear = InstrumentId("kraken_futures", "PF_XBTUSD")
    prices = ("91126.5834675817", "91396.1831146774", "90937.3053195142", "91098.7132316333")
    assert first == Candle(linear, 3_600, 1_731_715_200_000_000_000, *prices, "0", None, None, 7)
    assert (last.open_time_ns, last.close) == (1_731_722_400_000_000_000, "91506.6009839176")
    assert answered("/api/charts/v1/mark/PF_XBTUSD/1h", body) == []


def test_the_book_of_an_answer(payload):
    (top,) = answered(
        "/derivatives/api/v3/orderbook?symbol=PF_XBTUSD", payload("http_futures_orderbook.json")
    )
    assert (top.bid, top.bid_size, top.ask, top.ask_size, top.bid_levels) == (
        "105900.0",
        "0.5",
        "105950.0",
        "0.3",
        3,
    )
    assert (top.sequence, top.venue_time_ns) == (None, 1_752_235_200_000_000_000)


@pytest.mark.parametrize("name", ["candles_mark", "orderbook"])
def test_an_answer_of_another_endpoint_is_refused_with_a_reason(payload, name):
    assert [
        type(outcome)
        for outcome in answered("/derivatives/api/v3/tickers", payload(f"http_futures_{name}.json"))
    ] == [InvalidInput]
