"""Fetch the candles of the last hour and the funding paid last, with a venue's adapter.

The adapter makes requests and reads answers; any HTTP client carries them.

Run: python examples/candles.py VENUE SYMBOL [REST_ADDRESS]
e.g. python examples/candles.py binance_futures BTCUSDT
The default address is the venue's own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

import requests

from perps_actors.market.candle import Candle
from perps_actors.market.events import FundingPaid
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import Endpoints, InvalidInput, Outcome, RestAdapter
from perps_actors.venues.registry import venue

HOUR_NS = 3_600_000_000_000


def fetched(rest: RestAdapter, requested: Iterable[HttpRequest]) -> Iterator[Outcome]:
    """Make requests and yield the market events in the answers."""
    for request in requested:
        answer = requests.get(request.url, timeout=10)
        yield from rest.read(request, answer.status_code, answer.content, time.time_ns())


def main(name: str, symbol: str, address: str | None = None) -> None:
    """Print the five-minute candles, then the funding."""
    known, now_ns = venue(name), time.time_ns()
    rest = known.rest(
        Endpoints(stream="", rest=address) if address is not None else known.endpoints
    )
    requested = (
        *rest.candles(symbol, 300, now_ns - HOUR_NS, now_ns),
        *rest.funding_history(symbol, now_ns - 24 * HOUR_NS, now_ns),
    )
    for found in fetched(rest, requested):
        match found:
            case Candle():
                begun = time.strftime("%H:%M", time.gmtime(found.open_time_ns / 1e9))
                prices = f"open {found.open} high {found.high} low {found.low} close {found.close}"
                print(f"{begun} {prices} volume {found.volume}")
            case FundingPaid():
                paid = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.time_ns / 1e9))
                print(f"{paid} paid {found.rate}")
            case InvalidInput(what):
                print(what, file=sys.stderr)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
