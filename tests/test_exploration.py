from __future__ import annotations

import functools
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exploration.__main__ import main
from exploration.bites import ROOT, bite
from exploration.explore import judge, shrunk
from exploration.invariants import violations
from exploration.mutations import MUTATIONS, Mutation, mutation_named
from exploration.play import play
from exploration.schedule import (
    ACTORS,
    CRASHES,
    GROUPS,
    Crash,
    JournalFault,
    Schedule,
    Stall,
    drawn,
)
from perps_actors.actors import mark_store
from perps_actors.market import window
from perps_actors.market.mark import RUNGS
from perps_actors.testing import WireFault

LIMIT_S = 120


def explore(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exploration", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def trace_of(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("trace ")[1].split()[0]


# --- what must always hold, whatever goes wrong


@pytest.mark.parametrize("seed", range(40))
def test_a_seed_breaks_no_invariant(seed) -> None:
    assert judge(drawn(seed))[1] == ()


seconds = st.floats(0.0, 6.0).map(lambda at_s: round(at_s, 1))
faults = st.builds(
    WireFault,
    seconds,
    st.sampled_from(
        [
            "lose",
            "duplicate",
            "reorder",
            "garble",
            "cross",
            "delay",
            "silence",
            "mute",
            "cut",
            "refuse",
            "rest_fail",
            "rest_late",
        ]
    ),
    st.sampled_from([0.3, 1.0, 3.0]),
    st.sampled_from([0.3, 1.0]),
)
crashes = st.builds(
    Crash, st.sampled_from(ACTORS), st.integers(1, 60), st.sampled_from(CRASHES), st.integers(0, 3)
)
schedules = st.builds(
    Schedule,
    seed=st.integers(0, 2**16),
    symbols=st.integers(1, 2),
    source=st.sampled_from(RUNGS[:2]),
    lossless=st.booleans(),
    faults=st.lists(faults, max_size=3).map(tuple),
    crashes=st.lists(crashes, max_size=4).map(tuple),
    stalls=st.lists(
        st.builds(Stall, seconds, st.sampled_from(GROUPS), st.sampled_from([0.3, 2.0])), max_size=2
    ).map(tuple),
    rough_s=st.just(6.0),
    calm=st.booleans(),
    end=st.sampled_from(["drain", "stop"]),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(schedules)
def test_no_schedule_of_faults_and_crashes_breaks_an_invariant(schedule) -> None:
    assert violations(play(schedule)) == []


# --- what exploration found before


def test_no_mark_is_journalled_twice_when_a_commit_kills_the_recorder() -> None:
    crashes = (
        Crash("event_recorder", 1, "after"),
        Crash("event_recorder", 9, "after"),
        Crash("event_recorder", 40, "after"),
    )
    assert violations(play(Schedule(seed=23, symbols=3, crashes=crashes))) == []


def test_drops_reported_by_a_lost_hole_are_reported_again() -> None:
    schedule = Schedule(
        block=1,
        journal_faults=(JournalFault(1.0, "broken", 0.1),),
        crashes=(Crash("event_recorder", 19, "within", 7),),
    )
    run = play(schedule)
    assert violations(run) == []
    assert run.system.journal().dropped == sum(
        int(dict(hole.data)["dropped"]) for hole in run.events("hole")
    )


def test_a_book_that_breaks_repeatedly_leaves_its_neighbours_their_rate_limit() -> None:
    run = play(Schedule(symbols=2, faults=(WireFault(1.0, "cross", 6.0),)))
    assert violations(run) == []
    assert run.recovered_s is not None
    assert run.recovered_s < 10


# --- the same seed is the same run


def test_seeds_give_the_same_runs_in_every_process() -> None:
    first = explore("0:25", PYTHONHASHSEED="1")
    second = explore("0:25", "-j", "2", PYTHONHASHSEED="12345")
    assert trace_of(first) == trace_of(second)
    assert trace_of(explore("1:26", PYTHONHASHSEED="1")) != trace_of(first)


def test_the_seed_of_a_schedule_sets_the_order_of_things_and_nothing_else() -> None:
    assert len({judge(Schedule(seed=seed, rough_s=2.0))[0] for seed in range(5)}) == 5


# --- it finds mistakes


def test_every_mutation_replaces_an_importable_function_while_it_is_in_force() -> None:
    for mutation in MUTATIONS:
        original = mutation.original()
        with mutation.in_force():
            assert mutation.original() is not original, mutation
        assert mutation.original() is original, mutation


def test_a_mutation_replaces_a_function_also_where_it_was_imported_by_name() -> None:
    mutation = Mutation("perps_actors.market.window:pushed", "nothing", lambda _: str)
    with mutation.in_force():
        assert mark_store.pushed is str
    assert mark_store.pushed is window.pushed


def test_descriptions_of_mutations_are_unique() -> None:
    assert len({mutation.breaks for mutation in MUTATIONS}) == len(MUTATIONS) >= 45


def test_every_mutated_function_is_called_by_some_run() -> None:
    uncalled = {mutation.target for mutation in MUTATIONS}

    def noted(target, original):
        @functools.wraps(original)
        def called(*arguments, **named):
            uncalled.discard(target)
            return original(*arguments, **named)

        return called

    with ExitStack() as stack:
        for target in sorted(uncalled):
            replace = functools.partial(noted, target)
            stack.enter_context(Mutation(target, "nothing", replace).in_force())
        for seed in range(150):
            judge(drawn(seed))
            if not uncalled:
                break
    assert uncalled == set()


def test_a_mistake_is_caught_and_named() -> None:
    caught = bite(mutation_named("every source makes marks"), "0:30")
    assert caught.as_wanted
    assert caught.finding is not None
    assert caught.finding.startswith("seed ")


def test_a_failing_seed_is_printed_as_a_small_test_that_fails_there_and_passes_here(capsys) -> None:
    broken = mutation_named("a window holds one mark too many")
    assert main(["0", "--mutation", broken.breaks]) == 1
    source = capsys.readouterr().out.split("reduced to the steps that break it\n")[1]
    assert "crashes=" not in source
    assert "faults=" not in source
    printed: dict[str, Any] = {}
    exec(compile(source, "test_seed.py", "exec"), printed)
    test = next(value for name, value in printed.items() if name.startswith("test_"))
    test()
    with broken.in_force(), pytest.raises(AssertionError):
        test()


def test_a_run_that_cannot_be_played_is_a_finding() -> None:
    _, broken = judge(Schedule(symbols=0))
    assert [violation.invariant for violation in broken] == ["the_run_comes_to_its_end"]
    assert shrunk(Schedule(symbols=0, lossless=True), "no such invariant") == Schedule(
        symbols=0, lossless=True
    )


def test_seeds_that_make_no_range_are_refused() -> None:
    done = explore("9:3")
    assert done.returncode == 2
    assert "9:3" in done.stderr
