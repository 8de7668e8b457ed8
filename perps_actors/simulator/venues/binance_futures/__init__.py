"""Simulated Binance USD-M futures."""

from __future__ import annotations

from typing import Final

from perps_actors.simulator.venues import USDT_CONTRACTS, Terms, VenueSide
from perps_actors.simulator.venues.binance_futures.rest import BinanceRestSide
from perps_actors.simulator.venues.binance_futures.stream import BinanceStreams
from perps_actors.venues.binance_futures.schema import USD_M

_QUOTES: Final = "USDT|USDC|BUSD|FDUSD|USD|BTC"

SIDE: Final = VenueSide(
    USD_M.venue,
    Terms(
        symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"),
        like=rf"(?P<base>[A-Z0-9]{{2,20}}?)(?P<quote>{_QUOTES})?(_\d{{6}})?",
        typical=USDT_CONTRACTS,
    ),
    BinanceStreams(USD_M),
    BinanceRestSide(USD_M),
)
