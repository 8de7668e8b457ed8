"""Binance USD-M futures."""

from __future__ import annotations

from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.schema import USD_M
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import Venue

VENUE = Venue(
    name=USD_M.venue,
    endpoints=USD_M.live,
    stream=BinanceFuturesStream,
    rest=BinanceFuturesRest,
    not_streamed=frozenset({"predicted_funding", "open_interest"}),
    weight_per_minute=2_400,
)
