from __future__ import annotations

import pytest

from perps_actors.errors import VenueError
from perps_actors.venues.toolkit.symbol_stream import SymbolStates


def test_what_was_planned_before_is_on_its_way_and_what_never_was_is_refused():
    tracked = SymbolStates("v", lambda instrument: instrument.symbol)
    tracked.plan(["BTC", "ETH"])
    assert (tracked["BTC"], tracked["ETH"]) == ("BTC", "ETH")
    tracked.plan(["ETH"])
    assert (tracked["BTC"], tracked["ETH"]) == (None, "ETH")
    with pytest.raises(VenueError, match="not subscribed"):
        tracked["XRP"]


def test_whatever_comes_is_tracked_where_nothing_was_planned():
    assert SymbolStates("v", lambda instrument: instrument.symbol)["BTC"] == "BTC"
