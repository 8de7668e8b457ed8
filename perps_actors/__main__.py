"""`python -m perps_actors`: the command line."""

from __future__ import annotations

from perps_actors.cli.main import main

if __name__ == "__main__":
    main(prog_name="perps-actors")
