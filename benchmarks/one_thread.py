"""The bound of `latency`: one loop with the libraries that this package uses, and no actors.

Usage: python -m benchmarks.one_thread URL COUNT

Reads COUNT `bookTicker` frames with one `epoll` loop, the package's frame decoder and `msgspec`,
computes `Decimal` mids and keeps the latest 25 of a symbol. Nothing is validated, recorded,
supervised or handed to another thread. Prints {"p50", "p99"} like `benchmarks.original latency`.
"""

from __future__ import annotations

import json
import select
import sys
from decimal import Decimal

import msgspec
import websocket

from benchmarks.harness import quantiles
from benchmarks.ticker_server import since
from perps_actors.transport.frames import FrameDecoder
from perps_actors.transport.limits import READ_BYTES

WINDOW = 25


class Quote(msgspec.Struct):
    """The fields that are needed."""

    s: str
    b: str
    a: str
    E: int


class Combined(msgspec.Struct):
    """A frame of a combined stream."""

    data: Quote


def latency(url: str, count: int) -> dict[str, float]:
    """Read the frames and note the time from each one's stamp to its mark."""
    stream = websocket.create_connection(url)
    sock = stream.sock
    assert sock is not None
    sock.setblocking(False)
    poll = select.epoll()
    poll.register(sock.fileno(), select.EPOLLIN)
    feed, decode = FrameDecoder(2**22).feed, msgspec.json.Decoder(Combined).decode
    windows: dict[str, tuple[Decimal, ...]] = {}
    taken_ns: list[int] = []
    while len(taken_ns) < count:
        poll.poll()
        for frame in feed(sock.recv(READ_BYTES)):
            quote = decode(frame).data
            mark = (Decimal(quote.b) + Decimal(quote.a)) / 2
            windows[quote.s] = (*windows.get(quote.s, ())[1 - WINDOW :], mark)
            taken_ns.append(since(quote.E))
    return quantiles(taken_ns)


if __name__ == "__main__":
    print(json.dumps(latency(sys.argv[1], int(sys.argv[2]))))
