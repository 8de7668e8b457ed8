from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

COMMAND = [sys.executable, "-c", "from perps_actors.cli.simulate import simulate; simulate()"]


def refused(*arguments: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_command_prints_its_addresses_and_serves_until_interrupted(number, expected) -> None:
    with subprocess.Popen(
        [*COMMAND, "--symbols", "BTCUSDT"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        ready = json.loads(child.stdout.readline())
        assert (ready["event"], ready["symbols"], ready["provenance"]) == (
            "ready",
            ["BTCUSDT"],
            "synthetic",
        )
        assert requests.get(ready["rest"] + "/fapi/v1/ping", timeout=10).json() == {}
        child.send_signal(number)
        assert (child.stdout.read(), child.stderr.read()) == ("", "")
    assert child.returncode == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--venue", "nowhere"), "venue = 'nowhere'"),
        (("--faults", "/nonexistent.json"), "/nonexistent.json"),
        (("--recording", "/nonexistent"), "recording = '/nonexistent'"),
        (("--symbols", "b c"), "symbols = 'b c'"),
    ],
)
def test_unusable_input_is_one_line_on_standard_error_with_exit_code_2(
    arguments: tuple[str, ...], said: str
) -> None:
    invalid_input = refused(*arguments)
    assert said in invalid_input
    assert invalid_input.count("\n") == 1


def test_options_that_the_recording_cannot_serve_are_refused(tmp_path: Path) -> None:
    (tmp_path / "raw.jsonl").write_text(
        '{"dir":"ws","data":"{\\"stream\\":\\"ausdt@bookTicker\\",\\"data\\":{}}","t":1}\n'
    )
    assert "speed = -1.0" in refused("--recording", str(tmp_path), "--speed", "-1")
    assert "symbols = 'BUSDT'" in refused("--recording", str(tmp_path), "--symbols", "BUSDT")
    (tmp_path / "meta.json").write_text('{"venue": "nowhere"}')
    assert "venue = 'nowhere'" in refused("--recording", str(tmp_path))
    assert "recording of 'nowhere'" in refused(
        "--recording", str(tmp_path), "--venue", "binance_futures"
    )


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port = {port}" in refused("--port", str(port))
