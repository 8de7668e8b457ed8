"""Explores seeds: plays each and checks the invariants.

A failing schedule is reduced to a few steps and printed as a test.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import attrs

from exploration.invariants import Violation, violations
from exploration.play import play
from exploration.schedule import Schedule, drawn

TWICE_EVERY = 50
"""One of this many seeds is played twice."""
CHUNK = 20
MOST_PASSES = 4
"""Most passes in which a schedule is made smaller."""


@attrs.frozen
class Found:
    """The result of a seed."""

    seed: int
    digest: str
    cpu_s: float
    violations: tuple[Violation, ...]


def judge(schedule: Schedule) -> tuple[str, tuple[Violation, ...]]:
    """Play a schedule and return the digest of the run and its violations."""
    try:
        run = play(schedule)
        return run.digest(), tuple(violations(run))
    except Exception as error:  # noqa: BLE001 - the seed has failed, and the others go on
        return "", (Violation("the_run_comes_to_its_end", f"{type(error).__name__}: {error}"),)


def examine(seed: int) -> Found:
    """Play a seed; some seeds are played twice."""
    began_s = time.process_time()
    digest, broken = judge(drawn(seed))
    cpu_s = time.process_time() - began_s
    if seed % TWICE_EVERY == 0 and judge(drawn(seed))[0] != digest:
        broken = (
            *broken,
            Violation("the_same_seed_gives_the_same_run", "played twice, it went two ways"),
        )
    return Found(seed, digest, cpu_s, broken)


def examine_all(seeds: range, jobs: int) -> Iterator[Found]:
    """Play seeds in `jobs` processes and yield the results in order."""
    if jobs == 1:
        yield from map(examine, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(examine, seeds, chunksize=CHUNK)


def digest_of(found: Iterable[Found]) -> str:
    """Return one hash of the traces and events of all seeds."""
    hashed = hashlib.sha256()
    for each in found:
        hashed.update(f"{each.seed} {each.digest}\n".encode())
    return hashed.hexdigest()


def shrunk(schedule: Schedule, invariant: str) -> Schedule:
    """Return a smaller schedule that breaks the same invariant."""
    for _ in range(MOST_PASSES):
        smaller = schedule
        for lessen in (_at_default, _without_one, _shorter):
            smaller = lessen(smaller, invariant)
        if smaller == schedule:
            break
        schedule = smaller
    return schedule


def _breaks(schedule: Schedule, invariant: str) -> bool:
    return any(violation.invariant == invariant for violation in judge(schedule)[1])


def _with(schedule: Schedule, name: str, value: object) -> Schedule:
    return attrs.evolve(schedule, **{name: value})  # type: ignore[arg-type]


def _at_default(schedule: Schedule, invariant: str) -> Schedule:
    """Return the schedule with as many fields as possible at their default."""
    for field in attrs.fields(Schedule):
        candidate = _with(schedule, field.name, field.default)
        if field.name != "seed" and candidate != schedule and _breaks(candidate, invariant):
            schedule = candidate
    return schedule


def _without_one(schedule: Schedule, invariant: str) -> Schedule:
    """Return the schedule without the faults and crashes that are not needed."""
    for name in (
        "faults",
        "crashes",
        "stalls",
        "journal_faults",
        "settings_changes",
        "last_crashes",
        "second_faults",
    ):
        for one in getattr(schedule, name):
            candidate = _with(
                schedule,
                name,
                tuple(other for other in getattr(schedule, name) if other is not one),
            )
            if _breaks(candidate, invariant):
                schedule = candidate
    return schedule


def _shorter(schedule: Schedule, invariant: str) -> Schedule:
    """Return the schedule with less time and fewer symbols."""
    while schedule.rough_s > 1.0 and _breaks(
        candidate := _with(schedule, "rough_s", round(schedule.rough_s / 2, 1)), invariant
    ):
        schedule = candidate
    while schedule.symbols > 1 and _breaks(
        candidate := _with(schedule, "symbols", schedule.symbols - 1), invariant
    ):
        schedule = candidate
    return schedule


def as_test(schedule: Schedule, invariant: str) -> str:
    """Return a test that plays the schedule, for pytest at the root of the repository."""
    return f"""\
from exploration.invariants import violations
from exploration.play import play
from exploration.schedule import Crash, JournalFault, Schedule, SettingsChange, Stall
from perps_actors.testing import WireFault


def test_{invariant}() -> None:
    schedule = {schedule.code()}
    assert violations(play(schedule)) == []
"""
