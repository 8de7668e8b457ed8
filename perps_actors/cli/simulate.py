"""`perps-actors simulate`: serves a venue by itself."""

from __future__ import annotations

from pathlib import Path

import click

from perps_actors.cli.refusal import refuse
from perps_actors.errors import SimulatorError


@click.command()
@click.option(
    "--venue",
    metavar="NAME",
    help="Venue to speak as; that of the recording, else binance_futures.",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, readable=False),
    metavar="FOLDER",
    help="Play this recording instead of a synthetic market.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Schedule of faults, JSON or TOML.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the synthetic market and of the faults' noise.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="P",
    help="Port on 127.0.0.1; a free one by default.",
)
@click.option(
    "--symbols",
    default="",
    metavar="A,B",
    help="Symbols of the synthetic market, or of the recording.",
)
@click.option(
    "--speed",
    type=float,
    default=1.0,
    show_default=True,
    metavar="X",
    help="Multiple of recorded pace; 0: as fast as read.",
)
@click.option(
    "--parent-pipe",
    is_flag=True,
    hidden=True,
    help="End when standard input does, and ignore SIGINT.",
)
@click.pass_context
def simulate(
    context: click.Context,
    *,
    venue: str | None,
    recording: Path | None,
    faults: Path | None,
    seed: int,
    port: int,
    symbols: str,
    speed: float,
    parent_pipe: bool,
) -> None:
    """Serve a venue on loopback, synthetic or recorded, until Ctrl-C; prints its addresses as one JSON line."""
    # Here, because the other verbs do without the extra that serves a venue.
    from perps_actors.simulator.__main__ import announce  # noqa: PLC0415
    from perps_actors.simulator.serving import VenueOptions, serve_venue  # noqa: PLC0415

    options = VenueOptions(
        venue=venue,
        recording=recording,
        faults=faults,
        seed=seed,
        port=port,
        symbols=tuple(filter(None, symbols.split(","))),
        speed=speed,
        parent_pipe=parent_pipe,
    )
    try:
        serve_venue(options, announce)
    except SimulatorError as error:
        refuse("simulate", error)
    except KeyboardInterrupt:
        context.exit(130)
