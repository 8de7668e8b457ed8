"""Simulated Bybit linear and inverse contracts."""

from __future__ import annotations

from typing import Final

from perps_actors.simulator.venues import USDT_CONTRACTS, Terms, VenueSide
from perps_actors.simulator.venues.bybit.rest import BybitRestSide
from perps_actors.simulator.venues.bybit.stream import BybitStreams
from perps_actors.venues.bybit.rest import NAME

SIDE: Final = VenueSide(
    NAME,
    Terms(
        symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"),
        like=r"(?P<base>[A-Z0-9]{1,20})(?P<quote>USDT)",
        counts_by_one=True,
        typical=USDT_CONTRACTS,
    ),
    BybitStreams(),
    BybitRestSide(),
)
