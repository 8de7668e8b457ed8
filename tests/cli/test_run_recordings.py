"""Runs on recordings whose books begin with a snapshot from the stream."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "from perps_actors.cli.main import main; main()", "run"]
DATA = Path(os.environ.get("PERPS_ACTORS_DATA", Path(__file__).parents[3] / "shared" / "data"))


def recording_of(venue: str) -> Path:
    folder = DATA / "recordings" / venue
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {DATA} (set PERPS_ACTORS_DATA)")
    return folder


def mids_of(folder: Path) -> dict[str, list[Decimal]]:
    """Return the mid of every book top with both sides that the reference has of the perpetuals."""
    symbols = json.loads((folder / "meta.json").read_text())["perpetuals"]
    mids = defaultdict(list)
    with gzip.open(folder / "reference.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            if (
                record["kind"] == "bbo"
                and record["symbol"] in symbols
                and None not in (record["bid"], record["ask"])
            ):
                mids[record["symbol"]].append((Decimal(record["bid"]) + Decimal(record["ask"])) / 2)
    return dict(mids)


def run_on(*folders: Path) -> dict[str, Any]:
    """Return the summary of a run that ended cleanly with the recordings."""
    recordings = [word for folder in folders for word in ("--recording", str(folder))]
    done = subprocess.run(
        [*COMMAND, *recordings, "--speed", "0", "--json", "--duration", "60"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["clean_stop"], summary["threads_left"]) == (True, 0)
    return summary


def counts_and_last_marks(symbols: dict[str, Any]) -> dict[str, tuple[int, Decimal]]:
    return {name: (row["marks"], Decimal(row["last_mark"])) for name, row in symbols.items()}


@pytest.mark.parametrize("venue", ["bybit", "okx"])
def test_each_book_top_of_the_perpetuals_is_a_mark_and_the_run_stops_cleanly(venue) -> None:
    folder = recording_of(venue)
    summary, mids = run_on(folder), mids_of(folder)
    assert summary["venue"] == venue
    assert counts_and_last_marks(summary["symbols"]) == {
        symbol: (len(marks), marks[-1]) for symbol, marks in mids.items()
    }


def test_two_recordings_at_once_give_the_marks_of_both_under_their_venues() -> None:
    folders = {venue: recording_of(venue) for venue in ("bybit", "okx")}
    summary = run_on(*folders.values())
    assert summary["venue"] == "bybit,okx"
    assert counts_and_last_marks(summary["symbols"]) == {
        f"{venue}:{symbol}": (len(marks), marks[-1])
        for venue, folder in folders.items()
        for symbol, marks in mids_of(folder).items()
    }
    assert {row["health"] for row in summary["symbols"].values()} == {"ended"}
