"""Every example runs, as a program of its own, and prints what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perps_actors.simulator.process import VenueProcess

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PRICE = r"\d+(\.\d+)?"


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with VenueProcess.start() as process:
        yield process


def started(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(name: str, *arguments: str) -> list[str]:
    done = started(name, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_launch_shows_marks_and_stops_cleanly() -> None:
    *shown, last = run("launch.py", "--seconds", "2")
    assert any(
        re.fullmatch(rf"binance_futures:BTCUSDT {PRICE} from the book, \d+ in the window", line)
        for line in shown
    )
    assert re.fullmatch(r"\d+ marks, clean stop: True", last)


def test_launch_runs_the_markets_of_a_file(venue, tmp_path) -> None:
    endpoints = venue.endpoints
    config = tmp_path / "perps.toml"
    config.write_text(
        f'[[market]]\nvenue = "{venue.venue}"\nsymbols = ["ETHUSDT"]\nprovenance = "synthetic"\n'
        f'endpoints = {{ stream = "{endpoints.stream}", rest = "{endpoints.rest}" }}\n'
    )
    *shown, _ = run("launch.py", "--config", str(config), "--seconds", "2")
    assert shown
    assert all(line.startswith("binance_futures:ETHUSDT ") for line in shown)


@pytest.mark.parametrize("options", [["--market", "nowhere:A"], ["--recording", "/nonexistent"]])
def test_launch_refuses_unusable_options_in_one_line(options) -> None:
    done = started("launch.py", *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("name", ["candles.py", "embed.py", "embed_asyncio.py"])
def test_an_example_that_needs_arguments_says_so_without_them(name) -> None:
    done = started(name)
    assert done.returncode == 1
    assert f"Run: python examples/{name} " in done.stderr
    assert "Traceback" not in done.stderr


def test_embed_gets_marks_events_a_full_window_and_a_verdict(venue) -> None:
    *told, marks, verdict = run("embed.py", venue.endpoints.stream, venue.endpoints.rest, "BTCUSDT")
    assert told == ["feed_health BTCUSDT marks arrive"]
    assert re.fullmatch(rf"BTCUSDT {PRICE} from the book; 25 marks from {PRICE} to {PRICE}", marks)
    assert verdict == "may open a position: True (fresh mark)"


def test_an_asyncio_program_streams_marks_and_events_at_the_same_time_and_awaits_a_verdict(
    venue,
) -> None:
    *told, verdict = run(
        "embed_asyncio.py", venue.endpoints.stream, venue.endpoints.rest, "ETHUSDT"
    )
    highs = [float(line.split()[-1]) for line in told if line.startswith("new high: ETHUSDT ")]
    assert highs
    assert highs == sorted(set(highs))
    assert [line for line in told if not line.startswith("new high: ")] == [
        "feed_health ETHUSDT marks arrive"
    ]
    assert verdict == "may open a position: True (fresh mark)"


def test_marks_of_an_own_broker_fall_to_its_quotes_and_climb_back_to_its_books() -> None:
    (said,) = run("own_broker.py")
    assert re.fullmatch(
        rf"BTC-PERP {PRICE} from the book, \d+ marks in the window; rest, then book", said
    )


def test_of_many_systems_one_is_changed_and_the_others_go_on_as_they_were() -> None:
    assert run("many_systems.py") == [
        "books: BTCUSDT from the book",
        "touches: BTCUSDT from the touch",
        "changed: symbols, marks.long",
        "event: {'symbols': \"('BTCUSDT',) -> ('ETHUSDT',)\", 'marks.long': '20 -> 50'}",
        "books: BTCUSDT from the book",
        "touches: ETHUSDT from the touch",
    ]


def test_the_kernel_alone_loses_just_the_message_that_kills_its_actor() -> None:
    said = run("kernel_alone.py")
    assert said[:2] == ["actor_died: adder, lost 'three'", "actor_restarted: adder"]
    assert "dead_letters=1" in said[2]
    assert said[3:] == ["threads left: ()"]


def test_every_example_has_a_test_here_and_at_most_80_lines() -> None:
    tested = set(re.findall(r'run\(\s*"(\w+\.py)"', Path(__file__).read_text()))
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested
    for name in tested:
        assert len((EXAMPLES / name).read_text().splitlines()) <= 80


def test_the_last_hour_has_twelve_or_thirteen_candles_and_the_last_day_three_fundings(
    venue,
) -> None:
    *candles, first, second, third = run(
        "candles.py", "binance_futures", "BTCUSDT", venue.endpoints.rest
    )
    assert len(candles) in (12, 13)
    assert all(
        re.fullmatch(
            rf"\d\d:[0-5][05] open {PRICE} high {PRICE} low {PRICE} close {PRICE} volume {PRICE}",
            line,
        )
        for line in candles
    )
    assert all(
        re.fullmatch(rf"\d{{4}}-\d\d-\d\d (00|08|16):00 paid -?{PRICE}", line)
        for line in (first, second, third)
    )
