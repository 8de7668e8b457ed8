"""The supervisor under the simulated runtime, where every order of events is a seed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from perps_actors.errors import KernelError, StartFailed
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.children import (
    Child,
    ChildSpec,
    ChildState,
    Incident,
    Restart,
    RestartPolicy,
)
from perps_actors.kernel.simulated import SimulatedRuntime

SEEDS = range(12)


class Worker(Actor):
    """Logs its hooks and messages into a list that outlives it. A negative number kills it."""

    def __init__(
        self, name: str, log: list[tuple[str, Any]], listener: Teller | None = None
    ) -> None:
        super().__init__()
        self.name = name
        self.log = log
        self.listener = listener

    def on_start(self) -> None:
        self.log.append((self.name, "start"))

    def on_stop(self) -> None:
        self.log.append((self.name, "stop"))

    def on_failure(self, *_: object) -> None:
        self.log.append((self.name, "failure"))

    def on_receive(self, message: Any) -> Any:
        if message == "end":
            self.stop()
        elif message < 0:
            raise ValueError(message)
        else:
            self.log.append((self.name, message))
            if self.listener is not None:
                self.listener.tell(message)


def _worker(
    name: str, log: list[tuple[str, Any]], listener: Teller | None = None
) -> Callable[[], Worker]:
    return lambda: Worker(name, log, listener)


def _raise(error: BaseException) -> Any:
    raise error


def test_children_start_in_order_each_once_the_one_before_is_up_and_stop_in_reverse(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    for name in "abc":
        house.add(name, _worker(name, log))
    house.start()
    report = house.stop()
    assert log == [(n, "start") for n in "abc"] + [(n, "stop") for n in "cba"]
    assert report.finished == ("a", "b", "c")
    assert report.clean


@pytest.mark.parametrize(
    "error", [OSError("no such port"), SystemExit(1), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize("place", ["constructor", "on_start"])
def test_a_child_that_does_not_come_up_undoes_the_start(
    family: Any, place: str, error: BaseException
) -> None:
    log: list[tuple[str, Any]] = []

    class Stillborn(Worker):
        def on_start(self) -> None:
            raise error

    house = family(SimulatedRuntime())
    house.add("a", _worker("a", log))
    house.add("b", _worker("b", log))
    house.add(
        "c", (lambda: _raise(error)) if place == "constructor" else lambda: Stillborn("c", log)
    )
    house.add("d", _worker("d", log))
    with pytest.raises(StartFailed, match=f"c did not start: {type(error).__name__}") as caught:
        house.start()
    assert caught.value.__cause__ is error
    assert [entry for entry in log if entry[0] != "c"] == [
        ("a", "start"),
        ("b", "start"),
        ("b", "stop"),
        ("a", "stop"),
    ]
    report = house.stop()
    assert (report.finished, report.given_up) == (("a", "b", "d"), ("c",))


def test_a_restart_keeps_the_address_and_waiting_messages(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    address = house.add("a", _worker("a", log)).address
    house.start()
    for message in (1, -1, 2, -2, 3):
        address.tell(message)
    simulation.advance(10)
    assert [entry for _, entry in log if isinstance(entry, int)] == [1, 2, 3]
    assert house.kinds() == ["actor_died", "actor_restarted"] * 2
    incident: Incident = house.incidents[0]
    assert (incident.actor, incident.error) == ("a", "ValueError: -1")
    assert incident.letter is not None
    assert incident.letter.message == -1
    report = house.stop()
    assert report.dead_letters == 2
    assert not report.clean


def test_a_child_that_dies_too_often_is_given_up_and_the_others_live(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation, policy=RestartPolicy(intensity=3))
    cell, other = house.add("a", _worker("a", log)), house.add("b", _worker("b", log))
    house.start()
    for _ in range(6):
        cell.address.tell(-1)
    simulation.advance(20)
    assert house.kinds("a").count("actor_restarted") == 3
    assert house.kinds("a")[-1] == "actor_given_up"
    assert house.children["a"].state is ChildState.GIVEN_UP
    assert cell.address.tell(1) is False
    other.address.tell(7)
    simulation.settle()
    assert log[-1] == ("b", 7)
    report = house.stop()
    assert (report.given_up, report.left, report.dead_letters) == (("a",), (("a", 2),), 4)


def test_a_restart_whose_constructor_fails_is_tried_again(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    attempts: list[int] = []

    def make() -> Worker:
        attempts.append(1)
        if len(attempts) == 2:
            raise SystemExit(1)
        return Worker("a", log)

    house = family(simulation)
    cell = house.add("a", make)
    house.start()
    cell.address.tell(-1)
    cell.address.tell(1)
    simulation.advance(5)
    assert len(attempts) == 3
    assert log[-1] == ("a", 1)
    assert house.stop().finished == ("a",)


def test_pauses_grow_with_jitter_and_start_over_after_healthy_time(family: Any) -> None:
    simulation = SimulatedRuntime()
    starts: list[int] = []

    class Dying(Actor):
        def on_start(self) -> None:
            starts.append(simulation.clock.monotonic_ns())

        def on_receive(self, message: Any) -> Any:
            raise ValueError(message)

    policy = RestartPolicy(
        intensity=100,
        first_delay_s=0,
        base_delay_s=1.0,
        max_delay_s=8.0,
        jitter=0.25,
        healthy_s=30.0,
    )
    house = family(simulation, policy=policy)
    cell = house.add("a", Dying)
    house.start()
    for _ in range(7):
        cell.address.tell("die")
    simulation.advance(60)
    pauses = [(later - earlier) / 1e9 for earlier, later in pairwise(starts)]
    assert pauses[0] == 0
    for pause, middle in zip(pauses[1:], [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.75 * middle <= pause <= 1.25 * middle
        assert pause != middle
    starts.clear()
    cell.address.tell("die")
    before_ns = simulation.clock.monotonic_ns()
    simulation.advance(1)
    assert starts == [before_ns]
    house.stop()


def test_draining_handles_all_that_is_under_way_along_a_chain(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    last = house.add("last", _worker("last", log))
    middle = house.add("middle", _worker("middle", log, last.address))
    first = house.add("first", _worker("first", log, middle.address))
    house.start()
    for number in range(20):
        first.address.tell(number)
    report = house.stop()
    for name in ("first", "middle", "last"):
        assert [entry for n, entry in log if n == name] == ["start", *range(20), "stop"]
    assert report.clean
    before = sum(child.handled_before for child in house.children.values())
    assert report.drained == 60 - before


def test_stopping_goes_ahead_of_data_and_reports_messages_left(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    cell = house.add("a", _worker("a", log))
    house.start()
    done = house.order_stop(drain=False)
    for number in range(20):
        cell.address.tell(number)
    report = simulation.wait(done, 5)
    handled = len([entry for _, entry in log if isinstance(entry, int)])
    left = dict(report.left).get("a", 0)
    assert (
        handled == cell.statistics().handled == report.drained + house.children["a"].handled_before
    )
    assert left > 0
    assert handled + left == cell.inbox.statistics().told == 20


def test_a_child_that_dies_while_it_drains_goes_on_after_its_restart(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    cell = house.add("a", _worker("a", log))
    house.add("b", _worker("b", log))
    house.start()
    for message in (1, -1, 2, -2, 3):
        cell.address.tell(message)
    report = house.stop(drain=True)
    assert [entry for _, entry in log if isinstance(entry, int)] == [1, 2, 3]
    assert report.finished == ("a", "b")
    assert report.left == ()


@pytest.mark.parametrize("drain", [True, False])
def test_a_child_that_waits_to_be_revived_is_stopped_too(
    simulation: SimulatedRuntime, family: Any, *, drain: bool
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation, policy=RestartPolicy(first_delay_s=2.0))
    cell = house.add("a", _worker("a", log))
    house.start()
    cell.address.tell(-1)
    cell.address.tell(1)
    simulation.settle()
    assert house.children["a"].state is ChildState.BACKING_OFF
    report = house.stop(drain=drain)
    assert report.finished == ("a",)
    assert report.left == (() if drain else (("a", 1),))
    assert log[-1] == (("a", "stop") if drain else ("a", "failure"))


def test_a_child_that_dies_before_an_order_to_stop_reaches_it_is_not_started_again(
    family: Any,
) -> None:
    for seed in SEEDS:
        log: list[tuple[str, Any]] = []
        simulation = SimulatedRuntime(seed=seed)
        house = family(simulation)
        cell = house.add("a", _worker("a", log))
        house.start()
        cell.address.tell(-1)
        report = house.stop(drain=False)
        assert report.finished == ("a",)
        assert log.count(("a", "start")) == 1
        assert log[-1][1] in {"stop", "failure"}


def test_a_second_stop_gets_the_same_report(simulation: SimulatedRuntime, family: Any) -> None:
    house = family(simulation)
    house.add("a", _worker("a", []))
    house.start()
    first, second = house.order_stop(drain=True), house.order_stop(drain=False)
    report = simulation.wait(first, 5)
    assert simulation.wait(second, 5) is report
    assert house.stop() is report


def test_a_stop_in_the_middle_of_a_start_ends_both(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    for name in "abc":
        house.add(name, _worker(name, log))
    starting = house.begin()
    while ("a", "start") not in log:
        simulation.step()
    report = simulation.wait(house.order_stop(), 5)
    assert set(report.finished) == {"a", "b", "c"}
    with pytest.raises(StartFailed, match="Stopped before"):
        simulation.wait(starting, 5)
    started = [name for name, entry in log if entry == "start"]
    assert started == ["a", "b"]
    assert [name for name, entry in log if entry == "stop"] == started[::-1]


def test_children_are_started_once(family: Any) -> None:
    simulation = SimulatedRuntime()
    house = family(simulation)
    house.add("a", _worker("a", []))
    house.start()
    house.stop()
    with pytest.raises(StartFailed, match="once"):
        simulation.wait(house.order_start(), 5)


def test_a_sibling_that_dies_during_the_start_neither_hurries_nor_fails_it(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    first = house.add("a", _worker("a", log))
    house.add("b", _worker("b", log))
    house.add("c", _worker("c", log))
    done = house.begin()
    while ("a", "start") not in log:
        simulation.step()
    first.address.tell(-1)
    simulation.wait(done, 5)
    simulation.settle()
    order = [name for name, entry in log if entry == "start"]
    assert [name for name in order if name != "a"] == ["b", "c"]
    assert order.count("a") == 2
    assert house.stop().finished == ("a", "b", "c")


@pytest.mark.parametrize(
    ("restart", "after_death", "after_end"),
    [(Restart.PERMANENT, 2, 2), (Restart.TRANSIENT, 2, 1), (Restart.TEMPORARY, 1, 1)],
)
def test_who_is_started_again_is_a_matter_of_its_kind(
    family: Any, restart: Restart, after_death: int, after_end: int
) -> None:
    for message, starts in ((-1, after_death), ("end", after_end)):
        log: list[tuple[str, Any]] = []
        simulation = SimulatedRuntime()
        house = family(simulation)
        cell = house.add("a", _worker("a", log), restart=restart)
        house.start()
        cell.address.tell(message)
        simulation.advance(1)
        assert log.count(("a", "start")) == starts
        assert cell.address.tell(5) is (starts == 2)
        house.stop()


def test_a_listener_that_raises_does_not_bring_the_supervisor_down(
    simulation: SimulatedRuntime, family: Any
) -> None:
    log: list[tuple[str, Any]] = []
    house = family(simulation)
    cell = house.add("a", _worker("a", log))
    house._note = lambda _: _raise(RuntimeError("the host's own"))
    house.start()
    cell.address.tell(-1)
    cell.address.tell(1)
    simulation.settle()
    assert log[-1] == ("a", 1)
    house.stop()


def test_a_long_suspension_fences_nobody(simulation: SimulatedRuntime, family: Any) -> None:
    house = family(simulation)
    cell = house.add("a", _worker("a", []), hang_after_s=10)
    house.start()
    cell._in_hand.append("a message whose handler is suspended with the whole process")
    simulation.advance(5)
    simulation.clock.advance(3600 * 10**9)
    simulation.advance(1)
    assert house.kinds() == ["held_up"]
    simulation.advance(10)
    assert house.kinds() == ["held_up", "actor_died", "actor_restarted"]
    house.stop()


def test_only_time_in_one_message_counts_for_hanging() -> None:
    cell = SimulatedRuntime().cell("a")
    child = Child(ChildSpec(name="a", factory=lambda: Worker("a", [])), cell)
    cell._in_hand.append("message")
    second = 10**9
    assert not any(child.hangs(now * second, 2 * second, 10) for now in range(1, 9))
    cell.inbox.taken += 1
    assert not any(child.hangs(now * second, 2 * second, 10) for now in range(9, 19))
    assert any(child.hangs(now * second, 2 * second, 10) for now in range(19, 22))


def test_a_supervisor_that_fails_itself_leaves_nobody_waiting(family: Any) -> None:
    class Loaded:
        def random(self) -> float:
            msg = "no chance"
            raise RuntimeError(msg)

    simulation = SimulatedRuntime()
    house = family(simulation)
    house.random = Loaded()
    cell = house.add("a", _worker("a", []))
    house.start()
    cell.address.tell(-1)
    cell.address.tell(-1)
    stopping = house.order_stop()
    with pytest.raises(KernelError, match="The supervisor failed: RuntimeError: no chance"):
        simulation.wait(stopping, 5)
    assert house.kinds()[-1] == "supervisor_failed"
