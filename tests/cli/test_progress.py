from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.progress import Bar, bar_text
from perps_actors.kernel.clock import ManualClock

LAST = "\x04"


class Terminal:
    """A terminal of sixty columns that keeps what it is sent."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.file = os.fdopen(theirs, "w")
        termios.tcsetwinsize(theirs, (24, 60))

    def read(self) -> str:
        """Return all that was sent: a terminal hands it on in parts, so what is sent last says when it was all."""
        self.file.write(LAST)
        self.file.flush()
        read = ""
        while not read.endswith(LAST):
            read += os.read(self._ours, 65_536).decode()
        return read.removesuffix(LAST)

    def close(self) -> None:
        self.file.close()
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_a_bar_says_what_is_done_of_how_much() -> None:
    assert (
        bar_text("decoding", 3, 10, "lines", 80)
        == "decoding [#########---------------------]  30%  3 of 10 lines"
    )
    assert (
        bar_text("decoding", 3, 10, "lines", 50)
        == "decoding [#####-------------]  30%  3 of 10 lines"
    )
    assert bar_text("decoding", 3, 10, "lines", 36) == "decoding  30%  3 of 10 lines"


def test_only_all_of_it_is_a_hundred_per_cent() -> None:
    assert "99%" in bar_text("x", 99_999, 100_000, "lines", 80)
    assert "100%" in bar_text("x", 100_000, 100_000, "lines", 80)


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(2, 200))
def test_a_bar_fits_its_width_whatever_is_told(done, total, width) -> None:
    assert len(bar_text("decoding", done, total, "bytes", width)) <= width


def test_a_bar_is_drawn_over_itself_four_times_a_second_and_leaves_a_clean_line(terminal) -> None:
    clock = ManualClock()
    with Bar("decoding", "lines", clock, out=terminal.file) as bar:
        for number in range(100):
            bar.at(number, 100)
            clock.advance(10_000_000)
    said = terminal.read()
    assert [f"{part} of 100" in said for part in (0, 1, 25, 50, 75)] == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert "\n" not in said
    assert said.rsplit("\r", 2)[1].isspace()


def test_a_line_of_something_else_finds_its_line_empty(terminal) -> None:
    with Bar("decoding", "lines", ManualClock(), out=terminal.file) as bar:
        bar.at(1, 2)
        bar.clear()
        terminal.file.write("line 7: no JSON\n")
    said = terminal.read()
    assert said.endswith(" \rline 7: no JSON\r\n")


def test_a_bar_never_reaches_the_last_column_where_a_terminal_would_go_on_to_the_next_line(
    terminal,
) -> None:
    with Bar(
        "recording",
        "frames of a recording that was made long ago",
        ManualClock(),
        out=terminal.file,
    ) as bar:
        bar.at(123_456_789, 987_654_321)
    assert len(terminal.read().split("\r")[1]) == 59


def test_nothing_is_drawn_where_it_would_not_be_seen_or_not_be_wanted(terminal) -> None:
    file = io.StringIO()
    for bar in (
        Bar("x", "y", ManualClock(), out=file),
        Bar("x", "y", ManualClock(), hide=True, out=terminal.file),
    ):
        with bar:
            bar.at(1, 2)
    with Bar("x", "y", ManualClock(), out=terminal.file) as unknown:
        unknown.at(1, 0)
    terminal.file.write("nothing before this")
    assert file.getvalue() == ""
    assert terminal.read() == "nothing before this"
