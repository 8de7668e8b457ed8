"""Gate.io's rules for a book that is right, one a channel.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11; frames of 2026-09.
`futures.obu` begins with `full`, which has no `U`; from then on every `U` is the `u` before plus one, else the stream is to be
subscribed anew; a later `full` replaces the book. A message without levels counts like any other.
`futures.order_book_update` waits for a REST snapshot: the first event applied has `U <= id + 1 <= u`, and every `U` is the `u` before
plus one; that is Binance's rule with `U - 1` for the `u` before (`RestSnapshotBook`). A `full` message replaces the book here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.book import Level
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.gateio_futures.parse import (
    candle_in,
    levels_of,
    liquidation_of,
    nanoseconds,
    ticker_of,
    touch_of,
    trade_of,
)
from perps_actors.venues.gateio_futures.rest import LIVE, NAME, GateioFuturesRest
from perps_actors.venues.gateio_futures.schema import (
    BookAnswer,
    BookChange,
    BookTicker,
    BookUpdate,
    CandleRow,
    Frame,
    LiquidationRow,
    TickerRow,
    TradeRow,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.rest import status_trouble
from perps_actors.venues.toolkit.rest_snapshot_book import RestSnapshotBook
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    batches,
    chosen,
)

# merged docstring:
# """What a message of each of Gate.io's channels says, each row read by itself."""
# merged docstring:
# """Gate.io's futures streams: books, touch, trades, venue marks, funding, open interest, liquidations and candles.
#
# Source: gate.com/docs/developers/futures/ws/en, read 2026-11. One address carries all channels; a request names one channel and
# several contracts, of `futures.order_book_update` and `futures.candlesticks` one. The venue pings by itself; `futures.ping` finds out
# whether it still listens.
# """


class _Whole(NamedTuple):
    last_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    time: int


class _Change(NamedTuple):
    first_id: int
    last_id: int
    previous_id: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    time: int


class ContractBook:
    """One contract's book, fed by the stream that was heard of it first; others of the same contract are not heard.

    Args:
        instrument: whose book it is.
        renewal: gives the frames that end the subscription of a pushed book and begin it anew.
        request: what fetches the snapshot of a book that the stream does not push.
    """

    def __init__(
        self,
        instrument: InstrumentId,
        renewal: Callable[[str], Sequence[str]],
        request: HttpRequest,
    ) -> None:
        self._pushed = ResubscribingBook(instrument, renewal)
        self._synced = RestSnapshotBook(instrument, request)
        self._stream: str | None = None

    def push(self, update: BookUpdate, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a message of `futures.obu`.

        Raises:
            MarketError: a level that no book can have; the book is found to lack this message by the next one.
        """
        if not self._hears(update.stream):
            return ()
        time_ns = update.time * NS_PER_MS
        if update.full:
            return self._pushed.snapshot(
                update.bids,
                update.asks,
                connection,
                sequence=update.last_id,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        return self._pushed.update(
            update.bids,
            update.asks,
            connection,
            sequence=update.last_id,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=self._gap(update),
        )

    def change(self, change: BookChange, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Take a message of `futures.order_book_update`.

        Raises:
            MarketError: a level that no book can have; the book is found to lack this message by the next one.
            VenueError: without the number of its first update; likewise.
        """
        if not self._hears("order_book_update"):
            return ()
        bids, asks, first, last = (
            levels_of(change.bids),
            levels_of(change.asks),
            change.first_id,
            change.last_id,
        )
        if change.full:
            return self._synced.replace(
                _Whole(last_id=last, bids=bids, asks=asks, time=change.time),
                connection,
                received_ns,
            )
        if first is None:
            msg = f"Expected the number of the first update before {last}"
            raise VenueError(msg)
        event = _Change(
            first_id=first,
            last_id=last,
            previous_id=first - 1,
            bids=bids,
            asks=asks,
            time=change.time,
        )
        return self._synced.update(event, connection, received_ns)

    def answer(self, answer: BookAnswer, received_ns: int) -> Sequence[Outcome]:
        """Take a REST snapshot, asked for or not; a book that the stream pushes needs none.

        Raises:
            MarketError: a level that no book can have.
        """
        if self._stream is not None and self._stream != "order_book_update":
            return ()
        bids, asks, time_ms = (
            levels_of(answer.bids),
            levels_of(answer.asks),
            nanoseconds(answer.update) // NS_PER_MS,
        )
        return self._synced.snapshot(
            _Whole(last_id=answer.id, bids=bids, asks=asks, time=time_ms), received_ns
        )

    def no_answer(self) -> None:
        """The snapshot asked for will not come: the next event asks again."""
        self._synced.request_failed()

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: if it fed the book, withdraw it."""
        if self._pushed.connection == connection:
            self._stream = None
            return self._pushed.closed(connection, received_ns)
        if self._synced.connection == connection:
            self._stream = None
            return self._synced.closed(connection, received_ns)
        return ()

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw a good book and have it begin anew."""
        return (
            self._pushed.invalidate(cause, received_ns)
            if self._pushed.synced
            else self._synced.invalidate(cause, received_ns)
        )

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self._pushed.depth(levels) if self._pushed.synced else self._synced.depth(levels)

    def _hears(self, stream: str) -> bool:
        if self._stream is None:
            self._stream = stream
        return stream == self._stream

    def _gap(self, update: BookUpdate) -> str | None:
        last = self._pushed.sequence
        if last is None or (update.first_id == last + 1 and update.last_id > last):
            return None
        return f"gap: update {last} was followed by {update.first_id} to {update.last_id}"


_UPDATE: Final = msgspec.json.Decoder(BookUpdate).decode
_CHANGE: Final = msgspec.json.Decoder(BookChange).decode
_TOUCH: Final = msgspec.json.Decoder(BookTicker).decode
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TRADE: Final = msgspec.json.Decoder(TradeRow).decode
_TICKER: Final = msgspec.json.Decoder(TickerRow).decode
_CANDLE: Final = msgspec.json.Decoder(CandleRow).decode
_LIQUIDATION: Final = msgspec.json.Decoder(LiquidationRow).decode


class SymbolState:
    """What is kept for a contract.

    Args:
        instrument: whose it is.
        renewal: gives the frames that end the subscription of its pushed book and begin it anew.
        request: what fetches a snapshot of its book.
    """

    def __init__(
        self,
        instrument: InstrumentId,
        renewal: Callable[[str], Sequence[str]],
        request: HttpRequest,
    ) -> None:
        self.instrument = instrument
        self.book = ContractBook(instrument, renewal, request)


Find = Callable[[str], SymbolState | None]
"""Returns what is kept for a contract; None where it was unsubscribed and this was on its way. Raises `VenueError` where none is."""

Reading = Callable[[Frame, Find, str, int], Sequence[Outcome]]


def _of_one(
    symbol: str, find: Find, read: Callable[[SymbolState], Sequence[Outcome]]
) -> Sequence[Outcome]:
    try:
        followed = find(symbol)
        return read(followed) if followed is not None else ()
    except (MarketError, VenueError) as error:
        return (InvalidInput(str(error), symbol[:50]),)


def _read(
    read: Callable[[InstrumentId, Any], Sequence[Outcome]], row: Any, followed: SymbolState
) -> Sequence[Outcome]:
    return read(followed.instrument, row)


def _of_each(
    frame: Frame,
    find: Find,
    decode: Callable[[msgspec.Raw], Any],
    read: Callable[[InstrumentId, Any], Sequence[Outcome]],
) -> Sequence[Outcome]:
    outcomes: list[Outcome] = []
    for raw in _ROWS(frame.result):
        try:
            row = decode(raw)
        except (msgspec.MsgspecError, RecursionError) as error:
            outcomes.append(InvalidInput(f"{error}: in row {bytes(raw)[:80]!r}"))
            continue
        outcomes += _of_one(row.symbol, find, partial(_read, read, row))
    return outcomes


def _pushed(frame: Frame, find: Find, connection: str, received_ns: int) -> Sequence[Outcome]:
    update = _UPDATE(frame.result)
    symbol = update.stream.partition(".")[2].rpartition(".")[0]
    return _of_one(
        symbol, find, lambda followed: followed.book.push(update, connection, received_ns)
    )


def _changed(frame: Frame, find: Find, connection: str, received_ns: int) -> Sequence[Outcome]:
    change = _CHANGE(frame.result)
    return _of_one(
        change.symbol, find, lambda followed: followed.book.change(change, connection, received_ns)
    )


def _touch(frame: Frame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    row = _TOUCH(frame.result)
    return _of_one(
        row.symbol, find, lambda followed: touch_of(followed.instrument, row, received_ns)
    )


def _trades(frame: Frame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    return _of_each(
        frame, find, _TRADE, lambda instrument, row: trade_of(instrument, row, received_ns)
    )


def _tickers(frame: Frame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    time_ns = _time_ns(frame)
    return _of_each(
        frame,
        find,
        _TICKER,
        lambda instrument, row: ticker_of(instrument, row, time_ns, received_ns),
    )


def _candles(frame: Frame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    time_ns = _time_ns(frame)
    return _of_each(
        frame,
        find,
        _CANDLE,
        lambda instrument, row: candle_in(instrument, row, time_ns, received_ns),
    )


def _time_ns(frame: Frame) -> int | None:
    return frame.time_ms * NS_PER_MS if frame.time_ms is not None else None


def _liquidations(frame: Frame, find: Find, _: str, received_ns: int) -> Sequence[Outcome]:
    return _of_each(
        frame,
        find,
        _LIQUIDATION,
        lambda instrument, row: liquidation_of(instrument, row, received_ns),
    )


READINGS: Final[dict[str, Reading]] = {
    "futures.obu": _pushed,
    "futures.order_book_update": _changed,
    "futures.book_ticker": _touch,
    "futures.trades": _trades,
    "futures.tickers": _tickers,
    "futures.public_liquidates": _liquidations,
    "futures.candlesticks": _candles,
}
"""By channel; what is not here (answers to pings, other channels) says nothing of the market."""

ACKNOWLEDGEMENTS: Final = frozenset({"subscribe", "unsubscribe"})
"""Events that answer requests. That of a push is `update`; the documentation's examples of `futures.obu` have none."""


CHANNELS: Final = {
    "book": "futures.obu",
    "touch": "futures.book_ticker",
    "trades": "futures.trades",
    "marks": "futures.tickers",
    "liquidations": "futures.public_liquidates",
    "candles": "futures.candlesticks",
}
"""What can be subscribed, and the channel that carries it."""
BookFeed = Literal["futures.obu", "futures.order_book_update"]
"""Pushed with its snapshot, 50 levels every 20 ms; or kept with REST snapshots, 100 levels every 100 ms."""
SYMBOLS_PER_CONNECTION: Final = 100
SYMBOLS_PER_REQUEST: Final = 50

# The documentation's own examples send this time: only requests with a key are checked against the clock.
_TIME: Final = 123_456
PING: Final = (f'{{"time":{_TIME},"channel":"futures.ping"}}', 15.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "touch": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame).decode
_BOOK_ANSWER: Final = msgspec.json.Decoder(BookAnswer).decode


def _request(channel: str, op: Op, payload: Sequence[str]) -> str:
    return msgspec.json.encode(
        {"time": _TIME, "channel": channel, "event": op, "payload": payload}
    ).decode()


def _request_changes(op: Op, symbols: Sequence[str]) -> str:
    return _request("futures.order_book_update", op, [*symbols, "100ms", "100"])


def _request_candles(op: Op, symbols: Sequence[str]) -> str:
    return _request("futures.candlesticks", op, ["1m", *symbols])


def _request_pushed(op: Op, symbols: Sequence[str]) -> str:
    return _request("futures.obu", op, [f"ob.{symbol}.50" for symbol in symbols])


def _renewal(symbol: str) -> tuple[str, str]:
    return _request_pushed("unsubscribe", [symbol]), _request_pushed("subscribe", [symbol])


def _subscriptions(channel: str) -> Subscriptions[str]:
    per_request, request = {
        "futures.obu": (SYMBOLS_PER_REQUEST, _request_pushed),
        "futures.order_book_update": (1, _request_changes),
        "futures.candlesticks": (1, _request_candles),
    }.get(channel, (SYMBOLS_PER_REQUEST, partial(_request, channel)))
    return Subscriptions(lambda plan: plan.symbols, request, per_request)


class GateioFuturesStream:
    """A `StreamAdapter` for Gate.io's futures. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.
        book: which channel feeds the books.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self,
        endpoints: Endpoints = LIVE,
        channels: frozenset[str] = frozenset(CHANNELS) - UNASKED,
        *,
        book: BookFeed = "futures.obu",
    ) -> None:
        wanted = chosen(channels, CHANNELS, NAME)
        self._url = f"{endpoints.stream}/v4/ws/usdt"
        self._sources = tuple(source for channel, source in _SOURCES.items() if channel in channels)
        carried = CHANNELS | {"book": book}
        self._subscriptions = [_subscriptions(carried[channel]) for channel in wanted]
        rest = GateioFuturesRest(endpoints)
        self._symbols = SymbolStates(
            NAME,
            lambda instrument: SymbolState(instrument, _renewal, rest.depth(instrument.symbol)),
        )

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry the channels of `symbols`.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        plans = tuple(
            ConnectionPlan(
                name=f"usdt-{number}",
                url=self._url,
                symbols=tuple(shard),
                sources=self._sources,
                keep_alive=PING,
            )
            for number, shard in enumerate(
                batches(self._symbols.plan(symbols), SYMBOLS_PER_CONNECTION)
            )
        )
        for channel in self._subscriptions:
            channel.planned(plans)
        return plans

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the requests that unsubscribe what is gone and subscribe what is new."""
        if before.url != after.url:
            return None
        frames = [channel.amend(before, after) for channel in self._subscriptions]
        return tuple(text for texts in frames for text in texts)

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """Return the requests that subscribe what the connection is planned to carry."""
        return [frame for channel in self._subscriptions for frame in channel.opened(connection)]

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn."""
        return [
            outcome
            for followed in self._symbols.followed()
            for outcome in followed.book.closed(connection, received_ns)
        ]

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says."""
        try:
            frame = _FRAME(data)
            if frame.error is not None:
                return (
                    InvalidInput(
                        f"The venue refused {frame.channel[:40]} {frame.event[:20]}: {frame.error.code}, {frame.error.message}"
                    ),
                )
            reading = READINGS.get(frame.channel)
            if reading is None or frame.event in ACKNOWLEDGEMENTS:
                return ()
            return reading(frame, self._find, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoders is a complaint
            return (InvalidInput(f"{error}: in frame {data[:80]!r}"),)

    def answer(
        self, request: HttpRequest, status: int | None, body: bytes, received_ns: int
    ) -> Sequence[Outcome]:
        """Take a depth snapshot, asked for or not; any other answer gives nothing."""
        if request.purpose != "depth":
            return ()
        try:
            followed = self._find(request.symbol or "")
        except VenueError as error:
            return (InvalidInput(str(error)),)
        if followed is None:
            return ()
        trouble = status_trouble(request, status)
        if trouble is None:
            try:
                return followed.book.answer(_BOOK_ANSWER(body), received_ns)
            except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
                trouble = InvalidInput(
                    f"Expected a depth snapshot, was {body[:60]!r}: {error}", request.symbol
                )
        followed.book.no_answer()
        return (trouble,)

    def invalidate(self, symbol: str, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book of a symbol, if it is good, and begin it anew."""
        followed = self._symbols.get(symbol)
        return followed.book.invalidate(cause, received_ns) if followed is not None else ()

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks as (price, size), best first; empty where there is no good book."""
        followed = self._symbols.get(symbol)
        return followed.book.depth(levels) if followed is not None else ([], [])

    def _find(self, symbol: str) -> SymbolState | None:
        return self._symbols[symbol]
