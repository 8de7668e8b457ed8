"""`perps-actors`: the command line and its commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

try:
    import click
    import rich as _  # noqa: F401 - so that it is reported as missing before anything runs
except ModuleNotFoundError as error:
    sys.stderr.write(
        f"perps-actors: the command line needs the extra [cli] (no {error.name}): "
        "pip install '.[cli]' in a clone\n"
    )
    raise SystemExit(2) from None

from perps_actors.cli.decode import decode
from perps_actors.cli.events import events
from perps_actors.cli.run import run
from perps_actors.cli.simulate import simulate


class Commands(click.Group):
    """The commands. Every usage error is one line on standard error, with exit code 2."""

    def main(  # type: ignore[override]  # its base has overloads by what they return
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> Any:
        """Run the command line and exit."""
        prog_name = prog_name or "perps-actors"
        try:
            code = super().main(args, prog_name, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = 2
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            path = prog_name if context is None else context.command_path
            message = " ".join(error.format_message().split())
            click.echo(f"{path}: {message} (see {path} --help)", err=True)
            code = 2
        except click.Abort:
            code = 130
        sys.exit(code)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="perps-actors", message="%(prog)s %(version)s")
def main() -> None:
    """Keep validated mid prices of perpetual futures in a process."""


for command in (run, decode, events, simulate):
    main.add_command(command)
