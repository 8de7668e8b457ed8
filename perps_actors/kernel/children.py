"""The children of a supervisor: how to make each, its record, its restarts, their order.

Plain rules without threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from random import Random

import attrs

from perps_actors.errors import KernelError, StartFailed
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.lifecycle import DeadLetter


class Hung(KernelError):
    """A handler did not come back in time; its actor was fenced and replaced."""


class Restart(Enum):
    """Which children are started again."""

    PERMANENT = "permanent"
    """Always, also when it ended by itself."""
    TRANSIENT = "transient"
    """Only when it died, not when it ended by itself."""
    TEMPORARY = "temporary"
    """Never."""

    def wants(self, *, died: bool) -> bool:
        """Return whether a child that ended is started again."""
        return self is Restart.PERMANENT or (self is Restart.TRANSIENT and died)


class ChildState(Enum):
    """Where a child is in its life."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    GIVEN_UP = "given_up"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ABANDONED = "abandoned"


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """How often, and how fast, a child is started again.

    The burst (`intensity` within `period_s`) and the sustained rate (which the backoff sets) are
    apart, as OTP advises.
    """

    intensity: int = 5
    """Deaths within the period that are forgiven; one more and the child is given up."""
    period_s: float = 30.0
    first_delay_s: float = 0.0
    """Pause before the first restart after healthy time."""
    base_delay_s: float = 0.05
    """Pause before the second, doubled for each further one."""
    max_delay_s: float = 10.0
    jitter: float = 0.5
    """The pause varies by this part of itself either way."""
    healthy_s: float = 30.0
    """After so long without a death the backoff starts over."""
    undo_s: float = 5.0
    """Deadline for stopping what came up, when a later child did not."""


@attrs.frozen(kw_only=True)
class ChildSpec:
    """How to make a child."""

    name: str
    factory: Callable[[], Actor]
    restart: Restart = Restart.PERMANENT
    hang_after_s: float = 30.0
    """A handler that takes longer is taken for hung."""
    stop_s: float | None = None
    """How long it may take to stop, within the deadline for all; None: as long as that allows."""


@attrs.frozen(kw_only=True)
class Incident:
    """Something the host should know of an actor's life."""

    kind: str
    """`actor_died`, `actor_restarted`, `actor_given_up`, `actor_stop_failed`, `actor_ended`;
    `supervisor_failed`: nobody watches over the actors any more; `held_up`, `clock_stepped`: what
    happened to time itself.
    """
    actor: str
    generation: int
    restarts: int
    error: str | None
    letter: DeadLetter | None


class Child:
    """A child and its record."""

    def __init__(self, spec: ChildSpec, cell: Cell) -> None:
        self.spec = spec
        self.name = spec.name
        self.cell = cell
        self.state = ChildState.NEW
        self.restarts = 0
        self.left = 0
        self.handled_before = 0
        self.up_since_ns = 0
        self.ordered = False
        """Whether it was told to stop."""
        self.added: Answer | None = None
        """Who waits for it to come up, having added it while the others ran."""
        self.removed: Answer | None = None
        """Who waits for it to be gone."""
        self.letters: deque[DeadLetter] = deque(maxlen=100)
        self._deaths: deque[int] = deque()
        self._row = 0
        self._seen = cell.progress
        self._looked_ns = self._same_ns = 0

    @property
    def ended(self) -> bool:
        """Whether no incarnation will follow."""
        return self.state in {ChildState.STOPPED, ChildState.GIVEN_UP, ChildState.ABANDONED}

    def end(self, state: ChildState) -> None:
        """Let nothing follow; what still waits is left over."""
        self.state = state
        self.left += self.cell.close()
        if self.added is not None:
            self.added.set_exception(
                (StartFailed, StartFailed(f"{self.name}: stopped before it was up"), None)
            )

    def note_death(self, now_ns: int, letter: DeadLetter | None, policy: RestartPolicy) -> None:
        """Count a death; one after healthy time starts the backoff over."""
        if letter is not None:
            self.letters.append(letter)
        trouble_ns = max(self._deaths[-1], self.up_since_ns) if self._deaths else now_ns
        self._row = 1 if now_ns - trouble_ns > policy.healthy_s * NS_PER_S else self._row + 1
        self._deaths.append(now_ns)
        while now_ns - self._deaths[0] > policy.period_s * NS_PER_S:
            self._deaths.popleft()

    def exhausted(self, policy: RestartPolicy) -> bool:
        """Return whether it died too often within the period."""
        return len(self._deaths) > policy.intensity

    def next_delay_s(self, policy: RestartPolicy, random: Random) -> float:
        """Return the pause before the next restart, with jitter."""
        if self._row <= 1:
            return policy.first_delay_s
        pause = min(policy.base_delay_s * 2.0 ** (self._row - 2), policy.max_delay_s)
        return pause * (1 + policy.jitter * (2 * random.random() - 1))

    def hangs(self, now_ns: int, most_ns: int, limit_s: float) -> bool:
        """Return whether one message or item has been in hand for longer than `limit_s` seconds.

        The time between two looks counts for at most `most_ns`: while the process itself is held up
        (a suspension, a debugger) no handler could have come back.
        """
        seen = self.cell.progress
        passed_ns, self._looked_ns = min(now_ns - self._looked_ns, most_ns), now_ns
        if seen != self._seen or not self.cell.busy:
            self._seen, self._same_ns = seen, 0
            return False
        self._same_ns += passed_ns
        return self._same_ns > limit_s * NS_PER_S


@attrs.frozen(kw_only=True)
class StopReport:
    """How stopping went. Counts are items."""

    finished: tuple[str, ...]
    """Actors that ended as ordered."""
    drained: int
    """Handled after the order to stop was given."""
    left: tuple[tuple[str, int], ...]
    """What was still waiting, by actor, where there was any."""
    abandoned: tuple[str, ...]
    """Actors that did not end in time."""
    given_up: tuple[str, ...]
    """Actors that had died too often before."""
    dead_letters: int

    @classmethod
    def of(cls, children: Sequence[Child]) -> StopReport:
        """Return the report on children that have all ended."""
        by_state = {
            state: tuple(c.name for c in children if c.state is state) for state in ChildState
        }
        return cls(
            finished=by_state[ChildState.STOPPED],
            drained=sum(c.cell.statistics().handled - c.handled_before for c in children),
            left=tuple((c.name, c.left) for c in children if c.left),
            abandoned=by_state[ChildState.ABANDONED],
            given_up=by_state[ChildState.GIVEN_UP],
            dead_letters=sum(c.cell.dead for c in children),
        )

    @property
    def clean(self) -> bool:
        """Whether all ended in time and nothing was left or lost."""
        return not (self.left or self.abandoned or self.given_up or self.dead_letters)


class Children:
    """Children by name and by order."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = {child.name: child for child in children}

    def __iter__(self) -> Iterator[Child]:
        """Go through the children, first started first."""
        return iter(tuple(self._children.values()))

    def __reversed__(self) -> Iterator[Child]:
        """Go through the children, last started first."""
        return reversed(tuple(self._children.values()))

    def get(self, name: str) -> Child | None:
        """Return the child of that name; None when there is none (any more)."""
        return self._children.get(name)

    def add(self, child: Child) -> None:
        """Take in a child, last in the order."""
        self._children[child.name] = child

    def remove(self, child: Child) -> None:
        """Forget a child."""
        del self._children[child.name]

    def first(self, state: ChildState) -> Child | None:
        """Return the first child in that state."""
        return next((child for child in self if child.state is state), None)
