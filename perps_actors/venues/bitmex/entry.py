"""BitMEX in the registry."""

from __future__ import annotations

from perps_actors.venues.bitmex.rest import LIVE, VENUE, BitmexRest
from perps_actors.venues.bitmex.stream import BitmexStream
from perps_actors.venues.contract import Venue

ENTRY = Venue(name=VENUE, endpoints=LIVE, stream=BitmexStream, rest=BitmexRest, weight_per_minute=30)
