"""Simulated HTX swaps, linear and inverse."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from perps_actors.simulator.venues import Terms, VenueSide
from perps_actors.simulator.venues.htx_swap.rest import HtxRestSide
from perps_actors.simulator.venues.htx_swap.stream import HtxStreams
from perps_actors.venues.htx_swap.rest import NAME

SIDE: Final = VenueSide(
    NAME,
    Terms(
        symbols=("BTC-USDT", "ETH-USDT", "BTC-USD"),
        like=r"(?P<base>[A-Z0-9]{1,20})-(?P<quote>USDT|(?P<inverse>USD))",
        contract_size=Decimal("0.001"),
        inverse_contract_size=Decimal(100),
        counts_by_one=True,
        typical={
            "BTC-USDT": (675_000, "0.1", "1"),
            "ETH-USDT": (262_000, "0.01", "1"),
            "BTC-USD": (675_000, "0.1", "1"),
        },
    ),
    HtxStreams(),
    HtxRestSide(),
)
