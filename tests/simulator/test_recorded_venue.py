from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
import requests
import websocket

from perps_actors.errors import SimulatorError
from perps_actors.simulator.process import VenueProcess
from perps_actors.simulator.recording import read_recording

PUBLIC = ("depth@100ms", "bookTicker")
MARKET = ("aggTrade", "markPrice@1s")
SNAPSHOT = '{"lastUpdateId":10,"E":1,"T":1,"bids":[["1.0","5"]],"asks":[["1.2","6"]]}'


def play(folder: Path, speed: float = 0) -> VenueProcess:
    return VenueProcess.start("--recording", str(folder), "--speed", str(speed))


def address(route: str, symbols, kinds) -> str:
    return f"/{route}/stream?streams=" + "/".join(
        f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds
    )


def lines_of(folder: Path) -> list[dict]:
    return [
        json.loads(line)
        for line in gzip.decompress((folder / "raw.jsonl.gz").read_bytes()).splitlines()
    ]


def get(venue: VenueProcess, path: str) -> requests.Response:
    return requests.get(venue.endpoints.rest + path, timeout=10)


def test_two_connections_get_the_recorded_frames_of_each_stream_in_order(
    real_recording: Path, clients
) -> None:
    lines = lines_of(real_recording)
    recorded = [line["data"].encode() for line in lines if line["dir"] == "ws"]
    with play(real_recording) as venue:
        readers = [
            clients.reader(venue, address(route, venue.symbols, kinds))
            for route, kinds in (("public", PUBLIC), ("market", MARKET))
        ]
        for symbol in venue.symbols:
            get(venue, f"/fapi/v1/depth?symbol={symbol}&limit=1000")
        for reader, kinds in zip(readers, (PUBLIC, MARKET), strict=True):
            reader.wait_until_closed()
            assert (reader.close_code, reader.close_reason) == (1000, "end of recording")
            for symbol in venue.symbols:
                for kind in kinds:
                    head = f'{{"stream":"{symbol.lower()}@{kind}"'.encode()
                    assert [f for f in reader.frames if f.startswith(head)] == [
                        f for f in recorded if f.startswith(head)
                    ]
        assert sum(len(reader.frames) for reader in readers) == sum(
            b"@kline_1m" not in frame[:40] for frame in recorded
        )
        assert venue.finished.wait(10)


def test_a_request_gets_the_recorded_bytes(real_recording: Path) -> None:
    lines = lines_of(real_recording)
    recorded = {
        line["url"].removeprefix("https://fapi.binance.com"): line["data"]
        for line in lines
        if line["dir"] == "http"
    }
    assert len(recorded) == 5
    with play(real_recording) as venue:
        for path, body in recorded.items():
            answer = get(venue, path)
            assert answer.content == body.encode()
            assert answer.headers["Content-Type"].startswith("application/json")
        assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) == 4 * 20 + 1


@pytest.mark.parametrize("speed", [0, 1000])
def test_book_frames_after_a_snapshot_wait_for_its_request_while_other_streams_continue(
    tape, clients, speed: float
) -> None:
    before = tape.depth("AUSDT", 10, t=1.0)
    tape.answer("/fapi/v1/depth?symbol=AUSDT&limit=1000", SNAPSHOT, t=1.1)
    behind = [tape.depth("AUSDT", 11, t=1.2)]
    touch = tape.frame("ausdt@bookTicker", t=1.3, b="1.0", B="5", a="1.2", A="6", T=1)
    behind.append(tape.depth("AUSDT", 12, t=1.4))
    free = tape.depth("BUSDT", 5, t=1.5)
    with play(tape.write(), speed) as venue:
        reader = clients.reader(venue, address("public", ("AUSDT", "BUSDT"), PUBLIC))
        assert reader.wait_for(3) == [before, touch, free]
        get(venue, "/fapi/v1/depth?symbol=AUSDT&limit=500")
        reader.wait_until_closed()
        assert reader.frames == [before, touch, free, *behind]


def test_the_pace_is_the_recorded_one_times_the_speed(tape, clients) -> None:
    first, last = tape.depth("AUSDT", 1, t=100.0), tape.depth("AUSDT", 2, t=160.0)
    with play(tape.write(), speed=200) as venue:
        reader = clients.reader(venue, address("public", ("AUSDT",), PUBLIC))
        assert reader.wait_for(1) == [first]
        asked_early = get(venue, "/fapi/v1/depth?symbol=AUSDT&limit=5").json()["lastUpdateId"]
        assert reader.wait_for(2) == [first, last]
        assert asked_early == 1


def test_the_end_closes_all_connections_together_and_is_reported_once(tape, clients) -> None:
    tape.depth("AUSDT", 1)
    tape.answer("/fapi/v1/depth?symbol=AUSDT&limit=1000", SNAPSHOT)
    tape.depth("AUSDT", 2)
    tape.frame("ausdt@aggTrade", p="1")
    with play(tape.write()) as venue:
        market = clients.reader(venue, address("market", ("AUSDT",), MARKET))
        public = clients.reader(venue, address("public", ("AUSDT",), PUBLIC))
        market.wait_for(1)
        assert not venue.finished.wait(0.8)
        assert market.thread.is_alive()
        get(venue, "/fapi/v1/depth?symbol=AUSDT&limit=1000")
        market.wait_until_closed()
        public.wait_until_closed()
        assert venue.finished.wait(10)
        late = clients.reader(venue, address("public", ("AUSDT",), PUBLIC))
        late.wait_until_closed()
        assert (late.frames, late.close_code, late.close_reason) == ([], 1000, "end of recording")
        assert get(venue, "/fapi/v1/ping").json() == {}
        assert venue.frames_sent == 3


def test_a_connection_without_recorded_streams_stays_open_until_the_end(tape, clients) -> None:
    tape.depth("AUSDT", 1)
    tape.answer("/fapi/v1/depth?symbol=AUSDT&limit=1000", SNAPSHOT)
    tape.depth("AUSDT", 2)
    tape.frame("ausdt@aggTrade", p="1")
    with play(tape.write()) as venue:
        wrong = clients.reader(venue, address("market", ("AUSDT",), PUBLIC))
        right = clients.reader(venue, address("public", ("AUSDT",), PUBLIC))
        right.wait_for(1)
        assert wrong.thread.is_alive()
        get(venue, "/fapi/v1/depth?symbol=AUSDT&limit=1000")
        right.wait_until_closed()
        wrong.wait_until_closed()
        assert (wrong.frames, wrong.close_code) == ([], 1000)
        assert venue.finished.wait(10)


def test_a_stream_continues_on_the_next_connection_where_the_last_one_left_it(
    tape, clients
) -> None:
    tape.depth("AUSDT", 1)
    tape.answer("/fapi/v1/depth?symbol=AUSDT&limit=1000", SNAPSHOT)
    rest = [tape.depth("AUSDT", 11, b=[["1.1", "9"]]), tape.depth("AUSDT", 12)]
    with play(tape.write()) as venue:
        first = clients.reader(venue, address("public", ("AUSDT",), PUBLIC))
        first.wait_for(1)
        first.socket.sock.shutdown(2)
        first.wait_until_closed()
        second = clients.reader(venue, address("public", ("AUSDT",), PUBLIC))
        get(venue, "/fapi/v1/depth?symbol=AUSDT&limit=1000")
        second.wait_until_closed()
        assert second.frames == rest
        again = get(venue, "/fapi/v1/depth?symbol=AUSDT&limit=1000").json()
        assert (again["lastUpdateId"], again["bids"]) == (12, [["1.1", "9"], ["1.0", "5"]])


def test_the_nth_request_gets_the_nth_recorded_answer_and_later_ones_the_last(tape) -> None:
    for body in ('{"n":1}', '{"n":2}'):
        tape.answer("/fapi/v1/openInterest?symbol=AUSDT", body)
    tape.frame("ausdt@aggTrade", p="1")
    with play(tape.write()) as venue:
        answers = [get(venue, "/fapi/v1/openInterest?symbol=AUSDT").json()["n"] for _ in range(3)]
        assert answers == [1, 2, 2]


def test_missing_answers_are_built_from_meta_and_the_frames_sent(tape, clients) -> None:
    tape.depth("AUSDT", 4, b=[["1.05", "10"], ["1.04", "3"]], a=[["1.07", "2.5"]])
    tape.depth("AUSDT", 5, b=[["1.05", "0"]])
    tape.frame("busdt@bookTicker", b="2.0", B="1", a="2.5", A="3", T=7)
    tape.frame("ausdt@markPrice@1s", E=8, T=9000, p="1.06", i="1.055", r="0.0001")
    meta = {
        "venue": "binance_futures",
        "symbols": ["AUSDT", "BUSDT", "AUSDT_261225"],
        "perpetuals": ["AUSDT", "BUSDT"],
    }
    with play(tape.write(meta)) as venue:
        assert venue.symbols == ("AUSDT", "BUSDT")
        assert get(venue, "/fapi/v1/ticker/bookTicker").json() == []
        assert get(venue, "/fapi/v1/depth?symbol=AUSDT").status_code == 503
        for route, kinds in (("public", PUBLIC), ("market", MARKET)):
            clients.reader(venue, address(route, ("AUSDT", "BUSDT"), kinds)).wait_until_closed()
        listed = {
            row["symbol"]: row for row in get(venue, "/fapi/v1/exchangeInfo").json()["symbols"]
        }
        assert {symbol: row["contractType"] for symbol, row in listed.items()} == {
            "AUSDT": "PERPETUAL",
            "BUSDT": "PERPETUAL",
            "AUSDT_261225": "CURRENT_QUARTER",
        }
        assert [row["tickSize"] for row in listed["AUSDT"]["filters"] if "tickSize" in row] == [
            "0.01"
        ]
        book = get(venue, "/fapi/v1/depth?symbol=AUSDT").json()
        assert (book["lastUpdateId"], book["bids"], book["asks"]) == (
            5,
            [["1.04", "3"]],
            [["1.07", "2.5"]],
        )
        touches = {
            row["symbol"]: (row["bidPrice"], row["askPrice"])
            for row in get(venue, "/fapi/v1/ticker/bookTicker").json()
        }
        assert touches == {"AUSDT": ("1.04", "1.07"), "BUSDT": ("2.0", "2.5")}
        (premium,) = get(venue, "/fapi/v1/premiumIndex").json()
        assert (
            premium["symbol"],
            premium["markPrice"],
            premium["lastFundingRate"],
            premium["nextFundingTime"],
        ) == (
            "AUSDT",
            "1.06",
            "0.0001",
            9000,
        )


def test_a_client_that_does_not_read_stops_the_playback(tape, clients) -> None:
    padding = "x" * 20_000
    touch = {"b": "1", "B": "1", "a": "2", "A": "1", "padding": padding}
    count = len([tape.frame("ausdt@bookTicker", T=n, **touch) for n in range(2_000)])
    with play(tape.write()) as venue:
        socket = clients.socket(venue, "/public/ws")
        socket.send('{"method":"SUBSCRIBE","params":["ausdt@bookTicker"],"id":1}')
        assert json.loads(socket.recv()) == {"result": None, "id": 1}
        json.loads(socket.recv())
        # The recording has 40 MB; only a few socket buffers are between the file and the client.
        assert sent_when_it_stands_still(venue) < count - 1
        received = 1
        while socket.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
            received += 1
        assert received == count
        socket.shutdown()


def sent_when_it_stands_still(venue: VenueProcess) -> int:
    """Return the number of the latest touch once a hundred answers in a row are equal."""
    latest, same = -1, 0
    while same < 100:
        sent = get(venue, "/fapi/v1/ticker/bookTicker?symbol=AUSDT").json()["time"]
        latest, same = sent, same + 1 if sent == latest else 0
    return latest


def test_a_late_subscription_begins_with_the_book_of_the_frames_sent(tape, clients) -> None:
    def book(kind: str, number: int, t: float, *bids: list[str]) -> None:
        data = {"s": "AUSDT", "b": bids, "a": [["9", "1"]], "u": number, "seq": number}
        frame = {"topic": "orderbook.500.AUSDT", "type": kind, "ts": 1000 + number, "data": data}
        tape.lines.append(
            {"t": t, "conn": "ws-1", "dir": "ws", "url": "wss://venue", "data": json.dumps(frame)}
        )

    book("snapshot", 10, 1.0, ["5", "1"])
    book("delta", 11, 1.0, ["6", "1"])
    book("snapshot", 1, 1.0, ["4", "1"])
    book("delta", 2, 1.0, ["3", "7"])
    book("delta", 3, 9999.0, ["2", "1"])
    with play(
        tape.write({"venue": "bybit", "symbols": ["AUSDT"], "perpetuals": ["AUSDT"]}), 1.0
    ) as venue:
        reader = clients.reader(venue, "/v5/public/linear")
        reader.socket.send('{"op":"subscribe","args":["orderbook.50.AUSDT"]}')
        reader.wait_for(5)
        for op in ("unsubscribe", "subscribe"):
            reader.socket.send(json.dumps({"op": op, "args": ["orderbook.500.AUSDT"]}))
        sent = [frame for frame in map(json.loads, reader.wait_for(8)) if "topic" in frame]
        quote = get(venue, "/v5/market/tickers?category=linear&symbol=AUSDT").json()["result"][
            "list"
        ][0]
    assert [frame["data"]["u"] for frame in sent] == [10, 11, 1, 2, 2]
    assert sent[4]["type"] == "snapshot"
    assert (sent[4]["data"]["b"], sent[4]["data"]["a"]) == ([["4", "1"], ["3", "7"]], [["9", "1"]])
    assert (quote["bid1Price"], quote["ask1Price"], quote["markPrice"]) == ("4", "9", "")


@pytest.mark.parametrize("speed", [0, 20])
def test_a_recording_plays_to_its_end_for_a_client_that_only_polls(tape, speed: float) -> None:
    tape.frame("ausdt@bookTicker", t=100.0, b="1.0", B="5", a="1.2", A="6", T=1)
    tape.frame("ausdt@bookTicker", t=110.0, b="2.0", B="5", a="2.2", A="6", T=2)
    with play(tape.write(), speed) as venue:
        bids: list[str] = []
        while not venue.finished.wait(0.1) and len(bids) < 100:
            answer = get(venue, "/fapi/v1/ticker/bookTicker?symbol=AUSDT")
            bids += [answer.json()["bidPrice"]] if answer.ok else []
        assert venue.finished.is_set()
        assert bids[-1] == "2.0"
        assert ("1.0" in bids) == (speed == 20)


def test_without_meta_perpetuals_are_recognised_by_their_names(tape) -> None:
    for symbol in ("AUSDT", "AUSDT_261225", "BUSD_PERP"):
        tape.frame(f"{symbol.lower()}@bookTicker", b="1.0", B="5", a="1.2", A="6", T=1)
    with play(tape.write()) as venue:
        assert venue.symbols == ("AUSDT", "BUSD_PERP")


def test_a_recording_without_perpetuals_serves_all_symbols(tape) -> None:
    tape.frame("ausdt_261225@bookTicker", b="1.0", B="5", a="1.2", A="6", T=1)
    with play(tape.write()) as venue:
        assert venue.symbols == ("AUSDT_261225",)


def test_a_recording_of_another_venue_without_meta_is_refused_with_the_missing_file(tape) -> None:
    frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": []}
    tape.lines.append({"t": 1.0, "conn": "ws-1", "dir": "ws", "data": json.dumps(frame)})
    meta = re.escape(str(tape.folder / "meta.json"))
    with pytest.raises(SimulatorError, match=rf"^{meta}: venue: not found.*--venue"):
        read_recording(tape.write())
    assert read_recording(tape.folder, "bybit").symbols == ("BTCUSDT",)


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_frames_is_refused_with_the_files_it_should_have(tape, exists) -> None:
    if exists:
        tape.folder.mkdir()
    with pytest.raises(SimulatorError, match=r"raw\.jsonl\.gz or raw\.jsonl") as refused:
        read_recording(tape.folder)
    assert str(tape.folder) in str(refused.value)
    assert ("not a folder" in str(refused.value)) is not exists
