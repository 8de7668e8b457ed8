"""Binance COIN-M: the differences from USD-M.

The frames are those of the documentation (coin-margined futures, read 2026-10).
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from perps_actors.market.events import BookTop, Funding, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.registry import venue

VENUE = venue("binance_delivery")
DATED = InstrumentId("binance_delivery", "BTCUSD_200626")
MS = 1_000_000
DEPTH = {
    "e": "depthUpdate",
    "E": 1591270260907,
    "T": 1591270260891,
    "s": "BTCUSD_200626",
    "ps": "BTCUSD",
    "U": 17285681,
    "u": 17285702,
    "pu": 17285675,
    "b": [["9517.6", "10"]],
    "a": [["9518.5", "45"]],
}
TICKER = {
    "e": "bookTicker",
    "u": 17242169,
    "s": "BTCUSD_200626",
    "ps": "BTCUSD",
    "b": "9548.1",
    "B": "52",
    "a": "9548.5",
    "A": "11",
    "T": 1591268628155,
    "E": 1591268628166,
}
TRADE = {
    "e": "aggTrade",
    "E": 1591261134288,
    "a": 424951,
    "s": "BTCUSD_200626",
    "p": "9643.5",
    "q": "2",
    "f": 606073,
    "l": 606073,
    "T": 1591261134199,
    "m": False,
}
MARK = {
    "e": "markPriceUpdate",
    "E": 1596095725000,
    "s": "BTCUSD_201225",
    "p": "10934.62615417",
    "P": "10962.17178236",
    "r": "",
    "T": 0,
}
PERPETUAL = {
    "symbol": "BTCUSD_PERP",
    "pair": "BTCUSD",
    "contractType": "PERPETUAL",
    "deliveryDate": 4133404802000,
    "onboardDate": 1596006000000,
    "contractStatus": "TRADING",
    "contractSize": 100,
    "marginAsset": "BTC",
    "baseAsset": "BTC",
    "quoteAsset": "USD",
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "1000",
            "maxPrice": "4520958",
            "tickSize": "0.1",
        },
        {"filterType": "LOT_SIZE", "stepSize": "1", "maxQty": "1000000", "minQty": "1"},
    ],
}


def read(data: dict, adapter=None):
    return list(
        (adapter or VENUE.stream(VENUE.endpoints)).frame(
            "stream-0", json.dumps({"stream": "s", "data": data}).encode(), 7
        )
    )


def test_all_streams_of_a_symbol_go_over_one_connection_on_the_venues_own_host() -> None:
    (plan,) = VENUE.stream(VENUE.endpoints).plan(["BTCUSD_PERP"])
    assert plan.url == (
        "wss://dstream.binance.com/stream?streams="
        "btcusd_perp@depth@100ms/btcusd_perp@bookTicker/btcusd_perp@aggTrade"
        "/btcusd_perp@markPrice@1s/btcusd_perp@forceOrder"
    )
    assert plan.sources == ("book", "touch", "trades")


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (TICKER, Touch(DATED, "9548.1", "52", "9548.5", "11", None, 1591268628166 * MS, 7)),
        (TRADE, Trade(DATED, "buy", "9643.5", "2", "424951", 1591261134199 * MS, 7)),
        (
            MARK,
            VenueMark(
                InstrumentId("binance_delivery", "BTCUSD_201225"),
                "10934.62615417",
                None,
                1596095725000 * MS,
                7,
            ),
        ),
    ],
    ids=["touch", "trade", "mark of a dated contract"],
)
def test_a_frame_gives_an_event_of_this_venue(data, event) -> None:
    assert read(data) == [event]


def test_a_perpetuals_mark_comes_with_its_funding() -> None:
    mark, funding = read({**MARK, "s": "BTCUSD_PERP", "r": "0.0001", "T": 1596096000000})
    assert (mark.mark, mark.index) == ("10934.62615417", None)
    perpetual = InstrumentId("binance_delivery", "BTCUSD_PERP")
    assert funding == Funding(
        perpetual, "0.0001", None, 1596096000000 * MS, "10934.62615417", 1596095725000 * MS, 7
    )


def test_a_book_is_synchronised_from_the_venues_own_snapshot() -> None:
    adapter = VENUE.stream(VENUE.endpoints)
    (request,) = read(DEPTH, adapter)
    assert request.url == "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_200626&limit=1000"
    body = json.dumps(
        {
            "lastUpdateId": 17285690,
            "bids": [["9517.0", "3"]],
            "asks": [["9519.0", "4"]],
            "E": 1,
            "T": 1,
        }
    ).encode()
    snapshot, update = adapter.answer(request, 200, body, 8)
    assert (snapshot.snapshot, snapshot.bid) == (True, "9517.0")
    assert update == BookTop(
        DATED, False, "9517.6", "10", "9518.5", "45", 2, 2, 17285702, 1591270260907 * MS, 8
    )


def test_rest_answers_are_recognised_by_this_venues_addresses() -> None:
    rest = VENUE.rest(VENUE.endpoints)
    request = rest.request_for("https://dapi.binance.com/dapi/v1/openInterest?symbol=BTCUSD_200626")
    body = (
        b'{"symbol":"BTCUSD_200626","pair":"BTCUSD","openInterest":"15004",'
        b'"contractType":"CURRENT_QUARTER","time":1591261042378}'
    )
    assert list(rest.read(request, 200, body, 7)) == [
        OpenInterest(DATED, "15004", 1591261042378 * MS, 7)
    ]
    assert rest.request_for("https://dapi.binance.com/fapi/v1/depth?symbol=X").purpose == "unknown"


def test_contracts_are_inverse_and_worth_a_fixed_number_of_dollars() -> None:
    dated = {
        **PERPETUAL,
        "symbol": "BTCUSD_210625",
        "contractType": "CURRENT_QUARTER",
        "deliveryDate": 1624608000000,
        "contractStatus": "SETTLING",
    }
    perpetual, quarterly = VENUE.rest(VENUE.endpoints).read_instruments(
        json.dumps({"symbols": [PERPETUAL, dated]}).encode()
    )
    assert (perpetual.canonical, perpetual.margin, perpetual.contract_size) == (
        "BTC-USD-PERP",
        "BTC",
        Decimal(100),
    )
    assert (perpetual.linear, perpetual.perpetual, perpetual.trading) == (False, True, True)
    assert (quarterly.canonical, quarterly.perpetual, quarterly.trading) == (
        "BTC-USD-210625",
        False,
        False,
    )
