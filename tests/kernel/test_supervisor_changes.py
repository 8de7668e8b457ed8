"""Children that are added and removed, stop deadlines, a stop after a drain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from perps_actors.errors import KernelError, StartFailed
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.children import ChildState
from perps_actors.kernel.simulated import SimulatedRuntime


class Worker(Actor):
    """Logs its life and its messages; a negative number kills it."""

    def __init__(self, name: str, log: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.name = name
        self.log = log

    def on_start(self) -> None:
        self.log.append((self.name, "start"))

    def on_stop(self) -> None:
        self.log.append((self.name, "stop"))

    def on_receive(self, message: Any) -> Any:
        if message < 0:
            raise ValueError(message)
        self.log.append((self.name, message))


class Stuck(Actor):
    """Does not come back from a message until it is released."""

    def __init__(self, entered: threading.Event, release: threading.Event) -> None:
        super().__init__()
        self.entered = entered
        self.release = release

    def on_receive(self, _: Any) -> Any:
        self.entered.set()
        self.release.wait(20)


def _worker(name: str, log: list[tuple[str, Any]]) -> Callable[[], Worker]:
    return lambda: Worker(name, log)


def test_a_child_can_be_added_and_removed_while_the_others_run(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    house.add("a", _worker("a", log))
    house.start()
    child, done = house.late("b", _worker("b", log))
    simulation.wait(done, 5)
    assert child.state is ChildState.RUNNING
    for number in range(5):
        child.cell.address.tell(number)
    assert simulation.wait(house.remove("b"), 5) == 0
    assert [entry for name, entry in log if name == "b"] == ["start", *range(5), "stop"]
    with pytest.raises(KernelError, match="no such child"):
        simulation.wait(house.remove("b"), 5)
    again, done = house.late("b", _worker("b", log))
    simulation.wait(done, 5)
    again.cell.address.tell(-1)
    simulation.advance(1)
    assert again.restarts == 1
    assert house.stop().finished == ("a", "b")


def test_an_added_child_that_does_not_come_up_is_forgotten_and_harms_nobody(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    house.add("a", _worker("a", log))
    house.start()

    def fails() -> Actor:
        raise OSError("not today")  # noqa: EM101, TRY003

    _, done = house.late("b", fails)
    with pytest.raises(StartFailed, match="b did not start: OSError: not today"):
        simulation.wait(done, 5)
    _, done = house.late("a", _worker("a", log))
    with pytest.raises(StartFailed, match="one of that name"):
        simulation.wait(done, 5)
    assert house.stop().finished == ("a",)


def test_removing_without_draining_reports_messages_left(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    house.start()
    child, done = house.late("b", _worker("b", log))
    simulation.wait(done, 5)
    removed = house.remove("b", drain=False)
    for number in range(10):
        child.cell.address.tell(number)
    left = simulation.wait(removed, 5)
    handled = len([entry for _, entry in log if isinstance(entry, int)])
    assert handled + child.cell.inbox.statistics().left == 10
    assert left <= 10 - handled


def test_a_stop_overrides_a_drain_that_takes_too_long(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    cell = house.add("a", _worker("a", log))
    house.start()
    for number in range(50):
        cell.address.tell(number)
    draining, stopping = house.order_stop(drain=True), house.order_stop(drain=False)
    report = simulation.wait(stopping, 5)
    assert simulation.wait(draining, 5) is report
    handled = len([entry for _, entry in log if isinstance(entry, int)])
    assert handled + dict(report.left).get("a", 0) == 50
    assert handled < 50


def test_a_child_that_uses_up_its_own_time_to_stop_is_abandoned_and_the_others_stop_in_time(
    family: Any, runtime: Any
) -> None:
    log: list[tuple[str, Any]] = []
    entered, release = threading.Event(), threading.Event()
    house = family(runtime)
    house.add("a", _worker("a", log))
    stuck = house.add("stuck", lambda: Stuck(entered, release), stop_s=0.1)
    house.start()
    stuck.address.tell("never mind")
    assert entered.wait(10)
    report = house.stop(drain=True, deadline_s=8.0)
    release.set()
    assert report.abandoned == ("stuck",)
    assert report.finished == ("a",)
    assert ("a", "stop") in log
