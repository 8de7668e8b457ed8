"""HTX (formerly Huobi) perpetual swaps: linear ones margined in USDT, and coin-margined ones.

The venue has no stream of open interest and no bulk answer of marks, so both are polled. Since
about 2022 it does not predict the next funding rate: the field is null. Of dated futures only the
streams of linear ones are read.
"""

from __future__ import annotations

from perps_actors.venues.contract import Venue
from perps_actors.venues.htx_swap.rest import LIVE, NAME, WEIGHT_PER_MINUTE, HtxSwapRest
from perps_actors.venues.htx_swap.stream import HtxSwapStream

VENUE = Venue(
    name=NAME,
    endpoints=LIVE,
    stream=HtxSwapStream,
    rest=HtxSwapRest,
    not_streamed=frozenset({"predicted_funding", "open_interest"}),
    weight_per_minute=WEIGHT_PER_MINUTE,
)
