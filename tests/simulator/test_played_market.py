from __future__ import annotations

import json

from perps_actors.simulator.playback import PlayedMarket
from perps_actors.simulator.recording import read_recording

STREAM = "orderBookL2:XBTUSD"


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
