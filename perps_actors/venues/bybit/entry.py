"""Bybit in the registry."""

from __future__ import annotations

from perps_actors.venues.bybit.rest import LIVE, VENUE, WEIGHT_PER_MINUTE, BybitRest
from perps_actors.venues.bybit.stream import BybitStream
from perps_actors.venues.contract import Venue

ENTRY = Venue(
    name=VENUE,
    endpoints=LIVE,
    stream=BybitStream,
    rest=BybitRest,
    not_streamed=frozenset({"predicted_funding"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
