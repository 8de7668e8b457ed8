"""The baseline: a mark pipeline built as the bot was that this library replaces.

Usage: python -m benchmarks.original throughput|latency URL COUNT

Reads COUNT `bookTicker` frames of Binance's combined stream with the blocking `recv` of
websocket-client. Frames are parsed with `json`, marks are `Decimal` mids, and the latest 25 marks
of a symbol are kept under a lock. wsaccel is hidden, because the bot did not install it.

`throughput` also writes one SQLite row per event in autocommit mode (WAL, synchronous NORMAL), and
prints {"count", "cpu"}: CPU seconds of the process from the first frame to the last row.
`latency` prints {"p50", "p99"}: microseconds from the stamp in a frame to its mark in the window.
"""

from __future__ import annotations

import sys

for name in ("wsaccel", "wsaccel.utf8validator", "wsaccel.xormask"):
    sys.modules[name] = None  # type: ignore[assignment]

import json
import sqlite3
import tempfile
import threading
import time
from collections import defaultdict
from decimal import Decimal
from typing import Any

import websocket

from benchmarks.harness import quantiles
from benchmarks.ticker_server import since

WINDOW = 25
SCHEMA = "CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT, body TEXT, bot TEXT)"
INSERT = "INSERT INTO events (kind, body, bot) VALUES (?, ?, ?)"


class Marks:
    """The latest marks of each symbol, which other threads may read."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._windows: dict[str, list[Decimal]] = defaultdict(list)

    def add(self, quote: dict[str, Any]) -> Decimal:
        """Compute the mid of a quote and add it to its symbol's window."""
        mark = (Decimal(str(quote["b"])) + Decimal(str(quote["a"]))) / 2
        with self._lock:
            window = self._windows[quote["s"]]
            window.append(mark)
            del window[:-WINDOW]
        return mark


def throughput(url: str, count: int) -> dict[str, float]:
    """Read the frames and record an event for each."""
    marks = Marks()
    with tempfile.TemporaryDirectory() as folder:
        journal = sqlite3.connect(f"{folder}/events.db", isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", SCHEMA):
            journal.execute(statement)
        stream = websocket.create_connection(url)
        text, began_s = stream.recv(), time.process_time()
        for left in range(count - 1, -1, -1):
            quote = json.loads(text)["data"]
            mark = marks.add(quote)
            event = {
                "event_type": "ws_mark_update",
                "symbol": quote["s"],
                "mark": str(mark),
                "time": time.time(),
            }
            journal.execute(INSERT, ("metric", json.dumps(event), "bot"))
            if left:
                text = stream.recv()
        return {"count": count, "cpu": time.process_time() - began_s}


def latency(url: str, count: int) -> dict[str, float]:
    """Read the frames and note the time from each one's stamp to its mark."""
    marks, taken_ns = Marks(), []
    stream = websocket.create_connection(url)
    for _ in range(count):
        quote = json.loads(stream.recv())["data"]
        marks.add(quote)
        taken_ns.append(since(quote["E"]))
    return quantiles(taken_ns)


if __name__ == "__main__":
    measure = {"throughput": throughput, "latency": latency}[sys.argv[1]]
    print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
