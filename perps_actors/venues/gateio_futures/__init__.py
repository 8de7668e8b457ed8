"""Gate.io futures: perpetuals margined in USDT (v4).

Not offered by its streams: when funding is next paid, which the list of contracts says; a refusal of contracts that do not exist.
"""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.gateio_futures.rest import LIVE, NAME, GateioFuturesRest
from perps_actors.venues.gateio_futures.stream import GateioFuturesStream

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=GateioFuturesStream,
    rest=GateioFuturesRest,
    not_streamed=frozenset({"funding_time", "predicted_funding"}),
    weight_per_minute=1_200,
)
