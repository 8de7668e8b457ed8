"""Recordings of venues whose stream sends the snapshot, with frames left out of them."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise

import pytest

from perps_actors.market.events import BookTop, BookWithdrawn
from perps_actors.venues.contract import SendFrame
from perps_actors.venues.registry import venue


@pytest.fixture
def recorded(data_folder):
    """The book frames of a venue, in order."""

    def read(name, mentions):
        with gzip.open(
            data_folder / "recordings" / name / "raw.jsonl.gz", "rt", encoding="utf-8"
        ) as file:
            rows = [json.loads(line) for line in file]
        return [
            row["data"].encode()
            for row in rows
            if row["dir"] == "ws" and mentions in row["data"] and '"event"' not in row["data"]
        ]

    return read


def numbered(frames):
    """Return OKX's frames of 2022 with the sequence numbers that it sends since then."""
    last = {}
    for frame in frames:
        message = json.loads(frame)
        symbol = message["arg"]["instId"]
        (book,) = message["data"]
        book["prevSeqId"] = last.get(symbol, -1)
        book["seqId"] = last[symbol] = last.get(symbol, 1_000) + 7
        yield json.dumps(message).encode()


def run(name, frames):
    """Return the outcomes of each frame, by its symbol and number."""
    adapter = venue(name).stream(venue(name).endpoints)
    return [list(adapter.frame("a", frame, 1)) for frame in frames], adapter


@pytest.mark.parametrize(
    ("name", "mentions", "symbols"), [("bybit", "orderbook.500", 1), ("okx", '"books"', 3)]
)
def test_a_missing_book_frame_withdraws_that_book_alone_and_a_snapshot_restores_it(
    recorded, name, mentions, symbols
):
    frames = recorded(name, mentions)
    frames = list(numbered(frames)) if name == "okx" else frames
    whole, _ = run(name, frames)
    places = {}
    for at, (top,) in enumerate(whole):
        places.setdefault(top.instrument.symbol, []).append(at)
    assert len(places) == symbols
    for symbol, of_symbol in places.items():
        for dropped, after in list(pairwise(of_symbol[1:]))[::9]:
            holed, adapter = run(
                name, [b"" if at == dropped else frame for at, frame in enumerate(frames)]
            )
            withdrawn, *requested = holed[after]
            assert isinstance(withdrawn, BookWithdrawn)
            assert [type(outcome) for outcome in requested] == [SendFrame, SendFrame]
            assert not any(
                isinstance(o, BookTop) for at in of_symbol if at > after for o in holed[at]
            )
            assert all(
                holed[at] == whole[at]
                for other, of_other in places.items()
                if other != symbol
                for at in of_other
            )
            (top,) = adapter.frame("a", frames[of_symbol[0]], 2)
            assert (top.snapshot, top.bid) == (True, whole[of_symbol[0]][0].bid)
