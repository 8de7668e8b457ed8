"""`python -m exploration.bites`: does exploration bite? Each listed mutation of the code, in a copy of it, must break an invariant."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from exploration.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
SEEDS = "0:600"
TIMEOUT_S = 240.0


class MutationUnfit(Exception):
    """A mutation does not fit the code any more."""


@attrs.frozen
class Bite:
    """What became of a mutation."""

    mutation: Mutation | None
    """None: the code as it is."""
    finding: str | None
    """The first finding; None: there was none."""

    @property
    def as_wanted(self) -> bool:
        """Whether a mutation was caught, and the code as it is was not."""
        return (self.mutation is None) is (self.finding is None)

    def __str__(self) -> str:
        if self.mutation is None:
            return f"{'sound     ' if self.as_wanted else 'NOT SOUND '} the code as it is: {self.finding or f'nothing found in seeds {SEEDS}'}"
        return f"{'caught    ' if self.as_wanted else 'NOT CAUGHT'} {self.mutation.file}: {self.mutation.breaks}: {self.finding}"


def bite(mutation: Mutation | None, seeds: str = SEEDS) -> Bite:
    """Explore a copy of the code with the mutation in it, until something is found.

    Raises:
        MutationUnfit: its old text is not in the file, or more than once.
    """
    with tempfile.TemporaryDirectory(prefix="perps-bite-") as folder:
        copy_code(Path(folder), mutation)
        return Bite(mutation, _first_finding(folder, seeds))


def copy_code(folder: Path, mutation: Mutation | None) -> None:
    """Copy the code into a folder, and make the mutation there.

    Raises:
        MutationUnfit: its old text is not in the file, or more than once.
    """
    for package in ("perps_actors", "exploration"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    if mutation is not None:
        path = folder / "perps_actors" / mutation.file
        path.write_text(mutated(mutation), encoding="utf-8")


def mutated(mutation: Mutation) -> str:
    """Return the text of the file with the mutation in it.

    Raises:
        MutationUnfit: its old text is not in the file, or more than once.
    """
    text = (ROOT / "perps_actors" / mutation.file).read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        msg = f"{mutation.file}: {mutation.breaks}: expected the old text once, was {text.count(mutation.old)} times: {mutation.old!r}"
        raise MutationUnfit(msg)
    return text.replace(mutation.old, mutation.new)


def _first_finding(folder: str, seeds: str) -> str | None:
    command = [sys.executable, "-m", "exploration", seeds, "--first"]
    environment = {**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, on a copy of this code
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    findings = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
    if done.returncode and not findings:
        msg = f"the explorer itself failed: {done.stderr[-500:]}"
        raise MutationUnfit(msg)
    return findings[0][:200] if findings else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutations, or those whose description holds a text; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exploration.bites", description=__doc__)
    parser.add_argument("-j", "--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument(
        "-k", "--like", default="", help="only those whose file or description holds this text"
    )
    given = parser.parse_args(arguments)
    chosen = [m for m in MUTATIONS if given.like in f"{m.file}: {m.breaks}"]
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
    except MutationUnfit as error:
        return f"UNFIT      {error}"


if __name__ == "__main__":
    sys.exit(main())
