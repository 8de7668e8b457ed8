"""A server of `bookTicker` frames in a process of its own.

Usage: python -m benchmarks.ticker_server COUNT RATE

Prints its port. Each WebSocket on `/public` gets COUNT frames of 480 bytes, prepared beforehand so
that the server costs little. With RATE 0 they are sent as fast as the client reads. Otherwise RATE
frames are sent per second, and field `E` of each carries the monotonic time at which it was sent.
WebSockets on other paths get no frames; any other request is answered with an empty list.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator

FRAME_BYTES = 480
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK = 500
STAMPS = 10**12


def stamp() -> int:
    """Return the monotonic time in microseconds, in the range of a venue's milliseconds."""
    return time.monotonic_ns() // 1_000 % STAMPS


def since(stamped: int) -> int:
    """Return nanoseconds since a `stamp`."""
    return (stamp() - stamped) % STAMPS * 1_000


def payload(number: int, stamped: int) -> bytes:
    symbol = SYMBOLS[number % len(SYMBOLS)]
    price = 50_000 + number % 1_000
    text = (
        f'{{"stream":"{symbol.lower()}@bookTicker",'
        f'"data":{{"e":"bookTicker","u":{number},"s":"{symbol}",'
        f'"b":"{price}.10","B":"31.21","a":"{price}.20","A":"40.66","T":1700000000000,"E":{stamped}'
    )
    return f'{text},"pad":"{"x" * (FRAME_BYTES - len(text) - 11)}"}}}}'.encode()


def framed(data: bytes) -> bytes:
    return bytes((0x81, 126)) + len(data).to_bytes(2, "big") + data


def flood(count: int) -> Iterator[bytes]:
    for start in range(0, count, CHUNK):
        yield b"".join(
            framed(payload(n, 1_700_000_000_000)) for n in range(start, min(start + CHUNK, count))
        )


class Handler(socketserver.BaseRequestHandler):
    """One connection: a WebSocket or a REST client."""

    request: socket.socket
    count = 0
    rate = 0.0

    def handle(self) -> None:
        """Serve the connection until the client closes it."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(65_536)
            if not data:
                return
            head += data
        if b"upgrade: websocket" not in head.lower():
            self.request.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
            )
            return
        key = next(
            line.split(b":", 1)[1].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        self.request.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        if head.startswith(b"GET /public"):
            self.send_frames()
        while self.request.recv(65_536):
            pass

    def send_frames(self) -> None:
        """Send all frames, at the rate if there is one."""
        if not self.rate:
            for chunk in flood(self.count):
                self.request.sendall(chunk)
            return
        pause = threading.Event()
        start_ns = time.monotonic_ns()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(self.count):
            due_ns = start_ns + int(number / self.rate * 1e9)
            pause.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            self.request.sendall(framed(payload(number, stamp())))


class Server(socketserver.ThreadingTCPServer):
    """Serves each connection on a thread."""

    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that closes its connection early."""


def main() -> None:
    Handler.count, Handler.rate = int(sys.argv[1]), float(sys.argv[2])
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
