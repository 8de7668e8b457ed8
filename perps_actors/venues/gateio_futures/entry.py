"""Gate.io's futures in the registry."""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.gateio_futures.rest import LIVE, VENUE, GateioFuturesRest
from perps_actors.venues.gateio_futures.stream import GateioFuturesStream

ENTRY = Venue(
    name=VENUE,
    endpoints=LIVE,
    stream=GateioFuturesStream,
    rest=GateioFuturesRest,
    not_streamed=frozenset({"funding_time", "predicted_funding"}),
    weight_per_minute=1_200,
)
