"""The child process that serves a venue: `python -m perps_actors.simulator`.

People use `perps-actors simulate`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import attrs

from perps_actors.errors import SimulatorError
from perps_actors.kernel.clock import Clock, SystemClock
from perps_actors.simulator.faults import FaultPlan, read_faults
from perps_actors.simulator.market import SyntheticMarket
from perps_actors.simulator.recorded import RecordedVenue
from perps_actors.simulator.recording import DEFAULT_VENUE, Recording, read_recording
from perps_actors.simulator.source import Source, SyntheticVenue
from perps_actors.simulator.venues import Terms, VenueSide, side_of

try:
    from perps_actors.simulator.server import HOST, VenueServer
except ModuleNotFoundError as error:
    sys.stderr.write(
        f"A simulated venue needs {error.name}: pip install 'perps-actors[sim]'\n",
    )
    raise SystemExit(2) from None

_NEAREST: Final = 3
"""Symbols that an error suggests."""

Announce = Callable[[dict[str, Any]], None]
"""Called with an event of the process: `ready`, `progress` (optional), `finished`."""


@attrs.frozen(kw_only=True)
class VenueOptions:
    """Options of a served venue. Without `recording` the market is synthetic."""

    venue: str | None = None
    recording: Path | None = None
    speed: float = 1.0
    """Multiple of the recorded pace; 0: as fast as the client reads."""
    symbols: Sequence[str] = ()
    """Empty: all perpetuals of the recording, or the default symbols of the venue."""
    faults: Path | None = None
    seed: int = 0
    port: int = 0
    parent_pipe: bool = False
    """End when standard input ends, and leave SIGINT to the parent."""
    progress: bool = False
    """Announce the progress of a recording."""


def serve_venue(options: VenueOptions, announce: Announce) -> None:
    """Serve a venue until standard input ends (`parent_pipe`) or the process is interrupted.

    Raises:
        SimulatorError: an option cannot be used; names the option, its value and the cause.
        KeyboardInterrupt: the process was interrupted, and everything is closed.
    """
    if options.parent_pipe:
        # Ctrl-C at the terminal reaches both processes; the parent decides when this one ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(options, announce, SystemClock()))


async def _serve(options: VenueOptions, announce: Announce, clock: Clock) -> None:
    plan = read_faults(options.faults) if options.faults is not None else FaultPlan()
    side, source = _source(options, announce, clock)
    async with VenueServer(
        source, side, clock, plan=plan, seed=options.seed, port=options.port
    ) as server:
        announce(
            {
                "event": "ready",
                "venue": side.name,
                "stream": f"ws://{HOST}:{server.port}",
                "rest": f"http://{HOST}:{server.port}",
                "symbols": list(source.symbols),
                "provenance": source.provenance,
            }
        )
        serving = asyncio.create_task(_run(server))
        ending = asyncio.create_task(_end_of_input()) if options.parent_pipe else serving
        try:
            done, _ = await asyncio.wait([serving, ending], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            serving.cancel()


def _source(options: VenueOptions, announce: Announce, clock: Clock) -> tuple[VenueSide, Source]:
    if options.recording is None:
        side = side_of(options.venue or DEFAULT_VENUE)
        symbols = _checked(options.symbols or side.terms.symbols, side.terms)
        rng = random.Random(options.seed)  # noqa: S311 - a market, not a secret
        market = SyntheticMarket(side.name, symbols, side.terms, rng)
        return side, SyntheticVenue(market, side, clock)
    if not 0 <= options.speed < float("inf"):
        msg = f"speed = {options.speed!r}: expected a multiple of the recorded pace, or 0"
        raise SimulatorError(msg)
    recording = read_recording(options.recording, options.venue)
    for symbol in options.symbols:
        if symbol not in recording.symbols:
            raise _not_recorded(symbol, recording, options.recording)
    recording = attrs.evolve(recording, perpetuals=tuple(options.symbols) or recording.perpetuals)

    def announce_progress(sent: int, total: int) -> None:
        announce({"event": "progress", "frames_sent": sent, "frames": total})

    venue = RecordedVenue(
        recording,
        clock,
        speed=options.speed,
        on_end=lambda sent: announce({"event": "finished", "frames_sent": sent}),
        on_progress=announce_progress if options.progress else None,
    )
    return recording.side, venue


def _not_recorded(symbol: str, recording: Recording, folder: Path) -> SimulatorError:
    symbols = recording.symbols
    near = get_close_matches(symbol.upper(), symbols) or symbols[:_NEAREST]
    return SimulatorError(
        f"symbols = {symbol!r}: not among the {len(symbols)} symbols in {folder};"
        f" nearest: {', '.join(near)}"
    )


def _checked(symbols: Sequence[str], terms: Terms) -> tuple[str, ...]:
    for symbol in symbols:
        if re.fullmatch(terms.like, symbol, re.ASCII) is None:
            msg = f"symbols = {symbol!r}: expected a symbol like {terms.symbols[0]}"
            raise SimulatorError(msg)
    return tuple(dict.fromkeys(symbols))


async def _run(server: VenueServer) -> None:
    """Run until cancelled: a venue stays up after the end of its recording."""
    await server.wait()
    await asyncio.Event().wait()


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
        )
    except (OSError, ValueError) as error:
        msg = f"standard input: expected the parent's pipe: {error}"
        raise SimulatorError(msg) from error
    try:
        while await reader.read(4096):
            pass
    finally:
        transport.close()


def announce(event: dict[str, Any]) -> None:
    """Print an event as one JSON line on standard output; ignore a closed pipe."""
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return


def read_options(arguments: list[str]) -> VenueOptions:
    """Return the options of a command line."""
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
    """Serve until the end; return the exit code."""
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
