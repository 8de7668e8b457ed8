from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import websocket

from perps_actors.simulator.process import VenueProcess

DATA = Path(os.environ.get("PERPS_ACTORS_DATA", Path(__file__).parents[3] / "shared" / "data"))
EVENTS = {"bookTicker": "bookTicker", "markPrice": "markPriceUpdate"}


@pytest.fixture
def real_recording() -> Path:
    folder = DATA / "recordings" / "binance_futures"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {DATA} (set PERPS_ACTORS_DATA)")
    return folder


@attrs.define
class Reader:
    """A client that reads one WebSocket on a thread until it is closed."""

    socket: websocket.WebSocket
    frames: list[bytes] = attrs.Factory(list)
    close_code: int | None = None
    close_reason: str = ""
    thread: threading.Thread | None = None
    arrived: threading.Condition = attrs.Factory(threading.Condition)

    def start(self) -> Reader:
        self.thread = threading.Thread(target=self._read, name="test-reader")
        self.thread.start()
        return self

    def _read(self) -> None:
        try:
            while True:
                opcode, data = self.socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    self.close_code, self.close_reason = int.from_bytes(data[:2]), data[2:].decode()
                    return
                with self.arrived:
                    self.frames.append(data)
                    self.arrived.notify_all()
        except (OSError, websocket.WebSocketException):
            return
        finally:
            self.socket.shutdown()
            with self.arrived:
                self.arrived.notify_all()

    def wait_for(self, count: int, timeout_s: float = 10.0) -> list[bytes]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.frames) >= count, timeout_s), (
                f"{len(self.frames)} of {count} frames came"
            )
            return list(self.frames)

    def wait_until_closed(self, timeout_s: float = 15.0) -> None:
        assert self.thread is not None
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), "the connection was not closed"


class Clients:
    """Opens connections to a venue, and closes them after the test."""

    def __init__(self) -> None:
        self._open: list[Reader] = []

    def socket(self, venue: VenueProcess, path: str) -> websocket.WebSocket:
        return self.connect(venue.endpoints.stream + path)

    def connect(self, url: str) -> websocket.WebSocket:
        return websocket.create_connection(url, timeout=15, skip_utf8_validation=True)

    def reader(self, venue: VenueProcess, path: str) -> Reader:
        reader = Reader(self.socket(venue, path)).start()
        self._open.append(reader)
        return reader

    def close(self) -> None:
        for reader in self._open:
            if reader.socket.sock is not None:
                reader.socket.sock.shutdown(2)
            reader.wait_until_closed()


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    made.close()


@attrs.frozen
class Tape:
    """A recording that a test writes line by line."""

    folder: Path
    lines: list[dict[str, Any]] = attrs.Factory(list)

    def frame(self, stream: str, *, t: float | None = None, **data: Any) -> bytes:
        symbol, kind = stream.split("@")[:2]
        named = {"e": EVENTS[kind], "E": data.get("T")} if kind in EVENTS else {}
        text = json.dumps(
            {"stream": stream, "data": {**named, "s": symbol.upper(), **data}},
            separators=(",", ":"),
        )
        self.lines.append({"t": t, "conn": "ws-1", "dir": "ws", "url": "wss://venue", "data": text})
        return text.encode()

    def depth(
        self, symbol: str, last: int, *, t: float | None = None, **sides: list[list[str]]
    ) -> bytes:
        rest = {"e": "depthUpdate", "E": last, "T": last, "U": last, "u": last, "pu": last - 1}
        return self.frame(
            f"{symbol.lower()}@depth@100ms", t=t, **rest, b=sides.get("b", []), a=sides.get("a", [])
        )

    def answer(self, path: str, body: str, *, t: float | None = None) -> None:
        self.lines.append(
            {
                "t": t,
                "conn": "http-0",
                "dir": "http",
                "url": f"https://fapi.binance.com{path}",
                "data": body,
            }
        )

    def write(self, meta: dict[str, Any] | None = None) -> Path:
        self.folder.mkdir(exist_ok=True)
        with gzip.open(self.folder / "raw.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(line) + "\n" for line in self.lines)
        if meta is not None:
            (self.folder / "meta.json").write_text(json.dumps(meta))
        return self.folder


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path / "recording")
