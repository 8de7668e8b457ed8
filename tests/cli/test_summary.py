from __future__ import annotations

import attrs

from perps_actors.cli.observer import Problem
from perps_actors.cli.summary import Ending, flaws, summary_lines
from perps_actors.host.system import SystemReport
from perps_actors.kernel.children import StopReport
from perps_actors.kernel.clock import NS_PER_S
from perps_actors.kernel.statistics import CeilingRow, MemoryCeiling
from perps_actors.market.feed_state import Health
from perps_actors.messages.records import JournalStatus

JOURNAL = JournalStatus(recorded=12_345, dropped=0, waiting=0, last_sequence=12_345, failing=None)
ACTORS = StopReport(
    finished=("mark_store",), drained=3, left=(), abandoned=(), given_up=(), dead_letters=0
)
CLEAN = SystemReport(actors=ACTORS, threads_left=(), journal=JOURNAL)
SUMMARY = {
    "venue": "binance_futures",
    "symbols": {
        "BTCUSDT": {"marks": 12_000, "window": 25, "last_mark": "117234.55", "health": "live"},
        "NEWUSDT": {"marks": 0, "window": 0, "last_mark": None, "health": "down"},
    },
    "marks_total": 12_000,
    "events_recorded": 12_345,
    "events_dropped": 0,
    "restarts": 0,
    "threads_left": 0,
    "clean_stop": True,
}
ENDING = Ending(
    running_ns=83 * NS_PER_S,
    journal_path="events.journal",
    sources={"BTCUSDT": "book"},
    problems=(Problem(health=Health.DOWN, cause="refused", names=("NEWUSDT",)),),
    ceiling=MemoryCeiling((CeilingRow(name="all", items=2**20, item_bytes=100),)),
    report=CLEAN,
)


def test_the_summary_is_a_table_of_the_symbols_and_one_line_per_fact() -> None:
    assert summary_lines(SUMMARY, ENDING) == [
        "symbol   last mark  source   marks  window  health",
        "BTCUSDT  117234.55  book    12,000      25  live",
        "NEWUSDT          -  -            0       0  down",
        "down NEWUSDT: refused",
        "",
        "marks     12,000 for 2 symbols on binance_futures",
        "ran       0:01:23",
        "journal   12,345 events in events.journal",
        "read      perps-actors events events.journal",
        "dropped   0",
        "restarts  0",
        "memory    limit for queued messages 100 MiB (not memory in use)",
        "stop      clean",
    ]


def test_a_stop_that_was_not_clean_is_reported_with_every_reason() -> None:
    actors = attrs.evolve(
        ACTORS,
        left=(("event_recorder", 1_234),),
        abandoned=("stream_consumer",),
        given_up=("risk_monitor",),
        dead_letters=2,
    )
    journal = attrs.evolve(JOURNAL, failing="No space left on device")
    report = SystemReport(actors=actors, threads_left=("perps-x",), journal=journal)
    assert flaws(report) == [
        "event_recorder left 1,234 messages unhandled",
        "stream_consumer did not end in time",
        "risk_monitor crashed too often and was not restarted",
        "2 dead letters (messages that crashed their actor)",
        "threads left: perps-x",
        "the journal failed: No space left on device",
    ]
    assert not report.clean
    lines = summary_lines(SUMMARY | {"clean_stop": False}, attrs.evolve(ENDING, report=report))
    assert lines[-1] == f"stop      NOT clean: {'; '.join(flaws(report))}"
    assert "journal   12,345 events in events.journal; FAILING: No space left on device" in lines


def test_a_clean_stop_has_no_flaws() -> None:
    assert flaws(CLEAN) == []


def test_the_summary_of_a_run_without_a_journal_says_how_to_keep_events() -> None:
    lines = summary_lines(SUMMARY, attrs.evolve(ENDING, journal_path=None))
    assert "journal   12,345 events counted, not kept (--journal FILE keeps them)" in lines
    assert not any(line.startswith("read") for line in lines)
