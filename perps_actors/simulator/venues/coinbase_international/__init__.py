"""Simulated Coinbase International, with the code of Deribit."""

from __future__ import annotations

from typing import Final

import attrs

from perps_actors.simulator.venues import VenueSide, deribit
from perps_actors.simulator.venues.deribit.stream import DeribitStreams

_NAME: Final = "coinbase_international"

SIDE: Final = VenueSide(
    _NAME,
    attrs.evolve(deribit.SIDE.terms, symbols=("BTC_USDC-PERPETUAL", "ETH_USDC-PERPETUAL")),
    DeribitStreams(_NAME),
    deribit.SIDE.rest,
)
