"""Latency of the original's way (see the baseline of `end_to_end`): recv, json, Decimal mid, a window under a lock.

Usage: python -m benchmarks.original_latency URL COUNT
"""

from __future__ import annotations

import sys

for name in ("wsaccel", "wsaccel.utf8validator", "wsaccel.xormask"):
    sys.modules[name] = None  # type: ignore[assignment]

import json
import threading
from decimal import Decimal

import websocket

from benchmarks.quantiles import quantiles
from benchmarks.ticker_server import since

WINDOW = 25


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    lock = threading.RLock()
    windows: dict[str, list[Decimal]] = {}
    taken_ns = []
    stream = websocket.create_connection(url)
    for _ in range(count):
        data = json.loads(stream.recv())["data"]
        mark = (Decimal(str(data["b"])) + Decimal(str(data["a"]))) / Decimal(2)
        with lock:
            window = windows.setdefault(data["s"], [])
            window.append(mark)
            windows[data["s"]] = window[-WINDOW:]
        taken_ns.append(since(data["E"]))
    print(json.dumps(quantiles(taken_ns)))


if __name__ == "__main__":
    main()
