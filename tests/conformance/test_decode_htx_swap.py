"""Decoding recorded frames of HTX (base64). They are captures, because there is no recording."""

from __future__ import annotations

import json
from base64 import b64encode

from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.decode import decode
from perps_actors.venues.registry import venue
from tests.venues.htx_frames import (
    BBO,
    DELISTED,
    FUNDING,
    INDEX,
    LIQUIDATION,
    MARK,
    SNAPSHOT,
    STEP,
    TRADES,
    packed,
)

UPDATE = {
    "ch": "market.BTC-USDT.depth.size_150.high_freq",
    "ts": 1790134831873,
    "tick": {
        "asks": [],
        "bids": [[86853.4, 2], [86848.5, 0]],
        "event": "update",
        "id": 100129125618998,
        "mrid": 100129125618998,
        "ts": 1790134831871,
        "version": 1789895280798,
    },
}


def line(frame, direction="ws"):
    data = b64encode(packed(frame)).decode()
    return json.dumps(
        {
            "t": 1790134832.5,
            "conn": "ws-1",
            "dir": direction,
            "url": "wss://x",
            "data": data,
            "enc": "base64",
        }
    )


def decoded(*frames):
    return list(decode(venue("htx_swap"), [line(frame) for frame in frames]))


def without_place(event):
    return {name: value for name, value in event.items() if name not in ("t", "line")}


def test_books_have_the_outer_time_and_the_last_one_ten_levels():
    snapshot, update, step, *depths = decoded(SNAPSHOT, UPDATE, STEP, DELISTED)
    numbers = {"bid": "86859.8", "bid_size": "6172", "ask": "86859.9", "ask_size": "817"}
    assert without_place(snapshot) == {
        "kind": "bbo",
        "symbol": "BTC-USDT",
        "ts": "1790134831.753",
        "event": "snapshot",
        **numbers,
        "bid_levels": 3,
        "ask_levels": 3,
        "seq": "1789895280797",
    }
    assert (update["event"], update["bid_levels"], update["seq"], update["line"]) == (
        "update",
        4,
        "1789895280798",
        1,
    )
    assert (step["event"], step["symbol"], step["ts"], step["seq"]) == (
        "snapshot",
        "BTC-USD",
        "1603707576.468",
        None,
    )
    assert [(depth["symbol"], depth["bids"][:2]) for depth in depths] == [
        ("BTC-USDT", [["86859.8", "6172"], ["86858.5", "147"]]),
        ("BTC-USD", [["13071.9", "38"], ["13068", "5"]]),
    ]


def test_trades_have_their_own_time_and_the_touch_is_a_ticker():
    buy, sell, ticker = map(without_place, decoded(TRADES, BBO))
    assert buy == {
        "kind": "trade",
        "symbol": "BTC-USDT",
        "ts": "1603708208.335",
        "side": "buy",
        "price": "13073.3",
        "amount": "2",
        "id": "1316022650000",
    }
    assert (sell["side"], sell["ts"]) == ("sell", "1603708208.336")
    assert ticker == {
        "kind": "ticker",
        "symbol": "BTC-USDT",
        "ts": "1790134831.587",
        "bid": "86859.8",
        "ask": "86859.9",
        "bid_size": "6172",
        "ask_size": "817",
    }


def test_mark_index_funding_and_liquidation():
    mark, both, funding, liquidation = map(
        without_place, decoded(MARK, INDEX, FUNDING, LIQUIDATION)
    )
    assert (mark["kind"], mark["mark"], mark["index"], mark["ts"]) == (
        "mark",
        "86826.6",
        None,
        "1790135117.624",
    )
    assert (both["mark"], both["index"]) == ("86826.6", "86842.15")
    assert funding == {
        "kind": "funding",
        "symbol": "BTC-USDT",
        "ts": "1790135117.894",
        "rate": "0.000064355479737646",
        "predicted": None,
        "next_time": "1790150400",
        "mark": None,
    }
    assert liquidation == {
        "kind": "liquidation",
        "symbol": "ETH-USDT",
        "ts": "1789670297.217",
        "side": "buy",
        "price": "2446.26",
        "amount": "500",
    }


def test_pings_answers_and_sent_lines_give_nothing_and_a_broken_line_is_invalid_input():
    lines = [
        line({"ping": 1790134831961}),
        line({"id": "id1", "status": "ok", "subbed": "market.BTC-USDT.bbo", "ts": 1}),
        line({"sub": "market.BTC-USDT.bbo"}, "sent"),
        line(BBO).replace('"data": "', '"data": "!'),
        line(BBO),
    ]
    invalid_input, ticker = decode(venue("htx_swap"), lines)
    assert isinstance(invalid_input, InvalidInput)
    assert (ticker["kind"], ticker["line"]) == ("ticker", 4)
