"""Coinbase's international perpetuals since 2026-10: Deribit's format behind another gateway.

Source: docs.cdp.coinbase.com (advanced-trade-apis/websocket/websocket-endpoints;
api-reference/coinbase-deribit-app-api), read 2026-10, and captures of 2026-09. Public streams have
a host of their own, which takes subscriptions only. Symbols are Deribit's, such as
`BTC_USDC-PERPETUAL`. The host ends a connection whose client sends nothing for 30 s. Its
answer to a subscription omits channels that it does not know.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from perps_actors.venues.contract import Endpoints, Venue
from perps_actors.venues.deribit.rest import WEIGHT_PER_MINUTE, DeribitRest
from perps_actors.venues.deribit.stream import DeribitStream

NAME: Final = "coinbase_international"
LIVE: Final = Endpoints(stream="wss://streams.drb.coinbase.com", rest="https://drb.coinbase.com")

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=partial(DeribitStream, venue=NAME),
    rest=partial(DeribitRest, venue=NAME),
    not_streamed=frozenset({"funding_time", "predicted_funding"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
