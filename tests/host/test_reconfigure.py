"""Settings that change while a system runs: all are put in force, or none."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from perps_actors import Event, ReconfigureFailed, Settings, SettingsError
from perps_actors.host.settings_file import Follower
from perps_actors.host.system import PerpsSystem
from perps_actors.kernel.actor import Actor
from perps_actors.kernel.clock import SystemClock
from perps_actors.market.feed_state import Health
from perps_actors.messages.feeds import AnswerArrived
from perps_actors.messages.marks import MarksUpdated, OfferMarks, RecordMarks
from perps_actors.settings import (
    JournalSettings,
    MarkSettings,
    MonitorSettings,
    PollSettings,
    RiskSettings,
    StreamSettings,
)
from perps_actors.simulator.process import VenueProcess
from perps_actors.testing import FakeNetwork
from tests.conftest import World


def change(world: World, **settings: Any) -> tuple[str, ...]:
    changes = world.system.reconfigure(attrs.evolve(world.system.settings, **settings))
    world.runtime.settle()
    return tuple(each.field for each in changes)


def sent(world: World, connection: str = "public-0") -> list[str]:
    return world.network.link(connection).sent


POISONS: dict[str, object] = {
    "mark_store": RecordMarks((None,), "synthetic"),  # type: ignore[arg-type]
    "risk_monitor": MarksUpdated((None,), "synthetic"),  # type: ignore[arg-type]
    "market_monitor": MarksUpdated((None,), "synthetic"),  # type: ignore[arg-type]
    "event_recorder": MarksUpdated((None,), "synthetic"),  # type: ignore[arg-type]
    "stream_consumer": OfferMarks((None,)),  # type: ignore[arg-type]
    "quote_poller": AnswerArrived(None),  # type: ignore[arg-type]
}
"""What kills each actor."""


# --- each owner concerned


def test_windows_are_cut_at_once_and_grow_again(world) -> None:
    world.book("BTCUSDT", 100, 102)
    for price in range(30):
        world.depth("BTCUSDT", bids=[(60 + price, 1)])
    assert len(world.system.window("BTCUSDT")) == 25
    assert change(world, marks=MarkSettings(short=2, long=5)) == ("marks.short", "marks.long")
    assert len(world.system.window("BTCUSDT")) == 10
    assert world.system.settings.marks.long == 5
    change(world, marks=MarkSettings(long=15))
    for price in range(30):
        world.depth("BTCUSDT", bids=[(60 + price, 1)])
    assert len(world.system.window("BTCUSDT")) == 20


def test_polling_follows_its_interval_and_can_be_switched_off_and_on(world) -> None:
    world.poll(("BTCUSDT", 1, 3))
    assert world.waiting("quotes") == 0
    change(world, poll=PollSettings(interval_s=1.0))
    assert world.waiting("quotes") == 1
    world.poll(("BTCUSDT", 1, 3))
    world.advance(1.1)
    assert world.waiting("quotes") == 1
    change(world, poll=PollSettings(enabled=False))
    world.poll(("BTCUSDT", 1, 3))
    world.advance(60)
    assert world.waiting("quotes") == 0
    change(world, poll=PollSettings(interval_s=1.0))
    assert world.waiting("quotes") == 1


def test_risk_limits_hold_from_now_on(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.advance(10)
    assert world.system.verdict("BTCUSDT").may_open
    change(world, risk=RiskSettings(stale_soft_s=2, stale_hard_s=5))
    assert not world.system.verdict("BTCUSDT").may_open
    world.advance(1)
    assert [event.symbol for event in world.events("stale_mark_price")] == ["BTCUSDT", "ETHUSDT"]


def test_the_limit_of_health_holds_from_now_on(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.advance(3)
    assert world.system.health("BTCUSDT").health is Health.LIVE
    change(world, monitor=MonitorSettings(limit_s=2.0))
    world.advance(1)
    assert world.system.health("BTCUSDT").health is not Health.LIVE


def test_polled_marks_are_recorded_once_settings_say_so(world) -> None:
    world.poll(("BTCUSDT", 1, 3))
    journal = attrs.evolve(world.system.settings.journal, rest_marks=True)
    change(world, journal=journal, stream=StreamSettings(enabled=False))
    world.advance(10)
    world.poll(("BTCUSDT", 1, 3))
    assert [event.symbol for event in world.events("rest_mark_update")] == ["BTCUSDT"]


# --- symbols


def test_a_symbol_is_added_on_the_open_connection_without_affecting_others(world) -> None:
    world.book("BTCUSDT", 100, 102)
    before = world.system.count("BTCUSDT")
    assert change(world, symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT")) == ("symbols",)
    assert [frame for frame in sent(world) if "SUBSCRIBE" in frame] == [
        '{"method":"SUBSCRIBE","params":["solusdt@depth@100ms","solusdt@bookTicker"],"id":1}'
    ]
    world.depth("BTCUSDT", bids=[(101, 1)])
    assert world.system.count("BTCUSDT") == before + 1
    world.book("SOLUSDT", 10, 12)
    assert world.system.mark("SOLUSDT").mark == Decimal(11)
    world.advance(1)
    assert world.system.health("SOLUSDT").health is Health.LIVE
    assert world.system.verdict("SOLUSDT").may_open
    assert world.told_of("ws_stream_exit") == []


def test_a_removed_symbol_has_no_mark_and_is_not_reported_stale(world) -> None:
    world.book("BTCUSDT", 100, 102)
    world.book("ETHUSDT", 10, 12)
    change(world, symbols=("BTCUSDT",))
    assert world.system.mark("ETHUSDT") is None
    assert world.system.window("ETHUSDT") == ()
    assert list(world.system.marks) == [world.system.instrument("BTCUSDT")]
    assert world.system.health("ETHUSDT") is None or world.advance(1) is None
    assert "UNSUBSCRIBE" in sent(world)[-1]
    world.depth("ETHUSDT", bids=[(11, 1)])
    world.poll(("BTCUSDT", 1, 3), ("ETHUSDT", 1, 3))
    world.advance(500)
    assert world.system.mark("ETHUSDT") is None
    assert world.system.health("ETHUSDT") is None
    assert {event.symbol for event in world.events("stale_mark_price")} == {"BTCUSDT"}
    assert world.system.stream_statistics().invalid_inputs == 0


def test_a_removed_symbol_can_be_added_again(world) -> None:
    world.book("ETHUSDT", 10, 12)
    change(world, symbols=("BTCUSDT",))
    change(world, symbols=("BTCUSDT", "ETHUSDT"))
    world.depth("ETHUSDT")
    # A snapshot that did not last is asked for again after a pause.
    world.advance(1)
    world.snapshot("ETHUSDT", 20, 22)
    assert [mark.mark for mark in world.system.window("ETHUSDT")][-1] == Decimal(21)


def test_a_connection_that_is_down_comes_back_with_the_new_symbols(world) -> None:
    link = world.network.link("public-0")
    world.network.end(link, "cut", error=True)
    world.runtime.settle()
    change(world, symbols=("BTCUSDT", "SOLUSDT"))
    world.advance(2)
    assert world.network.link("public-0").plan.symbols == ("BTCUSDT", "SOLUSDT")
    world.book("SOLUSDT", 10, 12)
    assert world.system.mark("SOLUSDT") is not None


def test_connections_are_opened_and_closed_as_the_number_of_symbols_changes(
    world,
) -> None:
    many = tuple(f"SYM{n}USDT" for n in range(250))
    change(world, symbols=("BTCUSDT", *many))
    names = {link.plan.name for link in world.network.links if link.open}
    assert (
        names
        == {"public-0", "public-1", "public-2", "market-0", "market-1", "market-2", "market-3"}
        or "public-2" in names
    )
    change(world, symbols=("BTCUSDT",))
    assert {link.plan.name for link in world.network.links if link.open} == {"public-0", "market-0"}
    assert {data["reason"] for _, data in world.told_of("ws_stream_exit")} == {"settings changed"}
    world.book("BTCUSDT", 100, 102)
    world.advance(1)
    assert world.system.health("BTCUSDT").health is Health.LIVE


# --- streams


@pytest.mark.parametrize(
    "stream",
    [
        StreamSettings(level=2),
        StreamSettings(source="touch"),
        StreamSettings(patience_s=1),
        StreamSettings(silence_s=1),
    ],
    ids=["level", "source", "patience", "silence"],
)
def test_the_stream_restarts_with_its_new_settings(world, stream) -> None:
    world.book("BTCUSDT", 100, 102)
    opened = len(world.network.links)
    change(world, stream=stream)
    assert len(world.told_of("ws_stream_exit")) == 2
    assert len(world.network.links) == opened + 2
    world.touch("BTCUSDT", 200, 202)
    world.depth("BTCUSDT")
    world.advance(1)
    world.snapshot("BTCUSDT", 300, 302)
    assert world.system.mark("BTCUSDT").mark == (201 if stream.source == "touch" else 301)
    assert world.system.restarts == 0


def test_streaming_off_leaves_polling_and_streaming_on_brings_the_book_back(world) -> None:
    world.book("BTCUSDT", 100, 102)
    change(world, stream=StreamSettings(enabled=False), poll=PollSettings(interval_s=1))
    assert not any(link.open for link in world.network.links)
    world.poll(("BTCUSDT", 1, 3))
    assert (world.system.mark("BTCUSDT").mark, world.source("BTCUSDT")) == (2, "rest")
    world.advance(1.1)
    world.poll(("BTCUSDT", 1, 3))
    world.advance(0.9)
    assert world.system.health("BTCUSDT").health is Health.LIVE
    change(world, stream=StreamSettings())
    world.book("BTCUSDT", 100, 102)
    assert world.source("BTCUSDT") == "book"


# --- all or nothing


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"venue": "okx"}, "venue"),
        ({"seed": 1}, "seed"),
        ({"lossless": True}, "lossless"),
        ({"journal": JournalSettings(path="elsewhere")}, "journal.path"),
        ({"symbols": ("BTCUSDT", "no such\nsymbol")}, "symbols"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unchangeable_setting_is_refused_by_name_and_nothing_changes(
    world, changed, field
) -> None:
    before = world.system.settings
    with pytest.raises(SettingsError) as caught:
        change(world, marks=MarkSettings(long=7), **changed)
    assert caught.value.field == field
    assert world.system.settings is before
    assert world.told_of("settings_changed") == []
    world.book("BTCUSDT", 100, 102)
    for price in range(30):
        world.depth("BTCUSDT", bids=[(60 + price, 1)])
    assert len(world.system.window("BTCUSDT")) == 25


def test_equal_settings_change_nothing_and_record_no_event(world) -> None:
    assert change(world) == ()
    assert world.told_of("settings_changed") == []


def test_a_change_is_recorded_with_the_value_before(world) -> None:
    change(world, marks=MarkSettings(long=7), symbols=("BTCUSDT",))
    assert world.told_of("settings_changed") == [
        (
            "settings_changed",
            {"symbols": "('BTCUSDT', 'ETHUSDT') -> ('BTCUSDT',)", "marks.long": "20 -> 7"},
        )
    ]


class Stubborn(Actor):
    """Takes no settings."""

    def on_receive(self, message: Any) -> Any:
        raise ValueError(message)


def test_settings_are_rolled_back_if_an_actor_does_not_take_them(tmp_path) -> None:
    world = World(tmp_path / "events.journal")
    world.system = PerpsSystem(
        world.system.settings,
        replace={
            "network": world.network,
            "runtime": world.runtime,
            "risk_monitor": Stubborn,
        },
    )
    world.start()
    before = world.system.settings
    with pytest.raises(ReconfigureFailed, match="risk_monitor did not accept its new settings"):
        change(
            world,
            marks=MarkSettings(long=7),
            symbols=("BTCUSDT",),
            risk=RiskSettings(stale_soft_s=1),
        )
    world.runtime.settle()
    assert world.system.settings is before
    world.book("ETHUSDT", 10, 12)
    for price in range(30):
        world.depth("ETHUSDT", bids=[(1 + price / 10, 1)])
    assert len(world.system.window("ETHUSDT")) == 25
    world.system.stop()


def test_a_restarted_actor_follows_the_settings_in_force(world) -> None:
    change(
        world,
        marks=MarkSettings(short=2, long=3),
        risk=RiskSettings(stale_soft_s=1, stale_hard_s=2),
        symbols=("SOLUSDT",),
    )
    for actor, poison in POISONS.items():
        world.tell(actor, poison)
    world.advance(5)
    assert world.system.restarts == len(POISONS)
    world.book("SOLUSDT", 10, 12)
    for price in range(30):
        world.depth("SOLUSDT", bids=[(1 + price / 10, 1)])
    assert len(world.system.window("SOLUSDT")) == 8
    world.advance(3)
    assert not world.system.verdict("SOLUSDT").may_open
    assert world.system.health("BTCUSDT") is None


# --- on a venue's process, with threads


def test_symbols_come_and_go_on_a_real_connection() -> None:
    with VenueProcess.start() as venue:
        first, second, *_ = venue.symbols
        with PerpsSystem(
            Settings(symbols=(first,), endpoints=venue.endpoints, provenance="synthetic")
        ) as system:
            heard = {symbol: _Heard() for symbol in (first, second)}
            for symbol, each in heard.items():
                system.subscribe(each, instruments=(symbol,))
            heard[first].wait()
            system.reconfigure(attrs.evolve(system.settings, symbols=(first, second)))
            heard[second].wait()
            assert system.stream_statistics().reconnects == 0
            assert system.mark(second) is not None
            system.reconfigure(attrs.evolve(system.settings, symbols=(second,)))
            assert system.mark(first) is None
            heard[second].wait()
            assert system.mark(first) is None
            assert system.stream_statistics().reconnects == 0
            assert system.stream_statistics().invalid_inputs == 0


class _Heard:
    """Waits for the next mark."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self, _: object) -> None:
        self._event.set()

    def wait(self) -> None:
        self._event.clear()
        assert self._event.wait(20)


# --- following a file


def followed(world: World, path: Path, **how: Any) -> Follower:
    world.system.follow(path, every_s=3600, **how)
    return world.system._followers[-1]


def test_changes_of_a_followed_file_take_effect_below_its_overrides(world, tmp_path) -> None:
    file = tmp_path / "perps.toml"
    file.write_text("[marks]\nlong = 30\n[risk]\nstale_soft_s = 5.0\n")
    follower = followed(world, file, environ={"PERPS_MARKS_SHORT": "7"})
    assert follower.look() == ()
    file.write_text("[marks]\nlong = 50\nshort = 9\n")
    assert {each.field: each.after for each in follower.look()} == {
        "marks.short": 7,
        "marks.long": 50,
    }
    assert world.system.settings.symbols == ("BTCUSDT", "ETHUSDT")
    file.write_text('symbols = ["SOLUSDT"]\n')
    assert [each.field for each in follower.look()] == ["symbols", "marks.long"]
    assert world.system.settings.marks == MarkSettings(short=7)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("marks = 3", "marks"),
        ("[marks]\nlong = -1", "marks.long"),
        ("oops", "config"),
        ('venue = "okx"', "venue"),
        ("symbols = []", "symbols"),
    ],
    ids=["section", "value", "syntax", "venue", "no symbols"],
)
def test_an_unusable_followed_file_changes_nothing_and_is_reported_once(
    world, tmp_path, text, field
) -> None:
    file = tmp_path / "perps.toml"
    file.write_text("[marks]\nlong = 20\n")
    follower = followed(world, file)
    before = world.system.settings
    file.write_text(text)
    assert follower.look() == follower.look() == ()
    world.runtime.settle()
    assert world.system.settings is before
    ((_, data),) = world.told_of("settings_refused")
    assert data["field"] == field
    assert data["why"]
    assert str(file) in data["place"] or data["place"] == "PerpsSystem.reconfigure"


def test_a_file_is_followed_by_a_thread_that_ends_with_the_system(tmp_path) -> None:
    file, changed = tmp_path / "perps.toml", threading.Event()
    file.write_text("[marks]\nlong = 20\n")
    system = PerpsSystem(
        Settings(symbols=("BTCUSDT",), provenance="synthetic"),
        replace={"network": FakeNetwork(SystemClock())},
    )
    system.subscribe(lambda _: changed.set(), Event, kinds=("settings_changed",))
    with system:
        system.follow(file, every_s=0.01)
        file.write_text("[marks]\nlong = 21\n")
        assert changed.wait(20)
        assert system.settings.marks.long == 21
    assert "perps-settings" not in {thread.name for thread in threading.enumerate()}
