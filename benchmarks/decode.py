"""From a venue's frames to events, with whole books, messages per CPU-second beside cryptofeed, on the recordings.

Both sides have the recording in memory and are given its WebSocket frames in order, and the REST snapshots that books begin with: we
as bytes and cryptofeed as text, as their socket libraries hand them over. cryptofeed calls callbacks that do nothing, in one event
loop for all. What a play costs counts from the first frame to the last; each begins with nothing known.

`decode` plays with the package as it is installed, books and numbers compiled: cryptofeed's own events are compiled too, so it is
measured where there is a C compiler anyway. `decode_interpreted` plays with what stands in for that where there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.processes import DATA, output_of
from benchmarks.result import Result, of_rounds
from perps_actors.market.book import FloatBook

VENUES = ("binance_futures", "bitmex", "bybit", "deribit", "kraken_futures", "okx")
_INTERPRETED = """
import runpy, sys
sys.modules["perps_actors.market._native"] = None
runpy.run_module("benchmarks.our_decode", run_name="__main__")
"""
SKIPS_BACKLOG = frozenset({"kraken_futures"})
"""Where cryptofeed passes over the trades that were before the subscription."""


def measure(*, quick: bool, peers: Path) -> Iterator[Result]:
    """Yield the figure of each venue; `peers` runs Python in the environment that has cryptofeed."""
    assert FloatBook.__module__ == "perps_actors.market._native", (
        "expected an installation that found a C compiler"
    )
    yield from _measure("decode", ("-m", "benchmarks.our_decode"), quick=quick, peers=peers)


def measure_interpreted(*, quick: bool, peers: Path) -> Iterator[Result]:
    """Yield the figures of pure Python."""
    yield from _measure("decode_interpreted", ("-c", _INTERPRETED), quick=quick, peers=peers)


def _measure(name: str, ours: Sequence[str], *, quick: bool, peers: Path) -> Iterator[Result]:
    cpu_s, rounds = ("0.2", 1) if quick else ("1", 7)
    for venue in VENUES:
        folder = str(DATA / "recordings" / venue)
        figures = []
        for _ in range(rounds):
            our = output_of(sys.executable, *ours, folder, cpu_s)
            their = output_of(str(peers), "-m", "benchmarks.cryptofeed_decode", folder, cpu_s)
            _check_same(venue, our["heard"], their["heard"])
            figures.append((our["count"] / our["cpu"], their["count"] / their["cpu"]))
        yield of_rounds(name, venue, "messages/CPU-s", figures)


def _check_same(venue: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    ours_trades = ours["trades"] + (0 if venue in SKIPS_BACKLOG else ours["backlog"])
    got = ours["books"], ours["levels"], ours_trades
    expected = theirs["books"], theirs["levels"], theirs["trades"]
    assert got == expected, (
        f"{venue}: expected {expected} books, levels and trades as cryptofeed, was {got}"
    )
