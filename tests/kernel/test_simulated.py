from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from perps_actors.errors import ActorUnavailable, AskTimeout, KernelError
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Address
from perps_actors.kernel.simulated import SimulatedRuntime

PROGRAM = """
import random, sys
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.simulated import SimulatedRuntime

class Dice(Actor):
    def __init__(self, random):
        super().__init__()
        self.random, self.peers = random, []
    def on_start(self):
        self.after(self.random.random(), {"left": 3})
    def on_receive(self, message):
        if message["left"]:
            for peer in set(self.random.sample(range(len(self.peers)), 2)):
                self.peers[peer].tell({"left": message["left"] - 1})

runtime = SimulatedRuntime(seed=int(sys.argv[1]))
cells = [runtime.cell(f"dice-{n}") for n in range(6)]
for cell in cells:
    actor = Dice(runtime.random)
    actor.peers = [c.address for c in cells]
    cell.install(actor)
runtime.advance(5)
print(runtime.trace(), runtime.steps)
"""


def _run(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(seed)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    assert _run(7, "1") == _run(7, "12345")


class Ping(Actor):
    """Passes on a number to its peer, one less each time, or for ever."""

    def __init__(
        self, log: list[str], name: str, peer: Address | None = None, *, endless: bool = False
    ) -> None:
        super().__init__()
        self.log, self.name, self.peer, self.endless = log, name, peer, endless

    def on_receive(self, message: Any) -> Any:
        self.log.append(self.name)
        if self.peer is not None and (message or self.endless):
            self.peer.tell(message - 1)
        return message


def _order(seed: int) -> tuple[str, str]:
    simulation, log = SimulatedRuntime(seed=seed), []
    for name in "abcd":
        cell = simulation.cell(name)
        cell.install(Ping(log, name))
        for _ in range(5):
            cell.address.tell(0)
    simulation.settle()
    return "".join(log), simulation.trace()


def test_another_seed_gives_another_order() -> None:
    assert _order(1) == _order(1)
    orders = {_order(seed) for seed in range(20)}
    assert len({log for log, _ in orders}) == len({trace for _, trace in orders}) == 20


def test_messages_of_one_sender_arrive_in_order_with_every_seed() -> None:
    class Noting(Ping):
        def on_receive(self, message: Any) -> Any:
            self.log.append(f"{self.name}{message}")

    for seed in range(10):
        simulation, log = SimulatedRuntime(seed=seed), []
        for name in "abcd":
            cell = simulation.cell(name)
            cell.install(Noting(log, name))
            for number in range(5):
                cell.address.tell(number)
        simulation.settle()
        for name in "abcd":
            assert [entry for entry in log if entry[0] == name] == [
                f"{name}{number}" for number in range(5)
            ]


def test_actors_that_tell_each_other_without_end_are_found_out() -> None:
    simulation = SimulatedRuntime(max_steps=1000)
    left, right = simulation.cell("left"), simulation.cell("right")
    left.install(Ping([], "left", right.address, endless=True))
    right.install(Ping([], "right", left.address, endless=True))
    left.address.tell(0)
    with pytest.raises(KernelError, match="without end"):
        simulation.settle()


def test_a_long_life_is_not_mistaken_for_one_without_end() -> None:
    class Steady(Actor):
        def on_start(self) -> None:
            self.after(1, "tick")

        def on_receive(self, message: Any) -> Any:
            self.after(1, message)

    simulation = SimulatedRuntime(max_steps=100)
    simulation.cell("steady").install(Steady())
    simulation.advance(1000)
    assert simulation.steps > 1000


def test_timers_that_set_each_other_without_delay_are_found_out() -> None:
    class Restless(Actor):
        def on_start(self) -> None:
            self.after(0, "tick")

        def on_receive(self, message: Any) -> Any:
            self.after(0, message)

    simulation = SimulatedRuntime(max_steps=100)
    simulation.cell("restless").install(Restless())
    with pytest.raises(KernelError, match="without end"):
        simulation.advance(1)


def test_an_ask_turns_the_wheel_until_the_answer() -> None:
    simulation = SimulatedRuntime()
    cell = simulation.cell("ping")
    cell.install(Ping([], "ping"))
    assert cell.address.ask(3, timeout=1) == 3


def test_an_ask_without_answer_takes_its_whole_virtual_time() -> None:
    simulation = SimulatedRuntime()
    vacant = simulation.cell("vacant")
    with pytest.raises(AskTimeout):
        vacant.address.ask("anyone?", timeout=30)
    assert simulation.clock.monotonic_ns() == 30 * 10**9


def test_questions_that_wait_at_the_close_get_an_error() -> None:
    simulation = SimulatedRuntime()
    cell = simulation.cell("ping")
    waiting = cell.address.put_question(1)
    assert simulation.close(1.0) == ()
    for question in (waiting, cell.address.put_question(2)):
        with pytest.raises(ActorUnavailable):
            question.get(timeout=0)
