"""Short rounds of `make chaos`, and that its checks find what is wrong."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import threading
from collections import Counter
from decimal import Decimal

import attrs
import pytest

from chaos import __main__ as chaos
from chaos.flood import flood_round
from chaos.hosted import HostedRounds
from chaos.journal_check import journal_faults
from chaos.leftovers import Belongings, child_processes, left_behind
from chaos.live import live_round
from chaos.recorded import RECORDING, Play, RecordedRounds, differences
from chaos.result import RoundResult
from chaos.threads import HarmfulThreads
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.messages.records import JournalStatus, event

LIMIT_S = 10.0
STATUS = JournalStatus(recorded=0, dropped=0, waiting=0, last_sequence=0, failing=None)


# --- short rounds


def test_a_live_round_breaks_nothing() -> None:
    result = live_round(seed=7, torment_s=2.0)
    assert result.violations == []
    assert result.figures["struck"] > 0
    assert result.figures["restarts"] > 0
    assert result.figures["marks"] > 0


@pytest.mark.skipif(
    not RECORDING.is_dir(),
    reason="the recordings are not beside the repository, see PERPS_ACTORS_DATA",
)
def test_a_recorded_round_differs_from_an_undisturbed_one_by_its_dead_letters() -> None:
    result = RecordedRounds().play(seed=1)
    assert result.violations == []
    assert result.figures["dead"] > 0


@pytest.mark.skipif(
    not RECORDING.is_dir(),
    reason="the recordings are not beside the repository, see PERPS_ACTORS_DATA",
)
def test_bad_subscribers_and_changing_settings_leave_windows_as_they_are() -> None:
    rounds = HostedRounds(speed=8.0)
    for host in ("threaded", "asyncio"):
        result = rounds.play(seed=1)
        assert result.violations == []
        assert result.figures["host"] == host
        assert result.figures["changes"] > 0


def test_a_flooded_round_accounts_for_every_message() -> None:
    result = flood_round(seed=3, seconds=1.0)
    assert result.violations == []
    assert all(
        result.figures[name]
        for name in ("handled", "dead", "refused", "merged", "overrun", "abandoned")
    )


# --- the checks bite


def test_what_is_left_behind_is_found(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("chaos.leftovers.PATIENCE_S", 0.05)
    gc.collect()
    before, release = Belongings.now(), threading.Event()
    thread = threading.Thread(target=release.wait, args=(LIMIT_S,), name="Thread-that-stays")
    thread.start()
    with (tmp_path / "file").open("w"), socket.socket(), subprocess.Popen(["sleep", "10"]) as child:
        left = left_behind(before)
        assert child.pid in child_processes()
        child.kill()
    release.set()
    thread.join()
    assert [what.split()[0] for what in left] == ["descriptor", "descriptor", "process", "thread"]
    assert left_behind(before) == []


def test_a_message_that_is_not_accounted_for_is_found() -> None:
    runtime = HarmfulThreads("books")
    cell = runtime.cell("books")
    cell.address.tell(1)
    runtime.close(LIMIT_S)
    (counted,) = runtime.counted
    assert counted.unaccounted() is None
    counted.told.add(1)
    assert "was told 2 items and accounts for 1" in (counted.unaccounted() or "")


def test_a_journal_that_is_not_what_its_status_says_is_found(tmp_path) -> None:
    path = tmp_path / "events.journal"
    writer = SqliteJournalWriter.open(path)
    writer.write(
        [event("a", venue="v", received_ns=number, provenance="synthetic") for number in range(3)]
    )
    writer.close()
    assert list(journal_faults(path, attrs.evolve(STATUS, recorded=3, last_sequence=3))) == []
    assert len(list(journal_faults(path, attrs.evolve(STATUS, recorded=2, last_sequence=4)))) == 1
    assert len(list(journal_faults(path, attrs.evolve(STATUS, recorded=4, last_sequence=3)))) == 1
    (tmp_path / "none").write_bytes(b"this is no journal")
    assert "cannot be read" in next(journal_faults(tmp_path / "none", STATUS))


def test_a_mark_that_is_missing_or_comes_twice_is_found() -> None:
    marks = tuple(("BTCUSDT", "book", number, Decimal(number)) for number in range(9))
    peace = Play(
        marks=marks, windows={"BTCUSDT": marks[-3:]}, journalled=Counter(marks), letters=()
    )
    assert list(differences(peace, peace)) == []
    for wrong in (marks[1:], (*marks, marks[-1])):
        assert len(list(differences(peace, attrs.evolve(peace, marks=wrong)))) == 1
        assert len(list(differences(peace, attrs.evolve(peace, journalled=Counter(wrong))))) == 1
    assert (
        len(list(differences(peace, attrs.evolve(peace, windows={"BTCUSDT": marks[-4:-1]})))) == 1
    )


# --- the program


def _played(monkeypatch, capsys, result: RoundResult) -> tuple[int, list[dict]]:
    def play(*_: object) -> RoundResult:
        return attrs.evolve(
            result, figures={"rss_mib": 40.0, "struck": 2}, violations=list(result.violations)
        )

    for name in ("live_round", "flood_round"):
        monkeypatch.setattr(chaos, name, play)
    for name in ("RecordedRounds", "HostedRounds"):
        monkeypatch.setattr(getattr(chaos, name), "play", play)
    code = chaos.main(["--seconds", "0", "--seed", "5"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_program_plays_each_kind_at_least_once_and_sums_up(monkeypatch, capsys) -> None:
    code, lines = _played(monkeypatch, capsys, RoundResult(kind="live", seed=5))
    assert (code, len(lines)) == (0, 5)
    assert (
        lines[-1]["kind"],
        lines[-1]["rounds"],
        lines[-1]["struck"],
        lines[-1]["violations"],
    ) == ("summary", 4, 8, [])


def test_the_program_fails_with_the_seed_of_what_was_broken(monkeypatch, capsys) -> None:
    code, lines = _played(
        monkeypatch, capsys, RoundResult(kind="live", seed=6, violations=["a thread was left"])
    )
    assert code == 1
    assert "seed 6: a thread was left" in lines[-1]["violations"]


def test_memory_that_goes_on_growing_is_a_violation() -> None:
    grown = [
        RoundResult(kind="live", seed=n, figures={"rss_mib": 40.0 + 10 * n}) for n in range(12)
    ]
    assert chaos.summary(grown, seed=1, seconds=1.0).violations == [
        "resident memory grew by 60.0 MiB after 6 rounds"
    ]
    assert chaos.summary(grown[:7], seed=1, seconds=1.0).violations == []
