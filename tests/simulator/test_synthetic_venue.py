from __future__ import annotations

import asyncio
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
import requests
import websocket

from perps_actors.kernel.clock import SystemClock
from perps_actors.simulator import source as source_module
from perps_actors.simulator.faults import FaultPlan
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.process import VenueProcess
from perps_actors.simulator.server import VenueServer
from perps_actors.simulator.source import ServedConnection
from perps_actors.simulator.venues import side_of


@pytest.fixture(scope="module")
def venue():
    with VenueProcess.start("--seed", "4", "--symbols", "BTCUSDT,ETHUSDT") as started:
        yield started


def test_the_process_reports_addresses_and_symbols(venue: VenueProcess) -> None:
    assert (venue.venue, venue.symbols, venue.provenance) == (
        "binance_futures",
        ("BTCUSDT", "ETHUSDT"),
        "synthetic",
    )
    assert venue.endpoints.stream.startswith("ws://127.0.0.1:")
    assert venue.endpoints.rest.removeprefix("http") == venue.endpoints.stream.removeprefix("ws")


def test_book_frames_continue_the_snapshot_without_gaps(venue: VenueProcess, clients) -> None:
    reader = clients.reader(venue, "/public/stream?streams=btcusdt@depth@100ms")
    reader.wait_for(1)
    snapshot = requests.get(
        venue.endpoints.rest + "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", timeout=10
    ).json()
    changes = [json.loads(frame)["data"] for frame in reader.wait_for(5)]
    assert all(after["pu"] == before["u"] for before, after in pairwise(changes))
    assert changes[0]["U"] <= snapshot["lastUpdateId"] <= changes[-1]["u"]
    assert len(snapshot["bids"]) == 25


def test_a_stream_on_the_wrong_path_is_acknowledged_and_sends_nothing(
    venue: VenueProcess, clients
) -> None:
    reader = clients.reader(venue, "/public/ws")
    reader.socket.send(
        '{"method":"SUBSCRIBE","params":["btcusdt@markPrice@1s","ethusdt@bookTicker"],"id":7}'
    )
    frames = [json.loads(frame) for frame in reader.wait_for(15)]
    assert frames[0] == {"result": None, "id": 7}
    assert {(frame["e"], frame["s"]) for frame in frames[1:]} == {("bookTicker", "ETHUSDT")}


def test_the_market_path_carries_marks_and_trades(venue: VenueProcess, clients) -> None:
    reader = clients.reader(venue, "/market/stream?streams=btcusdt@markPrice@1s/btcusdt@aggTrade")
    while {json.loads(frame)["data"]["e"] for frame in reader.frames} != {
        "markPriceUpdate",
        "aggTrade",
    }:
        reader.wait_for(len(reader.frames) + 1)


def test_a_ping_is_answered_with_its_own_payload(venue: VenueProcess, clients) -> None:
    socket = clients.socket(venue, "/market/ws")
    socket.ping("still there?")
    assert socket.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"still there?")
    socket.close()


@pytest.mark.parametrize("path", ["/private/stream", "/", "/fapi/v1/ping"])
def test_a_websocket_on_a_path_without_streams_is_refused(
    venue: VenueProcess, clients, path: str
) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        clients.socket(venue, path)


def test_an_unknown_symbol_gets_the_venues_error(venue: VenueProcess) -> None:
    answer = requests.get(
        venue.endpoints.rest + "/fapi/v1/ticker/bookTicker?symbol=NOPE", timeout=10
    )
    assert (answer.status_code, answer.json()) == (400, {"code": -1121, "msg": "Invalid symbol."})
    assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) >= 2


class Watched(source_module.SyntheticVenue):
    """A synthetic venue that reports the end of a connection."""

    def ended(self, connection: ServedConnection) -> None:
        super().ended(connection)
        self.lost.set()


def test_a_client_that_does_not_read_is_disconnected_at_the_backlog_limit(
    monkeypatch: pytest.MonkeyPatch, clients
) -> None:
    monkeypatch.setattr(source_module, "BACKLOG_BYTES", 100_000)
    monkeypatch.setattr(source_module, "STEP_S", 0.0)
    symbols = [f"S{n}USDT" for n in range(200)]
    address = "/public/stream?streams=" + "/".join(
        f"{symbol.lower()}@depth@100ms" for symbol in symbols
    )

    async def scene() -> None:
        clock, side = SystemClock(), side_of("binance_futures")
        source = Watched(
            SyntheticMarket(side.name, symbols, side.terms, random.Random(1)), side, clock
        )
        source.lost = asyncio.Event()
        async with (
            asyncio.timeout(20),
            VenueServer(source, side, clock, plan=FaultPlan(), seed=0) as server,
        ):
            deaf = await asyncio.to_thread(
                clients.connect, f"ws://127.0.0.1:{server.port}{address}"
            )
            await source.lost.wait()
            with pytest.raises((OSError, websocket.WebSocketException)):
                await asyncio.to_thread(read_all, deaf)
            deaf.shutdown()

    asyncio.run(scene())


def read_all(socket: websocket.WebSocket) -> None:
    while socket.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
        pass


def faulty(tmp_path: Path, *faults: dict[str, object], **options: object) -> VenueProcess:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(faults))
    more = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return VenueProcess.start("--faults", str(path), *more)


def test_a_gap_omits_only_book_frames(tmp_path: Path, clients) -> None:
    with faulty(tmp_path, {"at_s": 0.0, "do": "gap", "for_s": 0.7}) as venue:
        reader = clients.reader(
            venue, "/public/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms"
        )
        frames = [json.loads(frame)["data"] for frame in reader.wait_for(25)]
    kinds = [frame["e"] for frame in frames]
    assert kinds[:3] == ["bookTicker"] * 3
    assert "depthUpdate" in kinds


def test_garbage_is_sent_between_intact_frames(tmp_path: Path, clients) -> None:
    with faulty(tmp_path, {"at_s": 0, "do": "garbage", "for_s": 60}, seed=3) as venue:
        frames = clients.reader(venue, "/public/stream?streams=btcusdt@depth@100ms").wait_for(8)
    whole = [
        json.loads(frame)["data"]
        for frame in frames
        if frame.startswith(b'{"stream"') and frame.endswith(b"}}")
    ]
    assert len(whole) == 4
    assert all(after["pu"] == before["u"] for before, after in pairwise(whole))


def test_refused_requests_have_a_retry_after(tmp_path: Path) -> None:
    with faulty(tmp_path, {"at_s": 0, "do": "refuse_rest", "for_s": 60}) as venue:
        answer = requests.get(venue.endpoints.rest + "/fapi/v1/ping", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (429, -1003)
    assert 50 <= int(answer.headers["Retry-After"]) <= 60


def test_a_dropped_connection_has_no_close_frame_and_can_be_reopened_later(
    tmp_path: Path, clients
) -> None:
    with faulty(tmp_path, {"at_s": 0.6, "do": "drop_connection"}) as venue:
        reader = clients.reader(venue, "/public/stream?streams=btcusdt@bookTicker")
        reader.wait_until_closed()
        assert reader.close_code is None
        clients.reader(venue, "/public/stream?streams=btcusdt@bookTicker").wait_for(1)


def test_silence_delays_frames_and_pongs_until_its_end(tmp_path: Path, clients) -> None:
    with faulty(tmp_path, {"at_s": 0, "do": "silence", "for_s": 1.5}) as venue:
        socket = clients.socket(venue, "/public/stream?streams=btcusdt@depth@100ms")
        socket.ping("anybody?")
        socket.settimeout(0.3)
        with pytest.raises(websocket.WebSocketTimeoutException):
            socket.recv_data(control_frame=True)
        socket.settimeout(10)
        changes = [json.loads(socket.recv())["data"] for _ in range(5)]
        socket.close()
    assert all(after["pu"] == before["u"] for before, after in pairwise(changes))


def test_a_stream_unsubscribed_and_subscribed_at_once_begins_with_a_snapshot(clients) -> None:
    topic = "orderbook.50.BTCUSDT"
    with VenueProcess.start("--venue", "bybit") as venue:
        reader = clients.reader(venue, "/v5/public/linear")
        reader.socket.send(json.dumps({"op": "subscribe", "args": [topic]}))
        reader.wait_for(4)
        for op in ("unsubscribe", "subscribe"):
            reader.socket.send(json.dumps({"op": op, "args": [topic]}))
        books = [book for frame in reader.wait_for(20) if "topic" in (book := json.loads(frame))]
    first, again = (number for number, book in enumerate(books) if book["type"] == "snapshot")
    numbers = [book["data"]["u"] for book in books[again:]]
    assert first == 0
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(books[again]["data"]["b"]) == 25
