"""A book update passes through at most six files between `frame` and its `BookTop`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from perps_actors.market import book
from perps_actors.market.events import BookTop
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.registry import VENUES, venue

T = 1_780_000_000_000
PACKAGE = Path(book.__file__).parents[1]
NATIVE = book.FloatBook.__module__.endswith("_native")


def binance_deltas(symbol):
    for first, last, previous in ((1, 5, 0), (6, 7, 5)):
        delta = {"e": "depthUpdate", "E": T, "T": T, "s": symbol, "U": first, "u": last}
        sides = {"pu": previous, "b": [["10", "1"]], "a": [["12", "1"], ["13", "0"]]}
        yield {"stream": f"{symbol.lower()}@depth@100ms", "data": {**delta, **sides}}


def bybit_book(symbol):
    for number, kind in enumerate(("snapshot", "delta"), 7):
        data = {"s": symbol, "b": [["10", "1"]], "a": [["12", "1"]], "u": number, "seq": 1}
        yield {"topic": f"orderbook.50.{symbol}", "type": kind, "ts": T, "data": data}


def okx_book(symbol):
    for number, action in enumerate(("snapshot", "update"), 7):
        sides = {"bids": [["10", "1", "0", "1"]], "asks": [["12", "1", "0", "1"]]}
        row = {**sides, "ts": str(T), "checksum": 0, "seqId": number, "prevSeqId": number - 1}
        yield {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [row]}


def deribit_book(symbol):
    for number, kind in enumerate(("snapshot", "change"), 7):
        levels = {"bids": [["new", 10.0, 1.0]], "asks": [["new", 12.0, 1.0]]}
        data = {"type": kind, "timestamp": T, "instrument_name": symbol, "change_id": number}
        previous = {"prev_change_id": number - 1} if kind == "change" else {}
        channel = f"book.{symbol}.100ms"
        params = {"channel": channel, "data": {**data, **previous, **levels}}
        yield {"jsonrpc": "2.0", "method": "subscription", "params": params}


def bitmex_book(symbol):
    for action, size in (("partial", 5), ("update", 6)):
        row = {"symbol": symbol, "id": 1, "side": "Buy", "size": size, "price": 10.5}
        row["timestamp"] = "2026-09-01T00:00:00.000Z"
        yield {"table": "orderBookL2", "action": action, "data": [row]}


def gateio_book(symbol):
    for first, last in ((None, 10), (11, 12)):
        ids = {"full": True, "u": last} if first is None else {"U": first, "u": last}
        levels = {"b": [["10", "1"]], "a": [["12", "1"]]}
        result = {"t": T, "s": f"ob.{symbol}.50", **ids, **levels}
        yield {"time_ms": T, "channel": "futures.obu", "event": "update", "result": result}


def kraken_book(symbol):
    named = {"product_id": symbol, "timestamp": T}
    levels = {"bids": [{"price": 10, "qty": 1}], "asks": [{"price": 12, "qty": 1}]}
    yield {"feed": "book_snapshot", "seq": 7, **named, **levels}
    yield {"feed": "book", "seq": 8, **named, "side": "buy", "price": 11, "qty": 1}


def htx_book(symbol):
    channel = f"market.{symbol}.depth.size_150.high_freq"
    for version, event in enumerate(("snapshot", "update"), 7):
        tick = {"event": event, "version": version, "bids": [[10, 1]], "asks": [[12, 1]]}
        yield {"ch": channel, "ts": T, "tick": tick}


BOOKS = {
    "binance_futures": ("BTCUSDT", binance_deltas),
    "binance_delivery": ("BTCUSD_PERP", binance_deltas),
    "bybit": ("BTCUSDT", bybit_book),
    "okx": ("BTC-USDT-SWAP", okx_book),
    "deribit": ("BTC-PERPETUAL", deribit_book),
    "coinbase_international": ("BTC_USDC-PERPETUAL", deribit_book),
    "bitmex": ("XBTUSD", bitmex_book),
    "gateio_futures": ("BTC_USDT", gateio_book),
    "kraken_futures": ("PF_XBTUSD", kraken_book),
    "htx_swap": ("BTC-USDT", htx_book),
}


def files_of(call):
    """Return the result of a call, and the files of the package whose code it ran."""
    files = set()

    def note(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            files.add(str(path.relative_to(PACKAGE)))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        return call(), files
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("name", VENUES)
def test_a_book_update_runs_through_the_venue_one_toolkit_book_and_the_market_book(name):
    known = venue(name)
    symbol, frames = BOOKS[name]
    stream = known.stream(known.endpoints)
    connection = stream.plan([symbol])[0].name
    first, second = (json.dumps(frame, separators=(",", ":")).encode() for frame in frames(symbol))
    stream.frame(connection, first, 1)
    if not stream.depth(symbol, 1)[0]:
        request = HttpRequest(url="https://x", purpose="depth", symbol=symbol)
        body = {"lastUpdateId": 3, "T": T, "bids": [["9", "1"]], "asks": [["13", "1"]]}
        stream.answer(request, 200, json.dumps(body).encode(), 2)
    outcomes, ran = files_of(lambda: stream.frame(connection, second, 3))
    (top,) = outcomes
    assert isinstance(top, BookTop)
    assert not top.snapshot

    adapter = known.stream.func if hasattr(known.stream, "func") else known.stream
    folder = f"venues/{adapter.__module__.split('.')[2]}"
    books = {f"venues/toolkit/{kind}_book.py" for kind in ("stream", "rest_snapshot")}
    path = {f"{folder}/{kind}.py" for kind in ("stream", "schema", "parse")} | {"market/book.py"}
    # The quick checks of numbers are in the compiled twin, if there is one.
    ran -= set() if NATIVE else {"market/numbers.py"}
    assert f"{folder}/stream.py" in ran
    assert ran <= path | books
    assert len(ran & books) == 1


def test_every_venue_folder_has_the_same_files_or_reuses_another_venues_code():
    folders = [path for path in (PACKAGE / "venues").iterdir() if (path / "__init__.py").exists()]
    files = {folder.name: {path.name for path in folder.glob("*.py")} for folder in folders}
    del files["toolkit"]
    assert files.keys() >= set(VENUES)
    whole = {"__init__.py", "schema.py", "parse.py", "stream.py", "rest.py"}
    alone = {name for name, found in files.items() if found == {"__init__.py"}}
    assert {name for name, found in files.items() if found != whole} == alone
    assert alone == {"binance_delivery", "coinbase_international"}
