"""BitMEX's streams: books, touch, trades, venue marks, funding, open interest, liquidations and candles.

Source: bitmex.com/app/wsAPI; blog.bitmex.com, "Rate Limiting on WebSocket Connections" (20 connections an hour); both read
2026-10. One address carries all tables; `table:symbol` names a topic, and a request names several. Whoever hears nothing is to
send the bare text `ping`, and hears `pong`. Messages of `quote` are held back for up to a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.bitmex.rest import LIVE, NAME
from perps_actors.venues.bitmex.schema import TABLES, Frame, Unused
from perps_actors.venues.bitmex.tables import SymbolState, outcomes_of
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.toolkit.subscriptions import Following, Op, Subscriptions, batches, chosen
from perps_actors.venues.toolkit.symbols import SymbolStates

CHANNELS: Final = {
    "book": "orderBookL2",
    "touch": "quote",
    "trades": "trade",
    "marks": "instrument",
    "liquidations": "liquidation",
    "candles": "tradeBin1m",
}
"""What can be subscribed, and its table."""
SYMBOLS_PER_CONNECTION: Final = 100
TOPICS_PER_REQUEST: Final = 50
PING: Final = ("ping", 5.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "touch": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame, float_hook=str).decode
_UNUSED: Final = msgspec.json.Decoder(Unused).decode
_BOOK_TABLE: Final = b'"orderBookL2"'
_SYMBOL: Final = re.compile(rb'"symbol"\s*:\s*"([^"\\]{1,40})"')


def _request(op: Op, topics: Sequence[str]) -> str:
    return msgspec.json.encode({"op": op, "args": topics}).decode()


def _book_renewal(symbol: str) -> tuple[str, str]:
    topic = f"{CHANNELS['book']}:{symbol}"
    return _request("unsubscribe", [topic]), _request("subscribe", [topic])


class BitmexStream(Following[SymbolState, str]):
    """A `StreamAdapter` for BitMEX. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        followed = SymbolStates(NAME, lambda instrument: SymbolState(instrument, _book_renewal))
        super().__init__(followed, Subscriptions(self._topics, _request, TOPICS_PER_REQUEST))
        self._url = f"{endpoints.stream}/realtime"
        self._channels = chosen(channels, CHANNELS, NAME)

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the channels of `symbols`.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        return self._subscriptions.planned(
            ConnectionPlan(
                name=f"realtime-{number}",
                url=self._url,
                symbols=tuple(shard),
                sources=tuple(
                    _SOURCES[channel] for channel in self._channels if channel in _SOURCES
                ),
                keep_alive=PING,
            )
            for number, shard in enumerate(
                batches(self._followed.plan(symbols), SYMBOLS_PER_CONNECTION)
            )
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says."""
        try:
            return outcomes_of(_FRAME(data), self._followed.current, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoders is a complaint
            return self._not_read(connection, data, received_ns, error)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [
            f"{CHANNELS[channel]}:{symbol}" for symbol in plan.symbols for channel in self._channels
        ]

    def _not_read(
        self, connection: str, data: bytes, received_ns: int, error: Exception
    ) -> Sequence[Outcome]:
        invalid_input = InvalidInput(f"{error}: in frame {data[:80]!r}")
        if data.strip() == b"pong":
            return ()
        try:
            frame = _UNUSED(data)
        except Exception:  # noqa: BLE001 - the first error says it
            return invalid_input, *self._doubted(connection, data, received_ns)
        if bytes(frame.error) not in (b"", b"null"):
            return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
        if (
            frame.success is not None
            or frame.info is not None
            or (frame.table is not None and frame.table not in TABLES)
        ):
            return ()
        return invalid_input, *self._doubted(connection, data, received_ns)

    def _doubted(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the books that a frame which cannot be read may have changed: no sequence number would tell that it is missing."""
        if _BOOK_TABLE not in data:
            return ()
        named = {name.decode(errors="replace") for name in _SYMBOL.findall(data)}
        fed = [
            followed.book
            for followed in self._followed.all()
            if followed.book.connection == connection
        ]
        doubted = [book for book in fed if book.instrument.symbol in named] or fed
        return [
            outcome
            for book in doubted
            for outcome in book.invalidate("a message could not be read", received_ns)
        ]
