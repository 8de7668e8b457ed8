"""Gate.io's futures streams: books, touch, trades, venue marks, funding, open interest, liquidations and candles.

Source: gate.com/docs/developers/futures/ws/en, read 2026-11. One address carries all channels; a request names one channel and
several contracts, of `futures.order_book_update` and `futures.candlesticks` one. The venue pings by itself; `futures.ping` finds out
whether it still listens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import msgspec

from perps_actors.errors import VenueError
from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan, HttpRequest
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.gateio_futures.channels import ACKNOWLEDGEMENTS, READINGS, SymbolState
from perps_actors.venues.gateio_futures.rest import LIVE, NAME, GateioFuturesRest
from perps_actors.venues.gateio_futures.schema import BookAnswer, Frame
from perps_actors.venues.toolkit.rest import status_trouble
from perps_actors.venues.toolkit.subscriptions import Op, Subscriptions, batches, chosen
from perps_actors.venues.toolkit.symbols import SymbolStates

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
        self._followed = SymbolStates(
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
                batches(self._followed.plan(symbols), SYMBOLS_PER_CONNECTION)
            )
        )
        for channel in self._subscriptions:
            channel.planned(plans)
        return plans

    def amend(self, before: ConnectionPlan, after: ConnectionPlan) -> tuple[str, ...] | None:
        """Return the requests that unsubscribe what is gone and subscribe what is new."""
        frames = [channel.amend(before, after) for channel in self._subscriptions]
        return None if None in frames else tuple(text for texts in frames for text in texts or ())

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:  # noqa: ARG002
        """Return the requests that subscribe what the connection is planned to carry."""
        return [frame for channel in self._subscriptions for frame in channel.opened(connection)]

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection ended: books it fed are withdrawn."""
        return [
            outcome
            for followed in self._followed.all()
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
        followed = self._followed.get(symbol)
        return followed.book.invalidate(cause, received_ns) if followed is not None else ()

    def depth(
        self, symbol: str, levels: int
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best `levels` bids and asks as (price, size), best first; empty where there is no good book."""
        followed = self._followed.get(symbol)
        return followed.book.depth(levels) if followed is not None else ([], [])

    def _find(self, symbol: str) -> SymbolState | None:
        return None if self._followed.former(symbol) else self._followed.of(symbol)
