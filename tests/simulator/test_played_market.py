from __future__ import annotations

import json
import random

import pytest

from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.playback import PlayedMarket
from perps_actors.simulator.recording import read_recording
from perps_actors.simulator.venues import SERVED, side_of

STREAM = "orderBookL2:XBTUSD"
AT = 1_700_000_000_000_000_000


def row(number: int, side: str, **more: float) -> dict:
    return {"symbol": "XBTUSD", "id": number, "side": side, **more}


PARTIAL = ("partial", [row(1, "Buy", size=10, price=30), row(2, "Sell", size=5, price=31)])


def played(tmp_path, *messages):
    """The market of a recording that was sent to its end."""
    lines = [
        {"dir": "ws", "data": json.dumps({"table": "orderBookL2", "action": action, "data": rows})}
        for action, rows in messages
    ]
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return PlayedMarket(read_recording(tmp_path, "bitmex"), {STREAM: len(messages)})


def test_a_stream_book_follows_its_deltas(tmp_path) -> None:
    market = played(
        tmp_path,
        PARTIAL,
        ("insert", [row(3, "Buy", size=7, price=30.5)]),
        ("delete", [row(1, "Buy", price=30)]),
    )
    book = market.depth("XBTUSD")
    assert book is not None
    assert (book.bids, book.asks) == ((("30.5", "7"),), (("31", "5"),))


def test_after_an_unreadable_delta_the_book_is_unknown_until_the_next_snapshot(
    tmp_path,
) -> None:
    unread = ("update", [row(1, "Buy", size=3)])
    readable = ("update", [row(2, "Sell", size=4, price=31)])
    assert played(tmp_path, PARTIAL, unread).depth("XBTUSD") is None
    assert played(tmp_path, PARTIAL, unread, readable).touch("XBTUSD") is None
    assert played(tmp_path, PARTIAL, unread, readable, PARTIAL).depth("XBTUSD") is not None


@pytest.mark.parametrize("name", SERVED)
def test_touch_and_mark_are_those_of_the_frames_sent_so_far(tmp_path, name) -> None:
    side = side_of(name)
    symbol = side.terms.symbols[0]
    market = SyntheticMarket(name, (symbol,), side.terms, random.Random(1))
    lines, sent, expected = [], {}, []

    def record(frames) -> None:
        for stream, frame in frames:
            lines.append(json.dumps({"dir": "ws", "data": frame.decode()}) + "\n")
            sent[stream] = sent.get(stream, 0) + 1
        expected.append((dict(sent), market.touch(symbol), market.venue_mark(symbol)[0]))

    market.step(AT)
    record(
        frame
        for channel in ("book", "mark", "ticker")
        for frame in side.streams.first_frames(channel, symbol, market)
    )
    for second in range(1, 4):
        (step,) = market.step(AT + second * 1_000_000_000)
        record(side.streams.frames_of(step))
    (tmp_path / "raw.jsonl").write_text("".join(lines))
    counts: dict[str, int] = {}
    played = PlayedMarket(read_recording(tmp_path, name), counts)
    # The last state comes first: the recording begins again when a client subscribes.
    for now, touch, mark in (expected[-1], *expected[1:]):
        counts.clear()
        counts.update(now)
        found, (marked, funding) = played.touch(symbol), played.venue_mark(symbol)
        assert (found.bid, found.ask, found.bid_size) == (touch.bid, touch.ask, touch.bid_size)
        assert (found.venue_time_ns, marked.venue_time_ns) == (touch.venue_time_ns,) * 2
        assert (marked.mark, funding.instrument) == (mark.mark, mark.instrument)
    counts.clear()
    assert played.venue_mark(symbol) is None
