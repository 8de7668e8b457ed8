from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal, InvalidOperation

import pytest

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput
from perps_actors.venues.decode import decode
from perps_actors.venues.registry import venue

RECORDED = ("binance_futures", "bitmex", "bybit", "deribit", "kraken_futures", "okx")
"""The venues that have a recording."""


def lines_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.readlines()


def by_meaning(value):
    """Return the value with numbers as decimals, so that spellings compare equal."""
    if isinstance(value, dict):
        return {key: by_meaning(item) for key, item in value.items() if key != "by"}
    if isinstance(value, list):
        return [by_meaning(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


@pytest.fixture(scope="module", params=RECORDED)
def recording(request, data_folder):
    folder = data_folder / "recordings" / request.param
    reference = [json.loads(line) for line in lines_of(folder / "reference.jsonl.gz")]
    return venue(request.param), lines_of(folder / "raw.jsonl.gz"), reference


def test_exactly_the_events_of_the_reference_are_decoded(recording):
    known, raw, reference = recording
    decoded, reference = decoded_events(known, raw, reference), in_order(reference)
    assert [place(event) for event in decoded] == [place(event) for event in reference]
    for event, wanted in zip(decoded, reference, strict=True):
        assert by_meaning(fields_of(event, wanted)) == by_meaning(wanted)


def test_numbers_are_in_plain_notation(recording):
    known, raw, reference = recording
    for event, wanted in zip(
        decoded_events(known, raw, reference), in_order(reference), strict=True
    ):
        assert fields_of(event, wanted) == {
            name: value for name, value in wanted.items() if name != "by"
        }


def place(event):
    return event["line"], event["kind"], event["symbol"]


def decoded_events(known, raw, reference):
    """Return the decoded events, without the backlog of trades if the reference has none."""
    history = any(event.get("backlog") for event in reference)
    return [event for event in in_order(decode(known, raw)) if history or not event.get("backlog")]


def in_order(events):
    events = list(events)
    assert [event for event in events if isinstance(event, InvalidInput)] == []
    return sorted(events, key=place)


def fields_of(event, wanted):
    """Return the fields of the event that the reference has; some lack sequence numbers."""
    return {name: event.get(name) for name in wanted if name != "by"}


def test_decoding_yields_the_events_of_each_line_before_the_next_is_read(recording):
    known, raw, _ = recording
    fed = []

    def feed():
        for line in raw:
            fed.append(line)
            yield line

    first = next(decode(known, feed()))
    assert isinstance(first, dict)
    assert len(fed) == first["line"] + 1


def depth_events(raw):
    """Return the line numbers of the depth events of each symbol, in order."""
    found = {}
    for number, line in enumerate(raw):
        row = json.loads(line)
        if row["dir"] == "ws" and '"e":"depthUpdate"' in row["data"]:
            found.setdefault(json.loads(row["data"])["data"]["s"], []).append(number)
    return found


def said(adapter, rest, line):
    row = json.loads(line)
    if row["dir"] == "ws":
        return list(adapter.frame("ws-1", row["data"].encode(), 1))
    return list(adapter.answer(rest.request_for(row["url"]), 200, row["data"].encode(), 1))


def true_snapshot(known, raw, until, symbol):
    """Return the true book of `symbol` after line `until`, as an answer of the venue."""
    adapter, rest, last = known.stream(known.endpoints), known.rest(known.endpoints), None
    for line in raw[: until + 1]:
        for outcome in said(adapter, rest, line):
            if isinstance(outcome, BookTop) and outcome.instrument.symbol == symbol:
                last = outcome.sequence
    bids, asks = adapter.depth(symbol, 20_000)
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


@pytest.mark.parametrize("which", [5, 20, 50])
@pytest.mark.parametrize("symbol", ["AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT"])
def test_a_missing_delta_withdraws_that_book_until_a_snapshot_restores_it(
    data_folder, symbol, which
):
    known = venue("binance_futures")
    raw = lines_of(data_folder / "recordings" / known.name / "raw.jsonl.gz")
    positions = depth_events(raw)[symbol]
    dropped, after = positions[-which], positions[-which + 1]
    whole = tops_by_line(known, raw)
    body = true_snapshot(known, raw, after, symbol)
    holed, withdrawn, requested = run_without(known, raw, dropped, {after: (symbol, body)})
    assert [(line, event.instrument.symbol) for line, event in withdrawn] == [(after, symbol)]
    assert [(line, request.symbol) for line, request in requested if line > dropped] == [
        (after, symbol)
    ]
    neighbours = {place: top for place, top in whole.items() if place[1] != symbol}
    assert {place: top for place, top in holed.items() if place[1] != symbol} == neighbours
    expected = {
        place: top
        for place, top in whole.items()
        if place[1] == symbol and not dropped <= place[0] <= after
    }
    assert {
        place: top for place, top in holed.items() if place[1] == symbol and place[0] != after
    } == expected
    assert holed[after, symbol] == whole[after, symbol]


def tops_by_line(known, raw):
    """Return the top of each book after each line that changed it."""
    adapter, rest = known.stream(known.endpoints), known.rest(known.endpoints)
    tops = {}
    for number, line in enumerate(raw):
        for outcome in said(adapter, rest, line):
            if isinstance(outcome, BookTop):
                tops[number, outcome.instrument.symbol] = meaning(outcome)
    return tops


def meaning(top):
    numbers = (top.bid, top.bid_size, top.ask, top.ask_size)
    return (*(n and Decimal(n) for n in numbers), top.bid_levels, top.ask_levels, top.sequence)


def run_without(known, raw, dropped, snapshots):
    """Return tops, withdrawals and requests if `dropped` is missing and `snapshots` answered."""
    adapter, rest = known.stream(known.endpoints), known.rest(known.endpoints)
    tops, withdrawn, requested = {}, [], []
    for number, line in enumerate(raw):
        if number == dropped:
            continue
        outcomes = said(adapter, rest, line)
        if number in snapshots:
            symbol, body = snapshots[number]
            url = f"{known.endpoints.rest}/fapi/v1/depth?symbol={symbol}&limit=1000"
            outcomes += adapter.answer(rest.request_for(url), 200, body, 1)
        for outcome in outcomes:
            if isinstance(outcome, BookTop):
                tops[number, outcome.instrument.symbol] = meaning(outcome)
            elif isinstance(outcome, BookWithdrawn):
                withdrawn.append((number, outcome))
            elif isinstance(outcome, HttpRequest):
                requested.append((number, outcome))
    return tops, withdrawn, requested


def test_a_missing_line_never_gives_a_top_that_the_venue_did_not_have(data_folder):
    known = venue("binance_futures")
    raw = lines_of(data_folder / "recordings" / known.name / "raw.jsonl.gz")[:300]
    true = Counter()
    for top in (event for event in decode(known, raw) if event["kind"] == "bbo"):
        true[book_facts(top)] += 1
    for dropped in sorted(number for numbers in depth_events(raw).values() for number in numbers)[
        ::7
    ]:
        rest = [line for number, line in enumerate(raw) if number != dropped]
        seen = Counter(
            book_facts(event)
            for event in decode(known, rest)
            if isinstance(event, dict) and event["kind"] == "bbo"
        )
        assert seen <= true, dropped


def book_facts(event):
    return tuple(
        event[name]
        for name in (
            "symbol",
            "seq",
            "bid",
            "bid_size",
            "ask",
            "ask_size",
            "bid_levels",
            "ask_levels",
        )
    )
