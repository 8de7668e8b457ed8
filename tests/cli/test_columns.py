from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.columns import COLUMNS, GAP, Layout, price
from tests.cli.shown import row, unknown_row

ALL = [column.name for column in COLUMNS]


def names(width: int, *rows) -> list[str]:
    return [column.name for column, _ in Layout().fit(rows or (row(),), width)]


def taken(fitted) -> int:
    return sum(width + GAP for _, width in fitted) - GAP


def test_eighty_columns_show_all_there_is_of_a_usual_symbol() -> None:
    assert names(80) == ALL


def test_what_matters_least_goes_first_and_what_matters_most_stays_at_any_width() -> None:
    assert [name for name in ALL if name not in names(72)] == ["window"]
    assert [name for name in ALL if name not in names(62)] == ["venue mark", "window"]
    assert names(1) == ["symbol", "mark", "age", "health"]


@given(st.integers(min_value=1, max_value=200))
def test_what_is_shown_fits_unless_it_is_the_least_there_can_be(width) -> None:
    fitted = Layout().fit((row(), row("1000000MOGUSDT")), width)
    assert taken(fitted) <= width or [column.name for column, _ in fitted] == [
        "symbol",
        "mark",
        "age",
        "health",
    ]


@given(st.integers(min_value=1, max_value=200))
def test_a_wider_terminal_never_shows_less(width) -> None:
    assert set(names(width)) <= set(names(width + 1))


def test_a_column_that_was_wide_stays_so_until_the_end() -> None:
    layout = Layout()
    wide = dict(layout.fit((row("1000000MOGUSDT"),), 120))
    assert dict(layout.fit((row("A"),), 120)) == wide


def test_a_hostile_symbol_takes_no_more_than_its_column() -> None:
    fitted = Layout().fit((row("X" * 500),), 80)
    assert fitted[0][1] == 16


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (Decimal("1.5"), 3, "1.500"),
        (Decimal("117230.12345678"), 2, "117230.12"),
        (Decimal("0.00001"), None, "0.00001"),
        (None, 2, "-"),
        (Decimal("1E+3"), 0, "1000"),
    ],
)
def test_a_price_is_plain_with_the_decimals_of_its_column(value, places, shown) -> None:
    assert price(value, places) == shown


def test_a_symbol_of_which_nothing_is_known_shows_dashes_and_an_empty_window() -> None:
    assert [column.text(unknown_row()) for column in COLUMNS] == [
        "NEWUSDT",
        "-",
        "-",
        "-",
        "-",
        "-",
        "0/25",
        "-",
        "-",
    ]
