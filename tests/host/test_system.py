from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from perps_actors.errors import ActorUnavailable, AskTimeout, StartFailed
from perps_actors.host.system import PerpsSystem
from perps_actors.journal.sqlite_reader import SqliteJournalReader
from perps_actors.market.mark import Mark
from perps_actors.messages.marks import MarksUpdated, OfferMarks, RecordMarks
from perps_actors.messages.records import Event
from perps_actors.settings import JournalSettings, PollSettings, Settings, StreamSettings
from perps_actors.simulator.process import VenueProcess

LIMIT_S = 20
POISON = Mark(None, Decimal(1), "book", None, 1, 1)  # type: ignore[arg-type]


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is so; the limit only bounds a failure."""
    pause, end = threading.Event(), time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        pause.wait(0.01)


def journal_of(path: Path, *kinds: str) -> list[Event]:
    with SqliteJournalReader(path) as reader:
        return [event for _, event in reader.events() if not kinds or event.kind in kinds]


def on(venue: VenueProcess, **settings) -> Settings:
    return Settings(
        **{
            "symbols": venue.symbols,
            "endpoints": venue.endpoints,
            "provenance": venue.provenance,
            **settings,
        }
    )


def open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


@pytest.fixture(scope="module")
def venue():
    with VenueProcess.start() as started:
        yield started


# --- life


def test_starting_or_stopping_twice_changes_nothing(world) -> None:
    links = len(world.network.links)
    assert world.system.start() is world.system
    world.runtime.settle()
    assert len(world.network.links) == links
    report = world.system.drain()
    assert report.clean
    assert world.system.stop() is world.system.drain() is report
    assert len(world.events("ws_stream_exit")) == links


def test_starting_a_stopped_system_fails_at_once(world) -> None:
    world.system.stop()
    steps = world.runtime.steps
    with pytest.raises(StartFailed, match="make a new one"):
        world.system.start()
    assert world.runtime.steps == steps


def test_stopping_an_idle_system_leaves_nothing(world) -> None:
    report = world.system.stop()
    assert (report.actors.left, report.clean) == ((), True)


def test_a_system_that_was_never_started_can_be_stopped() -> None:
    threads = threading.enumerate()
    report = PerpsSystem(Settings(symbols=("BTCUSDT",))).drain()
    assert report.clean
    assert threading.enumerate() == threads


def test_leaving_the_context_drains_and_an_error_inside_stops(worlds) -> None:
    for error in (None, RuntimeError("the host's own")):
        world = worlds()
        try:
            with world.system:
                for _ in range(500):
                    world.network.deliver("public-0", world.touch_frame("BTCUSDT", 1, 3))
                if error is not None:
                    raise error
        except RuntimeError:
            assert error is not None
        report = world.system.drain()
        assert (report.actors.left == ()) is (error is None)
        assert set(report.actors.finished) == {
            child.name for child in world.system._composition.children
        }


def test_draining_handles_queued_messages_and_stopping_reports_them_as_left(worlds) -> None:
    for how in ("drain", "stop"):
        world = worlds(stream=StreamSettings(source="touch"))
        for number in range(50):
            world.network.deliver(
                "public-0", world.touch_frame("BTCUSDT", 100 + number, 102 + number)
            )
        report = getattr(world.system, how)()
        assert world.system.journal().waiting == 0
        if how == "drain":
            assert (world.system.count("BTCUSDT"), report.actors.left, report.clean) == (
                50,
                (),
                True,
            )
            assert len(world.events("ws_mark_update")) == 50
        else:
            assert dict(report.actors.left)["stream_consumer"] == 50 - world.system.count("BTCUSDT")
            assert not report.clean


def test_after_the_end_questions_are_refused_and_marks_can_be_read(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.system.stop()
    with pytest.raises(ActorUnavailable):
        world.system.verdict("BTCUSDT")
    assert world.system.mark("BTCUSDT").mark == 101


def test_a_failing_start_stops_the_actors_that_run_and_names_the_cause(tmp_path) -> None:
    threads, files = threading.enumerate(), open_files()
    (tmp_path / "events.journal").write_bytes(b"this is no journal" * 100)
    system = PerpsSystem(
        Settings(
            symbols=("BTCUSDT",), journal=JournalSettings(path=str(tmp_path / "events.journal"))
        )
    )
    with pytest.raises(StartFailed, match="event_recorder did not start") as caught:
        system.start()
    assert caught.value.__cause__ is not None
    with pytest.raises(StartFailed):
        system.start()
    assert (threading.enumerate(), open_files()) == (threads, files)


def test_thirty_systems_one_after_another_leave_no_thread_and_no_descriptor(
    venue, tmp_path
) -> None:
    threads, files = threading.enumerate(), open_files()
    for number in range(30):
        listener = _Counting()
        system = PerpsSystem(
            on(venue, journal=JournalSettings(path=str(tmp_path / f"{number}.journal")))
        )
        system.listen(listener)
        with system:
            if number % 10 == 0:
                assert listener.wait_for(1)
        assert system.drain().clean
    assert threading.enumerate() == threads
    assert open_files() == files


class _Counting:
    """A host's listener that can be waited for."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.news = threading.Condition()

    def tell(self, message: MarksUpdated) -> None:
        with self.news:
            self.marks += message.marks
            self.news.notify_all()

    def wait_for(self, count: int, accept: Callable[[Mark], bool] = lambda _: True) -> bool:
        with self.news:
            return self.news.wait_for(lambda: sum(map(accept, self.marks)) >= count, LIMIT_S)


# --- pressure


def pile_up(world, count: int) -> None:
    """Let marks wait at the store, told one by one."""
    btc = world.system.instrument("BTCUSDT")
    for number in range(1, count + 1):
        world.address("mark_store").tell(
            RecordMarks((Mark(btc, Decimal(number), "book", None, 1, 0),), "synthetic")
        )


def test_piled_up_live_marks_are_conflated_and_drops_are_recorded_as_holes(
    worlds,
) -> None:
    world = worlds(lossless=False)
    pile_up(world, 5_000)
    world.advance(1.1)
    assert world.marks("BTCUSDT")[-1] == 5_000
    count = world.system.count("BTCUSDT")
    assert count < 5_000
    assert world.told_of("hole") == [
        ("hole", {"inbox": "mark_store", "reason": "inbox full", "dropped": 5_000 - count})
    ]
    assert world.system.dropped == 5_000 - count
    assert len(world.events("ws_mark_update")) == count


def test_marks_of_a_recording_are_never_conflated(worlds) -> None:
    world = worlds(lossless=True)
    pile_up(world, 5_000)
    world.advance(1.1)
    assert world.system.count("BTCUSDT") == len(world.events("ws_mark_update")) == 5_000
    assert world.system.dropped == 0


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("full", ["stream_consumer", "mark_store", "event_recorder"])
def test_sources_stop_reading_while_inboxes_are_full(worlds, lossless, full) -> None:
    world = worlds(lossless=lossless)
    listener = world.network.link("public-0").listener

    def no_call() -> None:
        pass

    assert listener.has_room(no_call)
    world.address(full).tell(MarksUpdated((POISON,) * 20_000, "synthetic"))
    assert listener.has_room(no_call) is (not lossless and full != "stream_consumer")


# --- death


@pytest.mark.parametrize("seed", range(5))
def test_a_poisoned_mark_is_lost_alone_and_the_death_is_recorded(worlds, seed) -> None:
    world = worlds(seed=seed)
    good = [
        Mark(world.system.instrument("BTCUSDT"), Decimal(number), "book", None, 1, 0)
        for number in range(1, 7)
    ]
    store = world.address("mark_store")
    store.tell(RecordMarks((good[0], good[1], POISON, good[2], good[3]), "synthetic"))
    store.tell(RecordMarks((good[4],), "synthetic"))
    world.tell("mark_store", RecordMarks((good[5],), "synthetic"))
    assert world.marks("BTCUSDT") == [1, 2, 3, 4, 5, 6]
    assert [dict(event.data)["mark"] for event in world.events("ws_mark_update")] == list("123456")
    died, restarted = world.told_of("actor_died", "actor_restarted")
    assert (died[1]["actor"], died[1]["items_lost"]) == ("mark_store", 1)
    assert died[1]["error"].startswith("AttributeError")
    assert (restarted[0], restarted[1]["restarts"]) == ("actor_restarted", 1)
    assert world.system.restarts == 1
    report = world.system.drain()
    assert (report.clean, report.actors.dead_letters) == (False, 1)


POISONS = {
    "stream_consumer": OfferMarks((None,)),  # type: ignore[arg-type]
    "mark_store": RecordMarks((POISON,), "synthetic"),
    "risk_monitor": MarksUpdated((None,), "synthetic"),  # type: ignore[arg-type]
    "market_monitor": MarksUpdated((None,), "synthetic"),  # type: ignore[arg-type]
    "event_recorder": MarksUpdated((None,), "synthetic"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("victim", POISONS)
def test_marks_continue_after_the_death_of_any_actor_and_only_the_poison_is_lost(
    worlds, victim, seed
) -> None:
    world = worlds(seed=seed, stream=StreamSettings(source="touch"))
    sent = []
    for round_ in range(4):
        for number in range(3):
            sent.append(100 + 10 * round_ + number)
            world.network.deliver("public-0", world.touch_frame("BTCUSDT", sent[-1], sent[-1] + 2))
        if victim == "stream_consumer":
            world.runtime.settle()
        world.tell(victim, POISONS[victim])
        world.advance(12)
    assert world.marks("BTCUSDT") == [price + 1 for price in sent]
    assert [Decimal(dict(event.data)["mark"]) for event in world.events("ws_mark_update")] == [
        price + 1 for price in sent
    ]
    assert [data["actor"] for _, data in world.told_of("actor_died")] == [victim] * 4
    assert world.system.restarts == 4
    assert world.system.dropped == 0


def test_an_actor_that_dies_too_often_is_given_up_and_the_others_continue(world) -> None:
    for _ in range(6):
        world.tell("risk_monitor", POISONS["risk_monitor"])
        world.advance(1)
    assert [data["actor"] for _, data in world.told_of("actor_given_up")] == ["risk_monitor"]
    world.book("BTCUSDT", 100, 102)
    assert world.marks("BTCUSDT")[-1] == 101
    with pytest.raises((ActorUnavailable, AskTimeout)):
        world.system.verdict("BTCUSDT")
    report = world.system.drain()
    assert (report.actors.given_up, report.clean) == (("risk_monitor",), False)


def test_a_system_without_its_supervisor_can_be_stopped(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.system._composition.supervisor.retire(RuntimeError("out of nowhere"))
    report = world.system.stop(2.0)
    assert set(report.actors.abandoned) == {
        child.name for child in world.system._composition.children
    }
    assert not report.clean
    assert not any(link.open for link in world.network.links)
    assert world.system.mark("BTCUSDT").mark == 101


def test_a_listener_that_blocks_the_stores_thread_is_fenced_at_the_deadline(venue) -> None:
    release, blocked = threading.Event(), threading.Event()

    class Blocking:
        def tell(self, _: object) -> None:
            blocked.set()
            release.wait(LIMIT_S)

    system = PerpsSystem(on(venue))
    system.listen(Blocking())
    system.start()
    assert blocked.wait(LIMIT_S)
    began = time.monotonic()
    report = system.stop(1.0)
    assert time.monotonic() - began < 3.5
    assert not report.clean
    assert "mark_store" in report.actors.abandoned
    assert report.threads_left
    counted = [system.count(symbol) for symbol in venue.symbols]
    with PerpsSystem(on(venue)) as successor:
        release.set()
        until(lambda: successor.mark(venue.symbols[0]), "marks of the new system")
    assert [system.count(symbol) for symbol in venue.symbols] == counted


# --- the outside breaks


def test_marks_continue_after_the_venues_process_was_killed_and_replaced(
    tmp_path,
) -> None:
    path, listener = tmp_path / "events.journal", _Counting()
    with VenueProcess.start() as first:
        port = first.endpoints.rest.rpartition(":")[2]
        system = PerpsSystem(on(first, journal=JournalSettings(path=str(path), linger_s=0.005)))
        system.listen(listener)
        system.start()
        assert listener.wait_for(3, lambda mark: mark.source == "book")
        first.kill()
        until(lambda: journal_of(path, "ws_stream_error"), "the error of the connection")
        with VenueProcess.start("--port", port, "--seed", "9"):
            listener.marks.clear()
            assert listener.wait_for(20, lambda mark: mark.source == "book")
            report = system.drain()
    assert report.clean
    connections = [dict(event.data)["connection"] for event in journal_of(path, "ws_stream_exit")]
    assert {"public-0", "market-0"} <= set(connections)
    assert system.restarts == 0


def test_a_silent_venue_is_noticed_within_the_limit_and_delays_no_stop(
    tmp_path,
) -> None:
    path, listener = tmp_path / "events.journal", _Counting()
    threads = threading.enumerate()
    with VenueProcess.start() as venue:
        settings = on(
            venue,
            journal=JournalSettings(path=str(path), linger_s=0.005),
            stream=StreamSettings(silence_s=0.6),
            poll=PollSettings(interval_s=0.1),
        )
        system = PerpsSystem(settings)
        system.listen(listener)
        system.start()
        assert listener.wait_for(3)
        os.kill(venue.pid, signal.SIGSTOP)
        began = time.monotonic()
        until(lambda: journal_of(path, "ws_stream_error"), "the silence")
        assert 0.3 < time.monotonic() - began < 3
        assert "silent for 0.6 s" in dict(journal_of(path, "ws_stream_error")[0].data)["message"]
        began = time.monotonic()
        report = system.stop(1.5)
        assert time.monotonic() - began < 2.5
        assert (report.threads_left, report.actors.abandoned) == ((), ())
        os.kill(venue.pid, signal.SIGCONT)
        listener.marks.clear()
        with PerpsSystem(on(venue)) as successor:
            until(lambda: successor.mark(venue.symbols[0]), "marks of the new system")
        assert listener.marks == [], "the stopped system still writes"
    assert set(threading.enumerate()) <= set(threads)
