"""`python -m perps_actors.simulator`: the served venue's process as a program starts it; people use `perps-actors simulate`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from perps_actors.errors import SimulatorError

try:
    from perps_actors.simulator.serving import VenueOptions, serve_venue
except ModuleNotFoundError as error:
    sys.stderr.write(
        f"a simulated venue needs the extra [sim] (no {error.name}): pip install 'perps-actors[sim]'\n"
    )
    raise SystemExit(2) from None


def announce(event: dict[str, Any]) -> None:
    """Print an event as one JSON line on standard output. A reader that is gone is told nothing."""
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


def read_options(arguments: list[str]) -> VenueOptions:
    """Return the options that the arguments of the command line spell."""
    parser = argparse.ArgumentParser(
        prog="python -m perps_actors.simulator", description="Serve a venue on loopback."
    )
    parser.add_argument("--venue")
    parser.add_argument("--recording", type=Path)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--symbols", default="")
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--parent-pipe", action="store_true")
    parser.add_argument("--progress", action="store_true")
    given = vars(parser.parse_args(arguments))
    given["symbols"] = tuple(filter(None, given["symbols"].split(",")))
    return VenueOptions(**given)


def main() -> int:
    """Serve until told to end; return the exit code."""
    try:
        serve_venue(read_options(sys.argv[1:]), announce)
    except SimulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
