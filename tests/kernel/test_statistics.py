from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest

from perps_actors.kernel.actor import Actor
from perps_actors.kernel.address import Answer
from perps_actors.kernel.cell import Cell
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.inbox import InboxPolicy, Overflow
from perps_actors.kernel.messages import Batch
from perps_actors.kernel.runtime import ThreadedRuntime
from perps_actors.kernel.simulated import SimulatedRuntime
from perps_actors.kernel.statistics import CellStatistics, GetStatistics

LIMIT_S = 5.0


class Hold:
    """Keeps whoever handles it until it is released."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()


class Worker(Actor):
    """Does what it is told: dies of a negative number."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Hold):
            message.begun.set()
            message.release.wait(LIMIT_S)
        elif isinstance(message, int) and message < 0:
            raise ValueError(message)
        return message


@attrs.frozen
class Newest:
    number: int

    def merged_with(self, newer: Newest) -> Newest:
        return newer


class Load(Batch, frozen=True):
    """A batch with something of the outside in it."""

    items_field = "parts"
    parts: tuple[bytes, ...]

    @property
    def held_bytes(self) -> int:
        return sum(map(len, self.parts))


@pytest.fixture
def simulation() -> SimulatedRuntime:
    return SimulatedRuntime()


def ask(simulation: SimulatedRuntime, cell: Cell) -> CellStatistics:
    answer = cell.address.put_question(GetStatistics())
    simulation.step()
    statistics = answer.get(timeout=0)
    assert isinstance(statistics, CellStatistics)
    return statistics


def age_s(cell: Cell) -> float | None:
    age_ns = cell.statistics().inbox.oldest_age_ns
    return None if age_ns is None else age_ns / NS_PER_S


# --- asking


def test_the_question_for_counters_is_answered_ahead_of_data_and_not_counted(
    simulation,
) -> None:
    cell = simulation.cell("worker")
    cell.install(Worker())
    simulation.settle()
    for number in range(3):
        cell.address.tell(number)
    before = ask(simulation, cell)
    assert (before.name, before.handled, before.inbox.length, before.inbox.told) == (
        "worker",
        0,
        3,
        3,
    )
    simulation.settle()
    after = ask(simulation, cell)
    assert (after.handled, after.inbox.length, after.inbox.told) == (3, 0, 3)


def test_an_actor_that_was_started_alone_answers_too_and_a_full_inbox_keeps_no_question_out() -> (
    None
):
    class Small(Worker):
        inbox_policy = InboxPolicy(bound=1)

    ref, hold = Small.start(), Hold()
    ref.tell(hold)
    assert hold.begun.wait(LIMIT_S)
    for number in range(9):
        ref.tell(number)
    question = ref.ask(GetStatistics(), block=False)
    hold.release.set()
    statistics = question.get(timeout=LIMIT_S)
    assert (statistics.handled, statistics.inbox.refused > 0) == (1, True)
    ref.stop(timeout=LIMIT_S)


def test_a_question_that_was_told_instead_of_asked_does_no_harm(simulation) -> None:
    cell = simulation.cell("worker")
    cell.install(Worker())
    cell.address.tell(GetStatistics())
    cell.address.tell(1)
    simulation.settle()
    assert (cell.statistics().handled, cell.statistics().inbox.told) == (1, 1)


def test_of_an_actor_that_hangs_the_books_can_be_read_without_asking_it() -> None:
    runtime, hold = ThreadedRuntime(name="statistics"), Hold()
    cell = runtime.cell("worker")
    cell.install(Worker())
    cell.address.tell(hold)
    assert hold.begun.wait(LIMIT_S)
    cell.address.tell(1)
    question = cell.address.put_question(GetStatistics())
    assert cell.statistics().inbox.length == 2
    assert not question.settled()
    hold.release.set()
    assert question.get(timeout=LIMIT_S).handled == 1
    assert runtime.close(LIMIT_S) == ()


# --- counting


def test_dead_letters_and_restarts_are_counted_over_all_incarnations(simulation) -> None:
    cell = simulation.cell("worker")
    assert (cell.statistics().generation, cell.statistics().restarts) == (0, 0)
    cell.watcher = _Nobody()
    for number in range(3):
        cell.install(Worker())
        cell.address.tell(number)
        cell.address.tell(-1)
        simulation.settle()
    statistics = cell.statistics()
    assert (statistics.generation, statistics.restarts) == (3, 2)
    assert (statistics.handled, statistics.dead, statistics.inbox.taken) == (3, 3, 6)


def test_time_in_handlers_is_added_up(simulation) -> None:
    class Slow(Actor):
        def on_receive(self, message: int) -> None:
            simulation.clock.advance(message * NS_PER_S)

    cell = simulation.cell("slow")
    cell.install(Slow())
    for seconds in (2, 3):
        cell.address.tell(seconds)
    simulation.settle()
    assert cell.statistics().busy_ns == 5 * NS_PER_S


def test_drops_are_told_apart_by_their_reason(simulation) -> None:
    refusing = simulation.cell("refusing", policy=InboxPolicy(bound=1))
    overrun = simulation.cell("overrun", policy=InboxPolicy(bound=2, overflow=Overflow.DROP_OLDEST))
    merging = simulation.cell("merging", policy=InboxPolicy(conflate=True))
    for number in range(6):
        refusing.address.tell(number)
        overrun.address.tell(number)
        merging.address.tell(Newest(number))
    books = {cell.name: cell.statistics().inbox for cell in (refusing, overrun, merging)}
    assert {name: (book.refused, book.overrun, book.merged) for name, book in books.items()} == {
        "refusing": (4, 0, 0),
        "overrun": (0, 4, 0),
        "merging": (0, 0, 5),
    }
    assert {book.told for book in books.values()} == {6}
    assert [book.dropped for book in books.values()] == [4, 4, 5]


def test_bytes_count_while_their_messages_wait(simulation) -> None:
    cell = simulation.cell("worker", policy=InboxPolicy(bound=6))
    cell.watcher = _Nobody()
    cell.address.tell(Load((b"12", b"345")))
    cell.address.tell(Load((b"6" * 10,)))
    assert cell.statistics().inbox.held_bytes == 15
    cell.address.tell(Load((b"too many",) * 20))
    assert cell.statistics().inbox.held_bytes == 15
    cell.install(_Picky())
    simulation.settle()
    # The first item of the first batch killed it, and the rest is back.
    assert cell.statistics().inbox.held_bytes == 13
    cell.close()
    assert cell.statistics().inbox.held_bytes == 0


class _Picky(Actor):
    def on_receive(self, message: Any) -> None:
        raise ValueError(message)


class _Nobody:
    """Watches without doing anything."""

    def started(self, *_: object) -> None: ...

    died = stopped = started


# --- age


def test_waiting_messages_age_and_an_empty_inbox_has_no_age(simulation) -> None:
    cell = simulation.cell("worker")
    cell.install(Worker())
    simulation.settle()
    simulation.advance(100)
    assert age_s(cell) is None
    cell.address.tell(1)
    simulation.clock.advance(2 * NS_PER_S)
    cell.address.tell(2)
    assert age_s(cell) == 2
    simulation.settle()
    assert age_s(cell) is None
    simulation.advance(50)
    cell.address.tell(3)
    assert age_s(cell) == 0


def test_messages_in_a_vacant_cell_age_too(simulation) -> None:
    cell = simulation.cell("worker")
    cell.watcher = _Nobody()
    cell.install(Worker())
    cell.address.tell(-1)
    simulation.settle()
    simulation.advance(60)
    cell.address.tell(1)
    simulation.advance(3)
    assert age_s(cell) == 3
    cell.address.tell(2)
    simulation.advance(1)
    assert age_s(cell) == 4


@pytest.mark.parametrize("backlog", [1, 3, 10, 40])
def test_in_an_inbox_that_is_never_empty_the_age_is_never_too_low_and_less_than_twice_too_high(
    simulation, backlog
) -> None:
    cell = simulation.cell("worker")
    cell.install(Worker())
    simulation.settle()
    put_s: list[float] = []

    def put() -> None:
        put_s.append(simulation.clock.monotonic_ns() / NS_PER_S)
        cell.address.tell(len(put_s))

    for _ in range(backlog):
        put()
    for _ in range(200):
        simulation.clock.advance(NS_PER_S)
        put()
        simulation.step()
        true_s = simulation.clock.monotonic_ns() / NS_PER_S - put_s[cell.inbox.taken]
        shown_s = age_s(cell)
        assert shown_s is not None
        assert true_s <= shown_s <= 2 * true_s + 2


def test_a_question_from_inside_a_handler_is_refused_like_any_other(simulation) -> None:
    cell = simulation.cell("worker")

    class Curious(Actor):
        def on_receive(self, _: Any) -> Any:
            return self.address.ask(GetStatistics(), timeout=1)

    cell.install(Curious())
    answer: Answer = cell.address.put_question("how are you?")
    simulation.settle()
    with pytest.raises(Exception, match="actors only tell"):
        answer.get(timeout=0)
