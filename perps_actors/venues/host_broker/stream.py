"""The streams of a host's broker: best prices of order books, and trades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.transport.broker_calls import TRADES, orderbook
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import InvalidInput, Outcome
from perps_actors.venues.host_broker.parse import NAME, symbol_of, touch_of
from perps_actors.venues.host_broker.schema import decode_message
from perps_actors.venues.toolkit.stream_book import StreamBook
from perps_actors.venues.toolkit.symbol_stream import SymbolStates, SymbolStream

_SOURCES: Final[dict[str, Source]] = {"orderbook": "book", "trades": "trades"}


class HostBrokerStream(SymbolStream[StreamBook]):
    """A `StreamAdapter` for a host's broker. It has no books: the broker sends its best prices.

    Args:
        level: the depth of order book requested from the broker.
    """

    def __init__(self, level: int) -> None:
        super().__init__(SymbolStates(NAME, StreamBook), self.plan)
        self._level = level
        self._instruments: dict[str, InstrumentId] = {}

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return one connection for all order books and one for all trades."""
        self._instruments = {symbol: InstrumentId(NAME, symbol) for symbol in symbols}
        urls = {"orderbook": orderbook(self._level), "trades": TRADES}
        wanted = tuple(self._instruments)
        return tuple(
            ConnectionPlan(name=name, url=urls[name], symbols=wanted, sources=(source,))
            for name, source in _SOURCES.items()
        )

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return no frames if nothing changes; else None, because an iterator keeps its symbols."""
        return () if (before.url, before.symbols) == (after.url, after.symbols) else None

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the touch in a message."""
        try:
            message = decode_message(data)
            symbol = symbol_of(message)
            instrument = self._instruments.get(symbol)
            if instrument is None:
                return (InvalidInput(f"Expected a subscribed symbol, was {symbol[:50]!r}"),)
            return (touch_of(instrument, message, _SOURCES[connection], received_ns),)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return (InvalidInput(f"{error}: in {connection} message {data[:80]!r}"),)
