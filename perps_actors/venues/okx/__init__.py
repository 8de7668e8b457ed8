"""OKX's perpetual swaps and dated futures (v5)."""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.okx.rest import LIVE, NAME, WEIGHT_PER_MINUTE, OkxRest
from perps_actors.venues.okx.stream import OkxStream

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=OkxStream,
    rest=OkxRest,
    not_streamed=frozenset({"predicted_funding"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
