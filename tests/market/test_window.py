from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Mark
from perps_actors.market.window import pushed, window_length

BTC = InstrumentId("synthetic", "BTC-USDT-PERP")


def _mark(number: int) -> Mark:
    return Mark(BTC, Decimal(number), "book", number, number, number)


@pytest.mark.parametrize(("short", "long", "length"), [(5, 20, 25), (20, 5, 25), (1, 1, 6)])
def test_a_window_is_five_longer_than_the_longer_average(
    short: int, long: int, length: int
) -> None:
    assert window_length(short, long) == length


@given(st.integers(1, 12), st.integers(0, 40))
def test_a_window_holds_the_newest_marks_oldest_first(length: int, count: int) -> None:
    marks = tuple(_mark(number) for number in range(count))
    window: tuple[Mark, ...] = ()
    for mark in marks:
        window = pushed(window, mark, length)
    assert window == marks[-length:]


@given(st.integers(1, 12), st.integers(0, 30))
def test_a_window_is_cut_to_a_smaller_length_with_the_next_mark(length: int, count: int) -> None:
    window = tuple(_mark(number) for number in range(count))
    assert pushed(window, _mark(count), length) == (*window, _mark(count))[-length:]


def test_a_window_never_changes_after_it_was_read() -> None:
    held = tuple(_mark(number) for number in range(3))
    newer = pushed(held, _mark(3), 3)
    assert [mark.mark for mark in held] == [0, 1, 2]
    assert [mark.mark for mark in newer] == [1, 2, 3]
