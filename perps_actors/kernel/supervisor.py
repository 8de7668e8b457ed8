"""The supervisor: starts children in order, restarts those that die or hang, stops in reverse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from perps_actors.errors import KernelError, StartFailed
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Answer
from perps_actors.kernel.children import (
    Child,
    Children,
    ChildState,
    Hung,
    Incident,
    Restart,
    RestartPolicy,
    StopReport,
)
from perps_actors.kernel.clock import NS_PER_S, TimeWatch
from perps_actors.kernel.lifecycle import DeadLetter, Drain, Stop
from perps_actors.kernel.supervision import (
    AddChild,
    ChildObserver,
    ChildOverdue,
    DeadlinePassed,
    Died,
    Look,
    RemoveChild,
    Revive,
    StartChildren,
    Started,
    StopChildren,
    Stopped,
)


class Supervisor(Actor):
    """Keeps children alive by OTP's rules: one for one, intensity over a period, jittered backoff.

    Takes: `StartChildren`, `StopChildren`, `AddChild`, `RemoveChild`, and the news of its
    children's cells. Tells: an `Incident` to `on_incident` for each death, restart, fencing and
    giving up. Inbox policy: everything is control. A child that exceeds the intensity is given up:
    it stays dead, its inbox is closed, and the host learns it from the incident and `Child.state`;
    the others go on. What `on_incident` raises is ignored: who watches over the others must not
    fall with a listener.
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
        self._children = Children(children)
        self._policy = policy
        self._random = random
        self._on_incident = on_incident
        self._look_every_s = look_every_s
        self._starting: Answer | None = None
        self._coming: Child | None = None
        self._time: TimeWatch | None = None
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
            case AddChild(child, done):
                self._add(child, done)
            case RemoveChild():
                self._remove(message)
            case Look():
                self._look()
            case DeadlinePassed():
                self._deadline_passed()
            case Started() | Died() | Stopped() | Revive() | ChildOverdue():
                # A child that was removed may still have been heard of.
                about = self._children.get(message.name)
                if about is not None:
                    self._hear(about, message)
            case _:
                return super().on_receive(message)
        return None

    def _hear(self, child: Child, news: Started | Died | Stopped | Revive | ChildOverdue) -> None:
        if isinstance(news, ChildOverdue):
            self._abandon(child)
        elif news.generation != child.cell.generation or child.ended:
            # A report of an incarnation that has been replaced or abandoned meanwhile. Reports and
            # fencing race: whichever comes first has changed the generation or the state.
            return
        elif isinstance(news, Started):
            self._child_started(child)
        elif isinstance(news, Died):
            self._child_died(child, news)
        elif isinstance(news, Stopped):
            self._child_stopped(child, news)
        else:
            self._revive(child)

    def on_failure(self, _: object, error: BaseException | None, __: object) -> None:
        """Settle all answers, and tell the host that the children are not supervised any more."""
        failure = KernelError(f"The supervisor failed: {type(error).__name__}: {error}")
        for answer in (self._starting, *self._waiting_for_stop):
            if answer is not None:
                answer.set_exception((KernelError, failure, None))
        self._tell(
            Incident(
                kind="supervisor_failed",
                actor=self.cell.name,
                generation=1,
                restarts=0,
                error=str(failure),
                letter=None,
            )
        )

    # --- starting

    def _start(self, done: Answer) -> None:
        if self._starting is not None or any(
            child.state is not ChildState.NEW for child in self._children
        ):
            done.set_exception(
                (
                    StartFailed,
                    StartFailed("The children can be started once, and not after a stop"),
                    None,
                )
            )
            return
        self._starting = done
        self._time = TimeWatch(self.cell.runtime.clock, self._look_every_s)
        self.after(self._look_every_s, Look())
        self._start_next()

    def _start_next(self) -> None:
        self._coming = self._children.first(ChildState.NEW)
        if self._coming is not None:
            self._bring_up(self._coming)
        elif self._starting is not None:
            self._starting.set(None)
            self._starting = None

    def _add(self, child: Child, done: Answer) -> None:
        if self._stopping is not None or self._children.get(child.name) is not None:
            done.set_exception(
                (
                    StartFailed,
                    StartFailed(f"{child.name}: all are stopping, or there is one of that name"),
                    None,
                )
            )
            return
        self._children.add(child)
        child.added = done
        if self._starting is None:
            self._bring_up(child)

    def _bring_up(self, child: Child) -> None:
        child.state = ChildState.STARTING
        # The watcher is called on the dispatcher's thread of the child. It only sends messages, so
        # all decisions are made on this actor's own thread, in the order of the reports.
        child.cell.watcher = ChildObserver(self.address.tell)
        child.cell.lasting = child.spec.restart is Restart.PERMANENT
        try:
            actor = child.spec.factory()
        except BaseException as error:  # noqa: BLE001 - also SystemExit is a failed start
            self.address.tell(Died(child.name, child.cell.generation, error, None))
            return
        child.cell.install(actor)

    def _child_started(self, child: Child) -> None:
        if child.state is not ChildState.STARTING:
            return
        child.state = ChildState.STOPPING if child.ordered else ChildState.RUNNING
        child.up_since_ns = self._now_ns()
        if child.restarts:
            self._tell_incident("actor_restarted", child)
        if child.added is not None:
            child.added.set(None)
            child.added = None
        if child is self._coming:
            self._start_next()

    # --- dying

    def _child_died(self, child: Child, news: Died) -> None:
        child.note_death(self._now_ns(), news.letter, self._policy)
        self._tell_incident("actor_died", child, news.error, news.letter)
        if child.added is not None:
            child.added.set_exception((StartFailed, _not_started(child, news.error), None))
            self._forget(child)
            if child is self._coming:
                self._start_next()
        elif child is self._coming:
            self._give_up_start(child, news.error)
        else:
            self._try_again(child, died=True)

    def _try_again(self, child: Child, *, died: bool) -> None:
        """Restart a child, now or after a pause, if its policy allows it and none are stopping."""
        if self._stopping is not None and not self._stopping.drain:
            child.end(ChildState.STOPPED)
            self._stop_next()
        elif not child.spec.restart.wants(died=died) or child.exhausted(self._policy):
            self._give_up(child)
        else:
            child.state = ChildState.BACKING_OFF
            delay_s = child.next_delay_s(self._policy, self._random)
            if delay_s == 0:
                self._revive(child)
            else:
                self.after(delay_s, Revive(child.name, child.cell.generation))

    def _revive(self, child: Child) -> None:
        if child.state is ChildState.BACKING_OFF:
            child.restarts += 1
            self._bring_up(child)

    def _give_up(self, child: Child) -> None:
        child.end(ChildState.GIVEN_UP)
        self._tell_incident("actor_given_up", child)
        self._stop_next()

    def _give_up_start(self, child: Child, error: BaseException) -> None:
        """Undo a failed start: stop the children that were up in reverse, then tell the host."""
        child.end(ChildState.GIVEN_UP)
        self._failure = _not_started(child, error)
        self._stop_all(StopChildren(drain=False, deadline_s=self._policy.undo_s, done=Answer()))

    # --- hanging

    def _look(self) -> None:
        if self._report is not None or self._time is None:
            return
        for kind, what in self._time.look():
            self._tell(
                Incident(
                    kind=kind,
                    actor=self.cell.name,
                    generation=self.cell.generation,
                    restarts=0,
                    error=what,
                    letter=None,
                )
            )
        now_ns, most_ns = self._now_ns(), int(2 * self._look_every_s * NS_PER_S)
        # While stopping, half of the deadline at most, so that the rest is left for those who share
        # a thread with the hung one.
        most_s = math.inf if self._stopping is None else self._stopping.deadline_s / 2
        for child in self._children:
            limit_s = min(child.spec.hang_after_s, most_s)
            if child.hangs(now_ns, most_ns, limit_s):
                # The handler may return in this very moment: then `fence` finds nothing in hand and
                # does nothing, or it hits the next message, which becomes a dead letter instead.
                child.cell.fence(
                    Hung(f"{child.name} was in one handler for more than {limit_s:g} s")
                )
        self.after(self._look_every_s, Look())

    # --- stopping

    def _stop_all(self, order: StopChildren) -> None:
        if self._report is not None:
            order.done.set(self._report)
            return
        self._waiting_for_stop.append(order.done)
        self.after(order.deadline_s, DeadlinePassed())
        if self._stopping is None:
            self._stopping = order
            self._coming = None
            for child in self._children:
                child.handled_before = child.cell.statistics().handled
            self._stop_next()
        elif self._stopping.drain and not order.drain:
            self._stopping = order
            for child in self._children:
                if child.ordered and not child.ended:
                    child.cell.address.tell(Stop())
            self._stop_next()

    def _stop_next(self) -> None:
        """Tell the last living child to stop; the child before it follows once it has stopped."""
        if self._stopping is None or self._report is not None:
            return
        for child in reversed(self._children):
            if child.ended:
                continue
            idle = child.state is ChildState.BACKING_OFF
            if child.state is ChildState.NEW or (idle and not self._stopping.drain):
                child.end(ChildState.STOPPED)
                continue
            if not child.ordered:
                self._order_to_stop(child, Drain() if self._stopping.drain else Stop())
            return
        self._finish()

    def _order_to_stop(self, child: Child, order: Stop | Drain) -> None:
        """Tell a child to stop; a starting child finds the message when it is up."""
        child.ordered = True
        if child.state is ChildState.RUNNING:
            child.state = ChildState.STOPPING
        child.cell.address.tell(order)
        if child.spec.stop_s is not None:
            self.after(child.spec.stop_s, ChildOverdue(child.name))

    def _remove(self, order: RemoveChild) -> None:
        child = self._children.get(order.name)
        if child is None or self._stopping is not None or child.removed is not None:
            order.done.set_exception(
                (
                    KernelError,
                    KernelError(f"{order.name}: there is no such child, or it is stopping already"),
                    None,
                )
            )
            return
        child.removed = order.done
        if child.ended or child.state in {ChildState.NEW, ChildState.BACKING_OFF}:
            self._forget(child)
        else:
            self._order_to_stop(child, Drain() if order.drain else Stop())
            if order.stop_s is not None:
                self.after(order.stop_s, ChildOverdue(child.name))

    def _forget(self, child: Child) -> None:
        if not child.ended:
            child.end(ChildState.STOPPED)
        self._children.remove(child)
        if child.removed is not None:
            child.removed.set(child.left)

    def _child_stopped(self, child: Child, news: Stopped) -> None:
        if news.error is not None:
            self._tell_incident("actor_stop_failed", child, news.error)
        if not child.ordered:
            self._tell_incident("actor_ended", child)
        if not child.cell.inbox.closed:
            child.note_death(self._now_ns(), None, self._policy)
            self._try_again(child, died=False)
            return
        child.left += news.left
        child.end(ChildState.ABANDONED if isinstance(news.error, Hung) else ChildState.STOPPED)
        self._gone(child)

    def _gone(self, child: Child) -> None:
        if child.removed is not None:
            self._forget(child)
        self._stop_next()

    def _abandon(self, child: Child) -> None:
        """End a child that has used up its time to stop, without waiting for it."""
        if child.ended:
            return
        child.cell.retire(KernelError(f"{child.name} did not stop in time"))
        child.end(ChildState.ABANDONED)
        self._gone(child)

    def _deadline_passed(self) -> None:
        """Abandon the children that have not stopped."""
        if self._report is not None:
            return
        for child in reversed(self._children):
            if not child.ended:
                child.cell.retire(KernelError("The deadline for stopping passed"))
                child.end(ChildState.ABANDONED)
        self._finish()

    def _finish(self) -> None:
        self._report = StopReport.of(tuple(self._children))
        for done in self._waiting_for_stop:
            done.set(self._report)
        if self._starting is not None:
            failure = self._failure or StartFailed("Stopped before all children had started")
            self._starting.set_exception((StartFailed, failure, None))
            self._starting = None

    def _tell_incident(
        self,
        kind: str,
        child: Child,
        error: BaseException | None = None,
        letter: DeadLetter | None = None,
    ) -> None:
        self._tell(
            Incident(
                kind=kind,
                actor=child.name,
                generation=child.cell.generation,
                restarts=child.restarts,
                error=None if error is None else f"{type(error).__name__}: {error}"[:300],
                letter=letter,
            )
        )

    def _tell(self, incident: Incident) -> None:
        with suppress(Exception):
            self._on_incident(incident)

    def _now_ns(self) -> int:
        return self.cell.runtime.clock.monotonic_ns()


def _not_started(child: Child, error: BaseException) -> StartFailed:
    failure = StartFailed(f"{child.name} did not start: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure
