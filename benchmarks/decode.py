"""Decoding of recordings: from a venue's frames to market events, with whole books.

`decode` measures each venue that has a recording. With `--peers`, cryptofeed plays the same
recording in the same run, and the ratio compares messages per CPU-second; `decode_interpreted`
then does the same without the package's compiled module. Both sides hold the recording in memory
and get its WebSocket frames in order, and the REST snapshots that books begin with: we as bytes,
cryptofeed as text, as their socket libraries deliver them. cryptofeed calls callbacks that do
nothing. A play is timed from its first frame to its last, and each play starts without state.

Usage of the client process: python -m benchmarks.decode FOLDER CPU_SECONDS
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, Result, compared, measured, output_of
from benchmarks.playing import Heard, Line, Recording, Stopwatch, recording, show
from perps_actors.market.book import FloatBook
from perps_actors.market.events import BookTop, Trade
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome, StreamAdapter, Venue
from perps_actors.venues.registry import venue

DATA = Path(os.environ.get("PERPS_ACTORS_DATA", ROOT.parent / "shared" / "data")).absolute()
INTERPRETED = """
import runpy, sys
sys.modules["perps_actors.market._native"] = None
runpy.run_module("benchmarks.decode", run_name="__main__")
"""
SKIPS_BACKLOG = frozenset({"kraken_futures"})
"""Venues of which cryptofeed ignores the trades that were made before the subscription."""
ALL_LEVELS = 1_000_000

Step = tuple[HttpRequest | None, str, bytes, int]
"""An answered request (None for a frame), the connection of a frame, data, receive time."""


def measure(*, quick: bool, peers: Path | None = None) -> Iterator[Result]:
    """Yield the figure of each recorded venue; `peers` is a Python that has cryptofeed."""
    assert peers is None or FloatBook.__module__ == "perps_actors.market._native", (
        "cryptofeed's events are compiled, so compare an installation that found a C compiler"
    )
    yield from _measure("decode", ("-m", "benchmarks.decode"), quick=quick, peers=peers)


def measure_interpreted(*, quick: bool, peers: Path) -> Iterator[Result]:
    """Yield the figures of pure Python."""
    yield from _measure("decode_interpreted", ("-c", INTERPRETED), quick=quick, peers=peers)


def _measure(
    name: str, ours: Sequence[str], *, quick: bool, peers: Path | None
) -> Iterator[Result]:
    folders = sorted((DATA / "recordings").glob("*/meta.json"))
    if not folders:
        print(
            f"{name}: not measured, because there are no recordings in {DATA / 'recordings'}; "
            "set PERPS_ACTORS_DATA to the folder that holds them",
            file=sys.stderr,
        )
    cpu_s, rounds = ("0.2", 1) if quick else ("1", 7)
    for folder in (meta.parent for meta in folders):
        figures = []
        for _ in range(rounds):
            our = output_of(sys.executable, *ours, str(folder), cpu_s)
            rate = our["count"] / our["cpu"]
            if peers is None:
                figures.append((rate, 1.0))
                continue
            their = output_of(str(peers), "-m", "benchmarks.cryptofeed_decode", str(folder), cpu_s)
            _check_same(folder.name, our["heard"], their["heard"])
            figures.append((rate, their["count"] / their["cpu"]))
        if peers is None:
            yield measured(name, folder.name, "messages/CPU-s", [rate for rate, _ in figures])
        else:
            yield compared(name, folder.name, "messages/CPU-s", figures)


def _check_same(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    ours_trades = ours["trades"] + (0 if name in SKIPS_BACKLOG else ours["backlog"])
    got = ours["books"], ours["levels"], ours_trades
    expected = theirs["books"], theirs["levels"], theirs["trades"]
    assert got == expected, (
        f"{name}: expected {expected} books, levels and trades as cryptofeed, was {got}"
    )


# --- the client process


def _steps(known: Venue, lines: Iterable[Line]) -> Iterator[Step]:
    rest = known.rest(known.endpoints)
    for line in lines:
        request = None if line.is_frame else rest.request_for(line.url)
        if request is None or request.purpose == "depth":
            received_ns = round(line.received_s * 1_000_000_000)
            yield request, line.connection, line.text.encode(), received_ns


def _play(stream: StreamAdapter, steps: Sequence[Step]) -> Iterator[Sequence[Outcome]]:
    for request, connection, data, received_ns in steps:
        yield (
            stream.frame(connection, data, received_ns)
            if request is None
            else stream.answer(request, 200, data, received_ns)
        )


def _heard(stream: StreamAdapter, played: Recording, steps: Sequence[Step]) -> Heard:
    heard = Heard()
    for outcome in (outcome for outcomes in _play(stream, steps) for outcome in outcomes):
        assert not isinstance(outcome, InvalidInput), outcome.what
        heard.books += isinstance(outcome, BookTop)
        if isinstance(outcome, Trade):
            heard.backlog += outcome.backlog
            heard.trades += not outcome.backlog
    heard.levels = sum(
        len(side) for symbol in played.symbols for side in stream.depth(symbol, ALL_LEVELS)
    )
    return heard


def main(folder: str, cpu_s: str) -> None:
    """Play the recording repeatedly, each time with a new adapter."""
    played, watch = recording(Path(folder)), Stopwatch()
    known = venue(played.venue)
    steps = tuple(_steps(known, played.lines))
    heard = _heard(known.stream(known.endpoints), played, steps)
    while watch.cpu_s < float(cpu_s):
        stream = known.stream(known.endpoints)
        stream.plan(played.symbols)
        with watch:
            deque(_play(stream, steps), maxlen=0)
    show(played, watch, heard)


if __name__ == "__main__":
    main(*sys.argv[1:])
