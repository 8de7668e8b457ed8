"""Simulated OKX perpetual swaps."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from perps_actors.simulator.venues import Terms, VenueSide
from perps_actors.simulator.venues.okx.rest import OkxRestSide
from perps_actors.simulator.venues.okx.stream import OkxStreams
from perps_actors.venues.okx.rest import NAME

SIDE: Final = VenueSide(
    NAME,
    Terms(
        symbols=("BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP"),
        like=r"(?P<base>[A-Z0-9]{1,20})-(?P<quote>USDT|USDC)-SWAP",
        contract_size=Decimal("0.01"),
        typical={
            "BTC-USDT-SWAP": (675_000, "0.1", "0.01"),
            "ETH-USDT-SWAP": (262_000, "0.01", "0.01"),
            "SOL-USDT-SWAP": (15_200, "0.01", "0.01"),
        },
    ),
    OkxStreams(),
    OkxRestSide(),
)
