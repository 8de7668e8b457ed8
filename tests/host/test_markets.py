"""Several markets in one system: kept apart everywhere, added and removed while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from perps_actors import (
    Event,
    Mark,
    Market,
    PartAbsent,
    PerpsSystem,
    ReconfigureFailed,
    Settings,
    SettingsError,
)
from perps_actors.host.settings_file import Follower
from perps_actors.kernel.actor import Actor
from perps_actors.market.feed_state import Health
from perps_actors.market.instrument import InstrumentId
from perps_actors.messages.feeds import GetStreamStatistics, GetTops
from perps_actors.settings import (
    JournalSettings,
    PollSettings,
    SettingsFile,
    StreamSettings,
    layers_of,
)
from perps_actors.testing import Probe, SimulatedNetwork, SimulatedRuntime, SimulatedVenue

BINANCE = Market("binance_futures", ("BTCUSDT", "ETHUSDT"))
BYBIT = Market("bybit", ("BTCUSDT",))
OKX = Market("okx", ("BTC-USDT-SWAP",))
ON_BINANCE = InstrumentId("binance_futures", "BTCUSDT")
ON_BYBIT = InstrumentId("bybit", "BTCUSDT")


class Markets:
    """A system on simulated venues of different wire formats, in virtual time."""

    def __init__(self, *markets: Market, replace: Any = (), **settings: Any) -> None:
        self.runtime = SimulatedRuntime(seed=1)
        self.venues = {
            name: SimulatedVenue(self.runtime, symbols, seed=number, venue=name)
            for number, (name, symbols) in enumerate(
                {
                    "binance_futures": ("BTCUSDT", "ETHUSDT"),
                    "bybit": ("BTCUSDT", "ETHUSDT"),
                    "okx": ("BTC-USDT-SWAP",),
                }.items()
            )
        }
        self.settings = Settings(
            markets=markets,
            provenance="synthetic",
            poll=PollSettings(interval_s=1.0),
            **settings,
        )
        self.system = PerpsSystem(
            self.settings,
            replace={
                "network": SimulatedNetwork(*self.venues.values()),
                "runtime": self.runtime,
                **dict(replace),
            },
        )
        self.events: list[Event] = []
        self.told = Probe()
        self.system.listen(self.told)

    def start(self) -> Markets:
        self.system.start()
        self.system.subscribe(self.events.append, Event)
        self.runtime.advance(3)
        return self

    def change(self, *markets: Market, **settings: Any) -> None:
        self.system.reconfigure(
            attrs.evolve(self.system.settings, markets=markets, **settings), timeout_s=5
        )
        self.runtime.advance(3)

    def open_links(self, venue: str) -> int:
        return sum(not link.ended for link in self.venues[venue].links)

    def actors(self) -> list[str]:
        return [actor.name for actor in self.system.statistics().actors]

    def health(self, instrument: str) -> Health | None:
        judgement = self.system.health(instrument)
        return None if judgement is None else judgement.health


@pytest.fixture
def systems() -> Iterator[Callable[..., Markets]]:
    made: list[Markets] = []

    def make(*markets: Market, **settings: Any) -> Markets:
        made.append(Markets(*markets, **settings))
        return made[-1].start()

    yield make
    for each in made:
        assert each.system.drain().actors.abandoned == ()


@pytest.fixture
def two(systems: Callable[..., Markets]) -> Markets:
    return systems(BINANCE, BYBIT)


# --- told apart


def test_two_venues_of_different_wire_formats_make_true_marks_in_one_system(two) -> None:
    assert {str(instrument) for instrument in two.system.marks} == {
        "binance_futures:BTCUSDT",
        "binance_futures:ETHUSDT",
        "bybit:BTCUSDT",
    }
    for mark in two.system.marks.values():
        assert two.venues[mark.instrument.venue].truth.has(mark)
    assert two.health("binance_futures:BTCUSDT") is two.health("bybit:BTCUSDT") is Health.LIVE


def test_each_market_has_a_consumer_and_a_poller_and_all_share_the_other_actors(two) -> None:
    assert two.actors() == [
        "event_recorder",
        "market_monitor",
        "risk_monitor",
        "mark_store",
        "stream_consumer:binance_futures",
        "quote_poller:binance_futures",
        "stream_consumer:bybit",
        "quote_poller:bybit",
    ]


def test_one_market_has_the_plain_names_of_its_actors_in_either_form(systems) -> None:
    assert systems(BYBIT).actors()[-2:] == ["stream_consumer", "quote_poller"]


def test_a_symbol_is_named_with_its_venue_where_it_is_ambiguous(two) -> None:
    for read in (
        two.system.mark,
        two.system.window,
        two.system.health,
        two.system.verdict,
        two.system.venue_mark,
        two.system.count,
    ):
        read("bybit:BTCUSDT")
        read("ETHUSDT")
        with pytest.raises(
            SettingsError, match="expected one of binance_futures:BTCUSDT, bybit:BTCUSDT"
        ):
            read("BTCUSDT")
    assert two.system.mark("bybit:BTCUSDT").instrument == ON_BYBIT
    assert two.system.verdict("bybit:BTCUSDT").instrument == ON_BYBIT
    assert two.system.mark("bybit:NOSUCH") is None
    assert two.system.venue_mark("bybit:BTCUSDT").instrument == ON_BYBIT
    assert two.system.venue_mark("binance_futures:BTCUSDT").instrument == ON_BINANCE


def test_an_actor_is_named_with_its_market_where_it_is_ambiguous(two) -> None:
    tops = two.system.ask("stream_consumer:bybit", GetTops())
    assert [instrument for instrument, _ in tops.tops] == [ON_BYBIT]
    with pytest.raises(SettingsError, match="stream_consumer:binance_futures, stream_consumer:byb"):
        two.system.ask("stream_consumer", GetStreamStatistics())
    assert two.system.stream_statistics("bybit").frames
    with pytest.raises(PartAbsent, match="no stream_consumer:okx"):
        two.system.ask("stream_consumer:okx", GetStreamStatistics())


def test_subscribers_get_the_instruments_and_venues_they_name(two) -> None:
    got: dict[str, list[Any]] = {"instrument": [], "venue": [], "event": []}
    two.system.subscribe(got["instrument"].append, Mark, instruments=["bybit:BTCUSDT"])
    two.system.subscribe(got["venue"].append, Mark, venues=["binance_futures"])
    two.system.subscribe(got["event"].append, Event, instruments=[ON_BINANCE])
    with pytest.raises(SettingsError, match="ambiguous"):
        two.system.subscribe(print, Mark, instruments=["BTCUSDT"])
    two.runtime.advance(3)
    two.venues["binance_futures"].close(0)
    two.runtime.advance(10)
    assert {mark.instrument for mark in got["instrument"]} == {ON_BYBIT}
    assert {mark.instrument.venue for mark in got["venue"]} == {"binance_futures"}
    assert {(event.venue, event.symbol) for event in got["event"]} == {ON_BINANCE}


def test_an_event_carries_its_own_venue_and_one_of_the_system_the_names_of_all(two) -> None:
    two.venues["bybit"].close(0)
    two.runtime.advance(10)
    two.change(BINANCE, BYBIT, risk=attrs.evolve(two.settings.risk, stale_soft_s=99.0))
    venues = {
        kind: {e.venue for e in two.events if e.kind == kind}
        for kind in (
            "ws_stream_exit",
            "settings_changed",
        )
    }
    assert venues == {"ws_stream_exit": {"bybit"}, "settings_changed": {"binance_futures,bybit"}}
    assert {event.system for event in two.events} == {"perps"}


# --- one venue's outage


def test_an_outage_of_one_venue_leaves_marks_and_health_of_the_other_alone(two) -> None:
    before = two.system.count("bybit:BTCUSDT")
    two.venues["binance_futures"].close(0)
    two.runtime.advance(20)
    assert two.health("binance_futures:BTCUSDT") is Health.DOWN
    assert two.health("bybit:BTCUSDT") is Health.LIVE
    assert two.system.count("bybit:BTCUSDT") > before
    assert not any(
        event.venue == "bybit" and event.kind in ("feed_health", "ws_stream_exit")
        for event in two.events[10:]
    )


def test_two_markets_of_one_venue_are_apart_and_the_second_has_a_number(systems) -> None:
    both = systems(BYBIT, Market("bybit", ("ETHUSDT",)))
    assert both.actors()[4:] == [
        "stream_consumer:bybit",
        "quote_poller:bybit",
        "stream_consumer:bybit-2",
        "quote_poller:bybit-2",
    ]
    assert both.system.mark("BTCUSDT") is not None
    assert both.system.mark("bybit:ETHUSDT") is not None
    assert both.health("BTCUSDT") is both.health("ETHUSDT") is Health.LIVE


def test_a_market_has_its_own_streams_and_polls_where_it_says_so(systems) -> None:
    quiet = attrs.evolve(
        BYBIT, stream=StreamSettings(enabled=False), poll=PollSettings(interval_s=0.5)
    )
    both = systems(BINANCE, quiet)
    assert both.system.mark("bybit:BTCUSDT").source == "rest"
    assert both.system.mark("ETHUSDT").source == "book"
    assert both.open_links("bybit") == 0


def test_markets_of_different_provenance_keep_it_in_marks_and_events(systems) -> None:
    mixed = systems(BINANCE, attrs.evolve(BYBIT, provenance="replay"))
    assert {
        (mark.instrument.venue, update.provenance)
        for update in mixed.told.told
        for mark in update.marks
    } == {("binance_futures", "synthetic"), ("bybit", "replay")}
    for venue in mixed.venues.values():
        venue.close(0)
    mixed.runtime.advance(500)
    assert {(e.venue, e.provenance) for e in mixed.events if e.kind == "stale_mark_price"} == {
        ("binance_futures", "synthetic"),
        ("bybit", "replay"),
    }


# --- changes while it runs


def test_a_market_is_added_and_removed_while_the_others_go_on(two) -> None:
    before = two.system.count("ETHUSDT")
    two.change(BINANCE, BYBIT, OKX)
    assert two.system.mark("BTC-USDT-SWAP").instrument.venue == "okx"
    assert two.health("okx:BTC-USDT-SWAP") is Health.LIVE
    assert two.actors()[-2:] == ["stream_consumer:okx", "quote_poller:okx"]
    two.change(BINANCE, OKX)
    assert two.system.mark("bybit:BTCUSDT") is None
    assert two.system.health("bybit:BTCUSDT") is None
    assert two.open_links("bybit") == 0
    assert "stream_consumer:bybit" not in two.actors()
    assert two.system.mark("BTCUSDT").instrument == ON_BINANCE
    two.runtime.advance(600)
    assert two.system.mark("bybit:BTCUSDT") is None
    assert not any(event.symbol and event.kind == "stale_mark_price" for event in two.events)
    assert two.system.count("ETHUSDT") > before
    assert two.system.statistics().dead == 0


def test_a_market_that_was_removed_can_come_back(two) -> None:
    two.change(BINANCE)
    two.change(BINANCE, BYBIT)
    assert two.health("bybit:BTCUSDT") is Health.LIVE


def test_a_system_of_one_venue_and_its_symbols_takes_a_second_market(systems) -> None:
    one = systems(BINANCE)
    one.change(BINANCE, BYBIT)
    assert one.actors()[4:] == [
        "stream_consumer",
        "quote_poller",
        "stream_consumer:bybit",
        "quote_poller:bybit",
    ]
    with pytest.raises(SettingsError, match="stream_consumer:binance_futures"):
        one.system.ask("stream_consumer", GetStreamStatistics())
    assert one.system.ask("stream_consumer:binance_futures", GetStreamStatistics()).frames


def test_symbols_of_a_market_change_on_its_open_connection(two) -> None:
    links = two.open_links("bybit")
    two.change(BINANCE, Market("bybit", ("BTCUSDT", "ETHUSDT")))
    assert two.system.mark("bybit:ETHUSDT") is not None
    assert two.open_links("bybit") == links
    assert not [event for event in two.events if event.kind == "ws_stream_exit"]


def test_a_market_whose_provenance_changes_is_stopped_and_started_anew(systems) -> None:
    two = systems(BINANCE, BYBIT, lossless=True)
    two.change(BINANCE, attrs.evolve(BYBIT, provenance="replay"))
    assert {e.venue for e in two.events if e.kind == "ws_stream_exit"} == {"bybit"}
    assert two.told.told[-1].provenance in ("replay", "synthetic")
    assert any(update.provenance == "replay" for update in two.told.told)


def test_a_market_of_another_provenance_is_refused_while_waiting_marks_are_merged(two) -> None:
    with pytest.raises(SettingsError, match="provenance"):
        two.change(BINANCE, attrs.evolve(BYBIT, provenance="replay"))
    assert two.system.settings.markets == (BINANCE, BYBIT)


@pytest.mark.parametrize(
    "markets",
    [
        (BINANCE, Market("nowhere", ("A",))),
        (BINANCE, Market("bybit", ("X" * 60,))),
    ],
)
def test_an_unknown_venue_or_impossible_symbol_changes_nothing(two, markets) -> None:
    with pytest.raises(SettingsError):
        two.change(*markets)
    assert two.system.settings.markets == (BINANCE, BYBIT)
    two.runtime.advance(3)
    assert two.health("bybit:BTCUSDT") is Health.LIVE


class Broken(Actor):
    """Cannot start."""

    def on_start(self) -> None:
        raise OSError(28, "no space left")


class Stubborn(Actor):
    """Takes no settings."""

    def on_receive(self, message: Any) -> Any:
        raise ValueError(message)


def test_settings_are_rolled_back_if_an_added_market_does_not_start(systems) -> None:
    two = systems(BINANCE, BYBIT, replace={"quote_poller:okx": Broken})
    with pytest.raises(ReconfigureFailed, match="quote_poller:okx"):
        two.change(BINANCE, OKX)
    two.runtime.advance(5)
    assert two.system.settings.markets == (BINANCE, BYBIT)
    assert not any(name.endswith("okx") for name in two.actors())
    assert two.open_links("okx") == 0
    assert two.health("bybit:BTCUSDT") is two.health("ETHUSDT") is Health.LIVE
    assert two.system.mark("okx:BTC-USDT-SWAP") is None


def test_markets_are_rolled_back_if_a_shared_actor_takes_no_settings(systems) -> None:
    two = systems(BINANCE, BYBIT, replace={"risk_monitor": Stubborn})
    with pytest.raises(ReconfigureFailed, match="risk_monitor"):
        two.change(BINANCE, OKX)
    two.runtime.advance(5)
    assert two.system.settings.markets == (BINANCE, BYBIT)
    assert [name for name in two.actors() if ":" in name] == [
        "stream_consumer:binance_futures",
        "quote_poller:binance_futures",
        "stream_consumer:bybit",
        "quote_poller:bybit",
    ]
    assert two.health("bybit:BTCUSDT") is Health.LIVE
    two.system.stop()


# --- replaced actors and brokers


def test_a_replaced_actor_of_markets_is_made_for_each_of_them(systems) -> None:
    made: list[str] = []

    def poller(*, name: str) -> Actor:
        made.append(name)
        return Actor()

    systems(BINANCE, BYBIT, replace={"quote_poller": poller})
    assert made == ["binance_futures", "bybit"]
    only = systems(BINANCE, BYBIT, replace={"quote_poller:bybit": None})
    assert "quote_poller:bybit" not in only.actors()
    assert "quote_poller:binance_futures" in only.actors()


class Broker:
    """A host's broker with a constant market."""

    def __init__(self, bid: str) -> None:
        self.bid = bid

    def get_quote(self, symbol: str) -> Any:
        return {"symbol": symbol, "bid": self.bid, "ask": self.bid}

    def stream_orderbook(self, symbols: Any, level: int = 1) -> Any:  # noqa: ARG002 - the protocol
        return iter(())

    def stream_trades(self, symbols: Any) -> Any:  # noqa: ARG002 - the protocol
        return iter(())


def test_a_broker_of_the_system_goes_with_one_market_only() -> None:
    with pytest.raises(SettingsError, match=r"Market\(\.\.\., broker=\.\.\.\)"):
        PerpsSystem(Settings(markets=(BINANCE, BYBIT)), broker=Broker("1"))


def test_markets_have_brokers_of_their_own(tmp_path) -> None:
    markets = (
        Market("host_broker", ("AAA",), broker=Broker("10")),
        Market("host_broker", ("BBB",), broker=Broker("20")),
    )
    settings = Settings(
        markets=markets,
        stream=StreamSettings(enabled=False),
        poll=PollSettings(interval_s=0.05),
        journal=JournalSettings(path=str(tmp_path / "events.journal")),
    )
    got: list[Mark] = []
    with PerpsSystem(settings) as perps:
        subscription = perps.subscribe(got.append, Mark)
        runtime = perps._runtime
        end_ns = runtime.clock.monotonic_ns() + 5 * 10**9
        while len(perps.marks) < 2 and runtime.clock.monotonic_ns() < end_ns:
            perps.flush()
        subscription.close()
        assert {i.symbol: str(mark.mark) for i, mark in perps.marks.items()} == {
            "AAA": "10.0",
            "BBB": "20.0",
        }
        with pytest.raises(PartAbsent, match="no broker"):
            _ = perps.broker


def test_markets_are_added_and_removed_by_a_followed_file(systems, tmp_path) -> None:
    def table(market: Market) -> str:
        return f'[[market]]\nvenue = "{market.venue}"\nsymbols = {list(market.symbols)}\n'

    path = tmp_path / "perps.toml"
    path.write_text(table(BINANCE) + table(BYBIT))
    two = systems(BINANCE, BYBIT)
    file = SettingsFile(path)
    file.look()
    follower = Follower(
        file,
        layers_of(file=path),
        now=lambda: two.system.settings,
        reconfigure=two.system.reconfigure,
        report=two.system._composition.parts.report,
        every_s=1.0,
    )
    path.write_text(table(BYBIT) + table(OKX))
    assert [change.field for change in follower.look()] == ["markets", "poll.interval_s"]
    two.runtime.advance(3)
    assert {instrument.venue for instrument in two.system.marks} == {"bybit", "okx"}
    path.write_text('venue = "bybit"\nsymbols = ["ETHUSDT"]\n')
    follower.look()
    two.runtime.advance(3)
    assert [str(instrument) for instrument in two.system.marks] == ["bybit:ETHUSDT"]
    path.write_text('symbols = ["A"]\n' + table(BYBIT))
    assert follower.look() == ()
    two.runtime.advance(1)
    refused = [dict(e.data) for e in two.events if e.kind == "settings_refused"]
    assert [(data["field"], data["place"]) for data in refused] == [("symbols", str(path))]


def test_a_reader_that_iterates_while_markets_change_sees_a_complete_system(two) -> None:
    markets = two.system._composition.markets
    reading, children = iter(markets.items()), iter(two.system._composition.children)
    next(reading), next(children)
    two.change(BINANCE, OKX)
    assert [name for name, _ in reading] == ["bybit"]
    assert [child.name for child in children][-1] == "quote_poller:bybit"
    assert list(two.system._composition.markets) == ["binance_futures", "okx"]
