from __future__ import annotations

import io
import os
import pty
import sqlite3
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perps_actors.cli.output import Bar, bar_text, describe, fail
from perps_actors.errors import JournalError, SettingsError, SimulatorError
from perps_actors.host.session import RunOptions, Session
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.kernel.clock import ManualClock


def error_of(call, *arguments) -> Exception:
    with pytest.raises((OSError, JournalError, SettingsError, SimulatorError)) as caught:
        call(*arguments)
    return caught.value


def test_the_error_about_a_missing_file_names_it_and_advises_to_check_the_spelling(
    tmp_path,
) -> None:
    path = tmp_path / "raw.jsonl"
    expected = f"{path}: No such file or directory (check the spelling and the folder)"
    assert describe(error_of(path.open)) == expected
    assert describe(error_of(SqliteJournalReader, path)) == expected


def test_the_error_about_a_file_that_is_not_a_journal_says_what_to_name_instead(tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes " * 100)
    for opened in (SqliteJournalReader, SqliteJournalWriter.open):
        assert describe(error_of(opened, path)).endswith(
            "(name a journal, or for a new journal a file that does not exist)"
        )


def test_a_folder_given_as_journal_is_refused_with_advice(tmp_path) -> None:
    assert "(expected a file" in describe(error_of(SqliteJournalReader, tmp_path))
    assert "(expected a file" in describe(error_of(SqliteJournalWriter.open, tmp_path))


def test_a_journal_locked_by_another_process_is_refused_with_advice(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("perps_actors.journal.schema._BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "events.journal"
    SqliteJournalWriter.open(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        error = error_of(Session.open, RunOptions(journal=path))
    finally:
        holder.close()
    assert (
        "database is locked (another process holds it: end that process, or name another file)"
        in describe(error)
    )


def test_the_error_about_missing_permission_advises_to_check_the_owner() -> None:
    assert (
        describe(PermissionError(13, "Permission denied", "/root/x"))
        == "/root/x: Permission denied (check its owner and mode)"
    )


def test_an_error_of_several_lines_becomes_one_line_without_control_characters() -> None:
    assert describe(SimulatorError("first\nsecond \x1b[2Jthird")) == "first second ?[2Jthird"


def test_a_failure_names_the_command_and_exits_with_the_given_code(capsys) -> None:
    for code in (1, 2):
        with pytest.raises(SystemExit) as exited:
            fail("run", SimulatorError("why"), code)
        assert exited.value.code == code
    assert capsys.readouterr().err == "perps-actors run: why\n" * 2


LAST = "\x04"


class Terminal:
    """A terminal of sixty columns that keeps its output."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.file = os.fdopen(theirs, "w")
        termios.tcsetwinsize(theirs, (24, 60))

    def read(self) -> str:
        """Return all output: it arrives in parts, so a last character marks the end."""
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


def test_a_bar_shows_the_part_that_is_done_and_shrinks_with_the_width() -> None:
    assert (
        bar_text("decoding", 3, 10, "lines", 80)
        == "decoding [#########---------------------]  30%  3 of 10 lines"
    )
    assert (
        bar_text("decoding", 3, 10, "lines", 50)
        == "decoding [#####-------------]  30%  3 of 10 lines"
    )
    assert bar_text("decoding", 3, 10, "lines", 36) == "decoding  30%  3 of 10 lines"


def test_a_hundred_per_cent_is_shown_only_when_all_is_done() -> None:
    assert "99%" in bar_text("x", 99_999, 100_000, "lines", 80)
    assert "100%" in bar_text("x", 100_000, 100_000, "lines", 80)


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(2, 200))
def test_a_bar_fits_its_width_whatever_is_describe(done, total, width) -> None:
    assert len(bar_text("decoding", done, total, "bytes", width)) <= width


def test_a_bar_is_redrawn_four_times_a_second_and_leaves_an_empty_line(terminal) -> None:
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


def test_a_bar_is_erased_before_another_line_is_printed(terminal) -> None:
    with Bar("decoding", "lines", ManualClock(), out=terminal.file) as bar:
        bar.at(1, 2)
        bar.clear()
        terminal.file.write("line 7: no JSON\n")
    said = terminal.read()
    assert said.endswith(" \rline 7: no JSON\r\n")


def test_a_bar_leaves_the_last_column_free_so_that_the_terminal_does_not_wrap(
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


def test_no_bar_is_drawn_into_a_file_when_hidden_or_without_a_total(terminal) -> None:
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
