"""Kraken Futures' streams: books, touch, trades with liquidations, venue marks, index, funding and open interest.

Source: docs.kraken.com (exchange/api-reference/futures-websocket: overview, book, ticker, trade), read 2026-10, and captures of 2021 to
2026. A book begins with `book_snapshot`; each `book` after it changes one level, and its `seq` is one more than that before, in each
product by itself, else the book is subscribed anew. A ping is due every 60 s at least; it is sent as text, whatever comes back.
Each product that is subscribed is acknowledged by itself. No feed is of liquidations; a trade says whether it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import Level, levels_of
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.numbers import spelled
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import Endpoints, InvalidInput, Outcome
from perps_actors.venues.kraken_futures.parse import backlog_of, lite_of, ticker_of, trade_of
from perps_actors.venues.kraken_futures.rest import LIVE, NAME
from perps_actors.venues.kraken_futures.schema import (
    FEEDS,
    BookDelta,
    BookSnapshot,
    Message,
    Ticker,
    TickerLite,
    TradeMessage,
    TradeSnapshot,
    Unused,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.subscriptions import Op, Subscriptions, batches
from perps_actors.venues.toolkit.symbols import SymbolStates

SUBSCRIBED: Final = ("book", "ticker", "trade")
SYMBOLS_PER_CONNECTION: Final = 100
SYMBOLS_PER_REQUEST: Final = 50
KEEP_ALIVE: Final = ('{"event":"ping"}', 30.0)

_REFUSALS: Final = frozenset({"error", "alert", "subscribed_failed", "unsubscribed_failed"})
_MESSAGE: Final = msgspec.json.Decoder(Message).decode
_UNUSED: Final = msgspec.json.Decoder(Unused)


def _request(feed: str, op: Op, symbols: Sequence[str]) -> str:
    return msgspec.json.encode({"event": op, "feed": feed, "product_ids": symbols}).decode()


def _renewal(symbol: str) -> list[str]:
    return [_request("book", "unsubscribe", [symbol]), _request("book", "subscribe", [symbol])]


class KrakenFuturesStream:
    """A `StreamAdapter` for Kraken Futures. Once `plan` was called, other symbols are complained of. Symbols are in upper case.

    Args:
        endpoints: where the venue lives.
    """

    def __init__(self, endpoints: Endpoints = LIVE) -> None:
        self._url = f"{endpoints.stream}/ws/v1"
        self._feeds = [
            Subscriptions(lambda plan: plan.symbols, partial(_request, feed), SYMBOLS_PER_REQUEST)
            for feed in SUBSCRIBED
        ]
        self._books = SymbolStates(NAME, lambda instrument: ResubscribingBook(instrument, _renewal))

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry book, ticker and trades of `symbols`, at most `SYMBOLS_PER_CONNECTION` on each.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        wanted = self._books.plan(symbols)
        plans = tuple(
            ConnectionPlan(
                name=f"public-{number}",
                url=self._url,
                symbols=tuple(shard),
                sources=("book", "touch", "trades"),
                keep_alive=KEEP_ALIVE,
            )
            for number, shard in enumerate(batches(wanted, SYMBOLS_PER_CONNECTION))
        )
        for feed in self._feeds:
            feed.planned(plans)
        return plans

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the requests that subscribe what is new and unsubscribe what is gone."""
        frames = [feed.amend(before, after) for feed in self._feeds]
        return (
            tuple(frame for feed in frames for frame in feed or ()) if None not in frames else None
        )

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """A connection was opened: subscribe."""
        return [frame for feed in self._feeds for frame in feed.opened(connection)]

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn."""
        fed = [book for book in self._books.all() if book.connection == connection]
        return [
            outcome
            for book in fed
            for outcome in book.closed(f"connection {connection} ended", received_ns)
        ]

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says."""
        try:
            message = _MESSAGE(data)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return self._no_message(data, error)
        try:
            book = self._books.current(message.product_id)
            # What there is no book for was on its way when it was unsubscribed.
            return (
                _READINGS[type(message)](book, message, connection, received_ns)
                if book is not None
                else ()
            )
        except (MarketError, VenueError) as error:
            return (InvalidInput(str(error), message.product_id[:50]),)

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:  # noqa: ARG002
        """An answer that was not asked for here: books come by the stream alone."""
        return ()

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

    def _no_message(self, data: bytes, error: Exception) -> Sequence[Outcome]:
        invalid_input = InvalidInput(f"{error}: in frame {data[:80]!r}")
        try:
            frame = _UNUSED.decode(data)
        except Exception:  # noqa: BLE001 - the first error says it
            return (invalid_input,)
        if frame.event is not None:
            refused = frame.event in _REFUSALS
            return (
                (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
                if refused
                else ()
            )
        return (invalid_input,) if frame.feed is None or frame.feed in FEEDS else ()


def _snapshot(
    book: ResubscribingBook, whole: BookSnapshot, connection: str, received_ns: int
) -> Sequence[Outcome]:
    bids, asks, time_ns = levels_of(whole.bids), levels_of(whole.asks), whole.timestamp * NS_PER_MS
    return book.snapshot(
        bids, asks, connection, sequence=whole.seq, venue_time_ns=time_ns, received_ns=received_ns
    )


def _delta(
    book: ResubscribingBook, delta: BookDelta, connection: str, received_ns: int
) -> Sequence[Outcome]:
    level, last, sequence, time_ns = (
        Level(spelled(delta.price), spelled(delta.size)),
        book.sequence,
        delta.seq,
        delta.timestamp * NS_PER_MS,
    )
    bids, asks = ((level,), ()) if delta.side == "buy" else ((), (level,))
    broken = (
        None
        if last is None or sequence == last + 1
        else f"gap: number {last} was followed by {sequence}"
    )
    return book.update(
        bids,
        asks,
        connection,
        sequence=sequence,
        venue_time_ns=time_ns,
        received_ns=received_ns,
        broken=broken,
    )


Reading = Callable[[ResubscribingBook, Any, str, int], Sequence[Outcome]]


def _beside(read: Callable[[InstrumentId, Any, int], Sequence[Outcome]]) -> Reading:
    """Return a reading of what is told beside the book."""
    return lambda book, message, _, received_ns: read(book.instrument, message, received_ns)


_READINGS: Final[dict[type, Reading]] = {
    BookDelta: _delta,
    BookSnapshot: _snapshot,
    Ticker: _beside(ticker_of),
    TickerLite: _beside(lite_of),
    TradeMessage: _beside(trade_of),
    TradeSnapshot: _beside(backlog_of),
}
