"""The venues there are. A venue is added with one entry here and one folder beside."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from perps_actors.errors import SettingsError
from perps_actors.venues.binance_futures.rest import LIVE as BINANCE_FUTURES
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.stream import BinanceFuturesStream
from perps_actors.venues.contract import Endpoints, RestAdapter, StreamAdapter


@attrs.frozen(kw_only=True)
class Venue:
    """A venue: where it lives and what reads and speaks its format."""

    name: str
    endpoints: Endpoints
    """The live ones; the factories take these or a simulator's."""
    stream: Callable[[Endpoints], StreamAdapter]
    rest: Callable[[Endpoints], RestAdapter]
    weight_per_minute: int
    """The rate limit on REST requests, in the weights that `rest` gives them."""


_REGISTERED = (
    Venue(
        name="binance_futures",
        endpoints=BINANCE_FUTURES,
        stream=BinanceFuturesStream,
        rest=BinanceFuturesRest,
        weight_per_minute=2_400,
    ),
)

VENUES: tuple[str, ...] = tuple(entry.name for entry in _REGISTERED)
"""Names of the known venues."""

_BY_NAME = {entry.name: entry for entry in _REGISTERED}


def venue(name: str, place: str = "venue()") -> Venue:
    """Return the venue of that name.

    Args:
        name: one of `VENUES`.
        place: where the name was given, for the error.

    Raises:
        SettingsError: there is none of that name.
    """
    found = _BY_NAME.get(name)
    if found is None:
        raise SettingsError(field="venue", value=name, why=f"unknown, expected one of {', '.join(VENUES)}", place=place)
    return found
