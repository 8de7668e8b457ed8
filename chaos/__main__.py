"""Play rounds of chaos for a while; exit with 1 if a round broke anything.

Prints one JSON line per round, with its seed, and one at the end.

Usage: python -m chaos [--seconds S] [--seed N] [--kinds KIND ...]
"""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Callable, Sequence

from chaos.flood import flood_round
from chaos.hosted import HostedRounds
from chaos.live import live_round
from chaos.recorded import RecordedRounds
from chaos.result import RoundResult

TORMENT_S = 6.0
LEAST_TORMENT_S = 1.0
FLOOD_S = 2.0
WARM_ROUNDS = 6
GROWTH_MIB = 32.0
"""Growth of resident memory that is allowed after the first rounds."""


KINDS = ("live", "recorded", "hosted", "flood")
"""The kinds of rounds, in the order in which they are played."""


def rounds(seconds: float, seed: int, kinds: Sequence[str] = KINDS) -> list[RoundResult]:
    """Play rounds of these kinds in turn for a time, at least one of each."""
    results: list[RoundResult] = []
    recorded, hosted, until_s = RecordedRounds(), HostedRounds(), time.monotonic() + seconds
    players: dict[str, Callable[[int, float], RoundResult]] = {
        "live": lambda seed, left_s: live_round(seed, min(TORMENT_S, max(LEAST_TORMENT_S, left_s))),
        "recorded": lambda seed, _: recorded.play(seed),
        "hosted": lambda seed, _: hosted.play(seed),
        "flood": lambda seed, _: flood_round(seed, FLOOD_S),
    }
    while len(results) < len(kinds) or time.monotonic() < until_s:
        result = players[kinds[len(results) % len(kinds)]](
            seed + len(results), until_s - time.monotonic()
        )
        result.show()
        results.append(result)
    return results


def summary(results: list[RoundResult], seed: int, seconds: float) -> RoundResult:
    """Return the result of all rounds; memory must have stopped growing."""
    resident = [result.figures["rss_mib"] for result in results]
    growth_mib = max(resident[WARM_ROUNDS:], default=0.0) - max(resident[:WARM_ROUNDS])
    total = RoundResult(kind="summary", seed=seed)
    total.violations = [
        f"seed {result.seed}: {what}" for result in results for what in result.violations
    ]
    total.require(
        growth_mib <= GROWTH_MIB,
        f"resident memory grew by {growth_mib:.1f} MiB after {WARM_ROUNDS} rounds",
    )
    sums = (
        "struck",
        "restarts",
        "abandoned",
        "handled",
        "dead",
        "dropped",
        "left",
        "marks",
        "events",
    )
    total.figures = {name: sum(result.figures.get(name, 0) for result in results) for name in sums}
    total.figures |= {
        "rounds": len(results),
        "seconds": round(seconds, 1),
        "growth_mib": round(growth_mib, 1),
    }
    return total


def main(arguments: list[str] | None = None) -> int:
    """Play rounds and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="how long; default ten minutes"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="of the first round, each after it one more; default: any",
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=KINDS,
        default=KINDS,
        help="which rounds to play; default all, in turn",
    )
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else secrets.randbelow(10**6)
    began_s = time.monotonic()
    results = rounds(given.seconds, seed, given.kinds)
    total = summary(results, seed, time.monotonic() - began_s)
    total.show()
    return 1 if total.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
