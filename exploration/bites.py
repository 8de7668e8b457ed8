"""`python -m exploration.bites`: check that exploration finds each listed mutation of the code.

The code without a mutation has to pass the same seeds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from exploration.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
SEEDS = "0:600"
TIMEOUT_S = 900.0
"""Seconds for one mutation, far more than its seeds take, because a timeout says nothing."""


class ExplorerFailed(Exception):
    """The exploring process ended without a finding and without success."""


@attrs.frozen
class Bite:
    """The result of exploring one mutation."""

    mutation: Mutation | None
    """None: the code as it is."""
    finding: str | None
    """The first finding; None: nothing was found."""

    @property
    def as_wanted(self) -> bool:
        """Whether a mutation was caught, or nothing was found in the code as it is."""
        return (self.mutation is None) is (self.finding is None)

    def __str__(self) -> str:
        if self.mutation is None:
            verdict = "sound     " if self.as_wanted else "NOT SOUND "
            return f"{verdict} the code as it is: {self.finding or f'nothing in seeds {SEEDS}'}"
        verdict = "caught    " if self.as_wanted else "NOT CAUGHT"
        return f"{verdict} {self.mutation.target}: {self.mutation.breaks}: {self.finding}"


def bite(mutation: Mutation | None, seeds: str = SEEDS) -> Bite:
    """Explore with the mutation in force, in a process of its own, up to the first finding.

    Raises:
        ExplorerFailed: the process failed without a finding.
    """
    command = [sys.executable, "-m", "exploration", seeds, "--first"]
    if mutation is not None:
        command += ["--mutation", mutation.breaks]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, on this code
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        msg = f"not done within {TIMEOUT_S:g} s"
        raise ExplorerFailed(msg) from None
    findings = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
    if done.returncode and not findings:
        raise ExplorerFailed(done.stderr[-500:])
    return Bite(mutation, findings[0][:200] if findings else None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutations, or those that contain a text; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exploration.bites", description=__doc__)
    parser.add_argument("-j", "--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument(
        "-k", "--like", default="", help="only mutations whose target or description has this text"
    )
    given = parser.parse_args(arguments)
    chosen = [m for m in MUTATIONS if given.like in f"{m.target}: {m.breaks}"]
    missed = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for outcome in pool.map(_tried, [None, *chosen]):
            print(outcome, flush=True)
            missed += not (isinstance(outcome, Bite) and outcome.as_wanted)
    print(f"{len(chosen)} mutations, {missed} not as wanted")
    return 1 if missed else 0


def _tried(mutation: Mutation | None) -> Bite | str:
    try:
        return bite(mutation)
    except ExplorerFailed as error:
        return f"FAILED     {mutation.breaks if mutation else 'the code as it is'}: {error}"


if __name__ == "__main__":
    sys.exit(main())
