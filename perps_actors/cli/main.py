"""`perps-actors`: the verbs of the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

try:
    import click
    import rich as _  # noqa: F401 - so that its absence is told here, before anything runs
except ModuleNotFoundError as error:
    sys.stderr.write(
        f"perps-actors: the command line needs the extra [cli] (no {error.name}): pip install 'perps-actors[cli]'\n"
    )
    raise SystemExit(2) from None

from perps_actors.cli.decode import decode
from perps_actors.cli.events import events
from perps_actors.cli.run import run
from perps_actors.cli.simulate import simulate


class Verbs(click.Group):
    """The verbs; what cannot be used of the command line itself is one line, too."""

    def main(  # type: ignore[override]  # the overloads of its base differ in what they return alone
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> Any:
        """Run the command line and exit: 2 for arguments that cannot be used."""
        prog_name = prog_name or "perps-actors"
        try:
            code = super().main(args, prog_name, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = 2
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            path = prog_name if context is None else context.command_path
            click.echo(
                f"{path}: {' '.join(error.format_message().split())} ({path} --help tells what there is)",
                err=True,
            )
            code = 2
        except click.Abort:
            code = 130
        sys.exit(code)


@click.group(
    cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
def main() -> None:
    """Keep the marks of perpetual futures true and at hand."""


for verb in (run, decode, events, simulate):
    main.add_command(verb)
