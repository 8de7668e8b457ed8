"""HTX (formerly Huobi) perpetual swaps: linear ones margined in USDT, and coin-margined ones of so many US dollars.

Not offered by the venue: open interest by stream and a bulk form of the mark price (both are asked for over REST); a prediction of the
next funding rate since about 2022 (the field is null). Not read: dated futures, but for what the streams say of linear ones.
"""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.htx_swap.rest import WEIGHT_PER_MINUTE, HtxSwapRest
from perps_actors.venues.htx_swap.schema import LIVE, NAME
from perps_actors.venues.htx_swap.stream import HtxSwapStream

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=HtxSwapStream,
    rest=HtxSwapRest,
    not_streamed=frozenset({"predicted_funding", "open_interest"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
