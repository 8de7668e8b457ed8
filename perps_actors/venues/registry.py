"""The registry of venues. To add one, put its name here and a folder of that name beside with its `VENUE`."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from perps_actors.errors import SettingsError
from perps_actors.venues.contract import Venue

__all__ = ["VENUES", "Venue", "venue"]

VENUES: Final = (
    "binance_futures",
    "binance_delivery",
    "bybit",
    "okx",
    "deribit",
    "coinbase_international",
    "bitmex",
    "gateio_futures",
    "kraken_futures",
    "htx_swap",
)
"""Names of the known venues. A venue is imported when it is asked for: who needs one does not wait for the others."""


def venue(name: str, place: str = "venue()") -> Venue:
    """Return the venue of that name.

    Args:
        name: one of `VENUES`.
        place: where the name was given, for the error.

    Raises:
        SettingsError: there is none of that name.
    """
    if name not in VENUES:
        raise SettingsError(
            field="venue",
            value=name,
            why=f"unknown, expected one of {', '.join(VENUES)}",
            place=place,
        )
    entry: Venue = import_module(f"perps_actors.venues.{name}").VENUE
    return entry
