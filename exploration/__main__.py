"""`python -m exploration A:B`: play the seeds from A up to B and print the invariants they broke.

Exits with 1 if a seed broke an invariant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import nullcontext

from exploration.explore import Found, as_test, digest_of, examine_all, shrunk
from exploration.mutations import mutation_named
from exploration.schedule import drawn

MOST_TESTS = 3
"""Failing seeds that are reduced to a few steps and printed as tests."""


def seeds_of(text: str) -> range:
    """Return the seeds in `A:B`, or the one seed in `A`."""
    first, colon, last = text.partition(":")
    seeds = range(int(first), int(last)) if colon else range(int(first), int(first) + 1)
    if not seeds:
        msg = f"expected A:B with A below B, was {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return seeds


def main(arguments: list[str] | None = None) -> int:
    """Explore, print one line of figures and what failed, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exploration", description=__doc__)
    parser.add_argument("seeds", type=seeds_of, help="A:B, or one seed")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--first",
        action="store_true",
        help="end with the first seed that fails, and do not reduce it",
    )
    parser.add_argument(
        "--mutation", metavar="TEXT", help="play with the mutation of this description in force"
    )
    given = parser.parse_args(arguments)
    with mutation_named(given.mutation).in_force() if given.mutation else nullcontext():
        found = _found(given.seeds, given.jobs, end_at_first=given.first)
        _print(found, shrink=not given.first)
    return 1 if any(each.violations for each in found) else 0


def _found(seeds: range, jobs: int, *, end_at_first: bool) -> list[Found]:
    found = []
    for each in examine_all(seeds, jobs):
        found.append(each)
        if end_at_first and each.violations:
            break
    return found


def _print(found: list[Found], *, shrink: bool) -> None:
    failing = [each for each in found if each.violations]
    cpu_s = [each.cpu_s for each in found]
    print(
        f"explored {found[0].seed}:{found[-1].seed + 1}  trace {digest_of(found)}  "
        f"{sum(cpu_s) / len(cpu_s):.3f} s of CPU a seed, {max(cpu_s):.3f} at most  "
        f"failing: {', '.join(str(each.seed) for each in failing) or 'none'}"
    )
    for each in failing:
        for violation in each.violations:
            print(f"seed {each.seed}: {violation}")
    if shrink:
        _print_tests(failing[:MOST_TESTS])


def _print_tests(failing: Iterable[Found]) -> None:
    for each in failing:
        invariant = each.violations[0].invariant
        print(
            f"\n# seed {each.seed}, reduced to the steps that break it\n"
            f"{as_test(shrunk(drawn(each.seed), invariant), invariant)}"
        )


if __name__ == "__main__":
    sys.exit(main())
