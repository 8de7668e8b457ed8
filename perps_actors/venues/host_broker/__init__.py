"""A host's own broker object as a venue. `perps_actors.transport.broker` calls the object."""

from __future__ import annotations

from typing import Final

from perps_actors.errors import SettingsError
from perps_actors.transport.broker_calls import BASE
from perps_actors.venues.contract import Endpoints
from perps_actors.venues.host_broker.parse import NAME
from perps_actors.venues.host_broker.rest import HostBrokerRest
from perps_actors.venues.host_broker.stream import HostBrokerStream
from perps_actors.venues.registry import Venue

CALLS_PER_MINUTE: Final = 1_000_000
"""No limit in practice, because only the broker knows how often it may be called."""


def broker_venue(level: int = 1) -> Venue:
    """Return a host's broker as a venue.

    Args:
        level: the depth of order book requested from the broker, from 1.

    Raises:
        SettingsError: the level is below 1.
    """
    if level < 1:
        raise SettingsError(field="level", value=level, why="must be at least 1", place=NAME)
    return Venue(
        name=NAME,
        endpoints=Endpoints(stream=BASE, rest=BASE),
        stream=lambda _: HostBrokerStream(level),
        rest=lambda _: HostBrokerRest(),
        weight_per_minute=CALLS_PER_MINUTE,
    )
