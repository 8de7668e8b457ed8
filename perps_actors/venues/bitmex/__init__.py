"""BitMEX: perpetuals and dated futures, inverse, linear and quanto.

The venue offers neither sequence numbers of its books nor times of its liquidations.
"""

from __future__ import annotations

from perps_actors.venues.bitmex.rest import LIVE, NAME, BitmexRest
from perps_actors.venues.bitmex.stream import BitmexStream
from perps_actors.venues.contract import Venue

VENUE = Venue(name=NAME, endpoints=LIVE, stream=BitmexStream, rest=BitmexRest, weight_per_minute=30)
