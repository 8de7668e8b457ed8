from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.columns import Layout
from perps_actors.cli.figures import Ailment
from perps_actors.cli.picture import STYLE_OF, picture
from perps_actors.cli.wording import width_of
from perps_actors.market.feed_state import Health
from tests.cli.shown import figures, row, text_of, unknown_row

GAP = Ailment(health=Health.GAPPED, cause="frame 12 does not follow 9", symbols=("SOLUSDT",))
DOWN = Ailment(health=Health.DOWN, cause="the connection ended", symbols=("A", "B", "C", "D", "E"))


def drawn(shown, width: int = 80, height: int = 24) -> list[str]:
    return text_of(picture(shown, Layout(), width, height))


def test_a_calm_system_is_told_in_eighty_columns() -> None:
    assert drawn(figures(row(), row("ETHUSDT"))) == [
        "binance_futures (synthetic)  running 0:01:23  Ctrl-C stops",
        "",
        "symbol        mark  source    age  venue mark     bp  window  marks/s  health",
        "BTCUSDT  117234.55  book     0.1s   117230.12   0.01   25/25      9.9  live   ",
        "ETHUSDT  117234.55  book     0.1s   117230.12   0.01   25/25      9.9  live   ",
        "",
        "inbox 0  restarts 0  drops 0  journal 32/s ok  ceiling 1,692 MiB",
    ]


def test_health_is_told_with_its_cause_in_words() -> None:
    lines = drawn(figures(row("SOLUSDT", health=Health.GAPPED), ailments=(GAP,)))
    assert lines[3].split()[-1] == "gapped"
    assert lines[5] == "gapped SOLUSDT: frame 12 does not follow 9"


def test_a_cause_that_many_share_is_told_once() -> None:
    assert "down A, B and 3 more: the connection ended" in drawn(
        figures(row(), ailments=(DOWN, GAP))
    )


def test_a_cause_with_an_escape_sequence_moves_no_cursor() -> None:
    bad = Ailment(health=Health.DOWN, cause="bye \x1b[2J\n\x07", symbols=("\x1b[31mX",))
    assert all(line.isprintable() for line in drawn(figures(row("\x1b[31mX"), ailments=(bad,))))


def test_more_symbols_than_lines_are_shown_as_far_as_they_fit_and_the_others_counted() -> None:
    rows = [row(f"S{number:03}") for number in range(24)]
    lines = drawn(figures(*rows, hidden=(("live", 470), ("stale", 6))))
    assert len(lines) == 24
    shown = sum(line.startswith("S0") for line in lines)
    assert shown == 18
    assert f"and {24 - shown + 476} more: {24 - shown + 470} live, 6 stale" in lines


def test_as_many_symbols_as_there_are_lines_need_no_count() -> None:
    lines = drawn(figures(*(row(f"S{number:03}") for number in range(19))))
    assert (len(lines), sum(line.startswith("S0") for line in lines)) == (24, 19)
    assert not any("more" in line for line in lines)


def test_what_waits_is_told_with_the_age_of_the_oldest_and_a_failing_journal_with_why() -> None:
    lines = drawn(
        figures(
            row(),
            waiting=1_234,
            oldest_age_ns=200_000_000,
            restarts=2,
            dropped=7,
            failing="No space left on device",
        )
    )
    assert lines[-2:] == [
        "inbox 1,234 (0.2s)  restarts 2  drops 7  journal 32/s FAILING  ceiling 1,692 MiB",
        "journal: No space left on device",
    ]


def test_what_does_not_fit_on_the_last_line_goes_on_the_next() -> None:
    assert drawn(figures(row()), 60)[-2:] == [
        "inbox 0  restarts 0  drops 0  journal 32/s ok",
        "ceiling 1,692 MiB",
    ]


def test_a_journal_that_is_no_file_is_said_not_to_be_kept() -> None:
    assert "journal 32/s not kept" in drawn(figures(row(), kept=False))[-1]


def test_a_recording_shows_how_much_of_it_was_sent() -> None:
    assert (
        drawn(figures(row(), frames=(413, 826)))[1]
        == "recording [###############---------------]  50%  413 of 826 frames"
    )


SIZES = {
    "width": st.integers(min_value=1, max_value=200),
    "height": st.integers(min_value=1, max_value=60),
}


@given(
    count=st.integers(min_value=0, max_value=60), hidden=st.booleans(), sick=st.booleans(), **SIZES
)
def test_no_picture_is_larger_than_its_terminal(count, hidden, sick, width, height) -> None:
    rows = [
        unknown_row(f"S{number}") if number % 2 else row(f"币{number}") for number in range(count)
    ]
    whole = figures(
        *rows,
        hidden=(("live", 9),) if hidden else (),
        ailments=(DOWN, GAP) if sick else (),
        frames=(1, 2),
    )
    lines = drawn(whole, width, height)
    assert len(lines) <= height
    assert max(map(width_of, lines)) <= width


@pytest.mark.parametrize("health", [*Health, None])
def test_every_state_has_a_style_that_shows_on_light_and_on_dark(health) -> None:
    style = STYLE_OF[health]
    assert not re.search(r"white|black|yellow|bright|dim|#| on ", style)
