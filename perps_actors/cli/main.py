"""`perps-actors`: the verbs of the command line."""

from __future__ import annotations

import sys

try:
    import click
except ImportError:
    sys.stderr.write("perps-actors: the command line needs the extra [cli]: pip install 'perps-actors[cli]'\n")
    raise SystemExit(2) from None

from perps_actors.cli.decode import decode
from perps_actors.cli.events import events
from perps_actors.cli.run import run
from perps_actors.cli.simulate import simulate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Keep the marks of perpetual futures true and at hand."""


for verb in (run, decode, events, simulate):
    main.add_command(verb)
