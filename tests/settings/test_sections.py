from __future__ import annotations

import attrs
import pytest

from perps_actors.errors import SettingsError
from perps_actors.host.system import PerpsSystem
from perps_actors.settings import MarkSettings, RiskSettings, Settings, StreamSettings
from perps_actors.testing import FakeNetwork, SimulatedRuntime


@pytest.mark.parametrize(
    "make",
    [
        lambda: StreamSettings(source="rumours"),  # type: ignore[arg-type]
        lambda: Settings(symbols=("A",), provenance="hearsay"),  # type: ignore[arg-type]
        lambda: Settings(symbols=()),
        lambda: Settings(symbols=("A", "A")),
        lambda: RiskSettings(stale_soft_s=10, stale_hard_s=9),
    ],
)
def test_settings_in_code_are_held_to_the_same_rules(make) -> None:
    with pytest.raises(SettingsError):
        make()


def test_settings_cannot_be_changed_once_made() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings(symbols=("A",)).venue = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given_settings", "field"),
    [
        (Settings(symbols=("BTCUSDT",), venue="nowhere"), "venue"),
        (Settings(symbols=("X" * 41,)), "symbols"),
        (Settings(symbols=("BTC\nUSDT",)), "symbols"),
    ],
)
def test_an_unknown_venue_or_impossible_symbol_is_refused_before_anything_starts(
    given_settings, field
) -> None:
    runtime = SimulatedRuntime()
    with pytest.raises(SettingsError) as caught:
        PerpsSystem(
            given_settings, replace={"network": FakeNetwork(runtime.clock), "runtime": runtime}
        )
    assert caught.value.field == field


def test_windows_hold_five_more_marks_than_the_longer_average(worlds) -> None:
    world = worlds(marks=MarkSettings(short=7, long=3))
    world.book("BTCUSDT", 100, 102)
    for _ in range(20):
        world.depth("BTCUSDT")
    assert len(world.marks("BTCUSDT")) == 12
