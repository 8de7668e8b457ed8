"""Binance futures' streams: books, touch, trades, venue marks, liquidations and candles.

Source: developers.binance.com/docs/derivatives/usds-margined-futures (market streams), read
2026-10. The address of a connection subscribes its streams. The venue closes a connection after
24 h. Pages of different age allow 200 to 1,024 streams a connection: 200 always works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.binance_futures.parse import (
    candle_of_stream,
    liquidation_of,
    marks_of,
    touch_of,
    trade_of,
)
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest, book_of
from perps_actors.venues.binance_futures.schema import (
    EVENT_NAMES,
    USD_M,
    AggTrade,
    BookTicker,
    Combined,
    DepthUpdate,
    Dialect,
    Event,
    ForceOrder,
    Kline,
    MarkPrice,
    Route,
    Unused,
)
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.toolkit.rest_snapshot_book import RestSnapshotBook, read_snapshot
from perps_actors.venues.toolkit.symbol_stream import (
    SymbolStates,
    SymbolStream,
    batches,
    chosen,
    refused,
)

CHANNELS: Final = frozenset({"book", "touch", "trades", "marks", "liquidations", "candles"})
"""The channels; candles are of a minute."""
STREAMS_PER_CONNECTION: Final = 200
STREAMS_PER_REQUEST: Final = 50
"""Streams in a request to subscribe; the venue takes ten requests a second on a connection."""
MAX_AGE_S: Final = 23.5 * 3600

_READERS: Final[dict[type, Callable[[InstrumentId, Any, int], Sequence[Outcome]]]] = {
    BookTicker: touch_of,
    AggTrade: trade_of,
    MarkPrice: marks_of,
    ForceOrder: liquidation_of,
    Kline: candle_of_stream,
}
_COMBINED: Final = msgspec.json.Decoder(Combined).decode
_SINGLE: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(Event).decode
_UNUSED: Final = msgspec.json.Decoder(Unused).decode


class BinanceFuturesStream(SymbolStream[RestSnapshotBook]):
    """A `StreamAdapter` for Binance's futures venues.

    After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses; None for the live ones.
        channels: which of `CHANNELS` to subscribe.
        dialect: which of Binance's venues this is.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self,
        endpoints: Endpoints | None = None,
        channels: frozenset[str] = CHANNELS - UNASKED,
        dialect: Dialect = USD_M,
    ) -> None:
        rest = BinanceFuturesRest(endpoints, dialect)
        super().__init__(
            SymbolStates(
                dialect.venue,
                lambda instrument: RestSnapshotBook(instrument, rest.depth(instrument.symbol)),
            ),
            self._shard,
        )
        self._dialect = dialect
        self._base = (endpoints if endpoints is not None else dialect.live).stream
        self._channels = chosen(channels, sorted(CHANNELS), dialect.venue)
        self._request_ids = 0

    def _shard(self, symbols: Sequence[str]) -> Iterable[ConnectionPlan]:
        """Return the connections that carry the channels of `symbols`."""
        return (
            plan
            for name, route in self._dialect.routes.items()
            for plan in self._route(name, route, symbols)
        )

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the frames that turn an open connection of one plan into one of another."""
        address, listed = before.url.split("=", 1)
        address_after, listed_after = after.url.split("=", 1)
        if address != address_after:
            return None
        had, wanted = listed.split("/"), listed_after.split("/")
        gone = [stream for stream in had if stream not in set(wanted)]
        new = [stream for stream in wanted if stream not in set(had)]
        return (*self._requests("UNSUBSCRIBE", gone), *self._requests("SUBSCRIBE", new))

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of a frame: combined (`stream`, `data`) or bare."""
        try:
            event = _COMBINED(data).data
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoder
            return self._not_combined(connection, data, received_ns, error)
        return self._event(event, connection, received_ns)

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Take a depth snapshot, requested or not; any other answer gives nothing."""
        return read_snapshot(
            self._symbols,
            request,
            status,
            body,
            lambda book: book.snapshot(book_of(body), received_ns),
        )

    def _route(self, name: str, route: Route, symbols: Sequence[str]) -> list[ConnectionPlan]:
        suffixes = [
            stream for channel, stream in route.streams.items() if channel in self._channels
        ]
        if not suffixes:
            return []
        return [
            ConnectionPlan(
                name=f"{name}-{number}",
                url=f"{self._base}{route.path}/stream?streams="
                + "/".join(
                    f"{quote(symbol.lower(), safe='')}@{suffix}"
                    for symbol in shard
                    for suffix in suffixes
                ),
                symbols=tuple(shard),
                sources=route.sources,
                max_age_s=MAX_AGE_S,
            )
            for number, shard in enumerate(
                batches(symbols, STREAMS_PER_CONNECTION // len(suffixes))
            )
        ]

    def _requests(self, method: str, streams: Sequence[str]) -> list[str]:
        frames = []
        for few in batches(streams, STREAMS_PER_REQUEST):
            self._request_ids += 1
            params = [unquote(stream) for stream in few]
            asked = {"method": method, "params": params, "id": self._request_ids}
            frames.append(msgspec.json.encode(asked).decode())
        return frames

    def _event(self, event: Event, connection: str, received_ns: int) -> Sequence[Outcome]:
        symbol = event.symbol
        try:
            book = self._symbols[symbol]
            if book is None:
                return ()
            if type(event) is DepthUpdate:
                return book.update(event, connection, received_ns)
            return _READERS[type(event)](book.instrument, event, received_ns)
        except (MarketError, VenueError) as error:
            return (InvalidInput(str(error), symbol[:50]),)

    def _not_combined(
        self, connection: str, data: bytes, received_ns: int, error: Exception
    ) -> Sequence[Outcome]:
        try:
            event = _SINGLE(data)
        except Exception as bare_error:  # noqa: BLE001 - as in `frame`
            return _no_event(data, error if data.lstrip()[:9] == b'{"stream"' else bare_error)
        return self._event(event, connection, received_ns)


def _no_event(data: bytes, error: Exception) -> Sequence[Outcome]:
    """Return the outcomes of answers to requests, and of events that are not read."""
    invalid = InvalidInput(f"{error}: in frame {data[:80]!r}")
    try:
        frame = _UNUSED(data)
    except Exception:  # noqa: BLE001 - the first error is reported
        return (invalid,)
    if bytes(frame.error) not in (b"", b"null") or (bytes(frame.code) and bytes(frame.msg)):
        return refused(data)
    kind = frame.data.e if frame.data is not None else frame.e
    acknowledged = bytes(frame.result) != b""
    unused = kind is not None and kind not in EVENT_NAMES
    return () if acknowledged or unused else (invalid,)
