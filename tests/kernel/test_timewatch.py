from __future__ import annotations

from typing import Any

from perps_actors.kernel.clock import NS_PER_S, ManualClock, TimeWatch
from perps_actors.kernel.simulated import SimulatedRuntime


def test_time_that_passes_as_planned_is_no_news() -> None:
    clock = ManualClock()
    watch = TimeWatch(clock, 1.0)
    for late_ns in (0, NS_PER_S, 4 * NS_PER_S):
        clock.advance(NS_PER_S + late_ns)
        assert list(watch.look()) == []


def test_a_minute_of_suspension_is_told_once() -> None:
    clock = ManualClock()
    watch = TimeWatch(clock, 1.0)
    clock.advance(61 * NS_PER_S)
    assert list(watch.look()) == [("held_up", "nothing ran for 61.0 s")]
    clock.advance(NS_PER_S)
    assert list(watch.look()) == []


def test_a_wall_clock_that_is_set_is_told_with_its_direction_and_slewing_is_not() -> None:
    clock = ManualClock()
    watch = TimeWatch(clock, 1.0)
    clock.advance(NS_PER_S)
    clock.step_wall(NS_PER_S // 2)
    assert list(watch.look()) == []
    for step_s in (3600, -7200):
        clock.advance(NS_PER_S)
        clock.step_wall(step_s * NS_PER_S)
        assert list(watch.look()) == [
            ("clock_stepped", f"the wall clock was set by {step_s:+.1f} s")
        ]


def test_a_supervisor_tells_the_host_and_nothing_else_happens(family: Any) -> None:
    simulation = SimulatedRuntime(seed=1)
    house = family(simulation)
    house.start()
    simulation.advance(3)
    assert house.kinds() == []
    simulation.clock.step_wall(-3600 * NS_PER_S)
    simulation.advance(1.5)
    simulation.clock.advance(60 * NS_PER_S)
    simulation.advance(3)
    assert house.kinds() == ["clock_stepped", "held_up"]
    steps = simulation.steps
    simulation.advance(5)
    assert simulation.steps - steps <= 12
    house.stop()
