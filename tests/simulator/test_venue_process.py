from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from perps_actors.errors import SimulatorError
from perps_actors.simulator.process import VenueProcess

PARENT = """
import sys
from perps_actors.simulator.process import VenueProcess
venue = VenueProcess.start()
print(venue.pid, flush=True)
sys.stdin.read()
"""


def open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_no_process_thread_or_pipe_is_left_after_a_stop() -> None:
    threads, files = threading.enumerate(), open_files()
    with VenueProcess.start() as venue:
        assert venue.running
    assert not venue.running
    assert threading.enumerate() == threads
    assert open_files() == files
    venue.stop()


def test_an_interrupt_does_not_end_the_process() -> None:
    with VenueProcess.start() as venue:
        os.kill(venue.pid, signal.SIGINT)
        for _ in range(3):
            assert (
                requests.get(venue.endpoints.rest + "/fapi/v1/ping", timeout=5).status_code == 200
            )
        assert venue.running
        assert os.getpgid(venue.pid) != os.getpgid(0)


def test_a_killed_venue_is_not_running() -> None:
    with VenueProcess.start() as venue:
        venue.kill()
        assert not venue.running
        with pytest.raises(requests.ConnectionError):
            requests.get(venue.endpoints.rest + "/fapi/v1/ping", timeout=5)


def test_the_process_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            # A pidfd becomes readable when its process has ended.
            assert select.select([child], [], [], 10)[0], "the venue outlived its parent"
        finally:
            os.close(child)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--venue", "nowhere"), "venue = 'nowhere'"),
        (("--recording", "/nonexistent"), "recording = '/nonexistent'"),
        (("--symbols", "btc-usdt"), "symbols = 'btc-usdt'"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_a_venue_that_does_not_start_reports_the_cause(
    arguments: tuple[str, ...], said: str
) -> None:
    threads, files = threading.enumerate(), open_files()
    with pytest.raises(SimulatorError, match=said):
        VenueProcess.start(*arguments)
    assert (threading.enumerate(), open_files()) == (threads, files)


def test_a_venue_that_is_not_ready_at_the_deadline_is_ended() -> None:
    with pytest.raises(SimulatorError, match=r"did not listen within 0\.001 s"):
        VenueProcess.start(deadline_s=0.001)


def test_the_end_of_a_recording_is_announced_in_one_line(tape, clients) -> None:
    tape.frame("ausdt@bookTicker", n=1)
    command = [
        sys.executable,
        "-m",
        "perps_actors.simulator",
        "--recording",
        str(tape.write()),
        "--speed",
        "0",
        "--parent-pipe",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        ready = json.loads(child.stdout.readline())
        for _ in range(3):
            socket = clients.connect(ready["stream"] + "/public/stream?streams=ausdt@bookTicker")
            while socket.recv_data()[0] != 8:
                pass
            socket.shutdown()
        assert json.loads(child.stdout.readline()) == {"event": "finished", "frames_sent": 1}
        socket = clients.connect(ready["stream"] + "/public/stream?streams=ausdt@bookTicker")
        assert socket.recv_data()[0] == 8
        socket.shutdown()
        child.stdin.close()
        assert child.stdout.read() == b""
    assert child.returncode == 0


def test_progress_of_the_subscribed_streams_is_announced(tape, clients) -> None:
    for number in range(3):
        tape.frame("ausdt@bookTicker", n=number)
        tape.frame("busdt@bookTicker", n=number)
    with VenueProcess.start(
        "--recording", str(tape.write()), "--speed", "0", "--progress"
    ) as venue:
        assert venue.progress is None
        socket = clients.connect(venue.endpoints.stream + "/public/stream?streams=ausdt@bookTicker")
        while socket.recv_data()[0] != 8:
            pass
        socket.shutdown()
        assert venue.finished.wait(10)
        assert venue.progress == (3, 3)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"dir":"ws","data":"{}","t":1}\n{"dir":"ws', "line 1"),
        (b'{"dir":"ws","data":"%%%","enc":"base64"}\n', "line 0"),
    ],
)
def test_a_damaged_recording_is_refused_with_file_and_line(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    (tmp_path / "raw.jsonl").write_bytes(raw)
    with pytest.raises(SimulatorError, match=rf"raw\.jsonl: {said}"):
        VenueProcess.start("--recording", str(tmp_path))
