from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from perps_actors.journal.event_text import json_line
from perps_actors.journal.sqlite_reader import SqliteJournalReader

DATA = Path(
    os.environ.get("PERPS_ACTORS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)

PROGRAM = """
import gzip, json, sys
from urllib.parse import parse_qs, urlsplit

from perps_actors.settings import JournalSettings, Settings
from perps_actors.host.system import PerpsSystem
from perps_actors.testing import FakeNetwork, SimulatedRuntime

folder, journal, seed, cut_at = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with gzip.open(f"{folder}/raw.jsonl.gz", "rt") as lines:
    tape = [json.loads(line) for line in lines]
runtime = SimulatedRuntime(seed=seed)
network = FakeNetwork(runtime.clock)
symbols = ("AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT")
settings = Settings(
    symbols=symbols,
    provenance="recording",
    lossless=True,
    journal=JournalSettings(path=journal),
)
system = PerpsSystem(settings, replace={"network": network, "runtime": runtime}).start()

def answer(purpose, body, **how):
    try:
        network.answer(purpose, body, **how)
    except LookupError:
        pass

for number, line in enumerate(tape):
    if number % 7 == 0:
        runtime.advance(0.05)
    if number % 100 == 0:
        row = {"symbol": "KEEPUSDT", "bidPrice": "1", "bidQty": "1", "askPrice": "2", "askQty": "1"}
        answer("quotes", json.dumps([row]).encode())
    if number == cut_at:
        network.end(network.link("public-0"), "cut", error=True)
    if line["dir"] == "http":
        runtime.settle()
        query = parse_qs(urlsplit(line["url"]).query)
        answer("depth", line["data"].encode(), symbol=query.get("symbol", ["-"])[0])
        continue
    stream = json.loads(line["data"])["stream"].partition("@")[2]
    connections = {"depth": "public-0", "bookTicker": "public-0", "aggTrade": "market-0"}
    connection = connections.get(stream.partition("@")[0])
    if connection is not None:
        try:
            network.deliver(connection, line["data"].encode())
        except LookupError:
            pass
assert system.drain().clean
print(runtime.trace(), runtime.steps)
"""


@pytest.fixture(scope="module")
def recording() -> Path:
    folder = DATA / "recordings" / "binance_futures"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {DATA} (set PERPS_ACTORS_DATA)")
    return folder


def play(
    recording: Path, journal: Path, *, seed: int, cut_at: int = -1, hash_seed: int = 0
) -> tuple[str, list[str]]:
    """Play the recording to a system in its own process; return its trace and events as text."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(recording), str(journal), str(seed), str(cut_at)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    with SqliteJournalReader(journal) as reader:
        return done.stdout, [json_line(sequence, event) for sequence, event in reader.events()]


def test_one_seed_gives_byte_identical_events_and_trace_in_every_process(
    recording, tmp_path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda n: play(recording, tmp_path / f"{n}.journal", seed=5, cut_at=400, hash_seed=n),
            (1, 2),
        )
    assert first == second
    assert len(first[1]) > 400
    assert any("ws_stream_error" in line for line in first[1])


def test_every_seed_gives_the_same_marks_of_each_symbol_in_the_same_order(
    recording, tmp_path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        played = list(
            pool.map(
                lambda seed: play(recording, tmp_path / f"{seed}.journal", seed=seed), range(3)
            )
        )
    assert len({trace for trace, _ in played}) == len(played)
    by_symbol = []
    for seed in range(3):
        with SqliteJournalReader(tmp_path / f"{seed}.journal") as reader:
            marks = [
                (event.symbol, event.source, event.data)
                for _, event in reader.events(kind="ws_mark_update")
            ]
        by_symbol.append(
            {symbol: [mark for mark in marks if mark[0] == symbol] for symbol, _, _ in marks}
        )
    assert by_symbol[0] == by_symbol[1] == by_symbol[2]
    assert sum(map(len, by_symbol[0].values())) > 400
