"""HTX swaps over REST: captures of 2026-08 and 2026-09, and examples of the documentation."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import VenueError
from perps_actors.market.events import BookTop, Funding, OpenInterest, Touch, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Endpoints, InvalidInput
from perps_actors.venues.htx_swap.rest import HtxSwapRest

REST = HtxSwapRest()
BTC = InstrumentId("htx_swap", "BTC-USDT")
MS = 1_000_000
BBO = {
    "status": "ok",
    "ts": 1638754363648,
    "ticks": [
        {
            "contract_code": "BTC-USDT",
            "ask": [48511.6, 91],
            "bid": [48508.9, 95],
            "mrid": 334931,
            "ts": 1638754361719,
        },
        {
            "contract_code": "ETH-USDT",
            "ask": None,
            "bid": [4000.1, 5],
            "mrid": 3,
            "ts": 1638754361720,
        },
    ],
}
RATE = {
    "estimated_rate": None,
    "funding_rate": "-0.000017417222787085",
    "contract_code": "BTC-USDT",
    "symbol": "BTC",
    "fee_asset": "USDT",
    "funding_time": "1787184000000",
    "next_funding_time": None,
    "trade_partition": "USDT",
}
INDEX = {
    "status": "ok",
    "ts": 9,
    "data": [
        {"index_price": 86812.90428571429, "index_ts": 1790134800000, "contract_code": "BTC-USDT"}
    ],
}
INTEREST = {
    "status": "ok",
    "ts": 1790134800000,
    "data": [
        {
            "volume": 31034739,
            "amount": 31034.739,
            "value": 2104319788.3167,
            "contract_code": "BTC-USDT",
            "trade_volume": 5,
        }
    ],
}
DEPTH = {
    "ch": "market.BTC-USDT.depth.step0",
    "status": "ok",
    "ts": 1686922525400,
    "tick": {
        "mrid": 100004950836083,
        "id": 1686922525,
        "bids": [[1668.67, 3046], [1668.59, 406]],
        "asks": [[1668.7, 12]],
        "ts": 1686922525300,
        "version": 1686922525,
        "ch": "market.BTC-USDT.depth.step0",
    },
}
KLINE = {
    "ch": "market.BTC-USDT.mark_price.1min",
    "status": "ok",
    "ts": 1611106791703,
    "data": [
        {
            "amount": "0",
            "close": "31078.68",
            "count": "0",
            "high": "31078.68",
            "id": 1611105300,
            "low": "31078.68",
            "open": "31070",
            "trade_turnover": "0",
            "vol": "0",
        }
    ],
}
LINEAR_ROW = {
    "symbol": "BTC",
    "contract_code": "BTC-USDT",
    "contract_size": 0.001,
    "price_tick": 0.1,
    "delivery_date": "",
    "delivery_time": "",
    "create_date": "20201021",
    "contract_status": 1,
    "settlement_date": "1787184000000",
    "settlement_period": "8",
    "business_type": "swap",
    "pair": "BTC-USDT",
    "contract_type": "swap",
    "trade_partition": "USDT",
}
INVERSE_ROW = {
    "symbol": "BTC",
    "contract_code": "BTC-USD",
    "contract_size": 100.0,
    "price_tick": 0.1,
    "delivery_time": "",
    "create_date": "20200325",
    "contract_status": 1,
    "settlement_date": "1603872000000",
}


def read(request, answer, status=200):
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return list(REST.read(request, status, body, 7))


def quotes_request(symbols=("BTC-USDT", "ETH-USDT")):
    (request,) = REST.quotes(symbols)
    return request


def test_quotes_take_one_request_per_margin_type_for_one_symbol_or_for_all():
    base = "https://api.hbdm.com"
    assert REST.quotes(["BTC-USDT", "BTC-USD", "ETH-USDT", "BTC-USDT"]) == (
        HttpRequest(url=f"{base}/linear-swap-ex/market/bbo", purpose="quotes"),
        HttpRequest(
            url=f"{base}/swap-ex/market/bbo?contract_code=BTC-USD",
            purpose="quotes",
            symbol="BTC-USD",
        ),
    )


def test_each_row_of_quotes_gives_a_touch_at_its_own_time_and_may_lack_a_side():
    assert read(quotes_request(), BBO) == [
        Touch(BTC, "48508.9", "95", "48511.6", "91", None, 1638754361719 * MS, 7),
        Touch(
            InstrumentId("htx_swap", "ETH-USDT"),
            "4000.1",
            "5",
            None,
            None,
            None,
            1638754361720 * MS,
            7,
        ),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        {**BBO["ticks"][0], "ask": [1, 1]},
        {**BBO["ticks"][0], "bid": ["x", 1]},
        {"contract_code": ""},
        None,
        7,
        [],
    ],
)
def test_a_bad_row_is_one_invalid_input_and_its_neighbour_is_read(bad):
    invalid_input, touch = read(quotes_request(), {**BBO, "ticks": [bad, BBO["ticks"][1]]})
    assert isinstance(invalid_input, InvalidInput)
    assert touch.bid == "4000.1"


@pytest.mark.parametrize("data", [RATE, [RATE]], ids=["of one", "of all"])
def test_a_rest_funding_rate_is_paid_at_its_funding_time(data):
    (request,) = REST.poll("funding", ["BTC-USDT"])
    assert request.url.endswith(
        "/linear-swap-api/v1/swap_batch_funding_rate?contract_code=BTC-USDT"
    )
    assert read(request, {"status": "ok", "data": data, "ts": 1787180000000}) == [
        Funding(BTC, "-0.000017417222787085", None, 1787184000000 * MS, None, 1787180000000 * MS, 7)
    ]


def test_the_address_of_a_single_funding_rate_is_recognised():
    assert (
        REST.request_for(
            "https://api.hbdm.com/swap-api/v1/swap_funding_rate?contract_code=BTC-USD"
        ).purpose
        == "funding"
    )


def test_an_index_price_has_the_time_at_which_it_was_computed():
    (request,) = REST.poll("index", ["BTC-USDT", "ETH-USDT"])
    assert read(request, INDEX) == [
        VenueMark(BTC, None, "86812.90428571429", 1790134800000 * MS, 7)
    ]


def test_open_interest_counts_contracts():
    (request,) = REST.poll("open_interest", ["BTC-USDT"])
    assert read(request, INTEREST) == [OpenInterest(BTC, "31034739", 1790134800000 * MS, 7)]


def test_a_mark_is_the_close_of_the_latest_candle():
    request = REST.poll("mark", ["BTC-USD"])[0]
    assert (
        request.url == "https://api.hbdm.com/index/market/history/swap_mark_price_kline"
        "?contract_code=BTC-USD&period=1min&size=1"
    )
    assert read(REST.poll("mark", ["BTC-USDT"])[0], KLINE) == [
        VenueMark(BTC, "31078.68", None, 1611106791703 * MS, 7)
    ]


def test_a_depth_answer_gives_a_book():
    request = REST.depth("BTC-USDT")
    assert (
        request.url
        == "https://api.hbdm.com/linear-swap-ex/market/depth?contract_code=BTC-USDT&type=step0"
    )
    assert read(request, DEPTH) == [
        BookTop(BTC, True, "1668.67", "3046", "1668.7", "12", 2, 1, None, 1686922525400 * MS, 7),
    ]


@pytest.mark.parametrize(
    ("tick", "channel", "what"),
    [
        ({"ts": 1, "version": 1}, "market.BTC-USDT.depth.step0", "a book without its sides"),
        (DEPTH["tick"], "market.ETH-USDT.depth.step0", "Expected the book of BTC-USDT"),
    ],
)
def test_a_depth_answer_without_sides_or_of_another_symbol_is_invalid_input(tick, channel, what):
    (invalid_input,) = read(REST.depth("BTC-USDT"), {**DEPTH, "tick": tick, "ch": channel})
    assert what in invalid_input.what


def test_a_mark_answer_of_another_topic_is_invalid_input():
    answer = {**KLINE, "ch": "market.BTC-USDT.index.1min"}
    (invalid_input,) = read(REST.poll("mark", ["BTC-USDT"])[0], answer)
    assert "Expected a channel of mark prices" in invalid_input.what


def test_every_requested_address_is_recognised_on_any_host():
    rest = HtxSwapRest(Endpoints(stream="", rest="http://127.0.0.1:1"))
    symbols = ["BTC-USDT", "BTC-USD"]
    requests = [
        *rest.quotes(symbols),
        *(
            request
            for what in ("mark", "index", "funding", "open_interest")
            for request in rest.poll(what, symbols)
        ),
    ]
    requests += [rest.depth(symbol) for symbol in symbols]
    for request in (*requests, *rest.instruments()):
        assert rest.request_for(request.url) == request
    for other in ("https://api.hbdm.com/linear-swap-ex/market/trade", "http://["):
        assert rest.request_for(other).purpose == "unknown"


@pytest.mark.parametrize(
    "refusal",
    [
        {
            "ts": 1,
            "status": "error",
            "err-code": "invalid-parameter",
            "err-msg": "contract_code data error or empty",
        },
        {"status": "error", "err_code": 1014, "err_msg": "This contract doesnt exist.", "ts": 1},
    ],
)
def test_a_refusal_with_status_200_is_invalid_input_with_the_venues_words(refusal):
    (invalid_input,) = read(quotes_request(), refusal)
    assert (refusal.get("err-msg") or refusal["err_msg"])[:20] in invalid_input.what


@pytest.mark.parametrize("status", [None, 404, 429, 503])
def test_a_failed_answer_is_invalid_input(status):
    (invalid_input,) = read(quotes_request(), BBO, status)
    assert isinstance(invalid_input, InvalidInput)


ALL = [
    quotes_request(),
    *REST.poll("index", ["A"]),
    *REST.poll("funding", ["A"]),
    *REST.poll("open_interest", ["A"]),
    REST.poll("mark", ["A"])[0],
    REST.depth("A"),
    REST.instruments()[0],
]


@given(
    st.sampled_from(ALL),
    st.binary(max_size=60)
    | st.sampled_from([BBO, INDEX, INTEREST, DEPTH, KLINE]).map(lambda a: json.dumps(a).encode()),
)
def test_any_answer_to_any_request_gives_events_or_invalid_input(request, body):
    for outcome in read(request, body):
        assert isinstance(outcome, InvalidInput | Touch | VenueMark | OpenInterest | BookTop)


def test_a_linear_swap_is_sized_in_its_base_coin_and_a_coin_margined_one_in_dollars():
    linear, inverse = REST.read_instruments(
        json.dumps({"status": "ok", "data": [LINEAR_ROW, INVERSE_ROW], "ts": 1}).encode()
    )
    assert (linear.canonical, linear.base, linear.quote, linear.margin) == (
        "BTC-USDT-PERP",
        "BTC",
        "USDT",
        "USDT",
    )
    assert (linear.tick, linear.lot, linear.contract_size) == (
        Decimal("0.1"),
        Decimal(1),
        Decimal("0.001"),
    )
    assert (linear.linear, linear.perpetual, linear.trading) == (True, True, True)
    assert (inverse.canonical, inverse.margin, inverse.contract_size, inverse.linear) == (
        "BTC-USD-PERP",
        "BTC",
        Decimal(100),
        False,
    )


def test_dated_suspended_and_unreadable_contracts_in_the_list():
    rows = [
        {**LINEAR_ROW, "contract_code": "BTC-USDT-261225"},
        {**LINEAR_ROW, "contract_status": 3},
    ]
    bad = [
        None,
        {**LINEAR_ROW, "price_tick": 0},
        {**LINEAR_ROW, "contract_size": "x"},
        {**LINEAR_ROW, "contract_code": "BTC"},
    ]
    found = REST.read_instruments(json.dumps({"status": "ok", "data": rows + bad}).encode())
    assert [(one.canonical, one.perpetual, one.trading) for one in found] == [
        ("BTC-USDT-261225", False, True),
        ("BTC-USDT-PERP", True, False),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"status":"error","err_code":1}', b'{"status":"ok","data":7}']
)
def test_an_answer_that_is_no_list_of_instruments_is_refused(body):
    with pytest.raises(VenueError, match="Expected a list of instruments"):
        REST.read_instruments(body)
