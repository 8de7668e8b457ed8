from __future__ import annotations

import os
import subprocess
import sys

import attrs
import pytest

from perps_actors.actors.event_recorder import EventRecorder
from perps_actors.errors import EventUnfit, JournalFull
from perps_actors.journal.contract import Repair
from perps_actors.journal.group import RecordingPolicy
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.journal.sqlite_writer import SqliteJournalWriter
from perps_actors.kernel.address import Published
from perps_actors.kernel.lifecycle import Drain
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated
from perps_actors.messages.records import Flush, JournalStatus, Record


class Store:
    """A journal in memory that can fail; of any number of writers the newest counts."""

    def __init__(self) -> None:
        self.blocks: list[list] = []
        self.full = False
        self.unfit: set[str] = set()
        self.tries = 0
        self.closed = 0
        self.repaired: Repair | None = None
        self.published = Published(
            JournalStatus(recorded=0, dropped=0, waiting=0, last_sequence=0, failing=None)
        )

    def open(self) -> Store:
        return self

    @property
    def status(self) -> JournalStatus:
        """What the recorder publishes."""
        return self.published.value

    @property
    def events(self) -> list:
        return [event for block in self.blocks for event in block]

    @property
    def last_sequence(self) -> int:
        return len(self.events)

    def write(self, events) -> int:
        self.tries += 1
        for index, event in enumerate(events):
            if event.kind in self.unfit:
                raise EventUnfit(index, f"event {index} cannot be kept")
        if self.full:
            msg = "no space left"
            raise JournalFull(msg)
        self.blocks.append(list(events))
        return self.last_sequence

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def recorder(bench, store):
    """Starts a recorder: policy, drops, and where it writes to."""

    def start(*, drops=dict, open_writer=store.open, **policy):
        return bench.run(
            EventRecorder(
                open_writer=open_writer,
                policy=RecordingPolicy(**policy),
                report=bench.report,
                status=store.published,
                drops=drops,
            )
        )

    return start


def updated(*marks: Mark) -> MarksUpdated:
    return MarksUpdated(marks, "synthetic")


@pytest.fixture
def noted(bench):
    """Makes a control event."""
    return lambda kind, **data: Record((bench.report.event(kind, None, **data),))


def kinds(store):
    return [event.kind for event in store.events]


def holes(events):
    return [dict(event.data) for event in events if event.kind == "hole"]


def test_a_group_is_written_after_it_lingered_twenty_milliseconds(
    bench, store, recorder, mark
) -> None:
    cell = recorder()
    bench.tell(cell, updated(mark(1)))
    bench.runtime.advance(0.015)
    bench.tell(cell, updated(mark(2)))
    assert store.blocks == []
    bench.runtime.advance(0.005)
    assert [len(block) for block in store.blocks] == [2]
    bench.runtime.advance(5)
    assert store.tries == 1


def test_a_thousand_events_do_not_wait(bench, store, recorder, mark) -> None:
    cell = recorder()
    bench.tell(cell, updated(*(mark(price) for price in range(1, 1000))))
    assert store.blocks == []
    bench.tell(cell, updated(mark(1000), mark(1001)))
    assert [len(block) for block in store.blocks] == [1000, 1]


def test_a_mark_is_an_event_with_its_own_source_times_and_exact_price(
    bench, store, recorder, mark
) -> None:
    cell = recorder()
    bench.tell(
        cell, updated(Mark(mark(1).instrument, mark("0.00001234500").mark, "touch", 5, 7, 9))
    )
    bench.ask(cell, Flush())
    [event] = store.events
    assert (
        event.kind,
        event.venue,
        event.symbol,
        event.venue_time_ns,
        event.received_ns,
        event.source,
        event.provenance,
        event.data,
    ) == (
        "ws_mark_update",
        "binance_futures",
        "BTCUSDT",
        5,
        7,
        "touch",
        "synthetic",
        (("mark", "0.000012345"),),
    )


@pytest.mark.parametrize("rest_marks", [False, True])
def test_a_polled_mark_is_never_a_stream_mark_and_is_recorded_only_on_request(
    bench, store, recorder, mark, rest_marks
) -> None:
    cell = recorder(rest_marks=rest_marks)
    bench.tell(cell, updated(mark(1, source="rest"), mark(2, source="trades")))
    bench.ask(cell, Flush())
    assert kinds(store) == ["rest_mark_update"] * rest_marks + ["ws_mark_update"]


def test_flush_answers_the_last_safe_sequence_number_also_when_the_journal_fails(
    bench, store, recorder, noted
) -> None:
    cell = recorder()
    bench.tell(cell, noted("a"), noted("b"))
    assert bench.ask(cell, Flush()) == 2
    store.full = True
    bench.tell(cell, noted("c"))
    assert bench.ask(cell, Flush()) == 2
    store.full = False
    assert bench.ask(cell, Flush()) == 3


def test_a_full_journal_costs_nothing_within_the_backlog_and_the_order_stays(
    bench, store, recorder, mark, noted
) -> None:
    cell = recorder()
    store.full = True
    for number in range(1, 6):
        bench.tell(cell, updated(mark(number)), noted(f"event-{number}"))
        bench.runtime.advance(1)
    assert store.events == []
    assert (store.status.failing, store.status.waiting) == ("no space left", 10)
    store.full = False
    bench.runtime.advance(0.6)
    assert kinds(store) == [
        kind for number in range(1, 6) for kind in ("ws_mark_update", f"event-{number}")
    ]
    assert store.status == JournalStatus(
        recorded=10, dropped=0, waiting=0, last_sequence=10, failing=None
    )


def test_a_failing_journal_is_tried_twice_a_second_and_not_more(
    bench, store, recorder, noted
) -> None:
    cell = recorder()
    store.full = True
    bench.tell(cell, noted("first"))
    bench.runtime.advance(0.02)
    store.tries = 0
    for _ in range(100):
        bench.tell(cell, noted("another"))
        bench.runtime.advance(0.1)
    assert store.tries <= 21


def test_beyond_the_backlog_marks_are_dropped_as_one_hole_and_control_events_never(
    bench, store, recorder, mark, noted
) -> None:
    cell = recorder(backlog=10)
    store.full = True
    bench.tell(cell, updated(*(mark(price) for price in range(1, 12))))
    for price in range(100, 130):
        bench.tell(
            cell, updated(mark(price), mark(price, source="rest")), noted(f"control-{price}")
        )
        bench.runtime.advance(1)
    store.full = False
    bench.runtime.advance(3)
    prices = [
        int(dict(event.data)["mark"]) for event in store.events if event.kind == "ws_mark_update"
    ]
    assert prices == list(range(1, 12))
    assert [kind for kind in kinds(store) if kind.startswith("control")] == [
        f"control-{price}" for price in range(100, 130)
    ]
    assert holes(store.events) == [{"inbox": "journal", "reason": "journal failing", "dropped": 30}]
    assert store.status == JournalStatus(
        recorded=42, dropped=30, waiting=0, last_sequence=42, failing=None
    )


def test_an_event_that_cannot_be_kept_is_lost_alone_and_told(bench, store, recorder, noted) -> None:
    cell = recorder()
    store.unfit = {"bad"}
    bench.tell(cell, noted("a"), noted("bad"), noted("b"), noted("bad"), noted("c"))
    bench.runtime.advance(1)
    assert [kind for kind in kinds(store) if kind != "event_unfit"] == ["a", "b", "c"]
    assert kinds(store).count("event_unfit") == 2
    assert (store.status.failing, store.status.dropped) == (None, 2)


def test_drops_are_reported_at_most_once_a_second_for_each_inbox(bench, store, recorder) -> None:
    lost = {"mark_store": 0, "risk_monitor": 0}

    def drops():
        fresh = {name: count for name, count in lost.items() if count}
        lost.update(dict.fromkeys(lost, 0))
        return fresh

    recorder(drops=drops)
    told = []
    for _ in range(40):
        lost["mark_store"] += 3
        bench.runtime.advance(0.1)
        told.append(len(holes(store.events)))
    lost["risk_monitor"] += 1
    bench.runtime.advance(1.1)
    assert told[-1] <= 4
    assert (
        sum(hole["dropped"] for hole in holes(store.events) if hole["inbox"] == "mark_store") == 120
    )
    assert holes(store.events)[-1] == {
        "inbox": "risk_monitor",
        "reason": "inbox full",
        "dropped": 1,
    }


def test_stopping_writes_waiting_events_and_the_last_holes_and_closes_the_journal(
    bench, store, recorder, mark
) -> None:
    cell = recorder(drops=lambda: {"mark_store": 7})
    bench.tell(cell, updated(mark(1)))
    cell.address.tell(Drain())
    bench.runtime.settle()
    assert kinds(store) == ["ws_mark_update", "hole"]
    assert store.closed == 1
    assert (store.status.recorded, store.status.waiting) == (2, 0)


def test_events_dropped_while_the_journal_failed_are_reported_even_if_it_recovers_at_the_end(
    bench, store, recorder, mark
) -> None:
    cell = recorder(backlog=1)
    store.full = True
    bench.tell(cell, updated(mark(1), mark(2)))
    bench.tell(cell, updated(mark(3)))
    bench.runtime.advance(0.02)
    bench.tell(cell, updated(mark(4)))
    store.full = False
    cell.address.tell(Drain())
    bench.runtime.settle()
    assert kinds(store) == ["ws_mark_update", "ws_mark_update", "hole"]
    assert holes(store.events)[0]["dropped"] == 2


def test_events_that_cannot_be_written_at_the_end_count_as_dropped(
    bench, store, recorder, mark
) -> None:
    cell = recorder()
    store.full = True
    bench.tell(cell, updated(mark(1), mark(2)))
    cell.address.tell(Drain())
    bench.runtime.settle()
    assert store.closed == 1
    assert (store.status.dropped, store.status.waiting, store.status.failing) == (
        2,
        0,
        "no space left",
    )


def successor(bench, store):
    return EventRecorder(
        open_writer=store.open,
        policy=RecordingPolicy(),
        report=bench.report,
        status=store.published,
    )


@attrs.define
class Reviver:
    """Puts a successor into a cell whose actor died."""

    make: object
    letters: list = attrs.Factory(list)

    def started(self, *_):
        pass

    def stopped(self, *_):
        pass

    def died(self, cell, _, __, letter):
        self.letters.append(letter)
        cell.install(self.make())


def test_a_poisoned_mark_is_lost_alone_and_a_restart_loses_nothing_that_waited(
    bench, store, recorder, mark
) -> None:
    cell = recorder()
    cell.watcher = reviver = Reviver(lambda: successor(bench, store))
    poison = mark(666, source="rumour")
    for message in (
        updated(mark(1)),
        updated(mark(2), mark(3), poison, mark(4), mark(5)),
        updated(mark(6)),
    ):
        cell.address.tell(message)
    bench.runtime.advance(0.1)
    assert [dict(event.data)["mark"] for event in store.events] == ["1", "2", "3", "4", "5", "6"]
    assert [letter.message for letter in reviver.letters] == [updated(poison)]
    assert store.status == JournalStatus(
        recorded=6, dropped=0, waiting=0, last_sequence=6, failing=None
    )


def test_events_lost_in_a_crash_are_reported_as_dropped_after_restart(
    bench, store, recorder, mark, noted
) -> None:
    cell = recorder()
    cell.watcher = Reviver(lambda: successor(bench, store))
    store.full = True
    bench.tell(cell, updated(mark(1), mark(2)), noted("control"))
    bench.tell(cell, updated(mark(3, source="rumour")))
    store.full = False
    bench.runtime.advance(2)
    assert holes(store.events) == [{"inbox": "journal", "reason": "journal failing", "dropped": 3}]
    assert (store.status.dropped, store.status.recorded) == (3, 1)


def test_a_recorder_that_hung_in_a_write_is_fenced_from_the_journal_and_from_the_status(
    bench, store, tmp_path, mark
) -> None:
    path = tmp_path / "events.journal"
    old = EventRecorder(
        open_writer=lambda: SqliteJournalWriter.open(path),
        policy=RecordingPolicy(linger_s=100),
        report=bench.report,
        status=store.published,
    )
    hung = bench.run(old)
    bench.tell(hung, updated(mark(1)))
    old.actor_inbox.void = True  # what fencing does to an incarnation that hangs
    cell = bench.run(
        EventRecorder(
            open_writer=lambda: SqliteJournalWriter.open(path),
            policy=RecordingPolicy(),
            report=bench.report,
            status=store.published,
        )
    )
    bench.tell(cell, updated(mark(2)))
    assert bench.ask(cell, Flush()) == 1
    before = store.status
    bench.tell(hung, Flush())
    old.on_failure()
    assert store.status is before
    with SqliteJournalReader(path) as reader:
        assert [dict(event.data)["mark"] for _, event in reader.events()] == ["2"]
    cell.address.tell(Drain())
    bench.runtime.settle()


def test_a_journal_that_was_repaired_says_so_first(bench, store, recorder, noted) -> None:
    store.repaired = Repair("cut at the end", 3)
    cell = recorder()
    bench.tell(cell, noted("next"))
    bench.ask(cell, Flush())
    assert kinds(store) == ["journal_repaired", "next"]
    assert dict(store.events[0].data) == {"what": "cut at the end", "events": 3}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_real_disk_that_fills_up_and_is_freed_loses_nothing(
    bench, store, recorder, small_disk, noted
) -> None:
    path = small_disk / "events.journal"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(300_000))
    cell = recorder(open_writer=lambda: SqliteJournalWriter.open(path))
    sent = 0
    while store.status.failing is None:
        sent += 1
        assert sent < 2000
        bench.tell(cell, noted("note", number=sent, text=os.urandom(2000).hex()))
        bench.runtime.advance(0.02)
    for _ in range(20):
        sent += 1
        bench.tell(cell, noted("note", number=sent, text=""))
        bench.runtime.advance(0.1)
    assert store.status.waiting >= 20
    filler.unlink()
    bench.runtime.advance(1)
    assert (store.status.failing, store.status.waiting, store.status.dropped) == (None, 0, 0)
    cell.address.tell(Drain())
    bench.runtime.settle()
    with SqliteJournalReader(path) as reader:
        assert [dict(event.data)["number"] for _, event in reader.events()] == list(
            range(1, sent + 1)
        )
