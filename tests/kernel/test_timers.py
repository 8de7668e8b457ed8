from __future__ import annotations

import threading
from typing import Any

import pytest

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.lease import Lease
from perps_actors.kernel.runtime import ThreadedRuntime
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.kernel.timers import Timer, TimerHeap

LIMIT_S = 5.0


class Ticker(Actor):
    """Sets its next timer in the handler of the last, as periodic work does."""

    def __init__(self, ticks: list[int], period_s: float = 1.0) -> None:
        super().__init__()
        self.ticks = ticks
        self.period_s = period_s

    def on_start(self) -> None:
        self.timer = self.after(self.period_s, "tick")

    def on_receive(self, message: Any) -> Any:
        if message == "tick":
            self.ticks.append(self.cell.generation)
            self.timer = self.after(self.period_s, "tick")
        elif message == "cancel":
            self.timer.cancel()
        else:
            raise ValueError(message)


def test_a_timer_tells_once_at_its_time() -> None:
    simulation, ticks = SimulatedRuntime(), []
    cell = simulation.cell("ticker")
    cell.install(Ticker(ticks))
    simulation.advance(0.999)
    assert ticks == []
    simulation.advance(0.001)
    assert ticks == [1]
    simulation.advance(9)
    assert ticks == [1] * 10


def test_timers_fire_in_the_order_of_their_time_and_then_of_their_setting() -> None:
    heap, lease = TimerHeap(), Lease()
    timers = [Timer(due, lease, None) for due in (5, 3, 5, 1)]
    for timer in timers:
        heap.add(timer)
    assert heap.next_due_ns() == 1
    assert heap.pop_due(0) is None
    assert [heap.pop_due(9) for _ in timers] == [timers[3], timers[1], timers[0], timers[2]]
    assert heap.next_due_ns() is None


def test_timers_of_a_dead_incarnation_never_fire() -> None:
    simulation, ticks = SimulatedRuntime(), []
    cell = simulation.cell("ticker")
    cell.install(Ticker(ticks))
    cell.watcher = _Silent()
    simulation.settle()
    cell.address.tell("die")
    simulation.settle()
    cell.install(Ticker(ticks))
    simulation.advance(3)
    assert ticks == [2, 2, 2]


def test_a_timer_that_fired_before_the_death_is_not_handled_after_it() -> None:
    """Else each restart would leave one more chain of ticks behind."""
    for seed in range(20):
        simulation, ticks = SimulatedRuntime(seed=seed), []
        cell = simulation.cell("ticker")
        cell.watcher = _Silent()
        cell.install(Ticker(ticks))
        simulation.settle()
        for _ in range(5):
            cell.address.tell("die")
            simulation.clock.advance(10**9)
            while simulation._fire_next(simulation.clock.monotonic_ns()):
                pass
            simulation.settle()
            cell.install(Ticker(ticks))
            simulation.settle()
        ticks.clear()
        simulation.advance(3)
        assert ticks == [6, 6, 6]


def test_a_cancelled_timer_is_not_handled_even_if_its_message_waits_already() -> None:
    simulation, ticks = SimulatedRuntime(), []
    cell = simulation.cell("ticker")
    cell.install(Ticker(ticks))
    simulation.settle()
    cell.address.tell("cancel")
    simulation.clock.advance(10**9)
    assert simulation._fire_next(simulation.clock.monotonic_ns())
    simulation.advance(5)
    assert ticks == []


def test_a_jump_of_the_wall_clock_is_not_noticed() -> None:
    simulation, ticks = SimulatedRuntime(), []
    cell = simulation.cell("ticker")
    cell.install(Ticker(ticks))
    for step in (-3600, 3600, -86_400 * 365):
        simulation.clock.step_wall(step * 10**9)
        simulation.advance(2)
    assert len(ticks) == 6


def test_a_suspension_of_a_minute_causes_one_tick_and_no_storm() -> None:
    simulation, ticks = SimulatedRuntime(), []
    cell = simulation.cell("ticker")
    cell.install(Ticker(ticks))
    simulation.settle()
    simulation.clock.advance(60 * 10**9)
    simulation.advance(0)
    assert ticks == [1]


def test_cancelled_timers_do_not_pile_up() -> None:
    heap, lease = TimerHeap(), Lease()
    kept = [Timer(number, lease, None) for number in range(10)]
    for timer in kept:
        heap.add(timer)
    for number in range(100_000):
        timer = Timer(10**18 + number, lease, None)
        heap.add(timer)
        timer.cancel()
    assert len(heap) < 200
    assert [heap.pop_due(10) for _ in kept] == kept


def test_the_error_of_a_timers_message_kills_its_actor_as_any_other_would() -> None:
    class Fragile(Actor):
        def on_start(self) -> None:
            self.after(1, "tick")

        def on_receive(self, message: Any) -> Any:
            raise ValueError(message)

    simulation = SimulatedRuntime()
    cell = simulation.cell("fragile")
    cell.install(Fragile())
    simulation.advance(2)
    assert cell.actor is None
    assert cell.statistics().dead == 1


def test_timers_fire_on_threads_the_earlier_one_first(runtime: ThreadedRuntime) -> None:
    done = threading.Event()
    seen: list[str] = []

    class Waiting(Actor):
        def on_start(self) -> None:
            self.after(3600, "never")
            self.after(0.02, "second")
            self.after(0.001, "first")

        def on_receive(self, message: Any) -> Any:
            seen.append(message)
            if len(seen) == 2:
                done.set()

    runtime.cell("waiting").install(Waiting())
    assert done.wait(LIMIT_S)
    assert seen == ["first", "second"]


def test_an_actor_that_is_started_alone_has_timers_that_end_with_it() -> None:
    ticks: list[int] = []
    ref = Ticker.start(ticks, period_s=3600)
    ref.ask("cancel", timeout=LIMIT_S)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "Ticker-timers"]
    ref.stop(timeout=LIMIT_S)
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_a_period_on_threads_does_not_pile_up_behind_a_slow_handler(
    runtime: ThreadedRuntime,
) -> None:
    ticks: list[int] = []
    held, begun = threading.Event(), threading.Event()

    class Slow(Ticker):
        def on_receive(self, message: Any) -> Any:
            super().on_receive(message)
            begun.set()
            held.wait(LIMIT_S)

    passed = threading.Event()

    class Steady(Ticker):
        def on_receive(self, message: Any) -> Any:
            super().on_receive(message)
            if len(self.ticks) == 20:
                passed.set()

    cell = runtime.cell("slow")
    cell.install(Slow(ticks, period_s=0.001))
    assert begun.wait(LIMIT_S)
    runtime.cell("steady", group="steady").install(Steady([], period_s=0.001))
    assert passed.wait(LIMIT_S)
    assert len(cell.inbox) <= 1
    held.set()


class _Silent:
    def started(self, *_: object) -> None:
        pass

    died = stopped = started


@pytest.mark.parametrize("delay_s", [0, 1e-9])
def test_a_timer_without_delay_fires_in_the_next_moment(delay_s: float) -> None:
    simulation, ticks = SimulatedRuntime(), []

    class Once(Ticker):
        def on_start(self) -> None:
            self.after(delay_s, "tick")

    simulation.cell("once").install(Once(ticks))
    simulation.advance(0.5)
    assert ticks == [1]
