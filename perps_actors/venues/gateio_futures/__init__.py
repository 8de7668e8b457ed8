"""Gate.io futures: perpetuals margined in USDT (v4).

The streams have no time of the next funding, which the list of contracts has, and do not refuse
contracts that do not exist.
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
