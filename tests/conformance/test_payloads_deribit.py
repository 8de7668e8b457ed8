from __future__ import annotations

from decimal import Decimal

import pytest

from perps_actors.market.events import BookTop, Funding, OpenInterest, Touch, Trade, VenueMark
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.contract import InvalidInput, SendFrame
from perps_actors.venues.deribit.rest import DeribitRest
from perps_actors.venues.deribit.stream import DeribitStream

BTC = InstrumentId("deribit", "BTC-PERPETUAL")
REST = DeribitRest()


@pytest.fixture
def payload(data_folder):
    return lambda name: (data_folder / "payloads" / "deribit" / name).read_bytes()


def answered(method, body):
    return list(
        REST.read(REST.request_for(f"https://www.deribit.com/api/v2/public/{method}"), 200, body, 7)
    )


def test_the_book_snapshot_and_the_change_after_it(payload):
    adapter = DeribitStream()
    (whole,) = adapter.frame("public-0", payload("ws_book_snapshot.json"), 7)
    assert whole == BookTop(
        BTC,
        True,
        "42500.0",
        "1000.0",
        "42501.0",
        "800.0",
        5,
        5,
        123456789,
        1_699_999_999_000_000_000,
        7,
    )
    (top,) = adapter.frame("public-0", payload("ws_book_delta.json"), 8)
    assert top == BookTop(
        BTC,
        False,
        "42500.0",
        "950.0",
        "42501.5",
        "700.0",
        5,
        4,
        123456790,
        1_699_999_999_500_000_000,
        8,
    )
    bids, _ = adapter.depth("BTC-PERPETUAL", 10)
    assert bids[3] == ("42498.5", "300.0")


def test_the_ticker(payload):
    at = 1_765_541_474_086_000_000
    assert list(DeribitStream().frame("public-0", payload("ws_ticker.json"), 7)) == [
        Touch(BTC, "92283.5", "117660.0", "92284.0", "186520.0", "92283.5", at, 7),
        VenueMark(BTC, "92281.78", "92263.55", at, 7),
        Funding(BTC, "0.0", None, None, "92281.78", at, 7),
        OpenInterest(BTC, "1132329370.0", at, 7),
    ]


def test_the_acknowledgement_gives_nothing_and_the_error_its_words(payload):
    assert list(DeribitStream().frame("public-0", payload("ws_subscribe_response.json"), 7)) == []
    (invalid_input,) = DeribitStream().frame("public-0", payload("ws_error.json"), 7)
    assert "too_many_requests" in invalid_input.what


def test_the_test_request_is_answered(payload):
    (answer,) = DeribitStream().frame("public-0", payload("ws_test_request.json"), 7)
    assert isinstance(answer, SendFrame)
    assert '"public/test"' in answer.text


def test_the_order_book_answer_is_read_for_its_book_and_its_state(payload):
    at = 1_766_554_855_140_000_000
    assert answered(
        "get_order_book?instrument_name=BTC-PERPETUAL", payload("http_get_order_book.json")
    ) == [
        BookTop(
            BTC, True, "87002.5", "199190.0", "87003.0", "125090.0", 20, 20, 133_112_427_566, at, 7
        ),
        Touch(BTC, "87002.5", "199190.0", "87003.0", "125090.0", "87002.5", at, 7),
        VenueMark(BTC, "87006.21", "86992.82", at, 7),
        Funding(BTC, "0.0", None, None, "87006.21", at, 7),
        OpenInterest(BTC, "1139551440", at, 7),
    ]


def test_the_last_trades_are_history(payload):
    found = answered(
        "get_last_trades_by_instrument?instrument_name=ETH-PERPETUAL",
        payload("http_get_last_trades.json"),
    )
    eth = InstrumentId("deribit", "ETH-PERPETUAL")
    assert len(found) == 10
    assert found[0] == Trade(
        eth, "sell", "2968.3", "1.0", "ETH-284830839", 1_766_332_040_636_000_000, 7, backlog=True
    )
    assert (found[-1].side, found[-1].amount) == ("buy", "106.0")


def test_the_list_of_instruments_has_the_futures(payload):
    perpetual, dated = REST.read_instruments(payload("http_get_instruments.json"))
    assert (perpetual.id, perpetual.canonical, perpetual.margin) == (BTC, "BTC-USD-PERP", "BTC")
    assert (perpetual.tick, perpetual.lot, perpetual.contract_size) == (
        Decimal("0.5"),
        Decimal(10),
        Decimal(10),
    )
    assert (perpetual.linear, perpetual.perpetual, perpetual.trading) == (False, True, True)
    assert (dated.canonical, dated.perpetual) == ("BTC-USD-241227", False)


@pytest.mark.parametrize("name", ["get_instruments", "get_last_trades", "get_time"])
def test_an_answer_of_another_method_is_invalid_input_with_a_reason(payload, name):
    outcomes = answered("ticker?instrument_name=BTC-PERPETUAL", payload(f"http_{name}.json"))
    assert [type(outcome) for outcome in outcomes] == [InvalidInput]
    assert answered(name, payload(f"http_{name}.json")) == []
