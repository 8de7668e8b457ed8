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

import pytest

COMMAND = [sys.executable, "-c", "from perps_actors.cli.main import main; main()", "run"]
DATA = Path(os.environ.get("PERPS_ACTORS_DATA", Path(__file__).parents[3] / "shared" / "data"))


def mids_of(folder: Path, symbols: list[str]) -> dict[str, list[Decimal]]:
    """Return the mid of every book top with both sides that the reference has of these symbols."""
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


@pytest.mark.parametrize("venue", ["bybit", "okx"])
def test_each_book_top_of_the_perpetuals_is_a_mark_and_the_run_stops_cleanly(
    venue: str,
) -> None:
    folder = DATA / "recordings" / venue
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {DATA} (set PERPS_ACTORS_DATA)")
    done = subprocess.run(
        [*COMMAND, "--recording", str(folder), "--speed", "0", "--json", "--duration", "60"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    summary, mids = (
        json.loads(done.stdout.splitlines()[-1]),
        mids_of(folder, json.loads((folder / "meta.json").read_text())["perpetuals"]),
    )
    assert (done.returncode, summary["venue"], summary["clean_stop"], summary["threads_left"]) == (
        0,
        venue,
        True,
        0,
    )
    assert {
        symbol: (row["marks"], Decimal(row["last_mark"]))
        for symbol, row in summary["symbols"].items()
    } == {symbol: (len(told), told[-1]) for symbol, told in mids.items()}
