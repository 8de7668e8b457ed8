from __future__ import annotations

import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-c", "from perps_actors.cli.main import main; main()"]
WITHOUT = """
import sys
sys.modules[{missing!r}] = None
from perps_actors.cli.main import main
main()
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("nonsense",),
            "perps-actors: No such command 'nonsense'. (perps-actors --help tells what there is)\n",
        ),
        (
            ("events",),
            "perps-actors events: Missing argument 'JOURNAL'. (perps-actors events --help tells what there is)\n",
        ),
        (
            ("run", "--duration", "soon"),
            "perps-actors run: Invalid value for '--duration': 'soon' is not a valid float range.",
        ),
        (
            ("simulate", "--port", "80808"),
            "perps-actors simulate: Invalid value for '--port': 80808 is not in the range 0<=x<=65535.",
        ),
    ],
)
def test_arguments_that_cannot_be_used_are_one_line_and_two(arguments, said) -> None:
    done = run(*COMMAND, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_help_is_no_error_and_names_the_verbs() -> None:
    done = run(*COMMAND, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [verb in done.stdout for verb in ("run", "decode", "events", "simulate")] == [True] * 4


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_what_the_command_line_needs_it_says_how_to_install_it(missing) -> None:
    done = run(sys.executable, "-c", WITHOUT.format(missing=missing), "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"perps-actors: the command line needs the extra [cli] (no {missing}): pip install 'perps-actors[cli]'\n"
    )


def test_without_what_serves_a_venue_the_other_verbs_go_on(tmp_path) -> None:
    (tmp_path / "raw.jsonl").write_text("")
    program = WITHOUT.format(missing="aiohttp")
    done = run(
        sys.executable, "-c", program, "decode", "binance_futures", str(tmp_path / "raw.jsonl")
    )
    assert (done.returncode, done.stderr) == (0, "")
    refused = run(sys.executable, "-c", program, "simulate")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("pip install 'perps-actors[sim]'\n")
    assert refused.stderr.count("\n") == 1
