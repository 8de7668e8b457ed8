"""Threaded runtimes that are closed after the test, and a supervisor with its children."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.children import Child, ChildSpec, Incident, RestartPolicy, StopReport
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.runtime import Runtime, ThreadedRuntime
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.kernel.supervision import AddChild, RemoveChild, StartChildren, StopChildren
from perps_actors.kernel.supervisor import Supervisor

LIMIT_S = 10.0


class Family:
    """A supervisor, its children in order, and the incidents it told."""

    def __init__(
        self,
        runtime: Any,
        *,
        seed: int = 0,
        policy: RestartPolicy | None = None,
        look_every_s: float = 1.0,
        **how: Any,
    ) -> None:
        self.runtime: Runtime = runtime
        self.how = how
        self.policy = policy if policy is not None else RestartPolicy()
        self.random = Random(seed)
        self.look_every_s = look_every_s
        self.children: dict[str, Child] = {}
        self.incidents: list[Incident] = []
        self.news = threading.Condition()
        self.cell = runtime.cell("supervisor", group="supervisor")

    def add(
        self,
        name: str,
        factory: Callable[[], Actor],
        *,
        inbox: InboxPolicy | None = None,
        group: str = "",
        **spec: Any,
    ) -> Cell:
        cell = self.runtime.cell(name, group=group or name, policy=inbox)
        self.children[name] = Child(ChildSpec(name=name, factory=factory, **spec), cell)
        return cell

    def begin(self) -> Answer:
        self.cell.install(
            Supervisor(
                list(self.children.values()),
                policy=self.policy,
                random=self.random,
                on_incident=self._note,
                look_every_s=self.look_every_s,
                **self.how,
            )
        )
        return self.order_start()

    def order_start(self) -> Answer:
        done = Answer()
        self.cell.address.tell(StartChildren(done))
        return done

    def start(self) -> None:
        self.runtime.wait(self.begin(), LIMIT_S)

    def order_stop(self, *, drain: bool = True, deadline_s: float = 5.0) -> Answer:
        done = Answer()
        self.cell.address.tell(StopChildren(drain=drain, deadline_s=deadline_s, done=done))
        return done

    def stop(self, *, drain: bool = True, deadline_s: float = 5.0) -> StopReport:
        report = self.runtime.wait(self.order_stop(drain=drain, deadline_s=deadline_s), LIMIT_S)
        assert isinstance(report, StopReport)
        return report

    def late(self, name: str, factory: Callable[[], Actor], **spec: Any) -> tuple[Child, Answer]:
        """Add a child while the others run."""
        child = Child(
            ChildSpec(name=name, factory=factory, **spec), self.runtime.cell(name, group=name)
        )
        done = Answer()
        self.cell.address.tell(AddChild(child, done))
        return child, done

    def remove(self, name: str, *, drain: bool = True, stop_s: float | None = None) -> Answer:
        done = Answer()
        self.cell.address.tell(RemoveChild(name=name, drain=drain, done=done, stop_s=stop_s))
        return done

    def _note(self, incident: Incident) -> None:
        with self.news:
            self.incidents.append(incident)
            self.news.notify_all()

    def kinds(self, name: str | None = None) -> list[str]:
        return [incident.kind for incident in self.incidents if name in {None, incident.actor}]

    def wait_for(self, kind: str, count: int = 1) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.kinds().count(kind) >= count, LIMIT_S)


@pytest.fixture
def family() -> type[Family]:
    return Family


@pytest.fixture(params=range(12))
def simulation(request: pytest.FixtureRequest) -> SimulatedRuntime:
    return SimulatedRuntime(seed=request.param)


@pytest.fixture
def runtimes() -> Iterator[Callable[[], ThreadedRuntime]]:
    made: list[ThreadedRuntime] = []

    def make() -> ThreadedRuntime:
        made.append(ThreadedRuntime(name=f"test{len(made)}"))
        return made[-1]

    yield make
    for runtime in made:
        assert runtime.close(5.0) == ()


@pytest.fixture
def runtime(runtimes: Callable[[], ThreadedRuntime]) -> ThreadedRuntime:
    return runtimes()
