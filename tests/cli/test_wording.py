from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.wording import (
    age,
    basis_points,
    cut,
    folded,
    padded,
    printable,
    rate,
    running_time,
    width_of,
)
from perps_actors.kernel.clock import NS_PER_S


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0s"),
        (0.34, "0.3s"),
        (9.94, "9.9s"),
        (9.95, "10s"),
        (99, "99s"),
        (100, "2m"),
        (5_999, "100m"),
        (6_000, "2h"),
        (864_000, "10d"),
    ],
)
def test_an_age_is_shown_in_a_fitting_unit(seconds, shown) -> None:
    assert age(int(seconds * NS_PER_S)) == shown


@given(st.integers(min_value=0, max_value=10**8))
def test_ages_and_rates_never_need_more_than_five_characters(number) -> None:
    assert len(age(number * NS_PER_S)) <= 5
    assert len(rate(number)) <= 5


@pytest.mark.parametrize(
    ("per_s", "shown"),
    [(0, "0.0"), (0.26, "0.3"), (9.96, "10"), (9_999, "9999"), (10_000, "10k"), (2.5e7, "25M")],
)
def test_a_rate_is_shown_in_a_fitting_unit(per_s, shown) -> None:
    assert rate(per_s) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0085, "0.01"), (9.999, "10.0"), (99.96, "100"), (-1.5, "-1.50")]
)
def test_small_basis_points_have_more_decimals(value, shown) -> None:
    assert basis_points(value) == shown


def test_unknown_values_are_dashes_and_not_zero() -> None:
    assert (age(None), rate(None), basis_points(None)) == ("-", "-", "-")


def test_a_running_time_beyond_a_day_is_shown_in_hours() -> None:
    assert running_time((25 * 3_600 + 61) * NS_PER_S) == "25:01:01"


@given(st.text(), st.integers(min_value=2, max_value=40), st.booleans())
def test_any_text_is_padded_or_cut_to_exactly_the_width(text, width, right) -> None:
    assert width_of(padded(printable(text), width, right=right)) == width


def test_a_wide_character_counts_as_two_columns() -> None:
    assert width_of("币USDT") == 6
    assert cut("币安人生USDT", 7) == "币安.."


@given(st.text())
def test_any_text_becomes_printable(text) -> None:
    assert printable(text).isprintable()


def test_an_escape_sequence_is_made_visible() -> None:
    assert printable("closed:\n\x1b[2Jgone") == "closed: ?[2Jgone"


@given(
    st.lists(st.text(alphabet="abc", min_size=1, max_size=12), max_size=8),
    st.integers(min_value=12, max_value=60),
)
def test_folded_parts_keep_their_order_and_fit_the_lines(parts, width) -> None:
    lines = folded(parts, width)
    assert "  ".join(lines).split() == parts
    assert all(len(line) <= width for line in lines)
