"""The simulated venues. To add one, add a folder here with its `SIDE`, and its name to `SERVED`."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import attrs

from perps_actors.errors import SimulatorError
from perps_actors.simulator.market import Terms
from perps_actors.simulator.rest_side import RestSide
from perps_actors.simulator.venue_contract import StreamSide

SERVED: Final = (
    "binance_futures",
    "binance_delivery",
    "bybit",
    "okx",
    "bitmex",
    "gateio_futures",
    "htx_swap",
    "kraken_futures",
    "deribit",
    "coinbase_international",
)
"""Names of the venues that can be simulated. A venue is imported when it is used."""


@attrs.frozen
class VenueSide:
    """The server side of a venue."""

    name: str
    terms: Terms
    streams: StreamSide
    rest: RestSide


def side_of(venue: str, place: str = "") -> VenueSide:
    """Return the server side of a venue.

    Args:
        venue: name of the venue.
        place: prefix of the error, such as the file that names the venue.

    Raises:
        SimulatorError: the venue cannot be simulated.
    """
    if venue not in SERVED:
        msg = f"{place}venue = {venue!r}: expected one of {', '.join(sorted(SERVED))}"
        raise SimulatorError(msg)
    side: VenueSide = import_module(f"{__name__}.{venue}").SIDE
    return side
