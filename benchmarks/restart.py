"""From an actor's crash to the end of its next incarnation's `on_start`, under a supervisor, against the limit of 5 ms."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from benchmarks.counting import LIMIT_S
from benchmarks.result import Result, of_rounds
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.children import Child, ChildSpec, RestartPolicy
from perps_actors.kernel.commands import StartChildren, StopChildren
from perps_actors.kernel.future import Answer
from perps_actors.kernel.runtime import ThreadedRuntime
from perps_actors.kernel.supervisor import Supervisor

LIMIT_MS = 5.0


class Stopwatch:
    """What outlives the incarnations: when one crashed, and how long it took until the next was up."""

    def __init__(self) -> None:
        self.crashed_ns = 0
        self.taken_ns: list[int] = []
        self.up = threading.Event()


class Frail(Actor):
    """Crashes at any message and notes when; notes when the next one is up."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__()
        self._stopwatch = stopwatch

    def on_start(self) -> None:
        """Note that this incarnation is up."""
        watch = self._stopwatch
        if watch.crashed_ns:
            watch.taken_ns.append(time.monotonic_ns() - watch.crashed_ns)
        watch.up.set()

    def on_receive(self, message: Any) -> None:
        """Crash."""
        self._stopwatch.crashed_ns = time.monotonic_ns()
        raise ValueError(message)


def restarts_ms(count: int) -> list[float]:
    """Return how long each of so many restarts took; every death counts as a first one, so that no pause is added on purpose."""
    stopwatch, runtime = Stopwatch(), ThreadedRuntime(name="benchmark")
    cell, supervisor = runtime.cell("frail"), runtime.cell("supervisor", group="supervisor")
    child = Child(ChildSpec(name="frail", factory=lambda: Frail(stopwatch)), cell)
    policy = RestartPolicy(intensity=10**9, healthy_s=0.0)
    supervisor.install(
        Supervisor([child], policy=policy, random=Random(0), on_incident=lambda _: None)
    )
    started, stopped = Answer(), Answer()
    supervisor.address.tell(StartChildren(started))
    started.get(timeout=LIMIT_S)
    for number in range(count):
        stopwatch.up.clear()
        cell.address.tell(number)
        assert stopwatch.up.wait(LIMIT_S)
    supervisor.address.tell(StopChildren(drain=False, deadline_s=LIMIT_S, done=stopped))
    stopped.get(timeout=LIMIT_S)
    assert runtime.close(LIMIT_S) == ()
    return [taken_ns / 1e6 for taken_ns in stopwatch.taken_ns]


def measure(*, quick: bool) -> Iterator[Result]:
    """Yield median and 99th percentile."""
    taken = sorted(restarts_ms(100 if quick else 1_000))
    for variant, value in (
        ("p50", statistics.median(taken)),
        ("p99", taken[int(len(taken) * 0.99)]),
    ):
        yield of_rounds("restart", variant, "ms", [(value, LIMIT_MS)], smaller_is_better=True)
