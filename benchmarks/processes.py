"""The processes of a benchmark: a server that ends with its context, clients that print one JSON object."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("PERPS_ACTORS_DATA", ROOT.parent / "shared" / "data")).absolute()
BASELINE = DATA.parent / "tools" / "baseline_pipeline.py"
"""The original's way, kept beside the recordings."""


@contextmanager
def ticker_server(count: int, rate: float = 0) -> Iterator[str]:
    """Serve `count` frames to each client of `/public`; gives the address without scheme."""
    command = [sys.executable, "-m", "benchmarks.ticker_server", str(count), str(rate)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield f"127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


def output_of(*command: str) -> Any:
    """Run a client to its end and return the JSON object that it printed last."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def python(module: str, *arguments: str) -> Any:
    """Run one of our modules as a client."""
    return output_of(sys.executable, "-m", module, *arguments)
