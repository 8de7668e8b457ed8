"""Kraken Futures."""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.kraken_futures.rest import LIVE, NAME, WEIGHT_PER_MINUTE, KrakenFuturesRest
from perps_actors.venues.kraken_futures.stream import KrakenFuturesStream

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=KrakenFuturesStream,
    rest=KrakenFuturesRest,
    not_streamed=frozenset({"candles"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
