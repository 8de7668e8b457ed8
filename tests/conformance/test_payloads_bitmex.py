from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perps_actors.market.events import (
    BookTop,
    BookWithdrawn,
    Funding,
    OpenInterest,
    Touch,
    VenueMark,
)
from perps_actors.market.instrument import InstrumentId
from perps_actors.venues.bitmex.rest import BitmexRest
from perps_actors.venues.bitmex.stream import BitmexStream
from perps_actors.venues.contract import InvalidInput

XBT = InstrumentId("bitmex", "XBTUSD")
REST = BitmexRest()


@pytest.fixture
def payload(data_folder):
    return lambda name: (data_folder / "payloads" / "bitmex" / f"{name}.json").read_bytes()


@pytest.fixture(scope="module")
def raw(data_folder):
    with gzip.open(data_folder / "recordings" / "bitmex" / "raw.jsonl.gz", "rt") as file:
        return file.readlines()


def streamed(table, action, row, adapter=None):
    frame = b'{"table":"%s","action":"%s","data":[%s]}' % (table.encode(), action.encode(), row)
    return list((adapter or BitmexStream()).frame("ws", frame, 7))


def answered(path, body):
    return list(REST.read(REST.request_for(f"https://www.bitmex.com/api/v1/{path}"), 200, body, 7))


def test_a_book_row_of_today(payload):
    (top,) = streamed("orderBookL2", "partial", payload("ws_orderbook_l2"))
    assert top == BookTop(
        XBT, True, None, None, "98459.9", "33000", 0, 1, None, 1_732_436_782_356_000_000, 7
    )


def test_a_quote(payload):
    bch = InstrumentId("bitmex", "BCHUSDT")
    assert streamed("quote", "insert", payload("ws_quote")) == [
        Touch(bch, "487.55", "103000", "488.25", "50000", None, 1_732_315_465_085_000_000, 7)
    ]


def test_a_contract_and_a_change_of_its_mark_alone(payload):
    at = 1_732_536_000_000_000_000
    assert streamed("instrument", "partial", payload("ws_instrument")) == [
        VenueMark(XBT, "95125.7", "95126.0", at, 7),
        Touch(XBT, None, None, None, None, "95123.5", at, 7),
        OpenInterest(XBT, "123456789", at, 7),
    ]
    adapter = BitmexStream()
    assert streamed("instrument", "update", payload("ws_instrument_mark_update"), adapter) == []
    streamed("instrument", "partial", b'{"symbol":"DOTUSDT","markPrice":1.3}', adapter)
    dot = InstrumentId("bitmex", "DOTUSDT")
    assert streamed("instrument", "update", payload("ws_instrument_mark_update"), adapter) == [
        VenueMark(dot, "1.2669", None, 1_779_886_600_500_000_000, 7)
    ]


def test_a_funding(payload):
    at = 1_732_507_200_000_000_000
    assert streamed("funding", "insert", payload("ws_funding_rate")) == [
        Funding(XBT, "0.0001", None, at + 28_800 * 10**9, None, at, 7)
    ]


def test_the_answer_for_one_contract(payload):
    at = 1_732_491_199_034_000_000
    body = payload("http_get_instrument_xbtusd")
    assert answered("instrument?symbol=XBTUSD", body) == [
        VenueMark(XBT, "97849.76", "97843.77", at, 7),
        Touch(XBT, "97882.5", None, "97887.1", None, "97893.7", at, 7),
        Funding(XBT, "0.00011", "0.000125", 1_732_507_200_000_000_000, None, at, 7),
        OpenInterest(XBT, "411647400", at, 7),
    ]
    (listed,) = REST.read_instruments(b"[" + body + b"]")
    assert (listed.canonical, listed.tick, listed.lot, listed.contract_size) == (
        "BTC-USD-PERP",
        Decimal("0.1"),
        Decimal(100),
        Decimal(1),
    )


def test_past_trades_are_backlog(payload):
    trades = answered("trade?symbol=XBTUSD", payload("http_get_trades"))
    assert [(trade.side, trade.price, trade.amount, trade.backlog) for trade in trades] == [
        ("buy", "98950.0", "100", True),
        ("buy", "98951.0", "100", True),
        ("sell", "98949.5", "50", True),
    ]


def test_an_error_is_invalid_input_with_its_words(payload):
    (invalid_input,) = answered("instrument/active", payload("http_error_response"))
    assert isinstance(invalid_input, InvalidInput)
    assert "Invalid API Key" in invalid_input.what


def test_the_list_of_contracts_of_the_recorded_session(raw):
    found = {
        listed.id.symbol: listed
        for listed in REST.read_instruments(json.loads(raw[0])["data"].encode())
    }
    assert len(found) == 34
    assert sum(listed.perpetual for listed in found.values()) == 23
    sizes = {symbol: found[symbol].contract_size for symbol in ("XBTUSD", "XRPU21")}
    assert sizes == {"XBTUSD": 1, "XRPU21": 1}
    assert (found["XRPU21"].canonical, found["XBTUSD"].linear, found["ETHUSD"].linear) == (
        "XRP-BTC-210924",
        False,
        True,
    )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_damaged_real_frames_raise_nothing_and_the_next_partials_restore_the_books(raw, data):
    frames = [json.loads(line)["data"].encode() for line in raw[35:160]]
    partials = [frame for frame in frames if b'"partial"' in frame]
    adapter = BitmexStream()
    for at in range(len(frames)):
        kind = data.draw(st.sampled_from(["keep"] * 6 + ["cut", "mutate", "double", "swap"]))
        frame = frames[at]
        place = data.draw(st.integers(0, len(frame))) if kind in ("cut", "mutate") else 0
        bad = {
            "cut": frame[:place],
            "mutate": frame[:place] + data.draw(st.binary(max_size=3)) + frame[place + 1 :]
            if kind == "mutate"
            else b"",
            "swap": frames[data.draw(st.integers(0, len(frames) - 1))] if kind == "swap" else b"",
        }.get(kind, frame)
        for text in (bad, bad) if kind == "double" else (bad,):
            adapter.frame("ws", text, at)
    fresh = BitmexStream()
    for partial in partials:
        assert list(adapter.frame("ws", partial, 9)) == list(fresh.frame("ws", partial, 9))


def changes(raw):
    """Return the book messages after the partials: line, symbol, action and keys."""
    for number, line in enumerate(raw):
        frame = (
            json.loads(json.loads(line)["data"]) if '\\"orderBookL2\\",\\"action' in line else {}
        )
        if frame.get("action") in ("insert", "update", "delete"):
            yield (
                number,
                frame["data"][0]["symbol"],
                frame["action"],
                {(row["id"], row["side"]) for row in frame["data"]},
            )


def said_without(raw, dropped):
    """Return the events of each line when line `dropped` is missing."""
    adapter = BitmexStream()
    lines = ((number, json.loads(line)) for number, line in enumerate(raw) if number != dropped)
    by_line = (
        (number, adapter.frame("ws", line["data"].encode(), number))
        for number, line in lines
        if line["dir"] == "ws"
    )
    return [
        (number, event)
        for number, events in by_line
        for event in events
        if isinstance(event, BookTop | BookWithdrawn)
    ]


def test_a_lost_insert_is_found_when_its_level_changes_without_harm_to_neighbours(raw):
    later = list(changes(raw))
    inserts = [
        (number, symbol, keys) for number, symbol, action, keys in later if action == "insert"
    ]
    whole, tried = said_without(raw, None), 0
    for dropped, symbol, keys in inserts[::12]:
        found = next(
            (
                n
                for n, s, a, changed in later
                if n > dropped and s == symbol and a != "insert" and changed & keys
            ),
            None,
        )
        if found is None:
            continue
        tried += 1
        holed = said_without(raw, dropped)
        assert [(n, e.instrument.symbol) for n, e in holed if isinstance(e, BookWithdrawn)] == [
            (found, symbol)
        ]
        assert [(n, e) for n, e in holed if e.instrument.symbol != symbol] == [
            (n, e) for n, e in whole if e.instrument.symbol != symbol
        ]
        assert not any(n > found for n, e in holed if e.instrument.symbol == symbol)
    assert tried > 5
