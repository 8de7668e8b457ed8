"""HTX swaps in the registry."""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.htx_swap.families import LIVE, VENUE
from perps_actors.venues.htx_swap.rest import WEIGHT_PER_MINUTE, HtxSwapRest
from perps_actors.venues.htx_swap.stream import HtxSwapStream

ENTRY = Venue(
    name=VENUE,
    endpoints=LIVE,
    stream=HtxSwapStream,
    rest=HtxSwapRest,
    not_streamed=frozenset({"predicted_funding", "open_interest"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
