"""A served venue's own process: from options to sockets, until told to end."""

from __future__ import annotations

import asyncio
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
from perps_actors.simulator.market import SyntheticMarket, Terms
from perps_actors.simulator.recorded import RecordedVenue
from perps_actors.simulator.recording import DEFAULT_VENUE, read_recording
from perps_actors.simulator.server import HOST, VenueServer
from perps_actors.simulator.source import Source
from perps_actors.simulator.synthetic import SyntheticVenue
from perps_actors.simulator.venues import VenueSide, side_of

_MOST_NAMED: Final = 3

Announce = Callable[[dict[str, Any]], None]
"""Called with each thing the process has to say of itself: `ready`, `progress` (if asked for), `finished`."""


@attrs.frozen(kw_only=True)
class VenueOptions:
    """What to serve. Without `recording` the market is synthetic."""

    venue: str | None = None
    recording: Path | None = None
    speed: float = 1.0
    """Multiple of the recorded pace; 0: as fast as the client reads."""
    symbols: Sequence[str] = ()
    """Empty: all perpetuals of the recording, or some that the venue's side makes up."""
    faults: Path | None = None
    seed: int = 0
    port: int = 0
    parent_pipe: bool = False
    """End when standard input does, and leave SIGINT to the parent."""
    progress: bool = False
    """Say now and then how much of a recording was sent."""


def serve_venue(options: VenueOptions, announce: Announce) -> None:
    """Serve a venue until standard input ends (`parent_pipe`) or the process is interrupted.

    Raises:
        SimulatorError: an option that cannot be served; names it, its value and what is wrong.
        KeyboardInterrupt: interrupted, with everything closed.
    """
    if options.parent_pipe:
        # This process belongs to its parent: an interrupt at the terminal is for the parent to hear.
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
        serving = asyncio.create_task(_keep_on(server))
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
        symbols = _spelled(options.symbols or side.terms.symbols, side.terms)
        market = SyntheticMarket(side.name, symbols, side.terms, random.Random(options.seed))  # noqa: S311 - a market, not a secret
        return side, SyntheticVenue(market, side, clock)
    if not 0 <= options.speed < float("inf"):
        msg = f"speed = {options.speed!r}: expected a multiple of the recorded pace, or 0"
        raise SimulatorError(msg)
    recording = read_recording(options.recording, options.venue)
    for symbol in options.symbols:
        if symbol not in recording.symbols:
            near = (
                get_close_matches(symbol.upper(), recording.symbols)
                or recording.symbols[:_MOST_NAMED]
            )
            msg = f"symbols = {symbol!r}: not among the {len(recording.symbols)} symbols in {options.recording}; nearest: {', '.join(near)}"
            raise SimulatorError(msg)
    recording = attrs.evolve(recording, perpetuals=tuple(options.symbols) or recording.perpetuals)

    def say_progress(sent: int, total: int) -> None:
        announce({"event": "progress", "frames_sent": sent, "frames": total})

    venue = RecordedVenue(
        recording,
        clock,
        speed=options.speed,
        say_end=lambda sent: announce({"event": "finished", "frames_sent": sent}),
        say_progress=say_progress if options.progress else None,
    )
    return recording.side, venue


def _spelled(symbols: Sequence[str], terms: Terms) -> tuple[str, ...]:
    for symbol in symbols:
        if re.fullmatch(terms.like, symbol, re.ASCII) is None:
            msg = f"symbols = {symbol!r}: expected a symbol like {terms.symbols[0]}"
            raise SimulatorError(msg)
    return tuple(dict.fromkeys(symbols))


async def _keep_on(server: VenueServer) -> None:
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
