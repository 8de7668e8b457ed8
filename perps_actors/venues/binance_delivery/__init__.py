"""Binance COIN-M futures: the code of Binance USD-M with other addresses and contracts."""

from __future__ import annotations

from functools import partial

from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.schema import COIN_M
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import Venue

VENUE = Venue(
    name=COIN_M.venue,
    endpoints=COIN_M.live,
    stream=partial(BinanceFuturesStream, dialect=COIN_M),
    rest=partial(BinanceFuturesRest, dialect=COIN_M),
    not_streamed=frozenset({"index", "predicted_funding", "open_interest"}),
    weight_per_minute=2_400,
)
