from __future__ import annotations

import json

from perps_actors.venues.decode import decode
from perps_actors.venues.registry import venue

SYMBOL = "BTC-PERPETUAL"


def decoded(*messages):
    lines = [
        json.dumps(
            {
                "t": 1.5,
                "conn": "ws-1",
                "dir": "ws",
                "url": "wss://x",
                "data": json.dumps({"method": "subscription", "params": params}),
            }
        )
        for params in messages
    ]
    return list(decode(venue("deribit"), lines))


def book(change_id, previous=None, asks=()):
    data = {
        "type": "snapshot" if previous is None else "change",
        "instrument_name": SYMBOL,
        "timestamp": 1_000,
        "change_id": change_id,
    }
    return {
        "channel": f"book.{SYMBOL}.100ms",
        "data": {**data, "prev_change_id": previous, "bids": [], "asks": asks},
    }


def test_a_synced_empty_book_gives_a_depth_event():
    top, depth = decoded(book(1))
    assert (top["kind"], top["bid"], top["ask"]) == ("bbo", None, None)
    assert (depth["kind"], depth["line"], depth["bids"], depth["asks"]) == ("depth", 0, [], [])


def test_a_withdrawn_book_gives_no_depth_event_until_it_is_synced_again():
    assert [event["kind"] for event in decoded(book(1), book(9, 8))] == ["bbo"]
    healed = decoded(book(1), book(9, 8), book(20, None, [["new", 7, 1]]))
    assert [(event["kind"], event["line"]) for event in healed] == [
        ("bbo", 0),
        ("bbo", 2),
        ("depth", 2),
    ]
    assert healed[-1]["asks"] == [["7", "1"]]


def test_an_empty_side_of_a_touch_is_decoded_as_zeros():
    data = {
        "instrument_name": SYMBOL,
        "timestamp": 1_000,
        "best_bid_price": 0.0,
        "best_bid_amount": 0.0,
        "best_ask_price": 5,
        "best_ask_amount": 1,
    }
    (ticker,) = decoded({"channel": f"quote.{SYMBOL}", "data": data})
    assert {name: ticker[name] for name in ("bid", "bid_size", "ask", "ask_size")} == {
        "bid": "0",
        "bid_size": "0",
        "ask": "5",
        "ask_size": "1",
    }
