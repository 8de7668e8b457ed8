"""Subscribers of a threaded host: a slow, raising or dead one harms no other."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from perps_actors import Event, InboxPolicy, Mark, Overflow, PerpsSystem, Settings, SettingsError
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.marks import RecordMarks
from perps_actors.settings import JournalSettings, StreamSettings, SupervisionSettings
from perps_actors.simulator.process import VenueProcess

LIMIT_S = 20.0


def subscribed(world, to: type[Any] = Mark, **wanted: Any) -> list[Any]:
    heard: list[Any] = []
    world.system.subscribe(heard.append, to, **wanted)
    return heard


# --- what is heard


def test_a_subscriber_gets_every_mark_in_order(world) -> None:
    heard = subscribed(world)
    for price in (100, 101, 102):
        world.book("BTCUSDT", price, price + 2) if price == 100 else world.depth(
            "BTCUSDT", bids=[(price, 1)], asks=[(price + 2, 1)]
        )
    assert tuple(heard) == world.system.window("BTCUSDT")
    assert heard[-1] is world.system.mark("BTCUSDT")


def test_a_subscriber_gets_only_the_instruments_it_names(world) -> None:
    btc, elsewhere = subscribed(world, instruments=("BTCUSDT",)), subscribed(world, venues=("okx",))
    by_id = subscribed(world, instruments=(InstrumentId("binance_futures", "ETHUSDT"),))
    world.book("BTCUSDT", 100, 102)
    world.book("ETHUSDT", 10, 12)
    assert {mark.instrument.symbol for mark in btc} == {"BTCUSDT"}
    assert {mark.instrument.symbol for mark in by_id} == {"ETHUSDT"}
    assert elsewhere == []


def test_a_subscriber_gets_events_by_kind_and_instrument(world) -> None:
    withdrawn, of_eth, all_events = (
        subscribed(world, Event, kinds=("book_withdrawn",)),
        subscribed(world, Event, instruments=("ETHUSDT",)),
        subscribed(world, Event),
    )
    world.book("BTCUSDT", 100, 102)
    world.depth("BTCUSDT", previous=7)
    world.public(b"oops")
    world.advance(1)
    assert [(event.kind, event.symbol) for event in withdrawn] == [("book_withdrawn", "BTCUSDT")]
    assert [event.symbol for event in of_eth] == ["ETHUSDT"] * len(of_eth)
    journalled = [
        event
        for event in world.events()
        if event.kind not in {"ws_mark_update", "rest_mark_update"}
    ]
    assert all_events == [event for event in journalled if event in all_events]
    assert {"book_withdrawn", "input_rejected"} <= {event.kind for event in all_events}


def test_a_subscriber_gets_the_recorders_own_events_too(worlds) -> None:
    world = worlds(symbols=("BTCUSDT",), lossless=True)
    heard = subscribed(world, Event, kinds=("hole",))
    world.system.subscribe(
        lambda _: None, inbox=InboxPolicy(bound=1, overflow=Overflow.DROP_OLDEST), name="small"
    )
    world.book("BTCUSDT", 100, 102)
    for _ in range(30):
        world.address("mark_store").tell(RecordMarks((world.system.mark("BTCUSDT"),), "synthetic"))
    world.runtime.settle()
    world.advance(2)
    assert [dict(event.data)["inbox"] for event in heard] == ["small-2"]
    assert dict(heard[0].data)["dropped"] == world.system.dropped > 0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"to": int}, "to"), ({"kinds": ("hole",)}, "kinds")],
    ids=["of something else", "kinds of marks"],
)
def test_an_invalid_subscription_is_refused(world, arguments, field) -> None:
    with pytest.raises(SettingsError) as caught:
        world.system.subscribe(print, **arguments)
    assert caught.value.field == field


def test_a_closed_subscription_gets_nothing_and_can_be_closed_twice(world) -> None:
    heard: list[Mark] = []
    subscription = world.system.subscribe(heard.append)
    world.book("BTCUSDT", 100, 102)
    before = len(heard)
    assert subscription.close()
    assert subscription.close()
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert len(heard) == before > 0
    assert not subscription.active


# --- subscribers that misbehave


def test_a_subscriber_that_raises_is_reported_and_continues(world) -> None:
    heard: list[Mark] = []

    def receive(mark: Mark) -> None:
        heard.append(mark)
        if len(heard) == 1:
            raise SystemExit(3)

    subscription = world.system.subscribe(receive)
    world.book("BTCUSDT", 100, 102)
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert len(heard) == world.system.count("BTCUSDT") > 1
    assert subscription.statistics().failures == 1
    ((_, data),) = world.told_of("subscriber_failed")
    assert data == {"subscriber": "subscriber-1", "failures": 1, "error": "SystemExit: 3"}
    assert world.system.restarts == 0


def test_ten_exceptions_in_a_row_end_a_subscription_and_nine_do_not(
    world,
) -> None:
    calls: dict[str, int] = {"always": 0, "nine in ten": 0}

    def always(_: Mark) -> None:
        calls["always"] += 1
        raise ValueError

    def nine_in_ten(_: Mark) -> None:
        calls["nine in ten"] += 1
        if calls["nine in ten"] % 10:
            raise ValueError

    removed, kept = world.system.subscribe(always), world.system.subscribe(nine_in_ten)
    world.book("BTCUSDT", 100, 102)
    for price in range(40):
        world.depth("BTCUSDT", bids=[(60 + price, 1)])
    assert calls["always"] == 10
    assert calls["nine in ten"] == world.system.count("BTCUSDT") > 30
    assert (removed.active, kept.active) == (False, True)
    assert [data["subscriber"] for _, data in world.told_of("subscriber_removed")] == [
        "subscriber-1"
    ]


def test_failures_are_reported_at_most_once_a_second(world) -> None:
    def receive(mark: Mark) -> None:
        if len(world.system.window("BTCUSDT")) % 2:
            raise ValueError(mark)

    world.system.subscribe(receive)
    world.book("BTCUSDT", 100, 102)
    for price in range(10):
        world.depth("BTCUSDT", bids=[(60 + price, 1)])
    assert len(world.told_of("subscriber_failed")) == 1


def test_a_subscriber_to_events_that_always_raises_is_removed(world) -> None:
    def receive(event: Event) -> None:
        raise ValueError(event.kind)

    subscription = world.system.subscribe(receive, Event)
    for _ in range(30):
        world.public(b"oops")
        world.advance(1)
    assert not subscription.active
    assert len(world.told_of("subscriber_removed")) == 1


def test_a_subscriber_may_ask_and_close_itself(world) -> None:
    verdicts = []

    def receive(mark: Mark) -> None:
        verdicts.append(world.system.verdict(mark.instrument).may_open)
        assert subscription.close()

    subscription = world.system.subscribe(receive)
    world.book("BTCUSDT", 100, 102)
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert verdicts == [True]


def test_with_conflation_a_slow_subscriber_gets_the_newest_mark_of_each_instrument(world) -> None:
    heard: list[Mark] = []

    def slow(mark: Mark) -> None:
        heard.append(mark)
        if len(heard) == 1:
            world.runtime.settle()

    subscription = world.system.subscribe(slow, inbox=InboxPolicy(conflate=True))
    world.book("BTCUSDT", 100, 102)
    world.book("ETHUSDT", 10, 12)
    world.public(
        *(world.depth_frame("BTCUSDT", bids=[(60 + n, 1)]) for n in range(20)),
        world.depth_frame("ETHUSDT"),
    )
    assert heard[-1] in (world.system.mark("BTCUSDT"), world.system.mark("ETHUSDT"))
    statistics = subscription.statistics()
    assert statistics.received + statistics.dropped == world.system.count(
        "BTCUSDT"
    ) + world.system.count("ETHUSDT")


# --- on threads


@pytest.fixture(scope="module")
def venue():
    with VenueProcess.start() as process:
        yield process


def system_on(venue, path, **settings: Any) -> PerpsSystem:
    return PerpsSystem(
        Settings(
            symbols=venue.symbols,
            endpoints=venue.endpoints,
            provenance="synthetic",
            stream=StreamSettings(source="touch"),
            journal=JournalSettings(path=str(path / "events.journal")),
            **settings,
        )
    )


def test_a_hanging_subscriber_delays_neither_others_nor_the_stop(venue, tmp_path) -> None:
    release, stuck, enough, heard = threading.Event(), threading.Event(), threading.Event(), []

    def dead(_: Mark) -> None:
        stuck.set()
        release.wait(LIMIT_S)

    def receive(mark: Mark) -> None:
        heard.append(mark)
        if len(heard) > 20:
            enough.set()

    system = system_on(venue, tmp_path)
    system.subscribe(dead, name="dead", inbox=InboxPolicy(bound=5, overflow=Overflow.DROP_OLDEST))
    system.subscribe(receive)
    system.start()
    assert stuck.wait(LIMIT_S)
    assert enough.wait(LIMIT_S)
    report = system.drain(2.0)
    assert report.actors.clean
    assert [name for name in report.threads_left if "dead" in name]
    assert system.statistics().dropped > 0
    release.set()


def test_a_hanging_callable_is_abandoned_and_reported_while_the_system_runs(
    venue, tmp_path
) -> None:
    release, given_up, incidents = threading.Event(), threading.Event(), []

    def note(event: Event) -> None:
        incidents.append((event.kind, dict(event.data)["actor"]))
        if event.kind == "actor_given_up":
            given_up.set()

    system = system_on(
        venue, tmp_path, supervision=SupervisionSettings(hang_after_s=0.2, look_every_s=0.05)
    )
    system.subscribe(note, Event, kinds=("actor_died", "actor_given_up"))
    hung = system.subscribe(lambda _: release.wait(LIMIT_S), name="hung")
    with system:
        assert given_up.wait(LIMIT_S)
        assert incidents == [("actor_died", "hung-2"), ("actor_given_up", "hung-2")]
        assert not hung.active
        assert not hung.close()
        assert system.restarts == 0
        release.set()


def test_subscribing_and_unsubscribing_leaves_no_thread_behind(venue, tmp_path) -> None:
    with system_on(venue, tmp_path) as system:
        for _ in range(50):
            called = threading.Event()
            subscription = system.subscribe(lambda _, called=called: called.set())
            assert called.wait(LIMIT_S)
            assert subscription.close(LIMIT_S)
        assert [
            each for each in system.statistics().subscriptions if not each.name.startswith("log")
        ] == []
        names = [thread.name for thread in threading.enumerate() if "subscriber" in thread.name]
        assert len(names) <= 1, names


def test_a_subscriber_may_stop_the_system_that_calls_it(venue, tmp_path) -> None:
    ended, reports = threading.Event(), []
    system = system_on(venue, tmp_path)

    def receive(_: Mark) -> None:
        reports.append(system.drain())
        ended.set()

    system.subscribe(receive)
    system.start()
    assert ended.wait(LIMIT_S)
    assert reports[0].actors.clean
    assert reports[0].threads_left == ()


def test_queued_items_are_delivered_at_a_drain(venue, tmp_path) -> None:
    heard, gate = [], threading.Event()

    def receive(mark: Mark) -> None:
        gate.wait(LIMIT_S)
        heard.append(mark)

    system = system_on(venue, tmp_path)
    system.subscribe(receive)
    enough = threading.Event()
    system.subscribe(lambda _: enough.set() if sum(map(system.count, venue.symbols)) > 50 else None)
    with system:
        assert enough.wait(LIMIT_S)
        gate.set()
    assert len(heard) == sum(map(system.count, venue.symbols))
