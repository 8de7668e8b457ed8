"""Kraken Futures' streams.

Source: docs.kraken.com (exchange/api-reference/futures-websocket: overview, book, ticker, trade),
read 2026-10, and captures of 2021 to 2026. The client must send a ping at least every 60 s, also
while it receives data; ours is a text frame. Each subscribed product is acknowledged by itself. No
feed has liquidations; a trade says whether it is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import Endpoints, InvalidInput, Outcome
from perps_actors.venues.kraken_futures.parse import READERS, SymbolState
from perps_actors.venues.kraken_futures.rest import LIVE, NAME
from perps_actors.venues.kraken_futures.schema import FEEDS, Event, Unused
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    SymbolStream,
    refused,
    sharded,
)

SUBSCRIBED: Final = ("book", "ticker", "trade")
SYMBOLS_PER_CONNECTION: Final = 100
SYMBOLS_PER_REQUEST: Final = 50
KEEP_ALIVE: Final = ('{"event":"ping"}', 30.0)

_REFUSALS: Final = frozenset({"error", "alert", "subscribed_failed", "unsubscribed_failed"})
_MESSAGE: Final = msgspec.json.Decoder(Event).decode
_UNUSED: Final = msgspec.json.Decoder(Unused).decode


def _request(feed: str, op: Op, symbols: Sequence[str]) -> str:
    return msgspec.json.encode({"event": op, "feed": feed, "product_ids": symbols}).decode()


def _resubscribe(symbol: str) -> list[str]:
    return [_request("book", "unsubscribe", [symbol]), _request("book", "subscribe", [symbol])]


class KrakenFuturesStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for Kraken Futures. After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        super().__init__(
            SymbolStates(NAME, lambda instrument: SymbolState(instrument, _resubscribe)),
            sharded(
                ConnectionPlan(
                    name="public",
                    url=f"{endpoints.stream}/ws/v1",
                    sources=("book", "touch", "trades"),
                    keep_alive=KEEP_ALIVE,
                ),
                SYMBOLS_PER_CONNECTION,
            ),
            *(
                Subscriptions(
                    lambda plan: plan.symbols, partial(_request, feed), SYMBOLS_PER_REQUEST
                )
                for feed in SUBSCRIBED
            ),
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the events in a frame."""
        try:
            message = _MESSAGE(data)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return _not_decoded(data, error)
        symbol = message.product_id
        try:
            state = self._symbols[symbol]
            if state is None:
                return ()
            return READERS[type(message)](state, message, connection, received_ns)
        except (MarketError, VenueError) as error:
            return (InvalidInput(str(error), symbol[:50]),)


def _not_decoded(data: bytes, error: Exception) -> Sequence[Outcome]:
    invalid = InvalidInput(f"{error}: in frame {data[:80]!r}")
    try:
        frame = _UNUSED(data)
    except Exception:  # noqa: BLE001 - the first error is reported
        return (invalid,)
    if frame.event in _REFUSALS:
        return refused(data)
    unused = frame.event is not None or (frame.feed is not None and frame.feed not in FEEDS)
    return () if unused else (invalid,)
