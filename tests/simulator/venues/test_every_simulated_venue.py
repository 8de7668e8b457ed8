from __future__ import annotations

from pathlib import Path

import pytest

from perps_actors.errors import SimulatorError
from perps_actors.simulator import venues
from perps_actors.simulator.venues import SERVED, side_of
from perps_actors.venues.registry import VENUES

FOLDERS = {
    folder.name: {file.name for file in folder.glob("*.py")}
    for folder in Path(venues.__file__).parent.iterdir()
    if (folder / "__init__.py").is_file()
}


def test_the_simulated_venues_are_the_folders() -> None:
    assert set(SERVED) == set(FOLDERS)
    assert set(SERVED) <= set(VENUES)


@pytest.mark.parametrize("name", SERVED)
def test_a_simulated_venue_has_the_usual_files_or_reuses_another_venues(name) -> None:
    assert FOLDERS[name] in ({"__init__.py"}, {"__init__.py", "stream.py", "rest.py"})


@pytest.mark.parametrize("name", SERVED)
def test_a_simulated_venue_has_its_name_and_default_symbols_of_its_form(name) -> None:
    side = side_of(name)
    assert side.name == name
    assert {venues.split_pair(symbol, side.terms)[0] for symbol in side.terms.symbols}.isdisjoint(
        side.terms.symbols
    )


def test_an_unknown_venue_is_refused_with_place_and_choice() -> None:
    with pytest.raises(SimulatorError, match=r"^meta: venue = 'nowhere': expected one of .*bybit"):
        side_of("nowhere", "meta: ")
