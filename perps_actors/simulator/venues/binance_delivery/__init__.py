"""Simulated Binance COIN-M futures, with the code of USD-M."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from perps_actors.simulator.venues import Terms, VenueSide
from perps_actors.simulator.venues.binance_futures.rest import BinanceRestSide
from perps_actors.simulator.venues.binance_futures.stream import BinanceStreams
from perps_actors.venues.binance_futures.schema import COIN_M

SIDE: Final = VenueSide(
    COIN_M.venue,
    Terms(
        symbols=("BTCUSD_PERP", "ETHUSD_PERP"),
        like=r"(?P<base>[A-Z0-9]{2,20}?)(?P<quote>USD)?_(PERP|\d{6})",
        linear=False,
        contract_size=Decimal(100),
        typical={
            "BTCUSD_PERP": (675_000, "0.1", "1"),
            "ETHUSD_PERP": (262_000, "0.01", "1"),
        },
    ),
    BinanceStreams(COIN_M),
    BinanceRestSide(COIN_M),
)
