from __future__ import annotations

import sqlite3

import pytest

from perps_actors.cli.refusal import refuse, told
from perps_actors.errors import JournalError, SettingsError, SimulatorError
from perps_actors.host.session import RunOptions, Session
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter


def error_of(call, *arguments) -> Exception:
    with pytest.raises((OSError, JournalError, SettingsError, SimulatorError)) as caught:
        call(*arguments)
    return caught.value


def test_a_missing_file_says_which_and_to_look_at_its_spelling(tmp_path) -> None:
    path = tmp_path / "raw.jsonl"
    expected = f"{path}: No such file or directory (look at the spelling and the folder)"
    assert told(error_of(path.open)) == expected
    assert told(error_of(SqliteJournalReader, path)) == expected


def test_a_file_that_is_no_journal_says_what_to_name_instead(tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes " * 100)
    for opened in (SqliteJournalReader, SqliteJournalWriter.open):
        assert told(error_of(opened, path)).endswith(
            "(name a journal, or for a new one a file that does not exist)"
        )


def test_a_folder_is_no_journal_and_that_is_said(tmp_path) -> None:
    assert "(expected a file" in told(error_of(SqliteJournalReader, tmp_path))
    assert "(expected a file" in told(error_of(SqliteJournalWriter.open, tmp_path))


def test_a_journal_that_another_process_has_locked_says_so(tmp_path, monkeypatch) -> None:
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
        "database is locked (another process holds it: end that one, or name another file)"
        in told(error)
    )


def test_what_may_not_be_read_says_to_look_at_its_owner() -> None:
    assert (
        told(PermissionError(13, "Permission denied", "/root/x"))
        == "/root/x: Permission denied (look at its owner and mode)"
    )


def test_an_error_of_many_lines_is_one_line_that_moves_no_cursor() -> None:
    assert told(SimulatorError("first\nsecond \x1b[2Jthird")) == "first second ?[2Jthird"


def test_the_line_names_the_verb_and_the_exit_code_is_as_asked(capsys) -> None:
    for code in (1, 2):
        with pytest.raises(SystemExit) as exited:
            refuse("run", SimulatorError("why"), code)
        assert exited.value.code == code
    assert capsys.readouterr().err == "perps-actors run: why\n" * 2
