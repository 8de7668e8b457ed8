"""Deribit's perpetuals and dated futures."""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.deribit.rest import LIVE, NAME, WEIGHT_PER_MINUTE, DeribitRest
from perps_actors.venues.deribit.stream import DeribitStream

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=DeribitStream,
    rest=DeribitRest,
    not_streamed=frozenset({"funding_time", "predicted_funding"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
