"""A venue with compressed frames and its own pings (HTX), synthetic and recorded."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
from decimal import Decimal

import attrs
import pytest
import requests
import websocket

from perps_actors.host.session import RunOptions, Session
from perps_actors.kernel.clock import SystemClock
from perps_actors.simulator.faults import FaultPlan
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.process import VenueProcess
from perps_actors.simulator.server import VenueServer
from perps_actors.simulator.source import SyntheticVenue
from perps_actors.simulator.venues import side_of
from perps_actors.simulator.venues.htx_swap.stream import HtxSession
from perps_actors.venues.htx_swap.rest import HtxSwapRest
from tests.venues.htx_frames import packed

SIDE = side_of("htx_swap")
SYMBOLS = ("BTC-USDT", "BTC-USD")
START, STEP, STEPS = 1_700_000_000_000_000_000, 100_000_000, 60
MARKET_PATHS = {"BTC-USDT": "/linear-swap-ws", "BTC-USD": "/swap-ws"}


def step0(book) -> bytes:
    """A snapshot in the format of the recorded topics of coin-margined swaps."""
    sides = {
        name: [[float(price), int(size)] for price, size in levels]
        for name, levels in (("bids", book.bids), ("asks", book.asks))
    }
    ms, channel = book.venue_time_ns // 1_000_000, f"market.{book.symbol}.depth.step0"
    return json.dumps(
        {"ch": channel, "ts": ms, "tick": {**sides, "ch": channel, "version": ms // 1000}}
    ).encode()


@attrs.define
class Taped:
    """A recording with compressed frames of a contract of each margin type, and its data."""

    lines: list[dict] = attrs.Factory(list)
    frames: dict[str, list[bytes]] = attrs.Factory(dict)
    mids: dict[str, list[Decimal]] = attrs.Factory(dict)

    def put(self, frame: bytes, at_ns: int, stream: str | None = None) -> None:
        data = packed(frame.decode())
        self.frames.setdefault(stream or "", []).append(data)
        line = {"t": at_ns / 1e9, "conn": "ws-1", "dir": "ws", "url": "wss://api.hbdm.com/swap-ws"}
        self.lines.append({**line, "data": base64.b64encode(data).decode(), "enc": "base64"})

    def happened(self, market: SyntheticMarket, at_ns: int) -> None:
        for market_step in market.step(at_ns):
            symbol = market_step.depth.symbol
            for stream, frame in SIDE.streams.frames_of(market_step):
                whole = stream == "depth:BTC-USD"
                self.put(step0(market.depth(symbol)) if whole else frame, at_ns, stream)
            self.mids.setdefault(symbol, []).append(
                (Decimal(market_step.touch.bid) + Decimal(market_step.touch.ask)) / 2
            )
        self.put(b'{"ping":%d}' % (at_ns // 1_000_000), at_ns)


@pytest.fixture
def taped() -> Taped:
    market, made = SyntheticMarket("htx_swap", SYMBOLS, SIDE.terms, random.Random(5)), Taped()
    market.step(START)
    made.lines.append(
        {
            "t": START / 1e9,
            "conn": "ws-1",
            "dir": "sent",
            "url": "",
            "data": '{"sub":"market.BTC-USD.depth.step0"}',
        }
    )
    made.put(b'{"id":"1","status":"ok","subbed":"market.BTC-USD.depth.step0","ts":1}', START)
    for stream, frame in SIDE.streams.first_frames("book", "BTC-USDT", market):
        made.put(frame, START, stream)
    for step in range(1, STEPS + 1):
        made.happened(market, START + step * STEP)
    return made


@pytest.fixture
def folder(taped, tmp_path):
    with gzip.open(tmp_path / "raw.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in taped.lines)
    (tmp_path / "meta.json").write_text(
        json.dumps({"venue": "htx_swap", "symbols": SYMBOLS, "perpetuals": SYMBOLS})
    )
    return tmp_path


def subscribe(socket: websocket.WebSocket, *topics: str) -> None:
    for topic in topics:
        socket.send(
            json.dumps(
                {"op": "sub", "topic": topic} if topic.startswith("public.") else {"sub": topic}
            )
        )


# --- a recording


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_recorded_frames_are_sent_unchanged_on_the_path_of_their_margin_type(
    taped, folder, clients, symbol
) -> None:
    with VenueProcess.start("--recording", str(folder), "--speed", "0") as venue:
        reader = clients.reader(venue, MARKET_PATHS[symbol])
        subscribe(
            reader.socket, f"market.{symbol}.depth.size_150.high_freq", f"market.{symbol}.bbo"
        )
        reader.wait_until_closed()
    for kind in ("depth", "bbo"):
        recorded = taped.frames[f"{kind}:{symbol}"]
        assert [
            frame for frame in reader.frames if SIDE.streams.stream_of(frame) == f"{kind}:{symbol}"
        ] == recorded
    others = [
        json.loads(gzip.decompress(frame))
        for frame in reader.frames
        if SIDE.streams.stream_of(frame) is None
    ]
    assert [list(said) for said in others if "ping" not in said] == [["id", "status", "subbed"]] * 2


@pytest.mark.parametrize("source", ["book", "touch", "trades"])
def test_a_run_on_a_recording_makes_every_mark_and_ends_without_help(taped, folder, source) -> None:
    session = Session.open(RunOptions(recordings=(folder,), speed=0, source=source))
    assert session.processes[0].finished.wait(20)
    statistics = session.system.stream_statistics()
    summary = session.close()
    assert (
        summary["venue"],
        summary["clean_stop"],
        summary["events_dropped"],
        statistics.invalid_inputs,
    ) == ("htx_swap", True, 0, 0)
    for symbol in SYMBOLS:
        told = summary["symbols"][symbol]
        if source == "trades":
            assert told["marks"] == len(taped.frames[f"trade:{symbol}"])
        else:
            first_book = source == "book" and symbol == "BTC-USDT"
            assert told["marks"] == STEPS + first_book
            assert Decimal(told["last_mark"]) == taped.mids[symbol][-1]


def test_rest_serves_the_book_of_the_frames_sent(taped, folder, clients) -> None:
    with VenueProcess.start("--recording", str(folder), "--speed", "0") as venue:
        for symbol in SYMBOLS:
            reader = clients.reader(venue, MARKET_PATHS[symbol])
            subscribe(reader.socket, f"market.{symbol}.depth.step0")
            reader.wait_for(len(taped.frames[f"depth:{symbol}"]) + 2)
        for symbol, api in (("BTC-USDT", "linear-swap-ex"), ("BTC-USD", "swap-ex")):
            address = f"{venue.endpoints.rest}/{api}/market/depth?contract_code={symbol}&type=step0"
            book = HtxSwapRest().read_book(requests.get(address, timeout=10).content)
            assert (Decimal(book.bids[0].price) + Decimal(book.asks[0].price)) / 2 == taped.mids[
                symbol
            ][-1]


# --- pings


def serve(scene) -> None:
    """Play a scene with the address of a venue of the test's own process."""

    async def play() -> None:
        clock = SystemClock()
        source = SyntheticVenue(
            SyntheticMarket("htx_swap", SYMBOLS, SIDE.terms, random.Random(1)), SIDE, clock
        )
        async with (
            asyncio.timeout(20),
            VenueServer(source, SIDE, clock, plan=FaultPlan(), seed=0) as server,
        ):
            await asyncio.to_thread(scene, f"ws://127.0.0.1:{server.port}")

    asyncio.run(play())


def until_closed(socket: websocket.WebSocket):
    """Yield the uncompressed frames, then code and reason of the close."""
    while True:
        opcode, data = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            yield int.from_bytes(data[:2]), data[2:].decode()
            socket.shutdown()
            return
        assert opcode == websocket.ABNF.OPCODE_BINARY
        yield json.loads(gzip.decompress(data))


@pytest.mark.parametrize("path", ["/linear-swap-ws", "/swap-ws", "/ws_index", "/swap-notification"])
def test_a_client_with_unanswered_pings_is_closed_with_the_venues_code(
    monkeypatch, clients, path
) -> None:
    monkeypatch.setattr(HtxSession, "ping_every_s", 0.01)

    def scene(address: str) -> None:
        *pings, end = until_closed(clients.connect(address + path))
        assert [ping.get("op", "ping") for ping in pings] == ["ping"] * 4
        assert end == (1003, "ping check expired")

    serve(scene)


def test_a_client_that_answers_pings_stays_connected(monkeypatch, clients) -> None:
    monkeypatch.setattr(HtxSession, "ping_every_s", 0.05)

    def scene(address: str) -> None:
        socket, said = clients.connect(address + "/linear-swap-ws"), []
        subscribe(socket, "market.BTC-USDT.bbo")
        for each in until_closed(socket):
            said.append(each)
            if "ping" in each:
                socket.send(json.dumps({"pong": each["ping"]}))
            if sum("ping" in one for one in said) == 20:
                break
        socket.shutdown()
        assert sum("tick" in one for one in said) >= 5

    serve(scene)
