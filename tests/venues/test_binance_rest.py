from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.events import Funding, OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.contract import Endpoints, InvalidInput
from perps_actors.venues.registry import VENUES, venue
from perps_actors.venues.toolkit.rest import MAX_ROWS

REST = BinanceFuturesRest()
BTC = InstrumentId("binance_futures", "BTCUSDT")
QUOTE = {
    "symbol": "BTCUSDT",
    "bidPrice": "64000.10",
    "bidQty": "2",
    "askPrice": "64000.20",
    "askQty": "0.5",
    "time": 1700000000002,
    "lastUpdateId": 9,
}
AT = 1_700_000_000_002_000_000


def read(request, answer, status=200):
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return list(REST.read(request, status, body, 7))


(ALL,) = REST.quotes(["BTCUSDT", "ETHUSDT"])


def test_quotes_of_many_symbols_are_one_bulk_request_and_of_one_symbol_a_cheaper_one():
    base = "https://fapi.binance.com/fapi/v1/ticker/bookTicker"
    assert HttpRequest(url=base, weight=5, purpose="quotes") == ALL
    assert REST.quotes(["BTCUSDT", "BTCUSDT"]) == (
        HttpRequest(url=f"{base}?symbol=BTCUSDT", weight=2, purpose="quotes", symbol="BTCUSDT"),
    )
    assert REST.quotes([]) == ()


def test_requests_go_to_the_given_address_with_the_symbol_quoted():
    rest = BinanceFuturesRest(Endpoints(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:2"))
    assert rest.depth("A&b").url == "http://127.0.0.1:2/fapi/v1/depth?symbol=A%26b&limit=1000"
    assert (rest.depth("A").weight, rest.depth("A").symbol) == (20, "A")


def test_an_answer_for_one_symbol_and_a_bulk_answer_give_the_same_touch():
    touch = Touch(BTC, "64000.10", "2", "64000.20", "0.5", None, AT, 7)
    assert read(ALL, QUOTE) == [touch]
    assert read(ALL, [QUOTE, {**QUOTE, "symbol": "ETHUSDT"}]) == [
        touch,
        Touch(InstrumentId("binance_futures", "ETHUSDT"), *touch_fields(touch)),
    ]


def touch_fields(touch):
    return [getattr(touch, name) for name in touch.__struct_fields__[1:]]


@pytest.mark.parametrize(
    "bad",
    [
        {**QUOTE, "symbol": "BAD", "bidPrice": "0.00"},
        {**QUOTE, "symbol": "BAD", "askPrice": "1"},
        {**QUOTE, "symbol": ""},
        {"symbol": "BAD"},
        None,
        7,
        [],
        {**QUOTE, "bidPrice": 64000.1},
        {**QUOTE, "time": -5},
        {**QUOTE, "bidQty": "1e999999"},
        {"code": -1121, "msg": "Invalid symbol."},
    ],
    ids=lambda row: repr(row)[:50],
)
def test_a_bad_row_is_one_invalid_input_and_its_neighbours_are_read(bad):
    first, invalid_input, last = read(ALL, [QUOTE, bad, QUOTE])
    assert isinstance(invalid_input, InvalidInput)
    assert type(first) is type(last) is Touch


@pytest.mark.parametrize(
    ("status", "named"),
    [(429, "429"), (418, "banned"), (503, "503"), (400, "400"), (None, "no answer"), (302, "302")],
)
def test_a_status_other_than_200_is_invalid_input_that_names_it(status, named):
    (invalid_input,) = read(ALL, [QUOTE], status)
    assert named in invalid_input.what
    assert "quotes" in invalid_input.what


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[",
        b"[" * 100_000,
        b'[{"symbol":' + b"[" * 100_000,
        b"\xff",
        b"null",
        b"{}",
    ],
    ids=lambda b: repr(b[:20]),
)
def test_a_body_that_is_not_an_answer_is_one_invalid_input(body):
    (invalid_input,) = read(ALL, body)
    assert isinstance(invalid_input, InvalidInput)


@given(
    st.binary(max_size=100),
    st.sampled_from(
        [
            ALL,
            REST.poll("mark", ["A"])[0],
            REST.poll("open_interest", ["A"])[0],
            REST.depth("A"),
            REST.instruments()[0],
        ]
    ),
)
def test_no_bytes_raise_an_exception(body, request):
    assert all(isinstance(o, InvalidInput) for o in read(request, body))


def test_rows_beyond_the_limit_are_one_invalid_input():
    *touches, invalid_input = read(ALL, [QUOTE] * (MAX_ROWS + 1))
    assert len(touches) == MAX_ROWS
    assert str(MAX_ROWS + 1) in invalid_input.what


def test_the_premium_index_gives_mark_and_funding():
    row = {
        "symbol": "BTCUSDT",
        "markPrice": "64001.5",
        "indexPrice": "64000.9",
        "estimatedSettlePrice": "1",
        "lastFundingRate": "-0.0001",
        "interestRate": "0.0001",
        "nextFundingTime": 1700006400000,
        "time": 1700000000002,
    }
    (request,) = REST.poll("mark", ["BTCUSDT"])
    assert (request.url, request.weight) == (
        "https://fapi.binance.com/fapi/v1/premiumIndex?symbol=BTCUSDT",
        1,
    )
    assert REST.poll("mark", ["A", "B"])[0].weight == 10
    assert read(request, row) == [
        VenueMark(BTC, "64001.5", "64000.9", AT, 7),
        Funding(BTC, "-0.0001", None, 1_700_006_400_000_000_000, "64001.5", AT, 7),
    ]
    assert read(request, [{**row, "lastFundingRate": "", "nextFundingTime": 0}]) == [
        VenueMark(BTC, "64001.5", "64000.9", AT, 7)
    ]


def test_open_interest_is_read_and_below_zero_refused():
    request = REST.poll("open_interest", ["BTCUSDT"])[0]
    row = {"symbol": "BTCUSDT", "openInterest": "10659.509", "time": 1700000000002}
    assert read(request, row) == [OpenInterest(BTC, "10659.509", AT, 7)]
    assert read(request, {**row, "openInterest": "0"}) == [OpenInterest(BTC, "0", AT, 7)]
    assert isinstance(read(request, {**row, "openInterest": "-1"})[0], InvalidInput)


@pytest.mark.parametrize(
    ("url", "purpose", "symbol", "weight"),
    [
        (
            "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
            "depth",
            "BTCUSDT",
            20,
        ),
        ("http://127.0.0.1:8080/fapi/v1/depth?limit=1000&symbol=BTCUSDT", "depth", "BTCUSDT", 20),
        ("https://fapi.binance.com/fapi/v1/ticker/bookTicker", "quotes", None, 5),
        ("https://fapi.binance.com/fapi/v1/ticker/bookTicker?symbol=A", "quotes", "A", 2),
        ("https://fapi.binance.com/fapi/v1/premiumIndex", "venue_marks", None, 10),
        ("https://fapi.binance.com/fapi/v1/openInterest?symbol=A", "open_interest", "A", 1),
        ("https://fapi.binance.com/fapi/v1/exchangeInfo", "instruments", None, 1),
        ("https://fapi.binance.com/fapi/v1/klines?symbol=A", "candles", "A", 5),
        ("https://[bad", "unknown", None, 1),
        ("", "unknown", None, 1),
    ],
)
def test_every_address_of_the_venue_has_a_purpose(url, purpose, symbol, weight):
    assert REST.request_for(url) == HttpRequest(
        url=url, purpose=purpose, symbol=symbol, weight=weight
    )


def listed(symbol, contract_type, delivery=4133404800000, **more):
    return {
        "symbol": symbol,
        "contractType": contract_type,
        "deliveryDate": delivery,
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "1"},
        ],
    } | more


def test_instruments_are_listed_with_canonical_names_ticks_and_lots():
    rows = [
        listed("BTCUSDT", "PERPETUAL"),
        listed("BTCUSDT_210924", "CURRENT_QUARTER", 1632470400000),
        listed("TSLAUSDT", "TRADIFI_PERPETUAL", baseAsset="TSLA", status="SETTLING"),
        listed("BROKEN", "PERPETUAL", filters=[]),
        7,
    ]
    found = REST.read_instruments(json.dumps({"symbols": rows}).encode())
    assert [(i.canonical, i.perpetual, i.trading) for i in found] == [
        ("BTC-USDT-PERP", True, True),
        ("BTC-USDT-210924", False, True),
        ("TSLA-USDT-PERP", True, False),
    ]
    assert found[0].id == BTC
    assert (found[0].tick, found[0].lot, found[0].contract_size, found[0].linear) == (
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal(1),
        True,
    )
    assert (found[0].base, found[0].quote, found[0].margin) == ("BTC", "USDT", "USDT")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"symbols":3}', b"[" * 100_000, b'{"code":-1}'],
    ids=lambda b: repr(b[:20]),
)
def test_an_answer_that_is_not_a_list_of_instruments_is_refused(body):
    with pytest.raises(VenueError, match="list of instruments"):
        REST.read_instruments(body)


def test_the_registry_has_the_venue_and_names_it_in_the_error_for_an_unknown_one():
    found = venue("binance_futures")
    assert VENUES[0] == found.name
    assert (found.endpoints.rest, found.weight_per_minute) == ("https://fapi.binance.com", 2_400)
    assert (
        found.rest(found.endpoints).instruments()[0].url
        == "https://fapi.binance.com/fapi/v1/exchangeInfo"
    )
    assert (
        found.stream(found.endpoints)
        .plan(["BTCUSDT"])[0]
        .url.startswith("wss://fstream.binance.com/public/")
    )
    with pytest.raises(
        SettingsError, match=r"here: venue = 'binance': .*binance_futures"
    ) as caught:
        venue("binance", place="here")
    assert caught.value.field == "venue"
