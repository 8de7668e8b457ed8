from __future__ import annotations

import gzip
import json
import subprocess
import sys
from base64 import b64encode

import pytest
from click.testing import CliRunner

from perps_actors.cli import decode as module

TICKER = (
    '{"e":"bookTicker","s":"BTCUSDT","b":"1.50","B":"2","a":"1.60","A":"1e-5",'
    '"T":1700000000001,"E":1700000000020}'
)
DEPTH_URL = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"


def raw(data, **more):
    return json.dumps(
        {"t": 1700000000.5, "conn": "ws-1", "dir": "ws", "url": "wss://x", "data": data} | more
    )


def depth(number, **more):
    event = {
        "e": "depthUpdate",
        "E": 1700000000000 + number,
        "s": "BTCUSDT",
        "U": number,
        "u": number,
        "pu": number - 1,
        "b": [["1.5", str(number)]],
        "a": [],
    }
    return raw(json.dumps(event | more))


def snapshot(last):
    body = {
        "lastUpdateId": last,
        "E": 1700000000000,
        "bids": [["1.50", "1"], ["1.40", "3"]],
        "asks": [["1.60", "2.0"]],
    }
    return raw(json.dumps(body), dir="http", url=DEPTH_URL)


def run(*arguments):
    return CliRunner().invoke(module.decode, [str(argument) for argument in arguments])


@pytest.fixture
def decoded(tmp_path):
    def decode_lines(*lines):
        path = tmp_path / "raw.jsonl"
        path.write_text(
            "".join(line + "\n" for line in lines), encoding="utf-8", errors="surrogateescape"
        )
        result = run("binance_futures", path)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr.splitlines()

    return decode_lines


def test_a_touch_is_printed_with_its_line_and_plain_numbers(decoded):
    expected = {
        "kind": "ticker",
        "t": 1700000000.5,
        "line": 1,
        "symbol": "BTCUSDT",
        "ts": "1700000000.02",
        "bid": "1.5",
        "ask": "1.6",
        "bid_size": "2",
        "ask_size": "0.00001",
    }
    assert decoded(raw("SUBSCRIBE", dir="sent"), raw(TICKER)) == ([expected], [])


def test_frames_in_base64_and_lines_without_a_time_are_read(decoded):
    events, invalid_inputs = decoded(raw(b64encode(TICKER.encode()).decode(), enc="base64", t=None))
    assert ([(event["kind"], event["t"], event["bid"]) for event in events], invalid_inputs) == (
        [("ticker", None, "1.5")],
        [],
    )


def test_trades_marks_funding_liquidations_and_open_interest_are_printed(decoded):
    trade = {
        "e": "aggTrade",
        "s": "BTCUSDT",
        "a": 7,
        "p": "1.50",
        "q": "10",
        "T": 1700000000003,
        "m": False,
    }
    mark = {
        "e": "markPriceUpdate",
        "E": 1700000000000,
        "s": "BTCUSDT",
        "p": "1.50",
        "i": "1.49",
        "r": "-0.0100",
        "T": 1700006400000,
    }
    order = {
        "e": "forceOrder",
        "E": 1700000000001,
        "o": {"s": "BTCUSDT", "S": "BUY", "q": "3.0", "p": "1.4", "ap": "1.410"},
    }
    interest = raw(
        '{"symbol":"BTCUSDT","openInterest":"12.50","time":1700000000001}',
        dir="http",
        url="https://any/fapi/v1/openInterest?symbol=BTCUSDT",
    )
    events, invalid_inputs = decoded(
        raw(json.dumps(trade)), raw(json.dumps(mark)), raw(json.dumps(order)), interest
    )
    common = ("t", "line", "symbol")
    assert invalid_inputs == []
    assert [
        {name: value for name, value in event.items() if name not in common} for event in events
    ] == [
        {
            "kind": "trade",
            "ts": "1700000000.003",
            "side": "buy",
            "price": "1.5",
            "amount": "10",
            "id": "7",
        },
        {"kind": "mark", "ts": "1700000000", "mark": "1.5", "index": "1.49"},
        {
            "kind": "funding",
            "ts": "1700000000",
            "rate": "-0.01",
            "predicted": None,
            "next_time": "1700006400",
            "mark": "1.5",
        },
        {
            "kind": "liquidation",
            "ts": "1700000000.001",
            "side": "buy",
            "price": "1.41",
            "amount": "3",
        },
        {"kind": "open_interest", "ts": "1700000000.001", "open_interest": "12.5"},
    ]


def test_depth_is_printed_after_every_hundredth_book_message_and_the_last(decoded):
    events, _ = decoded(depth(1), snapshot(1), *(depth(number) for number in range(2, 151)))
    assert events[0] == {
        "kind": "bbo",
        "t": 1700000000.5,
        "line": 1,
        "symbol": "BTCUSDT",
        "ts": "1700000000",
        "event": "snapshot",
        "bid": "1.5",
        "bid_size": "1",
        "ask": "1.6",
        "ask_size": "2",
        "bid_levels": 2,
        "ask_levels": 1,
        "seq": "1",
    }
    tops = [event for event in events if event["kind"] == "bbo"]
    depths = [event for event in events if event["kind"] == "depth"]
    assert len(tops) == 151
    assert [(event["line"], event["ts"], event["bids"]) for event in depths] == [
        (tops[99]["line"], tops[99]["ts"], [["1.5", "99"], ["1.4", "3"]]),
        (tops[150]["line"], tops[150]["ts"], [["1.5", "150"], ["1.4", "3"]]),
    ]
    assert depths[0]["asks"] == [["1.6", "2"]]


def test_depth_is_printed_once_if_the_last_message_is_a_hundredth(decoded):
    events, _ = decoded(snapshot(1), *(depth(number) for number in range(2, 101)))
    assert [event["line"] for event in events if event["kind"] == "depth"] == [99]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        "null",
        "x" * 5_000,
        "[" * 100_000,
        raw(7),
        raw(TICKER, dir="up"),
        raw(TICKER, dir=None),
        raw(TICKER, t="now"),
        raw(TICKER, t=-1),
        raw(TICKER, t=1e300),
        raw(TICKER, enc="gzip"),
        raw("%%%", enc="base64"),
        raw("no json"),
        '{"t":1,"dir":"ws"}',
        '{"t":1e999,"dir":"ws","data":""}',
        "\udcff\udcfe",
        '{"dir":"ws","data":"\udcff"}',
        raw("[]", dir="http", url=DEPTH_URL),
        raw("\\ud800"),
        '{"dir":"ws","data":"\\ud800"}',
    ],
    ids=lambda line: repr(line[:40]),
)
def test_an_invalid_line_is_reported_with_its_number_and_the_next_is_decoded(decoded, bad):
    events, invalid_inputs = decoded(raw(TICKER), bad, raw(TICKER))
    assert [event["line"] for event in events] == [0, 2]
    assert len(invalid_inputs) == 1
    assert invalid_inputs[0].startswith("line 1: ")
    assert len(invalid_inputs[0]) <= 200


def test_empty_lines_and_unknown_addresses_are_skipped_without_a_report(decoded):
    events, invalid_inputs = decoded(
        "", raw("{}", dir="http", url="https://fapi.binance.com/fapi/v1/time"), raw(TICKER)
    )
    assert ([event["line"] for event in events], invalid_inputs) == ([2], [])


def test_a_line_beyond_the_limit_is_reported_and_skipped(decoded, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 400)
    events, invalid_inputs = decoded(raw(TICKER), raw("x" * 2_000), "y" * 400, raw(TICKER))
    assert [event["line"] for event in events] == [0, 3]
    assert [invalid_input.split(":")[0] for invalid_input in invalid_inputs] == ["line 1", "line 2"]


def test_a_gzipped_file_is_decoded_as_a_plain_one_is(tmp_path):
    path = tmp_path / "raw.jsonl.gz"
    path.write_bytes(gzip.compress((raw(TICKER) + "\n").encode()))
    result = run("binance_futures", path)
    assert (result.exit_code, json.loads(result.stdout)["kind"]) == (0, "ticker")


def lines_refused(result):
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return line


def test_a_truncated_gzip_is_decoded_up_to_its_end_and_exits_with_2(tmp_path):
    path = tmp_path / "raw.jsonl.gz"
    lines = [snapshot(1), *(depth(number) for number in range(2, 2_000))]
    whole = gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0)
    path.write_bytes(whole[: len(whole) // 2])
    result = run("binance_futures", path)
    assert str(path) in lines_refused(result)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert 200 < len(events) < 1_900
    assert events[-1]["kind"] == "depth"


@pytest.mark.parametrize("damage", [b"\x00", b"\xff" * 50])
def test_a_damaged_gzip_is_decoded_up_to_the_damage_and_exits_with_2(tmp_path, damage):
    path = tmp_path / "raw.jsonl.gz"
    whole = bytearray(
        gzip.compress("".join(raw(TICKER, t=number) + "\n" for number in range(5_000)).encode())
    )
    middle = len(whole) // 2
    whole[middle : middle + len(damage)] = damage
    path.write_bytes(whole)
    result = run("binance_futures", path)
    assert result.exit_code == 2
    assert str(path) in result.stderr.splitlines()[-1]
    assert len(result.stdout.splitlines()) > 1_000


@pytest.mark.parametrize(
    "name",
    ["missing.jsonl", "missing.jsonl.gz", "folder.gz", "folder", "text.jsonl.gz", "noise.jsonl.gz"],
)
def test_an_unreadable_file_is_reported_on_one_line_with_exit_code_2(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.gz").mkdir()
    (tmp_path / "text.jsonl.gz").write_text(raw(TICKER))
    (tmp_path / "noise.jsonl.gz").write_bytes(gzip.compress(b"")[:10] + b"\xff" * 100)
    result = run("binance_futures", tmp_path / name)
    assert str(tmp_path / name) in lines_refused(result)
    assert result.stdout == ""


def test_an_unknown_venue_is_reported_with_the_known_ones_and_exit_code_2(tmp_path):
    line = lines_refused(run("binance", tmp_path / "raw.jsonl"))
    assert "venue = 'binance'" in line
    assert "binance_futures" in line


def test_a_closed_pipe_ends_decoding_without_an_error(tmp_path):
    path = tmp_path / "raw.jsonl"
    path.write_text("".join(raw(TICKER) + "\n" for _ in range(20_000)))
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        "from perps_actors.cli.decode import decode; decode()",
        "binance_futures",
        str(path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0
