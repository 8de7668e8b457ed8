"""Binance futures' streams: books, touch, trades, venue marks, liquidations and candles.

Source: developers.binance.com/docs/derivatives/usds-margined-futures (market streams), read 2026-10. Since 2026-04-23 the streams
live on two paths: `/public` (depth, bookTicker) and `/market` (aggTrade, markPrice, forceOrder); on the wrong one a stream is
mute. The venue cuts a connection after 24 h. Pages of different age allow 200 to 1,024 streams a connection: 200 always works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from perps_actors.venues.binance_futures.rest import BinanceFuturesRest
from perps_actors.venues.binance_futures.schema import (
    EVENT_NAMES,
    USD_M,
    AggTrade,
    BookTicker,
    Combined,
    DepthAnswer,
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
from perps_actors.venues.toolkit.rest import status_trouble
from perps_actors.venues.toolkit.rest_snapshot_book import RestSnapshotBook
from perps_actors.venues.toolkit.subscriptions import chosen
from perps_actors.venues.toolkit.symbols import SymbolStates

CHANNELS: Final = frozenset({"book", "touch", "trades", "marks", "liquidations", "candles"})
"""What can be subscribed; candles are those of a minute."""
STREAMS_PER_CONNECTION: Final = 200
STREAMS_PER_REQUEST: Final = 50
"""Streams in one request to subscribe; the venue takes ten requests a second on a connection."""
MAX_AGE_S: Final = 23.5 * 3600

_READINGS: Final[dict[type, Callable[[InstrumentId, Any, int], Sequence[Outcome]]]] = {
    BookTicker: touch_of,
    AggTrade: trade_of,
    MarkPrice: marks_of,
    ForceOrder: liquidation_of,
    Kline: candle_of_stream,
}


class BinanceFuturesStream:
    """A `StreamAdapter` for Binance's futures venues. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives; None: the live one.
        channels: which of `CHANNELS` to subscribe.
        dialect: which of them it is.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self,
        endpoints: Endpoints | None = None,
        channels: frozenset[str] = CHANNELS - UNASKED,
        dialect: Dialect = USD_M,
    ) -> None:
        self._dialect = dialect
        self._base = (endpoints if endpoints is not None else dialect.live).stream
        self._rest = BinanceFuturesRest(endpoints, dialect)
        self._channels = chosen(channels, sorted(CHANNELS), dialect.venue)
        self._request_ids = 0
        self._books = SymbolStates(
            dialect.venue,
            lambda instrument: RestSnapshotBook(instrument, self._rest.depth(instrument.symbol)),
        )
        self._combined = msgspec.json.Decoder(Combined).decode
        self._single: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
        self._unused = msgspec.json.Decoder(Unused)
        self._depth_answer = msgspec.json.Decoder(DepthAnswer)

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the channels of `symbols`, at most 200 streams on each.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        wanted = self._books.plan(symbols)
        return tuple(
            plan
            for name, route in self._dialect.routes.items()
            for plan in self._route(name, route, wanted)
        )

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the requests that subscribe what is new and unsubscribe what is gone, at most `STREAMS_PER_REQUEST` streams each."""
        address, listed = before.url.split("=", 1)
        address_after, listed_after = after.url.split("=", 1)
        if address != address_after:
            return None
        had, wanted = listed.split("/"), listed_after.split("/")
        gone, new = (
            [s for s in had if s not in set(wanted)],
            [s for s in wanted if s not in set(had)],
        )
        return (*self._requests("UNSUBSCRIBE", gone), *self._requests("SUBSCRIBE", new))

    def _requests(self, method: str, streams: Sequence[str]) -> list[str]:
        frames = []
        for at in range(0, len(streams), STREAMS_PER_REQUEST):
            self._request_ids += 1
            params = [unquote(stream) for stream in streams[at : at + STREAMS_PER_REQUEST]]
            frames.append(
                msgspec.json.encode(
                    {"method": method, "params": params, "id": self._request_ids}
                ).decode()
            )
        return frames

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """A connection was opened."""
        return ()

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn."""
        fed = [book for book in self._books.all() if book.connection == connection]
        return [
            outcome
            for book in fed
            for outcome in book.lose(f"connection {connection} ended", received_ns)
        ]

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says; combined (`stream`, `data`) or bare."""
        try:
            event = self._combined(data).data
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return self._not_combined(connection, data, received_ns, error)
        return self._event(event, connection, received_ns)

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Take a depth snapshot, asked for or not; any other answer gives nothing."""
        if request.purpose != "depth":
            return ()
        try:
            book = self._books.of(request.symbol or "")
        except VenueError as error:
            return (InvalidInput(str(error)),)
        trouble = status_trouble(request, status)
        if trouble is None:
            try:
                snapshot = self._depth_answer.decode(body)
                return book.snapshot(snapshot, received_ns)
            except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
                trouble = InvalidInput(
                    f"Expected a depth snapshot, was {body[:60]!r}: {error}", request.symbol
                )
        book.no_snapshot()
        return (trouble,)

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol, if it is good, and begin it anew."""
        book = self._books.get(symbol)
        return book.invalidate(cause, received_ns) if book is not None else ()

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks as (price, size), best first; empty where there is no good book."""
        book = self._books.get(symbol)
        return book.depth(levels) if book is not None else ([], [])

    def _route(self, name: str, route: Route, symbols: Sequence[str]) -> list[ConnectionPlan]:
        suffixes = [
            stream for channel, stream in route.streams.items() if channel in self._channels
        ]
        per_connection = STREAMS_PER_CONNECTION // max(len(suffixes), 1)
        shards = (
            [symbols[at : at + per_connection] for at in range(0, len(symbols), per_connection)]
            if suffixes
            else []
        )
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
            for number, shard in enumerate(shards)
        ]

    def _not_combined(
        self, connection: str, data: bytes, received_ns: int, error: Exception
    ) -> Sequence[Outcome]:
        try:
            event = self._single.decode(data)
        except Exception as bare_error:  # noqa: BLE001 - as in `frame`
            return self._no_event(data, error if data.lstrip()[:9] == b'{"stream"' else bare_error)
        return self._event(event, connection, received_ns)

    def _no_event(self, data: bytes, error: Exception) -> Sequence[Outcome]:
        invalid_input = InvalidInput(f"{error}: in frame {data[:80]!r}")
        try:
            frame = self._unused.decode(data)
        except Exception:  # noqa: BLE001 - the first error says it
            return (invalid_input,)
        kind = frame.data.e if frame.data is not None else frame.e
        if bytes(frame.error) not in (b"", b"null") or (bytes(frame.code) and bytes(frame.msg)):
            return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
        acknowledged = bytes(frame.result) != b""
        return (
            ()
            if acknowledged or (kind is not None and kind not in EVENT_NAMES)
            else (invalid_input,)
        )

    def _event(self, event: Event, connection: str, received_ns: int) -> Sequence[Outcome]:
        symbol = event.symbol
        try:
            book = self._books.current(symbol)
            if book is None:
                return ()  # on its way when it was unsubscribed
            if type(event) is DepthUpdate:
                return book.update(event, connection, received_ns)
            return _READINGS[type(event)](book.instrument, event, received_ns)
        except (MarketError, VenueError) as error:
            return (InvalidInput(str(error), symbol[:50]),)
