from __future__ import annotations

from decimal import Decimal, localcontext

import pykka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.actors.mark_store import MarkStore
from perps_actors.feeds.boards import Board
from perps_actors.kernel.cell import Cell
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import (
    GetMarkStatistics,
    GetWindow,
    MarkStatistics,
    MarksUpdated,
    RecordMarks,
    SetWindows,
    WindowView,
)
from perps_actors.testing import Probe

LENGTH = 25


def recorded(*marks: Mark) -> RecordMarks:
    return RecordMarks(marks, "synthetic")


def prices(window: tuple[Mark, ...]) -> list[Decimal]:
    return [mark.mark for mark in window]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def listener() -> Probe:
    return Probe()


@pytest.fixture
def store(bench, board: Board, listener: Probe) -> Cell:
    return bench.run(MarkStore(window_length=LENGTH, board=board, listeners=[listener]))


def test_a_window_holds_the_newest_marks_oldest_first_and_the_board_shows_it_without_asking(
    bench, store, board, mark, btc
) -> None:
    bench.tell(store, recorded(*(mark(price) for price in range(1, 31))))
    assert prices(board.window(btc)) == list(range(6, 31))
    assert board.mark(btc) is board.window(btc)[-1]
    assert board.count(btc) == 30


def test_a_window_that_was_handed_out_never_changes(bench, store, board, mark, btc) -> None:
    bench.tell(store, recorded(mark(1)))
    before = board.window(btc)
    bench.tell(store, recorded(mark(2)))
    assert prices(before) == [1]
    assert prices(board.window(btc)) == [1, 2]
    with pytest.raises(TypeError):
        board.windows[btc] = ()  # type: ignore[index]


@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(1, 10**9)), max_size=12),
        max_size=12,
    ),
    length=st.integers(1, 9),
)
def test_a_window_holds_the_last_n_marks_however_they_were_batched(
    new_bench, batches, length
) -> None:
    board = Board()
    bench = new_bench()
    store = bench.run(MarkStore(window_length=length, board=board))
    sent: dict[str, list[int]] = {}
    for batch in batches:
        bench.tell(
            store,
            recorded(
                *(Mark(InstrumentId("v", s), Decimal(p), "book", None, 1, 1) for s, p in batch)
            ),
        )
        for symbol, price in batch:
            sent.setdefault(symbol, []).append(price)
    for symbol in ("A", "B", "C"):
        assert prices(board.window(InstrumentId("v", symbol))) == sent.get(symbol, [])[-length:]
        assert board.count(InstrumentId("v", symbol)) == len(sent.get(symbol, []))


def test_an_instrument_that_nobody_named_before_gets_a_window(bench, store, mark) -> None:
    unknown = InstrumentId("binance_futures", "NEWUSDT")
    assert bench.ask(store, GetWindow(unknown)) == WindowView(unknown, (), known=False)
    new = mark(5, "NEWUSDT")
    bench.tell(store, recorded(new))
    assert bench.ask(store, GetWindow(unknown)) == WindowView(unknown, (new,), known=True)


@pytest.mark.parametrize(
    "price", ["0", "-1", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "1e20"]
)
def test_a_mark_without_a_usable_price_is_rejected_alone_and_counted(
    *, bench, price, store, listener, mark, btc
) -> None:
    bench.tell(store, recorded(mark(1), mark(price), mark(2)))
    assert prices(bench.ask(store, GetWindow(btc)).marks) == [1, 2]
    assert [prices(update.marks) for update in listener.told] == [[1, 2]]
    assert bench.ask(store, GetMarkStatistics()) == MarkStatistics(((btc, 2),), rejected=1)


@pytest.mark.parametrize("price", ["NaN", "sNaN"])
def test_no_decimal_context_of_the_host_lets_a_nan_in(  # noqa: PLR0917 - fixtures
    bench, price, store, board, mark, btc
) -> None:
    with localcontext() as context:
        context.clear_traps()
        bench.tell(store, recorded(mark(price), mark(2)))
    assert prices(board.window(btc)) == [2]


def test_a_mark_of_nothing_is_rejected(bench, store, board, mark) -> None:
    bench.tell(store, recorded(mark(1, ""), mark(2, "ETHUSDT")))
    assert set(board.windows) == {InstrumentId("binance_futures", "ETHUSDT")}
    assert bench.ask(store, GetMarkStatistics()).rejected == 1


def test_listeners_hear_the_marks_of_a_message_together_and_nothing_when_none_was_good(
    bench, store, listener, mark
) -> None:
    bench.tell(store, recorded(mark(1), mark(2, "ETHUSDT")))
    bench.tell(store, recorded(mark(0)))
    assert listener.told == [MarksUpdated((mark(1), mark(2, "ETHUSDT")), "synthetic")]


def test_marks_are_on_the_board_before_anyone_is_told_of_them(bench, board, mark, btc) -> None:
    class Looker(Probe):
        def tell(self, message):
            self.seen = prices(board.window(btc))
            return super().tell(message)

    looker = Looker()
    store = bench.run(MarkStore(window_length=LENGTH, board=board, listeners=[looker]))
    bench.tell(store, recorded(mark(1), mark(2)))
    assert looker.seen == [1, 2]


def test_a_shorter_length_cuts_at_once_and_a_longer_one_lets_windows_grow(
    bench, store, board, mark, btc
) -> None:
    bench.tell(store, recorded(*(mark(price) for price in range(1, 11))))
    bench.tell(store, SetWindows(3))
    assert prices(board.window(btc)) == [8, 9, 10]
    bench.tell(store, SetWindows(5))
    bench.tell(store, recorded(mark(11), mark(12), mark(13)))
    assert prices(board.window(btc)) == [9, 10, 11, 12, 13]


@pytest.mark.parametrize("length", [0, -1])
def test_a_window_of_no_marks_cannot_be_asked_for(length) -> None:
    with pytest.raises(ValueError, match="length"):
        SetWindows(length)


def test_the_next_incarnation_takes_windows_counts_and_the_length_it_was_told_over(
    bench, store, board, mark, btc
) -> None:
    bench.tell(store, SetWindows(2))
    bench.tell(store, recorded(mark(1), mark(2), mark(3)))
    successor = bench.run(MarkStore(window_length=LENGTH, board=board))
    assert prices(board.window(btc)) == [2, 3]
    bench.tell(successor, recorded(mark(4)))
    assert prices(board.window(btc)) == [3, 4]
    assert board.count(btc) == 4


def test_marks_of_a_replaced_incarnation_are_not_visible(bench, store, board, mark, btc) -> None:
    bench.tell(store, recorded(mark(1)))
    successor = bench.run(MarkStore(window_length=LENGTH, board=board))
    bench.tell(store, recorded(mark(666), mark(667, "ETHUSDT")))
    bench.tell(store, SetWindows(1))
    bench.tell(successor, recorded(mark(2)))
    assert prices(board.window(btc)) == [1, 2]
    assert board.count(btc) == 2
    assert list(board.windows) == [btc]


def test_started_alone_it_answers_through_its_actor_ref(mark, btc) -> None:
    ref = MarkStore.start(window_length=LENGTH)
    try:
        ref.tell(recorded(mark(1), mark(2)))
        view = ref.ask(GetWindow(btc), timeout=5)
        assert prices(view.marks) == [1, 2]
    finally:
        ref.stop(timeout=5)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(recorded(mark(3)))


def test_a_poisoned_mark_is_lost_alone_with_its_neighbours_kept_and_told(
    bench, board, listener, mark, btc
) -> None:
    poison = Mark(None, Decimal(1), "book", None, 1, 1)  # type: ignore[arg-type]
    cell = bench.runtime.cell("mark_store")
    letters = []

    class Reviver:
        def started(self, *_):
            pass

        def stopped(self, *_):
            pass

        def died(self, cell, _, __, letter):
            letters.append(letter)
            cell.install(MarkStore(window_length=LENGTH, board=board, listeners=[listener]))

    cell.watcher = Reviver()
    cell.install(MarkStore(window_length=LENGTH, board=board, listeners=[listener]))
    for message in (recorded(mark(1), mark(2), poison, mark(3)), recorded(mark(4))):
        cell.address.tell(message)
    bench.runtime.settle()
    assert prices(board.window(btc)) == [1, 2, 3, 4]
    assert [price for update in listener.told for price in prices(update.marks)] == [1, 2, 3, 4]
    assert [(letter.message, letter.items) for letter in letters] == [(recorded(poison), 1)]
