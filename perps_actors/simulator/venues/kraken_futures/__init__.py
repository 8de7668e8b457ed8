"""Simulated Kraken futures, linear and inverse."""

from __future__ import annotations

from typing import Final

from perps_actors.simulator.venues import Terms, VenueSide
from perps_actors.simulator.venues.kraken_futures.rest import KrakenFuturesRestSide
from perps_actors.simulator.venues.kraken_futures.stream import KrakenFuturesStreams
from perps_actors.venues.kraken_futures.rest import NAME

SIDE: Final = VenueSide(
    NAME,
    Terms(
        symbols=("PF_XBTUSD", "PF_ETHUSD", "PI_XBTUSD"),
        like=(
            r"(PF|FF|(?P<inverse>PI|FI))_(?P<base>[A-Z0-9]{2,20}?)"
            r"(?P<quote>USD|EUR|GBP|XBT)(_\d{6})?"
        ),
        names={"XBT": "BTC", "XDG": "DOGE"},
        typical={
            "PF_XBTUSD": (67_500, "1", "0.0001"),
            "PF_ETHUSD": (26_200, "0.1", "0.001"),
            "PI_XBTUSD": (135_000, "0.5", "1"),
        },
    ),
    KrakenFuturesStreams(),
    KrakenFuturesRestSide(),
)
