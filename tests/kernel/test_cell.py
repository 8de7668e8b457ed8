"""A cell and its incarnations, under the simulated runtime and on real threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from perps_actors.errors import ActorUnavailable, AskRefused, AskTimeout, Fenced
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.inbox import InboxPolicy
from perps_actors.kernel.lease import Lease, current_lease, under
from perps_actors.kernel.lifecycle import DeadLetter, Drain, Stop
from perps_actors.kernel.messages import Batch
from perps_actors.kernel.runtime import ThreadedRuntime
from perps_actors.kernel.simulated import SimulatedRuntime

LIMIT_S = 5.0


class Marks(Batch, frozen=True):
    items_field = "values"
    values: tuple[int, ...]


class AllOrNothing(Marks, frozen=True):
    """A batch that `Counter` handles as a whole."""


class News:
    """Watches a cell."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, ...]] = []
        self.came = threading.Semaphore(0)

    def _note(self, *news: Any) -> None:
        self.all.append(news)
        self.came.release()

    def started(self, cell: Cell, generation: int) -> None:
        self._note("started", cell.name, generation)

    def died(
        self, cell: Cell, generation: int, error: BaseException, letter: DeadLetter | None
    ) -> None:
        self._note("died", cell.name, generation, error, letter)

    def stopped(self, cell: Cell, generation: int, left: int, error: BaseException | None) -> None:
        self._note("stopped", cell.name, generation, left, error)

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.came.acquire(timeout=LIMIT_S)


class Counter(Actor):
    """Adds numbers to a list that outlives it. A negative one kills it, an event blocks it."""

    def __init__(self, seen: list[int]) -> None:
        super().__init__()
        self.seen = seen
        self.blocked = threading.Event()
        self.failures: list[BaseException] = []
        self.failed = threading.Event()

    atomic_batches = frozenset({AllOrNothing})

    def on_item(self, _: Marks, item: int) -> None:
        self.add(item)

    def on_receive(self, message: Any) -> Any:
        match message:
            case AllOrNothing(values):
                if min(values) < 0:
                    raise ValueError(values)
                self.seen.extend(values)
            case int():
                self.add(message)
            case threading.Event():
                self.blocked.set()
                message.wait(LIMIT_S)
            case "sum":
                return sum(self.seen)
        return None

    def add(self, value: int) -> None:
        if value < 0:
            raise ValueError(value)
        self.seen.append(value)

    def on_failure(self, _: object, error: BaseException | None, __: object) -> None:
        assert error is not None
        self.failures.append(error)
        self.failed.set()


@pytest.fixture
def simulation() -> SimulatedRuntime:
    return SimulatedRuntime()


def _watched(
    runtime: SimulatedRuntime | ThreadedRuntime, name: str = "counter", **options: Any
) -> tuple[Cell, News]:
    cell = runtime.cell(name, **options)
    cell.watcher = news = News()
    return cell, news


def test_messages_behind_the_one_that_killed_an_actor_reach_the_next_incarnation(
    simulation: SimulatedRuntime,
) -> None:
    cell, news = _watched(simulation)
    seen: list[int] = []
    cell.install(Counter(seen))
    for message in (1, -1, 2, 3):
        cell.address.tell(message)
    simulation.settle()
    assert seen == [1]
    cell.install(Counter(seen))
    simulation.settle()
    assert seen == [1, 2, 3]
    assert [item[0] for item in news.all] == ["started", "died", "started"]


def test_the_message_that_killed_is_set_aside_with_its_error(simulation: SimulatedRuntime) -> None:
    cell, news = _watched(simulation)
    cell.install(Counter([]))
    cell.address.tell(-7)
    simulation.settle()
    _, name, generation, error, letter = news.all[-1]
    assert isinstance(error, ValueError)
    assert letter == DeadLetter(actor=name, generation=generation, message=-7, error=error, items=1)
    assert (cell.statistics().handled, cell.statistics().dead) == (0, 1)


def test_a_poisoned_item_is_lost_alone(simulation: SimulatedRuntime) -> None:
    cell, news = _watched(simulation)
    seen: list[int] = []
    cell.install(Counter(seen))
    cell.address.tell(Marks((1, 2, -3, 4, -5, 6)))
    cell.address.tell(7)
    for _ in range(3):
        simulation.settle()
        if cell.actor is None:
            cell.install(Counter(seen))
    simulation.settle()
    assert seen == [1, 2, 4, 6, 7]
    assert [item[-1].message for item in news.all if item[0] == "died"] == [
        Marks((-3,)),
        Marks((-5,)),
    ]
    statistics = cell.statistics()
    assert (statistics.handled, statistics.dead, statistics.inbox.told) == (5, 2, 7)


def test_a_batch_with_a_poisoned_last_item_leaves_nothing_behind(
    simulation: SimulatedRuntime,
) -> None:
    cell, _ = _watched(simulation)
    cell.install(Counter([]))
    cell.address.tell(Marks((1, -2)))
    simulation.settle()
    assert (cell.statistics().handled, cell.statistics().dead, len(cell.inbox)) == (1, 1, 0)


def test_a_batch_that_its_actor_handles_as_a_whole_is_dead_as_a_whole(
    simulation: SimulatedRuntime,
) -> None:
    cell, news = _watched(simulation)
    seen: list[int] = []
    cell.install(Counter(seen))
    cell.address.tell(AllOrNothing((1, 2)))
    cell.address.tell(AllOrNothing((1, -2, 3)))
    simulation.settle()
    assert seen == [1, 2]
    assert news.all[-1][-1].message == AllOrNothing((1, -2, 3))
    assert news.all[-1][-1].items == 3
    assert (cell.statistics().handled, cell.statistics().dead) == (2, 3)


def test_a_batch_told_through_pykkas_ref_is_taken_apart_too(simulation: SimulatedRuntime) -> None:
    cell, _ = _watched(simulation)
    actor = Counter([])
    cell.install(actor)
    actor.actor_ref.tell(Marks((1, -2, 3)))
    simulation.settle()
    assert (cell.statistics().handled, cell.statistics().dead, len(cell.inbox)) == (1, 1, 1)


def test_an_error_before_the_first_item_is_not_blamed_on_where_the_last_batch_ended(
    simulation: SimulatedRuntime,
) -> None:
    class Hasty(Counter):
        def on_item(self, batch: Marks, item: int) -> None:
            if batch == Marks((4, 5, 6)):
                raise ValueError(batch)
            super().on_item(batch, item)

    cell, news = _watched(simulation)
    cell.install(Hasty([]))
    cell.address.tell(Marks((1, 2, 3)))
    cell.address.tell(Marks((4, 5, 6)))
    simulation.settle()
    assert news.all[-1][-1].message == Marks((4,))
    assert len(cell.inbox) == 2


def test_the_asker_of_a_question_that_kills_gets_the_error(simulation: SimulatedRuntime) -> None:
    cell, _ = _watched(simulation)
    cell.install(Counter([]))
    question = cell.address.put_question(-1)
    simulation.settle()
    with pytest.raises(ValueError, match="-1"):
        question.get(timeout=0)


def test_a_question_that_waits_out_a_death_is_answered_by_the_next_incarnation(
    simulation: SimulatedRuntime,
) -> None:
    cell, _ = _watched(simulation)
    seen = [40]
    cell.install(Counter(seen))
    cell.address.tell(-1)
    question = cell.address.put_question("sum")
    simulation.settle()
    assert not question.settled()
    cell.install(Counter(seen))
    simulation.settle()
    assert question.get(timeout=0) == 40


def test_an_asker_of_an_unwatched_actor_that_dies_gets_an_error(
    simulation: SimulatedRuntime,
) -> None:
    cell = simulation.cell("unwatched")
    cell.install(Counter([]))
    cell.address.tell(-1)
    question = cell.address.put_question("sum")
    simulation.settle()
    with pytest.raises(ActorUnavailable):
        question.get(timeout=0)
    assert cell.address.tell(1) is False


def test_a_question_at_a_closed_address_is_refused_at_once(simulation: SimulatedRuntime) -> None:
    cell, _ = _watched(simulation)
    waiting = cell.address.put_question("sum")
    assert cell.close() == 1
    for question in (waiting, cell.address.put_question("sum")):
        with pytest.raises(ActorUnavailable):
            question.get(timeout=0)


def test_a_question_for_which_there_is_no_room_is_refused_at_once(
    simulation: SimulatedRuntime,
) -> None:
    cell, _ = _watched(simulation, policy=InboxPolicy(bound=1))
    cell.address.tell(1)
    cell.address.tell(2)
    with pytest.raises(ActorUnavailable):
        cell.address.ask("sum", timeout=1)


def test_stop_goes_ahead_of_data_and_drain_behind_it(simulation: SimulatedRuntime) -> None:
    for order, handled, left in ((Stop(), 0, 3), (Drain(), 2, 1)):
        cell, news = _watched(simulation)
        seen: list[int] = []
        cell.install(Counter(seen))
        simulation.settle()
        for message in (1, 2, order, 3):
            cell.address.tell(message)
        simulation.settle()
        assert len(seen) == handled
        assert news.all[-1] == ("stopped", "counter", 1, left, None)
        assert cell.address.tell(4) is False


def test_an_error_of_on_stop_is_told_and_the_actor_ends_all_the_same(
    simulation: SimulatedRuntime,
) -> None:
    class Clinging(Counter):
        def on_stop(self) -> None:
            raise SystemExit(1)

    cell, news = _watched(simulation)
    cell.install(Clinging([]))
    cell.address.tell(Stop())
    simulation.settle()
    kind, _, _, left, error = news.all[-1]
    assert (kind, left) == ("stopped", 0)
    assert isinstance(error, SystemExit)
    assert cell.inbox.closed


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), ValueError()], ids=repr)
def test_on_start_and_on_failure_may_raise_anything(
    simulation: SimulatedRuntime, error: BaseException
) -> None:
    class Stillborn(Counter):
        def on_start(self) -> None:
            raise error

        def on_failure(self, *_: object) -> None:
            raise error

    cell, news = _watched(simulation)
    cell.address.tell(1)
    cell.install(Stillborn([]))
    simulation.settle()
    assert news.all == [("died", "counter", 1, error, None)]
    assert len(cell.inbox) == 1


def test_an_address_asked_inside_a_handler_refuses_before_it_sends(
    simulation: SimulatedRuntime,
) -> None:
    asked, _ = _watched(simulation, "asked")

    class Asking(Counter):
        def on_receive(self, message: Any) -> Any:
            return asked.address.ask(message, timeout=60)

    cell, news = _watched(simulation)
    cell.install(Asking([]))
    cell.address.tell("how are you?")
    simulation.settle()
    assert isinstance(news.all[-1][3], AskRefused)
    assert len(asked.inbox) == 0


def test_a_thread_that_works_for_an_actor_may_not_ask_either(runtime: ThreadedRuntime) -> None:
    cell, _ = _watched(runtime)
    cell.install(Counter([]))
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            cell.address.ask("sum", timeout=60)
        except AskRefused as error:
            outcome.append(error)

    actor = cell.actor
    assert actor is not None
    thread = threading.Thread(target=leased(actor.actor_inbox, ask))
    thread.start()
    thread.join(LIMIT_S)
    assert len(outcome) == 1
    assert current_lease() is None


def test_a_hung_actor_is_fenced_and_replaced_while_its_neighbours_go_on(
    runtime: ThreadedRuntime,
) -> None:
    cell, news = _watched(runtime, group="shared")
    neighbour, _ = _watched(runtime, "neighbour", group="shared")
    hung, release = Counter([]), threading.Event()
    cell.install(hung)
    neighbour.install(Counter([8]))
    cell.address.tell(release)
    cell.address.tell(5)
    assert hung.blocked.wait(LIMIT_S)
    assert cell.fence(TimeoutError("hung"))
    assert not cell.fence(TimeoutError("hung, again"))
    assert neighbour.address.ask("sum", timeout=LIMIT_S) == 8
    seen: list[int] = []
    cell.install(Counter(seen))
    assert cell.address.ask("sum", timeout=LIMIT_S) == 5
    assert runtime.abandoned == 1
    letter = news.all[1][-1]
    assert letter.message is release
    release.set()
    assert hung.failed.wait(LIMIT_S)
    assert isinstance(hung.failures[0], Fenced)
    assert cell.statistics().inbox.told == cell.statistics().handled + cell.statistics().dead == 3


def test_messages_of_a_fenced_actor_are_refused(runtime: ThreadedRuntime) -> None:
    listener, _ = _watched(runtime, "listener", group="listener")
    listening = Counter([])
    listener.install(listening)
    refused: list[str] = []
    done = threading.Event()

    class Zombie(Counter):
        def on_receive(self, message: Any) -> Any:
            super().on_receive(message)
            ways = {"address": listener.address, "ref": listening.actor_ref, "voice": self.voice()}
            for way, teller in ways.items():
                try:
                    teller.tell(1)
                except Fenced:
                    refused.append(way)
            done.set()

    cell, _ = _watched(runtime)
    zombie, release = Zombie([]), threading.Event()
    cell.install(zombie)
    cell.address.tell(release)
    assert zombie.blocked.wait(LIMIT_S)
    assert cell.fence(TimeoutError("hung"))
    release.set()
    assert done.wait(LIMIT_S)
    assert refused == ["address", "ref", "voice"]
    assert listener.address.ask("sum", timeout=LIMIT_S) == 0


def test_a_thread_under_a_void_lease_is_refused(runtime: ThreadedRuntime) -> None:
    cell, news = _watched(runtime)
    cell.install(Counter([]))
    actor = cell.actor
    assert actor is not None
    work = leased(actor.actor_inbox, lambda: cell.address.tell(1) and None)
    voice = actor.voice()
    work()
    assert voice.tell(2)
    cell.address.tell(-1)
    news.wait(2)
    with pytest.raises(Fenced):
        work()
    with pytest.raises(Fenced):
        voice.tell(2)
    assert cell.address.tell(3)


def test_an_asker_whose_question_hangs_gets_the_reason(runtime: ThreadedRuntime) -> None:
    cell, _ = _watched(runtime)
    hung, release = Counter([]), threading.Event()
    cell.install(hung)
    question = cell.address.put_question(release)
    assert hung.blocked.wait(LIMIT_S)
    with pytest.raises(AskTimeout):
        question.get(timeout=0.01)
    cell.fence(TimeoutError("hung"))
    with pytest.raises(TimeoutError, match="hung"):
        question.get(timeout=LIMIT_S)
    release.set()


def test_questions_after_the_runtime_was_closed_get_an_error(
    runtime: ThreadedRuntime,
) -> None:
    vacant, _ = _watched(runtime, "vacant")
    waiting = vacant.address.put_question("sum")
    assert runtime.close(LIMIT_S) == ()
    for question in (waiting, vacant.address.put_question("sum")):
        with pytest.raises(ActorUnavailable):
            question.get(timeout=LIMIT_S)


@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_failure"])
def test_an_actor_that_hangs_in_a_hook_is_fenced_too(runtime: ThreadedRuntime, hook: str) -> None:
    release, blocked = threading.Event(), threading.Event()

    class Hanging(Counter):
        pass

    def hang(*_: object) -> None:
        if not blocked.is_set():
            blocked.set()
            release.wait(LIMIT_S)

    setattr(Hanging, hook, hang)
    cell, news = _watched(runtime)
    cell.install(Hanging([]))
    if hook != "on_start":
        cell.address.tell(Stop() if hook == "on_stop" else -1)
    assert blocked.wait(LIMIT_S)
    error = TimeoutError("hung")
    assert cell.fence(error)
    news.wait(1 if hook == "on_start" else 2)
    assert news.all[-1][0] == ("stopped" if hook == "on_stop" else "died")
    assert error in news.all[-1]
    release.set()


def test_questions_asked_in_the_instant_of_stopping_all_end(runtimes: Any) -> None:
    runtime = runtimes()
    for _ in range(60):
        cell = runtime.cell("counter")
        cell.install(Counter([1]))
        started = threading.Barrier(4)
        questions: list[Any] = []

        def ask(
            cell: Cell = cell,
            started: threading.Barrier = started,
            questions: list[Any] = questions,
        ) -> None:
            started.wait(LIMIT_S)
            questions.extend(cell.address.put_question("sum") for _ in range(20))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        started.wait(LIMIT_S)
        cell.address.tell(Stop())
        for thread in threads:
            thread.join(LIMIT_S)
        outcomes = [_outcome(question) for question in questions]
        assert len(outcomes) == 60
        assert set(outcomes) <= {1, ActorUnavailable}


def leased(lease: Lease, work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with under(lease):
            work()

    return run


def _outcome(question: Any) -> Any:
    try:
        return question.get(timeout=LIMIT_S)
    except ActorUnavailable:
        return ActorUnavailable
