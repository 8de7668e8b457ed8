from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perps_actors.simulator.process import VenueProcess

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, EXAMPLES / name, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_launch_shows_marks_and_stops_cleanly() -> None:
    said = run("launch.py", "2")
    assert "BTCUSDT" in said
    assert "clean stop: True" in said


def test_embed_sees_marks_and_gets_a_verdict() -> None:
    with VenueProcess.start() as venue:
        said = run("embed.py", venue.endpoints.stream, venue.endpoints.rest, venue.symbols[0])
    assert "may open a position: True (fresh mark)" in said


def test_the_kernel_alone_loses_just_the_message_that_kills_its_actor() -> None:
    said = run("kernel_alone.py")
    assert said.startswith("actor_died: adder, lost 'three'\nactor_restarted: adder\n")
    assert "dead_letters=1" in said
    assert said.endswith("threads left: ()\n")


def test_there_is_a_test_here_for_every_example_and_each_fits_a_page() -> None:
    shown = {"launch.py", "embed.py", "kernel_alone.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == shown
    for name in shown:
        assert len((EXAMPLES / name).read_text().splitlines()) <= 80


@pytest.mark.parametrize("name", ["README.md"])
def test_the_python_in_the_readme_runs(name: str) -> None:
    text = (EXAMPLES.parent / name).read_text()
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    assert blocks
    with VenueProcess.start() as venue:
        prelude = (
            "import perps_actors\nfrom perps_actors.venues.contract import Endpoints\n"
            "import functools\nfrom perps_actors.settings import Settings as _S\n"
            f"_E = Endpoints(stream={venue.endpoints.stream!r}, rest={venue.endpoints.rest!r})\n"
            "perps_actors.Settings = functools.partial(_S, endpoints=_E, provenance='synthetic')\n"
        )
        for block in blocks:
            done = subprocess.run([sys.executable, "-c", prelude + block], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
