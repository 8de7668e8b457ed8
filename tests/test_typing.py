"""Type checkers of users accept right programs and catch wrong ones where they are wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import perps_actors

ROOT = Path(perps_actors.__file__).resolve().parents[1]

RIGHT = """
import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, assert_type

from perps_actors import (
    AsyncPerps, Change, Event, HostStream, InboxPolicy, InstrumentId, Mark, MarkSettings,
    Overflow, PerpsSystem, Settings, Subscription,
    SystemReport, Verdict, log_event, settings_of,
)


class Broker:
    def get_quote(self, symbol: str) -> dict[str, Any]:
        return {"bid": "1", "ask": "2"}

    def stream_orderbook(self, symbols: list[str], level: int = 1) -> Iterator[dict[str, Any]]:
        yield {}

    def stream_trades(self, symbols: list[str]) -> Iterator[dict[str, Any]]:
        yield {}


def on_mark(mark: Mark) -> None:
    assert_type(mark.mark, Decimal)


def on_event(event: Event) -> None:
    print(event.kind)


def threaded() -> None:
    settings = Settings(symbols=("BTCUSDT",), marks=MarkSettings(long=30))
    with PerpsSystem(settings, broker=Broker(), replace={"risk_monitor": None}) as perps:
        assert_type(perps, PerpsSystem)
        assert_type(perps.mark("BTCUSDT"), Mark | None)
        assert_type(perps.marks[InstrumentId("binance_futures", "BTCUSDT")], Mark)
        assert_type(perps.window("BTCUSDT"), tuple[Mark, ...])
        assert_type(perps.verdict("BTCUSDT"), Verdict)
        assert_type(perps.subscribe(on_mark), Subscription)
        newest = InboxPolicy(bound=10, overflow=Overflow.DROP_OLDEST)
        perps.subscribe(on_event, Event, kinds=("hole",), inbox=newest)
        perps.subscribe(log_event, Event)
        assert_type(perps.reconfigure(settings), tuple[Change, ...])
        assert_type(perps.drain(), SystemReport)


async def hosted() -> None:
    async with PerpsSystem(settings_of(table={"symbols": ["BTCUSDT"]})) as perps:
        assert_type(perps, AsyncPerps)
        assert_type(perps.stream(), HostStream[Mark])
        async for mark in perps.stream(instruments=("BTCUSDT",)):
            assert_type(mark, Mark)
        async for event in perps.stream(Event):
            assert_type(event, Event)
        assert_type(await perps.verdict("BTCUSDT"), Verdict)


asyncio.run(hosted())
"""

WRONG = """
from perps_actors import Event, Mark, PerpsSystem, Settings

def on_event(event: Event) -> None: ...

perps = PerpsSystem(Settings(symbols=("BTCUSDT",)))
perps.mark("BTCUSDT").mark  # wrong: there may be no mark yet
perps.subscribe(on_event, Mark)  # wrong: marks for one who takes events
Settings(symbols="BTCUSDT")  # wrong: one text is no list of symbols
PerpsSystem(Settings(symbols=("A",)), broker=object())  # wrong: no broker
perps.settings.symbols = ()  # wrong: settings are frozen
"""
WRONG_LINES = {
    number for number, line in enumerate(WRONG.splitlines(), start=1) if "# wrong" in line
}


def wrong_lines_by_mypy(path: Path) -> set[int]:
    quietly = [
        "--no-error-summary",
        "--hide-error-context",
        "--cache-dir",
        str(path.parent / "cache"),
        "--config-file=",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *quietly, path.name],
        cwd=path.parent,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert all(line.startswith(path.name) for line in lines), done.stdout
    return {int(line.split(":")[1]) for line in lines}


def wrong_lines_by_pyright(path: Path) -> set[int]:
    config = {
        "typeCheckingMode": "strict",
        "extraPaths": [str(ROOT)],
        "reportUnusedExpression": False,
    }
    (path.parent / "pyrightconfig.json").write_text(json.dumps(config))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "basedpyright",
            "--outputjson",
            "--pythonpath",
            sys.executable,
            path.name,
        ],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}


CHECKERS = {"mypy": wrong_lines_by_mypy, "basedpyright": wrong_lines_by_pyright}


@pytest.fixture(params=CHECKERS)
def checker(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; it comes with the extra [tools]")
    return CHECKERS[request.param]


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(perps_actors.__file__).parent / "py.typed").exists()


def test_a_right_program_passes_under_strict_rules(checker, tmp_path) -> None:
    path = tmp_path / "program.py"
    path.write_text(RIGHT)
    assert checker(path) == set()


def test_a_wrong_program_is_caught_where_it_is_wrong(checker, tmp_path) -> None:
    path = tmp_path / "program.py"
    path.write_text(WRONG)
    assert checker(path) == WRONG_LINES
