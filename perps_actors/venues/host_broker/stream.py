"""A host's broker as streams: best prices of its order books, and its trades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.transport.broker_calls import TRADES, orderbook
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome
from perps_actors.venues.host_broker.parse import NAME, read_message, symbol_of, touch_of

_SOURCES: Final[dict[str, Source]] = {"orderbook": "book", "trades": "trades"}


class HostBrokerStream:
    """A `StreamAdapter` for a host's broker. It keeps no books: a broker says its best prices itself.

    Args:
        level: how deep the broker is asked to look into the order book.
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._instruments: dict[str, InstrumentId] = {}

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return one connection for the order books of all symbols and one for their trades."""
        self._instruments = {symbol: InstrumentId(NAME, symbol) for symbol in symbols}
        urls = {"orderbook": orderbook(self._level), "trades": TRADES}
        wanted = tuple(self._instruments)
        return tuple(
            ConnectionPlan(name=name, url=urls[name], symbols=wanted, sources=(source,))
            for name, source in _SOURCES.items()
        )

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return no frames where nothing changes, else None: an iterator has to be begun anew for other symbols."""
        return () if (before.url, before.symbols) == (after.url, after.symbols) else None

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """A connection was opened."""
        return ()

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002 - no books, nothing to withdraw
        """A connection ended."""
        return ()

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the prices in a message."""
        try:
            message = read_message(data)
            symbol = symbol_of(message)
            instrument = self._instruments.get(symbol)
            if instrument is None:
                return (InvalidInput(f"Expected a symbol that was asked for, was {symbol[:50]!r}"),)
            return (touch_of(instrument, message, _SOURCES[connection], received_ns),)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (InvalidInput(f"{error}: in {connection} message {data[:80]!r}"),)

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:  # noqa: ARG002 - none was asked for
        """Return nothing: this adapter wants no requests."""
        return ()

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002 - no books
        """Return nothing: there is nothing to withdraw."""
        return ()

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:  # noqa: ARG002 - no books
        """Return nothing: there are no books."""
        return [], []
