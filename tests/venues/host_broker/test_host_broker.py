from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.errors import SettingsError, VenueError
from perps_actors.market.events import Touch
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark_maker import price_of
from perps_actors.transport.broker_calls import frame_of
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.host_broker import broker_venue

BTC = InstrumentId("host_broker", "BTC-PERP")
RECEIVED = 7


def stream():
    adapter = broker_venue(2).stream(broker_venue(2).endpoints)
    adapter.plan(["BTC-PERP", "ETH-PERP"])
    return adapter


def rest():
    return broker_venue().rest(broker_venue().endpoints)


def outcome_of(item, connection="orderbook"):
    """Return the outcome of one item of the broker."""
    (outcome,) = stream().frame(connection, frame_of(item, 10_000), RECEIVED)
    return outcome


def invalid_input(item, connection="orderbook") -> str:
    outcome = outcome_of(item, connection)
    assert type(outcome) is InvalidInput
    return outcome.what


def price(item, connection="orderbook"):
    return price_of(outcome_of({"symbol": "BTC-PERP", **item}, connection), "rest", 1).mark


def test_all_symbols_share_one_iterator_of_books_and_one_of_trades() -> None:
    books, trades = stream().plan(["BTC-PERP", "ETH-PERP"])
    assert (books.name, books.url, books.sources) == (
        "orderbook",
        "broker:stream_orderbook?level=2",
        ("book",),
    )
    assert (trades.name, trades.url, trades.sources) == (
        "trades",
        "broker:stream_trades",
        ("trades",),
    )
    assert books.symbols == trades.symbols == ("BTC-PERP", "ETH-PERP")


def test_an_open_iterator_serves_another_plan_only_with_the_same_symbols_and_level() -> None:
    adapter = stream()
    before, same, more = (
        adapter.plan(symbols)[0]
        for symbols in (["BTC-PERP"], ["BTC-PERP"], ["BTC-PERP", "ETH-PERP"])
    )
    deeper = broker_venue(3).stream(broker_venue(3).endpoints).plan(["BTC-PERP"])[0]
    assert adapter.amend(before, same) == ()
    assert adapter.amend(before, more) is None
    assert adapter.amend(before, deeper) is None


def test_a_book_message_has_source_book_and_a_trade_message_has_source_trades() -> None:
    book = outcome_of(
        {
            "product_id": "BTC-PERP",
            "best_bid": "1.5",
            "best_ask": Decimal(2),
            "time": "2026-01-02T03:04:05Z",
        }
    )
    assert book == Touch(
        BTC, "1.5", None, "2", None, None, 1_767_323_045_000_000_000, RECEIVED, "book"
    )
    trade = outcome_of({"symbol": "BTC-PERP", "price": 3, "size": 1}, "trades")
    assert trade == Touch(BTC, None, None, None, None, "3", None, RECEIVED, "trades")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"best_bid": 10, "best_ask": 13}, "11.5"),
        ({"bid": 10, "ask": 13}, "11.5"),
        ({"best_bid": None, "bid": 10, "ask": 13}, "11.5"),
        ({"bid": 10, "ask": 10}, "10"),
        ({"bid": 10, "ask": 13, "last": 99}, "11.5"),
        ({"bid": 10, "ask": 13, "last": 0}, "11.5"),
        ({"bid": 10, "last": 99}, "99"),
        ({"last": 99, "price": 98}, "99"),
        ({"last": None, "price": "98"}, "98"),
        ({"price": 1e-07}, "1e-7"),
        ({"price": "5E+4"}, "50000"),
        ({"price": 0.1 + 0.2}, "0.30000000000000004"),
    ],
)
def test_the_price_is_the_mid_of_both_sides_else_the_last_under_any_field_name(
    item, expected
) -> None:
    assert price(item) == price(item, "trades") == Decimal(expected)


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({"best_bid": 0, "bid": 10, "ask": 13}, "best_bid: Expected a number above zero, was '0'"),
        ({"bid": 0.0, "ask": 13, "last": 12}, "bid: Expected a number above zero, was '0.0'"),
        (
            {"bid": 10, "ask": "oops", "last": 12},
            "ask: Expected a number of at most 30 digits, was 'oops'",
        ),
        (
            {"bid": 10, "ask": float("nan")},
            "ask: Expected a number of at most 30 digits, was 'nan'",
        ),
        ({"price": float("inf")}, "price: Expected a number of at most 30 digits, was 'inf'"),
        ({"last": -3}, "last: Expected a number above zero, was '-3'"),
        ({"last": True}, "last: Expected a number of at most 30 digits, was 'True'"),
        ({"last": ""}, "last: Expected a number of at most 30 digits, was ''"),
        ({"last": [1]}, "last: Expected a number of at most 30 digits, was '[1]'"),
        ({"last": "1e999999"}, "last: Expected a number of at most 30 digits, was '1e999999'"),
        (
            {"bid": 13.5, "ask": 13, "last": 13},
            "Expected a bid not above the ask, was bid 13.5 and ask 13",
        ),
        ({"bids": [[1, 2]]}, "Expected best_bid and best_ask, last or price, was none of them"),
    ],
)
def test_a_bad_field_makes_the_message_invalid_input_with_its_name_and_value(item, what) -> None:
    assert invalid_input({"symbol": "BTC-PERP", **item}).startswith(what)


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ({"price": 1}, "Expected a symbol as product_id, was None"),
        ({"symbol": "", "price": 1}, "Expected a symbol as symbol, was ''"),
        ({"product_id": 7, "price": 1}, "Expected a symbol as product_id, was 7"),
        (
            {"symbol": "DOGE-PERP", "price": 1},
            "Expected a subscribed symbol, was 'DOGE-PERP'",
        ),
        (
            [1],
            "Expected `object`, got `str`: in orderbook message b'\"Expected a dict, was a list\"'",
        ),
    ],
)
def test_a_message_without_a_subscribed_symbol_is_invalid_input(item, what) -> None:
    assert invalid_input(item).startswith(what)


def test_one_side_alone_is_neither_a_price_nor_invalid_input() -> None:
    assert price_of(outcome_of({"symbol": "BTC-PERP", "bid": 10, "ask": None}), "book", 1) is None


def test_an_unreadable_time_does_not_cost_the_price() -> None:
    assert outcome_of({"symbol": "BTC-PERP", "price": 1, "time": "yesterday"}).venue_time_ns is None


@given(
    st.binary()
    | st.dictionaries(
        st.sampled_from(["symbol", "bid", "ask", "last", "time"]),
        st.text() | st.floats() | st.integers(),
    )
)
def test_any_input_gives_one_touch_or_one_invalid_input(item) -> None:
    data = item if isinstance(item, bytes) else json.dumps({"symbol": "BTC-PERP", **item}).encode()
    for connection in ("orderbook", "trades", "unknown"):
        (outcome,) = stream().frame(connection, data, RECEIVED)
        assert type(outcome) in (Touch, InvalidInput)


def test_every_symbol_is_polled_by_its_own_request() -> None:
    requests = rest().quotes(["BTC-PERP", "A/B ?&"])
    assert [(request.purpose, request.symbol) for request in requests] == [
        ("quote", "BTC-PERP"),
        ("quote", "A/B ?&"),
    ]
    assert [rest().request_for(request.url) for request in requests] == list(requests)
    assert rest().request_for("https://elsewhere/").purpose == "unknown"


def read(body, status=200):
    (request,) = rest().quotes(["BTC-PERP"])
    (outcome,) = rest().read(request, status, body, RECEIVED)
    return outcome


def test_a_quote_gives_the_mid_of_both_sides_else_its_last_price() -> None:
    assert price_of(
        read(b'{"bid":"10","ask":13.0,"last":"99","ts":1767323045.5}'), "rest", 1
    ).mark == Decimal("11.5")
    assert read(b'{"last_price":99,"ts":1767323045.5}') == Touch(
        BTC, None, None, None, None, "99", 1_767_323_045_500_000_000, RECEIVED, "rest"
    )


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b'{"bid":3,"ask":2}', "Expected a bid not above the ask, was bid 3 and ask 2"),
        (b'{"last":0}', "last: Expected a number above zero, was '0'"),
        (b"{}", "Expected best_bid and best_ask, last or price, was none of them"),
        (b"{", "Input data was truncated"),
    ],
)
def test_a_quote_without_a_valid_price_is_invalid_input_of_its_symbol(body, what) -> None:
    outcome = read(body)
    assert outcome.what.startswith(what)
    assert outcome.symbol == "BTC-PERP"


def test_a_failed_call_and_an_unrequested_answer_give_no_price() -> None:
    assert read(b"", status=None) == InvalidInput(
        "Expected a quote of BTC-PERP, was no answer", "BTC-PERP"
    )
    assert rest().read(HttpRequest(url="", purpose="depth"), 200, b"{}", RECEIVED) == ()
    assert (
        stream().answer(
            HttpRequest(url="", purpose="quote", symbol="BTC-PERP"), 200, b"{}", RECEIVED
        )
        == ()
    )


def test_a_broker_lists_no_instruments_and_has_no_books() -> None:
    with pytest.raises(VenueError, match="Expected no list"):
        rest().read_instruments(b"[]")
    assert stream().depth("BTC-PERP", 5) == ([], [])


def test_a_level_below_one_is_refused() -> None:
    with pytest.raises(SettingsError, match="level = 0: must be at least 1"):
        broker_venue(0)
