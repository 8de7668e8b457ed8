"""Simulated Deribit perpetuals, linear and inverse."""

from __future__ import annotations

from typing import Final

from perps_actors.simulator.venues import Terms, VenueSide
from perps_actors.simulator.venues.deribit.rest import DeribitRestSide
from perps_actors.simulator.venues.deribit.stream import DeribitStreams

SIDE: Final = VenueSide(
    "deribit",
    Terms(
        symbols=("BTC-PERPETUAL", "ETH-PERPETUAL", "ETH_USDC-PERPETUAL"),
        like=r"(?P<base>[A-Z0-9]{2,20})(?:_(?P<quote>USDC|USDT)|(?P<inverse>))-PERPETUAL",
        usual_quote="USD",
        typical={
            "BTC-PERPETUAL": (135_000, "0.5", "10"),
            "ETH-PERPETUAL": (52_400, "0.05", "1"),
            "BTC_USDC-PERPETUAL": (675_000, "0.1", "0.0001"),
            "ETH_USDC-PERPETUAL": (262_000, "0.01", "0.001"),
        },
    ),
    DeribitStreams("deribit"),
    DeribitRestSide(),
)
