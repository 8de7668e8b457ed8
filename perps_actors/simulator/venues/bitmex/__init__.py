"""Simulated BitMEX linear contracts."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from perps_actors.simulator.venues import USDT_CONTRACTS, Terms, VenueSide
from perps_actors.simulator.venues.bitmex.rest import BitmexRestSide
from perps_actors.simulator.venues.bitmex.stream import BitmexStreams
from perps_actors.venues.bitmex.rest import NAME

SIDE: Final = VenueSide(
    NAME,
    Terms(
        symbols=("XBTUSDT", "SOLUSDT", "ADAUSDT"),
        like=r"(?P<base>[A-Z0-9]{2,20})(?P<quote>USDT)",
        names={"XBT": "BTC"},
        contract_size=Decimal("0.000001"),
        typical=USDT_CONTRACTS,
    ),
    BitmexStreams(),
    BitmexRestSide(),
)
