"""`perps-actors simulate`: serves a simulated venue on loopback."""

from __future__ import annotations

from pathlib import Path

import click

from perps_actors.cli.output import exit_on_sigterm, fail
from perps_actors.errors import SimulatorError
from perps_actors.settings.fields import names


@click.command()
@click.option(
    "--venue",
    metavar="NAME",
    help="Venue to simulate; default: the venue of the recording, else binance_futures.",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, readable=False),
    metavar="FOLDER",
    help="Serve this recording instead of a synthetic market.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Faults to inject, with their times: JSON or TOML.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the synthetic market and of random faults.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="P",
    help="Port on 127.0.0.1; default: a free port.",
)
@click.option(
    "--symbols",
    default="",
    metavar="A,B",
    help="Symbols to serve; default: all.",
)
@click.option(
    "--speed",
    type=float,
    default=1.0,
    show_default=True,
    metavar="X",
    help="Multiple of the recorded pace; 0: as fast as the client reads.",
)
@click.option(
    "--parent-pipe",
    is_flag=True,
    hidden=True,
    help="End when standard input ends, and ignore SIGINT.",
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
    """Serve a synthetic or recorded venue on loopback until Ctrl-C.

    Prints its addresses as one JSON line.
    """
    # Imported here, because only this command needs the extra [sim].
    from perps_actors.simulator.__main__ import (  # noqa: PLC0415
        VenueOptions,
        announce,
        serve_venue,
    )

    options = VenueOptions(
        venue=venue,
        recording=recording,
        faults=faults,
        seed=seed,
        port=port,
        symbols=tuple(names(symbols)),
        speed=speed,
        parent_pipe=parent_pipe,
    )
    exit_on_sigterm()
    try:
        serve_venue(options, announce)
    except SimulatorError as error:
        fail("simulate", error)
    except KeyboardInterrupt:
        context.exit(130)
