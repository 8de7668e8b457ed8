"""The registry of venues. To add a venue, add its name here and a folder with its `VENUE`."""

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
"""Names of the known venues. Each is imported when it is first used."""


def venue(name: str, place: str = "venue()") -> Venue:
    """Return the venue of that name.

    Args:
        name: one of `VENUES`.
        place: where the name was given, for the error.

    Raises:
        SettingsError: there is no venue of that name.
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
