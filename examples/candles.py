"""Fetch the last hour's candles and the latest paid funding of a perpetual, through a venue's adapter and any HTTP client.

Run: python examples/candles.py [VENUE [SYMBOL [REST_ADDRESS]]]; without an address it asks the venue itself.
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


def fetched(rest: RestAdapter, asked: Iterable[HttpRequest]) -> Iterator[Outcome]:
    """Make requests, and yield what the adapter reads in the answers."""
    for request in asked:
        answer = requests.get(request.url, timeout=10)
        yield from rest.read(request, answer.status_code, answer.content, time.time_ns())


def main(
    name: str = "binance_futures", symbol: str = "BTCUSDT", address: str | None = None
) -> None:
    """Print the candles of five minutes, then the funding."""
    known, now_ns = venue(name), time.time_ns()
    rest = known.rest(
        Endpoints(stream="", rest=address) if address is not None else known.endpoints
    )
    asked = (
        *rest.candles(symbol, 300, now_ns - HOUR_NS, now_ns),
        *rest.funding_history(symbol, now_ns - 24 * HOUR_NS, now_ns),
    )
    for said in fetched(rest, asked):
        match said:
            case Candle():
                begun = time.strftime("%H:%M", time.gmtime(said.open_time_ns / 1e9))
                print(
                    f"{begun} open {said.open} high {said.high} low {said.low} close {said.close} volume {said.volume}"
                )
            case FundingPaid():
                print(
                    f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(said.time_ns / 1e9))} paid {said.rate}"
                )
            case InvalidInput(what):
                print(what, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
