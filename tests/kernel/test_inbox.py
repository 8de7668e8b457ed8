from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from pykka._envelope import Envelope

from perps_actors.kernel import messages as traits
from perps_actors.kernel.address import Answer
from perps_actors.kernel.inbox import EMPTY, Inbox, InboxPolicy, Overflow
from perps_actors.kernel.lease import Lease
from perps_actors.kernel.lifecycle import Drain, Stop
from perps_actors.kernel.timers import Timer


class Batch(traits.Batch, frozen=True):
    items: tuple[Any, ...]


@attrs.frozen
class Urgent:
    control = True
    number: int = 0


class UrgentBatch(Batch, frozen=True):
    control = True


@attrs.frozen
class Quote:
    sheddable = True
    number: int = 0


@attrs.frozen
class Latest:
    number: int

    def merged_with(self, newer: Latest) -> Latest:
        return newer


class Gathered(Batch, frozen=True):
    def merged_with(self, newer: Gathered) -> Gathered:
        return Gathered(self.items + newer.items)


@attrs.frozen
class Labelled:
    """Has fields that are called like traits."""

    control: str
    sheddable: bool
    lifecycle: int


@pytest.fixture
def switching() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Box(Inbox):
    """An inbox that keeps what was left over and counts how often it was ready."""

    def __init__(self, **policy: Any) -> None:
        self.leftovers: list[Any] = []
        self.wakes = 0
        super().__init__(InboxPolicy(**policy), self._woken, self.leftovers.append)

    def _woken(self) -> None:
        self.wakes += 1

    def take_all(self) -> list[Any]:
        taken = []
        while (entry := self.take()) is not EMPTY:
            taken.append(entry)
        return taken


def test_messages_come_out_in_the_order_they_went_in() -> None:
    box = Box()
    assert all(box.put(number) for number in range(10))
    assert box.take_all() == list(range(10))
    assert box.take() is EMPTY


def test_it_wakes_its_cell_once_until_it_was_found_empty() -> None:
    box = Box()
    box.put(1)
    box.put(2)
    assert box.wakes == 1
    box.take_all()
    box.put(3)
    assert box.wakes == 2


def test_control_goes_ahead_of_data_and_is_taken_beyond_every_bound() -> None:
    box = Box(bound=1)
    box.put("data")
    assert all(box.put(Urgent(number)) for number in range(10))
    assert box.take_all() == [*(Urgent(number) for number in range(10)), "data"]


def test_control_that_waits_takes_no_room_from_data() -> None:
    box = Box(bound=2)
    for number in range(10):
        box.put(Urgent(number))
    assert box.put(Quote(1))
    assert box.put(Quote(2))
    assert not box.put(Quote(3))


def test_a_batch_counts_its_length_and_an_empty_one_counts_one() -> None:
    box = Box()
    box.put(Batch((1, 2, 3)))
    box.put(Batch(()))
    box.put(UrgentBatch((4, 5)))
    assert len(box) == 6
    assert box.take_all() == [UrgentBatch((4, 5)), Batch((1, 2, 3)), Batch(())]
    assert len(box) == 0


def test_sheddable_messages_are_dropped_at_the_bound_and_counted() -> None:
    box = Box(bound=3)
    assert [box.put(Quote(n)) for n in range(5)] == [True, True, True, False, False]
    assert box.statistics().dropped == 2
    assert box.statistics().told == 5


def test_other_messages_are_taken_up_to_twice_the_bound_and_refused_beyond() -> None:
    box = Box(bound=3)
    assert [box.put(n) for n in range(8)] == [True] * 6 + [False] * 2
    assert box.statistics().dropped == 2


def test_a_batch_that_does_not_fit_below_the_ceiling_is_refused_as_a_whole() -> None:
    box = Box(bound=3)
    assert box.put(Batch((1, 2, 3, 4)))
    assert not box.put(Batch((5, 6, 7)))
    assert box.statistics().dropped == 3
    assert len(box) == 4


def test_dropping_the_oldest_keeps_the_newest() -> None:
    box = Box(bound=3, overflow=Overflow.DROP_OLDEST)
    assert all(box.put(n) for n in range(10))
    assert box.put(Batch((10, 11)))
    assert box.take_all() == [9, Batch((10, 11))]
    assert box.statistics().dropped == 9


def test_dropping_the_oldest_spares_questions_and_lifecycle_messages() -> None:
    box = Box(bound=2, overflow=Overflow.DROP_OLDEST)
    question, order = Envelope("question", reply_to=Answer()), Drain()
    box.put("old")
    box.put(question)
    box.put(order)
    for number in range(5):
        box.put(number)
    assert box.take_all() == [question, order, 3, 4]
    assert box.statistics().dropped == 4


def test_lifecycle_messages_and_timers_are_taken_although_the_inbox_is_full() -> None:
    box = Box(bound=1)
    while box.put("data"):
        pass
    lease = Lease()
    lease.cell = _Place(box)  # type: ignore[assignment]
    Timer(0, lease, "tick").fire()
    assert box.put(Drain())
    assert box.put(Stop())
    entries = box.take_all()
    assert entries[0] == Stop()
    assert entries[-1] == Drain()
    assert entries[-2].message == "tick"


@attrs.frozen
class _Place:
    inbox: Inbox


def test_lifecycle_messages_are_not_counted() -> None:
    box = Box()
    box.put(Drain())
    box.put(Stop())
    box.close()
    assert box.statistics().told == 0


def test_a_class_that_is_conflated_waits_once_with_all_it_was_merged_with() -> None:
    box = Box(conflate=True)
    box.put(Latest(1))
    box.put("between")
    box.put(Latest(2))
    box.put(Gathered((1,)))
    box.put(Gathered((2, 3)))
    assert len(box) == 5
    assert box.take_all() == [Latest(2), "between", Gathered((1, 2, 3))]
    assert box.statistics().dropped == 1
    box.put(Latest(3))
    assert box.take_all() == [Latest(3)]


def test_without_the_policy_nothing_is_conflated() -> None:
    box = Box()
    box.put(Latest(1))
    box.put(Latest(2))
    assert box.take_all() == [Latest(1), Latest(2)]


def test_a_question_is_never_merged_away_but_an_envelope_nobody_waits_for_is() -> None:
    box = Box(conflate=True)
    question = Envelope(Latest(1), reply_to=Answer())
    box.put(question)
    box.put(Latest(2))
    box.put(Envelope(Latest(3)))
    assert box.take_all() == [question, Latest(3)]


def test_fields_that_are_called_like_traits_are_no_traits() -> None:
    box = Box(bound=1)
    message = Labelled("left", sheddable=True, lifecycle=4)
    box.put("first")
    assert box.put(message)
    assert not box.put(message)
    assert box.take_all() == ["first", message]


def test_messages_that_wait_at_a_close_or_come_later_are_left_over() -> None:
    box = Box()
    box.put("waiting")
    box.put(Batch((1, 2)))
    box.close()
    box.close()
    assert not box.put("late")
    assert box.leftovers == ["waiting", Batch((1, 2)), "late"]
    assert box.statistics().left == 4
    assert len(box) == 0


def test_the_rest_of_a_batch_goes_back_to_the_front() -> None:
    box = Box()
    box.put("next")
    box.put_back(Batch((1, 2)))
    assert len(box) == 3
    assert box.take_all() == [Batch((1, 2)), "next"]


def test_all_who_asked_for_relief_get_it_with_each_message_taken() -> None:
    box = Box()
    relieved: list[str] = []
    box.on_relief(lambda: relieved.append("first"))
    box.on_relief(lambda: relieved.append("second"))
    box.put(1)
    box.take_all()
    assert relieved == ["first", "second"]


class _Interrupted(deque[Any]):
    """A lane into which a signal handler puts a message just when it was found empty."""

    def __init__(self, interruption: Callable[[], object]) -> None:
        super().__init__()
        self._interruptions = [interruption]

    def popleft(self) -> Any:
        try:
            return super().popleft()
        except IndexError:
            self._interrupt()
            raise

    def __len__(self) -> int:
        length = super().__len__()
        if not length:
            self._interrupt()
        return length

    def _interrupt(self) -> None:
        while self._interruptions:
            self._interruptions.pop()()


def test_a_message_that_comes_in_the_instant_of_closing_is_left_over() -> None:
    box = Box()
    box._data = _Interrupted(lambda: box.put("just now"))
    box.close()
    assert box.leftovers == ["just now"]


def test_a_message_that_comes_in_the_instant_of_falling_asleep_is_taken() -> None:
    box = Box()
    box._scheduled = True
    box._data = _Interrupted(lambda: box.put("just now"))
    assert box.take() == "just now"


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize(
    "policy",
    [
        {"bound": 50},
        {"bound": 50, "overflow": Overflow.DROP_OLDEST},
        {"bound": 50, "conflate": True},
        {"bound": 50, "conflate": True, "overflow": Overflow.DROP_OLDEST},
        {},
    ],
    ids=str,
)
def test_from_many_threads_all_that_was_told_is_taken_dropped_or_left(
    policy: dict[str, Any],
) -> None:
    box = Box(**policy)
    told = [0] * 4
    started = threading.Barrier(5)
    over = threading.Event()

    def send(sender: int) -> None:
        started.wait(5)
        for number in range(1500):
            message, items = [
                (number, 1),
                (Quote(number), 1),
                (Batch((number, number)), 2),
                (Latest(number), 1),
                (Gathered((number,)), 1),
                (Urgent(number), 1),
            ][number % 6]
            box.put(message)
            told[sender] += items

    taken: list[Any] = []

    def receive() -> None:
        started.wait(5)
        while not over.is_set():
            taken.extend(box.take_all())

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    receiver = threading.Thread(target=receive)
    for thread in (*threads, receiver):
        thread.start()
    for thread in threads:
        thread.join(30)
    over.set()
    receiver.join(30)
    box.close()
    assert box.taken == _items(taken)
    assert box.statistics().left == _items(box.leftovers)
    assert len(box) == 0
    assert sum(told) == box.statistics().told
    assert (
        len([entry for entry in (*taken, *box.leftovers) if isinstance(entry, Urgent)]) == 4 * 250
    )


@pytest.mark.usefixtures("switching")
def test_puts_that_race_a_close_lose_and_double_nothing() -> None:
    for _ in range(150):
        box = Box()
        started = threading.Barrier(5)
        taken: list[Any] = []

        def send(sender: int, box: Box = box, started: threading.Barrier = started) -> None:
            started.wait(5)
            for number in range(20):
                box.put((sender, number))

        def receive(
            box: Box = box, started: threading.Barrier = started, taken: list[Any] = taken
        ) -> None:
            started.wait(5)
            taken.extend(box.take_all())

        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
        threads.append(threading.Thread(target=receive))
        for thread in threads:
            thread.start()
        started.wait(5)
        box.close()
        for thread in threads:
            thread.join(5)
        assert sorted(taken + box.leftovers) == [
            (sender, number) for sender in range(3) for number in range(20)
        ]
        assert box.statistics().left == len(box.leftovers)


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize(
    "policy",
    [{"bound": 30}, {"bound": 30, "overflow": Overflow.DROP_OLDEST}, {"conflate": True}],
    ids=str,
)
def test_a_signal_handler_that_tells_while_the_main_thread_tells_too_is_accounted_for(
    policy: dict[str, Any],
) -> None:
    box = Box(**policy)
    told = 0
    over = False

    def on_alarm(*_: object) -> None:
        nonlocal told
        for message in (Latest(told), Batch((1, 2)), Gathered((told,)), told):
            box.put(message)
        told += 5
        # Anew each time: a handler that is interrupted by itself would never come to an end.
        if not over:
            signal.setitimer(signal.ITIMER_REAL, 5e-5)

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 5e-5)
    mine = 0
    taken: list[Any] = []
    try:
        for number in range(30_000):
            box.put([Latest(number), Gathered((number,)), number][number % 3])
            mine += 1
            if number % 20 == 0:
                taken.extend(box.take_all())
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    taken.extend(box.take_all())
    assert box.taken == _items(taken)
    assert told > 0
    assert len(box) == 0
    assert box.statistics().told == mine + told


def _items(entries: list[Any]) -> int:
    return sum(len(entry.items) if isinstance(entry, Batch) else 1 for entry in entries)
