"""Simulated Gate.io USDT futures."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from perps_actors.simulator.venues import Terms, VenueSide
from perps_actors.simulator.venues.gateio_futures.rest import GateioRestSide
from perps_actors.simulator.venues.gateio_futures.stream import GateioStreams
from perps_actors.venues.gateio_futures.rest import NAME

SIDE: Final = VenueSide(
    NAME,
    Terms(
        symbols=("BTC_USDT", "ETH_USDT", "SOL_USDT"),
        like=r"(?P<base>[A-Z0-9]{1,20})_(?P<quote>USDT)",
        contract_size=Decimal("0.0001"),
        typical={
            "BTC_USDT": (675_000, "0.1", "1"),
            "ETH_USDT": (262_000, "0.01", "1"),
            "SOL_USDT": (15_200, "0.01", "1"),
        },
    ),
    GateioStreams(),
    GateioRestSide(),
)
