"""The supervisor on real threads: hung handlers, deadlines, and the race between them."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from perps_actors.errors import StartFailed
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Teller
from perps_actors.kernel.children import ChildState, RestartPolicy
from perps_actors.kernel.runtime import ThreadedRuntime

LIMIT_S = 10.0


class Clerk(Actor):
    """Passes on what it is told; an exception kills it, an event holds it up."""

    def __init__(self, listener: Teller | None = None, hold_in: str = "") -> None:
        super().__init__()
        self.listener = listener
        self.hold_in = hold_in
        self.release = threading.Event()

    def _hold(self, hook: str) -> None:
        if hook == self.hold_in:
            self.release.wait(LIMIT_S)

    def on_start(self) -> None:
        self._hold("on_start")

    def on_stop(self) -> None:
        self._hold("on_stop")

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, Hold):
            message.begun.set()
            message.release.wait(LIMIT_S)
        elif self.listener is not None:
            self.listener.tell(message)
        return message


class Hold:
    """A message that holds its handler up."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()


class Probe:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, message: Any) -> None:
        self.told.append(message)


def test_a_hung_child_is_fenced_and_replaced_and_its_thread_ends_when_released(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house = family(runtime, look_every_s=0.005)
    cell = house.add("hung", Clerk, group="shared", hang_after_s=0.02)
    other = house.add("other", Clerk, group="shared")
    house.start()
    hold = Hold()
    cell.address.tell(hold)
    house.wait_for("actor_restarted")
    assert cell.address.ask("back?", timeout=LIMIT_S) == "back?"
    assert other.address.ask("still there?", timeout=LIMIT_S) == "still there?"
    died = house.incidents[0]
    assert died.kind == "actor_died"
    assert "Hung" in died.error
    assert died.letter.message is hold
    assert runtime.abandoned == 1
    assert house.stop().finished == ("hung", "other")
    assert runtime.close(0.01) == ("test0-shared",)
    hold.release.set()
    assert runtime.close(LIMIT_S) == ()


def test_a_slow_child_that_gets_on_is_not_taken_for_hung(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house = family(runtime, look_every_s=0.002)
    passed = threading.Event()

    class Steady(Clerk):
        def on_receive(self, message: Any) -> Any:
            passed.wait(0.002)
            return super().on_receive(message)

    cell = house.add("steady", Steady, hang_after_s=0.1)
    house.start()
    for number in range(100):
        cell.address.tell(number)
    assert cell.address.ask("done?", timeout=LIMIT_S) == "done?"
    assert house.incidents == []
    house.stop()


def test_a_hung_start_is_a_failed_start(runtime: ThreadedRuntime, family: Any) -> None:
    house = family(runtime, look_every_s=0.005)
    clerk = Clerk(hold_in="on_start")
    house.add("first", Clerk)
    house.add("hung", lambda: clerk, hang_after_s=0.02)
    with pytest.raises(StartFailed, match="hung did not start: Hung"):
        house.start()
    clerk.release.set()


def test_children_that_have_not_stopped_by_the_deadline_are_abandoned(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house = family(runtime)
    cell = house.add("hung", Clerk)
    house.add("fine", Clerk)
    house.start()
    hold = Hold()
    cell.address.tell(hold)
    assert hold.begun.wait(LIMIT_S)
    cell.address.tell("behind it")
    report = house.stop(deadline_s=0.05)
    assert (report.finished, report.abandoned) == (("fine",), ("hung",))
    assert report.left == (("hung", 1),)
    assert report.dead_letters == 1
    hold.release.set()
    assert runtime.close(LIMIT_S) == ()
    assert house.children["hung"].state is ChildState.ABANDONED
    assert house.kinds("hung") == []


def test_a_child_that_hangs_in_on_stop_is_abandoned_by_the_deadline(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house = family(runtime)
    clerk = Clerk(hold_in="on_stop")
    house.add("first", Clerk)
    house.add("hung", lambda: clerk)
    house.start()
    report = house.stop(deadline_s=0.05)
    assert "hung" in report.abandoned
    assert runtime.abandoned == 1
    clerk.release.set()
    assert house.stop() is report
    assert runtime.close(LIMIT_S) == ()
    assert house.children["hung"].state is ChildState.ABANDONED


def test_a_child_that_hangs_in_on_stop_for_too_long_does_not_hold_the_others_up(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house = family(runtime, look_every_s=0.005)
    clerk = Clerk(hold_in="on_stop")
    house.add("first", Clerk, group="shared")
    house.add("hung", lambda: clerk, group="shared", hang_after_s=0.02)
    house.start()
    report = house.stop(deadline_s=LIMIT_S)
    assert (report.finished, report.abandoned) == (("first",), ("hung",))
    clerk.release.set()


@pytest.mark.parametrize("drain", [True, False])
def test_a_hung_child_leaves_half_of_the_deadline_to_others_on_its_thread(
    runtime: ThreadedRuntime, family: Any, *, drain: bool
) -> None:
    house, probe = family(runtime, look_every_s=0.01), Probe()
    neighbour = house.add("neighbour", lambda: Clerk(probe), group="shared")
    cell = house.add("hung", Clerk, group="shared")
    house.start()
    hold = Hold()
    cell.address.tell(hold)
    assert hold.begun.wait(LIMIT_S)
    neighbour.address.tell("waiting")
    report = house.stop(drain=drain, deadline_s=0.4)
    assert report.finished == ("neighbour", "hung")
    assert report.dead_letters == 1
    assert probe.told == ["waiting"]
    assert runtime.abandoned == 1
    hold.release.set()


def test_the_earlier_deadline_of_two_stops_holds(runtime: ThreadedRuntime, family: Any) -> None:
    house = family(runtime)
    cell = house.add("hung", Clerk)
    house.start()
    hold = Hold()
    cell.address.tell(hold)
    assert hold.begun.wait(LIMIT_S)
    patient = house.order_stop(deadline_s=3600)
    report = house.stop(deadline_s=0.05)
    assert patient.get(timeout=LIMIT_S) is report
    assert report.abandoned == ("hung",)
    hold.release.set()


def test_a_death_is_told_although_nothing_is_logged(
    runtime: ThreadedRuntime, family: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    house = family(runtime)
    cell = house.add("a", Clerk)
    house.start()
    cell.address.tell(SystemExit(3))
    house.wait_for("actor_restarted")
    assert house.incidents[0].error == "SystemExit: 3"
    assert cell.address.ask("back?", timeout=LIMIT_S) == "back?"
    house.stop()
    assert capfd.readouterr() == ("", "")
    assert [type(handler) for handler in logging.getLogger("perps_actors").handlers] == [
        logging.NullHandler
    ]


def test_a_chain_drains_on_threads_with_nothing_lost(runtime: ThreadedRuntime, family: Any) -> None:
    house, probe = family(runtime), Probe()
    last = house.add("last", lambda: Clerk(probe))
    middle = house.add("middle", lambda: Clerk(last.address))
    first = house.add("first", lambda: Clerk(middle.address))
    house.start()
    for number in range(5000):
        assert first.address.tell(number)
    report = house.stop(deadline_s=LIMIT_S)
    assert probe.told == list(range(5000))
    assert report.clean


def test_a_host_that_stops_all_registered_actors_does_not_reach_ours(
    runtime: ThreadedRuntime, family: Any
) -> None:
    import pykka  # noqa: PLC0415

    house = family(runtime)
    cell = house.add("a", Clerk)
    house.start()
    assert pykka.ActorRegistry.stop_all(timeout=LIMIT_S) == []
    assert cell.address.ask("still there?", timeout=LIMIT_S) == "still there?"
    house.stop()


def test_one_that_is_given_up_on_threads_leaves_its_sibling_alone(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house = family(runtime, policy=RestartPolicy(intensity=1))
    bad, good = house.add("bad", Clerk, group="shared"), house.add("good", Clerk, group="shared")
    house.start()
    bad.address.tell(ValueError())
    bad.address.tell(ValueError())
    house.wait_for("actor_given_up")
    assert good.address.ask("still there?", timeout=LIMIT_S) == "still there?"
    assert house.stop().given_up == ("bad",)


def test_a_removed_child_that_hangs_is_abandoned_at_the_deadline_of_its_removal(
    runtime: ThreadedRuntime, family: Any
) -> None:
    house, hold = family(runtime), Hold()
    house.add("hung", Clerk)
    house.add("other", Clerk)
    house.start()
    child = house.children["hung"]
    child.cell.address.tell(hold)
    assert hold.begun.wait(LIMIT_S)
    child.cell.address.tell("left")
    assert house.remove("hung", stop_s=0.05).get(timeout=LIMIT_S) == 1
    assert child.state is ChildState.ABANDONED
    hold.release.set()
    assert house.stop().finished == ("other",)
