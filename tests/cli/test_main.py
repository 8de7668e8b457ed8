from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

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
            "perps-actors: No such command 'nonsense'. (see perps-actors --help)\n",
        ),
        (
            ("events",),
            "perps-actors events: Missing argument 'JOURNAL'. (see perps-actors events --help)\n",
        ),
        (
            ("run", "--duration", "soon"),
            "perps-actors run: Invalid value for '--duration': 'soon' is not a valid float range.",
        ),
        (
            ("simulate", "--port", "80808"),
            "perps-actors simulate: Invalid value for '--port': 80808 is not in the range",
        ),
    ],
)
def test_unusable_arguments_are_one_line_on_standard_error_with_exit_code_2(
    arguments, said
) -> None:
    done = run(*COMMAND, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_help_exits_with_0_and_names_the_commands() -> None:
    done = run(*COMMAND, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [name in done.stdout for name in ("run", "decode", "events", "simulate")] == [True] * 4


def test_version_prints_the_version_of_the_installed_package() -> None:
    done = run(*COMMAND, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"perps-actors {version('perps-actors')}\n",
        "",
    )


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_cli_extra_it_says_how_to_install_it(missing) -> None:
    done = run(sys.executable, "-c", WITHOUT.format(missing=missing), "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == f"perps-actors: the command line needs the extra [cli] (no {missing}): "
        "pip install '.[cli]' in a clone\n"
    )


def test_without_the_sim_extra_the_other_commands_work(tmp_path) -> None:
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
