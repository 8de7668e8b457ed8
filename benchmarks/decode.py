"""From a venue's frames to events, with whole books, messages per CPU-second beside cryptofeed, on the recordings.

Both sides have the recording in memory and are given its WebSocket frames in order, and the REST snapshots that books begin with: we
as bytes and cryptofeed as text, as their socket libraries hand them over. cryptofeed calls callbacks that do nothing, in one event
loop for all. What a play costs counts from the first frame to the last; each begins with nothing known.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import DATA, output_of
from benchmarks.result import Result, of_rounds

VENUES = ("binance_futures", "bitmex", "bybit", "deribit", "kraken_futures", "okx")
SKIPS_BACKLOG = frozenset({"kraken_futures"})
"""Where cryptofeed passes over the trades that were before the subscription."""


def measure(*, quick: bool, peers: Path) -> Iterator[Result]:
    """Yield the figure of each venue; `peers` is the interpreter of the environment that has cryptofeed."""
    cpu_s, rounds = ("0.2", 1) if quick else ("1", 7)
    for venue in VENUES:
        folder = str(DATA / "recordings" / venue)
        figures = []
        for _ in range(rounds):
            ours = output_of(sys.executable, "-m", "benchmarks.our_decode", folder, cpu_s)
            theirs = output_of(str(peers), "-m", "benchmarks.cryptofeed_decode", folder, cpu_s)
            _check_same(venue, ours["heard"], theirs["heard"])
            figures.append((ours["count"] / ours["cpu"], theirs["count"] / theirs["cpu"]))
        yield of_rounds("decode", venue, "messages/CPU-s", figures)


def _check_same(venue: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    ours_trades = ours["trades"] + (0 if venue in SKIPS_BACKLOG else ours["backlog"])
    got = ours["books"], ours["levels"], ours_trades
    expected = theirs["books"], theirs["levels"], theirs["trades"]
    assert got == expected, f"{venue}: expected {expected} books, levels and trades as cryptofeed, was {got}"
