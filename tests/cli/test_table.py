from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.observer import Problem
from perps_actors.cli.table import COLUMNS, GAP, STYLE_OF, Layout, price, table_lines
from perps_actors.cli.wording import width_of
from perps_actors.market.feed_state import Health
from tests.cli.rows import figures, row, text_of, unknown_row

GAPPED = Problem(health=Health.GAPPED, cause="frame 12 does not follow 9", names=("SOLUSDT",))
DOWN = Problem(health=Health.DOWN, cause="the connection ended", names=("A", "B", "C", "D", "E"))


def drawn(shown, width: int = 80, height: int = 24) -> list[str]:
    return text_of(table_lines(shown, Layout(), width, height))


def test_the_table_of_a_healthy_system_fits_eighty_columns() -> None:
    assert drawn(figures(row(), row("ETHUSDT"))) == [
        "binance_futures (synthetic)  running 0:01:23  Ctrl-C stops",
        "",
        "symbol        mark  source    age  venue mark     bp  window  marks/s  health",
        "BTCUSDT  117234.55  book     0.1s   117230.12   0.01   25/25      9.9  live   ",
        "ETHUSDT  117234.55  book     0.1s   117230.12   0.01   25/25      9.9  live   ",
        "",
        "queued 0  restarts 0  dropped 0  journal 32/s ok  queue limit 1,692 MiB",
    ]


def test_a_feed_that_is_not_live_shows_its_cause() -> None:
    lines = drawn(figures(row("SOLUSDT", health=Health.GAPPED), problems=(GAPPED,)))
    assert lines[3].split()[-1] == "gapped"
    assert lines[5] == "gapped SOLUSDT: frame 12 does not follow 9"


def test_a_cause_shared_by_many_symbols_is_shown_once() -> None:
    assert "down A, B and 3 more: the connection ended" in drawn(
        figures(row(), problems=(DOWN, GAPPED))
    )


def test_an_escape_sequence_in_a_cause_or_symbol_moves_no_cursor() -> None:
    bad = Problem(health=Health.DOWN, cause="bye \x1b[2J\n\x07", names=("\x1b[31mX",))
    assert all(line.isprintable() for line in drawn(figures(row("\x1b[31mX"), problems=(bad,))))


def test_symbols_that_do_not_fit_are_counted_by_health() -> None:
    rows = [row(f"S{number:03}") for number in range(24)]
    lines = drawn(figures(*rows, hidden=(("live", 470), ("stale", 6))))
    assert len(lines) == 24
    shown = sum(line.startswith("S0") for line in lines)
    assert shown == 18
    assert f"and {24 - shown + 476} more: {24 - shown + 470} live, 6 stale" in lines


def test_no_count_is_shown_when_all_symbols_fit() -> None:
    lines = drawn(figures(*(row(f"S{number:03}") for number in range(19))))
    assert (len(lines), sum(line.startswith("S0") for line in lines)) == (24, 19)
    assert not any("more" in line for line in lines)


def test_queued_messages_show_the_age_of_the_oldest_and_a_failing_journal_its_error() -> None:
    lines = drawn(
        figures(
            row(),
            queued=1_234,
            oldest_age_ns=200_000_000,
            restarts=2,
            dropped=7,
            journal_error="No space left on device",
        )
    )
    assert lines[-3:] == [
        "queued 1,234 (0.2s)  restarts 2  dropped 7  journal 32/s FAILING",
        "queue limit 1,692 MiB",
        "journal: No space left on device",
    ]


def test_the_last_line_wraps_on_a_narrow_terminal() -> None:
    assert drawn(figures(row()), 60)[-2:] == [
        "queued 0  restarts 0  dropped 0  journal 32/s ok",
        "queue limit 1,692 MiB",
    ]


def test_a_run_without_a_journal_file_shows_that_events_are_not_kept() -> None:
    assert "journal 32/s not kept" in drawn(figures(row(), journal_kept=False))[-1]


def test_a_recording_shows_how_many_frames_were_sent() -> None:
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
def test_the_table_is_never_larger_than_the_terminal(count, hidden, sick, width, height) -> None:
    rows = [
        unknown_row(f"S{number}") if number % 2 else row(f"币{number}") for number in range(count)
    ]
    whole = figures(
        *rows,
        hidden=(("live", 9),) if hidden else (),
        problems=(DOWN, GAPPED) if sick else (),
        frames=(1, 2),
    )
    lines = drawn(whole, width, height)
    assert len(lines) <= height
    assert max(map(width_of, lines)) <= width


@pytest.mark.parametrize("health", [*Health, None])
def test_every_state_is_readable_on_a_light_and_on_a_dark_terminal(health) -> None:
    style = STYLE_OF[health]
    assert not re.search(r"white|black|yellow|bright|dim|#| on ", style)


ALL = [column.name for column in COLUMNS]


def names(width: int, *rows) -> list[str]:
    return [column.name for column, _ in Layout().fit(rows or (row(),), width)]


def taken(fitted) -> int:
    return sum(width + GAP for _, width in fitted) - GAP


def test_eighty_columns_show_all_but_bid_and_ask() -> None:
    assert names(80) == [name for name in ALL if name not in {"bid", "ask"}]


def test_a_wide_terminal_shows_bid_ask_and_marks_per_second() -> None:
    assert names(104) == ALL


def test_bid_and_ask_are_shown_with_the_decimals_of_the_mark() -> None:
    lines = drawn(figures(row(places=3)), width=120)
    assert lines[2].split()[:4] == ["symbol", "mark", "bid", "ask"]
    assert lines[3].split()[:4] == ["BTCUSDT", "117234.550", "117234.500", "117234.600"]


def test_a_long_symbol_is_shown_whole_before_optional_columns_are() -> None:
    symbol = "BTC-USDT-SWAP-250926-120000-C-PERPETUAL"
    for width in (70, 80, 120):
        assert symbol in drawn(figures(row(symbol)), width)[3]


def test_a_symbol_is_cut_only_where_the_columns_that_always_show_do_not_fit() -> None:
    lines = drawn(figures(row("X" * 39)), width=45)
    assert lines[3].startswith("X" * 10 + "..") or ".." in lines[3]
    assert lines[3].rstrip().endswith("live")


def test_a_long_venue_is_cut_before_a_column_is_left_out() -> None:
    both = (("binance_futures", "live"), ("coinbase_international", "live"))
    rows = (row(), row("BTC_USDC-PERPETUAL", venue="coinbase_international"))
    names, _, coinbase, *_ = drawn(figures(*rows, markets=both), 80)[2:]
    assert "source" in names
    assert coinbase.startswith("coinbase_inter..  BTC_USDC-PERPETUAL")


def test_several_markets_have_a_column_for_the_venue_and_are_all_named_in_the_title() -> None:
    both = (("binance_futures", "live"), ("coinbase_international", "live"))
    rows = (row(), row("BTC-PERP", venue="coinbase_international"))
    for width in (60, 140):
        lines = drawn(figures(*rows, markets=both), width)
        assert lines[0].startswith("binance_futures (live), coinbase_international (live)")
        assert lines[2].startswith("venue ")
        assert [line.split()[1] for line in lines[3:5]] == ["BTCUSDT", "BTC-PERP"]
    assert lines[4].startswith("coinbase_international  BTC-PERP")


def test_the_least_important_column_is_left_out_first_and_four_always_stay() -> None:
    assert [name for name in ALL if name not in names(72)] == ["bid", "ask", "window"]
    assert [name for name in ALL if name not in names(62)] == [
        "bid",
        "ask",
        "venue mark",
        "window",
    ]
    assert names(1) == ["symbol", "mark", "age", "health"]


@given(st.integers(min_value=1, max_value=200))
def test_the_columns_fit_unless_only_the_four_that_always_show_are_left(width) -> None:
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


def test_a_column_never_gets_narrower_again() -> None:
    layout = Layout()
    wide = dict(layout.fit((row("1000000MOGUSDT"),), 120))
    assert dict(layout.fit((row("A"),), 120)) == wide


def test_a_hostile_symbol_takes_no_more_than_the_longest_that_the_settings_allow() -> None:
    fitted = Layout().fit((row("X" * 500),), 200)
    assert fitted[0][1] == 40


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
def test_a_price_is_shown_without_exponent_and_with_the_given_decimals(
    value, places, shown
) -> None:
    assert price(value, places) == shown


def test_unknown_values_are_dashes_and_the_window_is_empty() -> None:
    assert [column.text(unknown_row()) for column in COLUMNS] == [
        "NEWUSDT",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "0/25",
        "-",
        "-",
    ]
