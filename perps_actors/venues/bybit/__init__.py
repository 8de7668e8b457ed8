"""Bybit's linear and inverse contracts (v5)."""

from __future__ import annotations

from perps_actors.venues.bybit.rest import LIVE, NAME, WEIGHT_PER_MINUTE, BybitRest
from perps_actors.venues.bybit.stream import BybitStream
from perps_actors.venues.contract import Venue

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=BybitStream,
    rest=BybitRest,
    not_streamed=frozenset({"predicted_funding"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
