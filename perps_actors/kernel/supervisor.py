"""The supervisor: starts its children in order, watches them, restarts what dies or hangs, stops all in reverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import attrs

from perps_actors.errors import KernelError, StartFailed
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.cell import Cell, DeadLetter, Drain, Stop
from perps_actors.kernel.children import Child, ChildState, Hung, Incident, RestartPolicy, StopReport
from perps_actors.kernel.future import Answer


@attrs.frozen
class StartChildren:
    """Start all children, each once the one before it is up; `done` gets None, or `StartFailed` after those that were up stopped."""

    control = True
    done: Answer


@attrs.frozen(kw_only=True)
class StopChildren:
    """Stop all children in reverse order within the deadline; `done` gets a `StopReport`. Repeated, it gets the same report."""

    control = True
    drain: bool
    """Handle what waits first; else go ahead of it and report it as left."""
    deadline_s: float
    done: Answer


@attrs.frozen
class _Started:
    control = True
    name: str
    generation: int


@attrs.frozen
class _Died:
    control = True
    name: str
    generation: int
    error: BaseException
    letter: DeadLetter | None


@attrs.frozen
class _Stopped:
    control = True
    name: str
    generation: int
    left: int
    error: BaseException | None


@attrs.frozen
class _Revive:
    control = True
    name: str
    generation: int


@attrs.frozen
class _Look:
    control = True


@attrs.frozen
class _Deadline:
    control = True


class _Reporter:
    """Turns what a dispatcher sees of a cell into messages to the supervisor."""

    def __init__(self, tell: Callable[[Any], object]) -> None:
        self._tell = tell

    def started(self, cell: Cell, generation: int) -> None:
        self._tell(_Started(cell.name, generation))

    def died(self, cell: Cell, generation: int, error: BaseException, letter: DeadLetter | None) -> None:
        self._tell(_Died(cell.name, generation, error, letter))

    def stopped(self, cell: Cell, generation: int, left: int, error: BaseException | None) -> None:
        self._tell(_Stopped(cell.name, generation, left, error))


class Supervisor(Actor):
    """Keeps its children alive by OTP's rules: one for one, an intensity over a period, backoff with jitter.

    Takes: `StartChildren`, `StopChildren`, and the news of its children's cells. Tells: an `Incident` to `on_incident` for each
    death, restart, fencing and giving up. Inbox policy: everything is control. A child that exceeds the intensity is given up:
    it stays dead, its inbox is closed, and the host learns it from the incident and `Child.state`; the others go on.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        policy: RestartPolicy,
        random: Random,
        on_incident: Callable[[Incident], None],
        look_every_s: float = 1.0,
    ) -> None:
        super().__init__()
        self._children = {child.name: child for child in children}
        self._policy = policy
        self._random = random
        self._on_incident = on_incident
        self._look_every_s = look_every_s
        self._starting: Answer | None = None
        self._stopping: StopChildren | None = None
        self._waiting_for_stop: list[Answer] = []
        self._report: StopReport | None = None
        self._failure: StartFailed | None = None

    def on_receive(self, message: Any) -> Any:
        """Handle one order or one piece of news."""
        match message:
            case StartChildren(done):
                self._start(done)
            case StopChildren():
                self._stop_all(message)
            case _Started(name, generation):
                self._child_started(name, generation)
            case _Died():
                self._child_died(message)
            case _Stopped():
                self._child_stopped(message)
            case _Revive(name, generation):
                self._revive(name, generation)
            case _Look():
                self._look()
            case _Deadline():
                self._deadline_passed()
            case _:
                return super().on_receive(message)
        return None

    # --- starting

    def _start(self, done: Answer) -> None:
        self._starting = done
        self.after(self._look_every_s, _Look())
        self._start_next()

    def _start_next(self) -> None:
        for child in self._children.values():
            if child.state is ChildState.NEW:
                self._bring_up(child)
                return
        if self._starting is not None:
            self._starting.set(None)
            self._starting = None

    def _bring_up(self, child: Child) -> None:
        child.state = ChildState.STARTING
        child.cell.watcher = _Reporter(self.address.tell)
        try:
            actor = child.spec.factory()
        except Exception as error:  # noqa: BLE001 - whatever a constructor raises is a failed start of this child
            self.address.tell(_Died(child.name, child.cell.generation, error, None))
            return
        child.cell.install(actor)

    def _child_started(self, name: str, generation: int) -> None:
        child = self._children[name]
        if generation != child.cell.generation or child.state is not ChildState.STARTING:
            return
        child.state = ChildState.STOPPING if self._stopping else ChildState.RUNNING
        child.up_since_ns = self._now_ns()
        if generation > 1:
            self._tell_incident("actor_restarted", child)
        if self._starting is not None:
            self._start_next()

    # --- dying

    def _child_died(self, news: _Died) -> None:
        child = self._children[news.name]
        if news.generation != child.cell.generation or child.state in {ChildState.STOPPED, ChildState.GIVEN_UP}:
            return
        first_start = child.state is ChildState.STARTING and self._starting is not None
        child.note_death(self._now_ns(), news.letter, self._policy)
        self._tell_incident("actor_died", child, news.error, news.letter)
        if first_start:
            self._give_up_start(child, news.error)
        elif not child.spec.restart.wants(died=True) or child.exhausted(self._policy):
            self._give_up(child)
        else:
            child.state = ChildState.BACKING_OFF
            delay_s = child.next_delay_s(self._policy, self._random)
            if delay_s == 0:
                self._revive(news.name, news.generation)
            else:
                self.after(delay_s, _Revive(news.name, news.generation))

    def _revive(self, name: str, generation: int) -> None:
        child = self._children[name]
        if child.state is ChildState.BACKING_OFF and child.cell.generation == generation:
            child.restarts += 1
            self._bring_up(child)

    def _give_up(self, child: Child) -> None:
        child.state = ChildState.GIVEN_UP
        child.left = child.cell.close()
        self._tell_incident("actor_given_up", child)
        if self._stopping is not None:
            self._stop_next()

    def _give_up_start(self, child: Child, error: BaseException) -> None:
        """Undo a start that failed: what came up before is stopped in reverse, then the host is told."""
        child.state = ChildState.GIVEN_UP
        child.cell.close()
        failure = StartFailed(f"{child.name} did not start: {type(error).__name__}: {error}")
        failure.__cause__ = error
        self._failure = failure
        self._stop_all(StopChildren(drain=False, deadline_s=self._policy.undo_s, done=Answer()))

    # --- hanging

    def _look(self) -> None:
        now_ns = self._now_ns()
        for child in self._children.values():
            if child.hangs(now_ns):
                error = Hung(f"{child.name} was in one handler for more than {child.spec.hang_after_s} s")
                child.cell.fence(error)
        self.after(self._look_every_s, _Look())

    # --- stopping

    def _stop_all(self, order: StopChildren) -> None:
        if self._report is not None:
            order.done.set(self._report)
            return
        self._waiting_for_stop.append(order.done)
        if self._stopping is None:
            self._stopping = order
            for child in self._children.values():
                child.handled_before = child.cell.statistics().handled
            self.after(order.deadline_s, _Deadline())
            self._stop_next()

    def _stop_next(self) -> None:
        """Order the last child that lives to stop; those before it in the order wait until it has."""
        assert self._stopping is not None
        for child in reversed(self._children.values()):
            if child.state in {ChildState.RUNNING, ChildState.STARTING}:
                child.state = ChildState.STOPPING
                child.cell.address.tell(Drain() if self._stopping.drain else Stop())
                return
            if child.state is ChildState.STOPPING:
                return
            if child.state is ChildState.BACKING_OFF and self._stopping.drain:
                return
            if child.state in {ChildState.BACKING_OFF, ChildState.NEW}:
                child.state = ChildState.STOPPED
                child.left = child.cell.close()
        self._finish()

    def _child_stopped(self, news: _Stopped) -> None:
        child = self._children[news.name]
        child.state = ChildState.STOPPED
        child.left = news.left
        if news.error is not None:
            self._tell_incident("actor_stop_failed", child, news.error)
        if self._stopping is not None:
            self._stop_next()

    def _deadline_passed(self) -> None:
        """Abandon whatever has not stopped."""
        if self._report is not None:
            return
        error = KernelError("The deadline for stopping passed")
        for child in reversed(self._children.values()):
            if child.state not in {ChildState.STOPPED, ChildState.GIVEN_UP}:
                child.state = ChildState.ABANDONED
                child.cell.retire(error)
                child.left = child.cell.close()
        self._finish()

    def _finish(self) -> None:
        self._report = StopReport.of(tuple(self._children.values()))
        for done in self._waiting_for_stop:
            done.set(self._report)
        if self._starting is not None and self._failure is not None:
            self._starting.set_exception((StartFailed, self._failure, None))
            self._starting = None

    def _tell_incident(self, kind: str, child: Child, error: BaseException | None = None, letter: DeadLetter | None = None) -> None:
        self._on_incident(
            Incident(
                kind=kind,
                actor=child.name,
                generation=child.cell.generation,
                restarts=child.restarts,
                error=None if error is None else f"{type(error).__name__}: {error}"[:300],
                letter=letter,
            )
        )

    def _now_ns(self) -> int:
        return self.cell.runtime.clock.monotonic_ns()
