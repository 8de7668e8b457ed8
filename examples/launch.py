"""Run what `perps-actors run` runs, from a script, and print the marks once a second.

Run: python examples/launch.py [--market VENUE:SYM,SYM]... [--config FILE]
         [--recording FOLDER]... [--seconds N]
Without a market it serves a synthetic venue on loopback.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from perps_actors import PerpsActorsError, PerpsSystem, RunOptions, Session


def show(perps: PerpsSystem) -> None:
    """Print the latest mark of every instrument that has one."""
    for instrument, mark in perps.marks.items():
        held = len(perps.window(instrument))
        print(f"{instrument} {mark.mark:f} from the {mark.source}, {held} in the window")


def main(options: RunOptions, seconds: int) -> None:
    """Run until the time is up or the recordings have ended."""
    session = Session.open(options)
    second = threading.Event()
    try:
        for _ in range(seconds):
            second.wait(1.0)
            show(session.system)
            if session.ended is not None:
                break
    except KeyboardInterrupt:
        print("stopping")
    finally:
        summary = session.close()
    print(f"{summary['marks_total']} marks, clean stop: {summary['clean_stop']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--market", action="append", default=[], metavar="VENUE:SYM,SYM")
    parser.add_argument("--config", type=Path, metavar="FILE")
    parser.add_argument("--recording", action="append", default=[], type=Path, metavar="FOLDER")
    parser.add_argument("--seconds", type=int, default=10, metavar="N")
    given = parser.parse_args()
    try:
        main(
            RunOptions(
                markets=tuple(given.market),
                config=given.config,
                recordings=tuple(given.recording),
            ),
            given.seconds,
        )
    except PerpsActorsError as error:
        parser.exit(2, f"launch.py: {error}\n")
