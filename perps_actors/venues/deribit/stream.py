"""The JSON-RPC requests that a Deribit stream sends, and which of them were granted.

Source: docs.deribit.com (JSON-RPC overview, public/subscribe), read 2026-10: a request names its number, and its answer repeats it. The
answer to a subscription lists the channels that were taken; the others are left out without an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from perps_actors.market.book import levels_of
from perps_actors.market.events import OpenInterest
from perps_actors.market.instrument import InstrumentId
from perps_actors.market.mark import Source
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome, SendFrame
from perps_actors.venues.deribit.parse import candle_in, changed_levels, ticker_of, trade_of
from perps_actors.venues.deribit.rest import LIVE, NAME
from perps_actors.venues.deribit.schema import (
    SECONDS,
    BookChange,
    Candle,
    Frame,
    GroupedBook,
    Params,
    Push,
    Ticker,
    TradeRow,
)
from perps_actors.venues.toolkit.fields import NS_PER_MS
from perps_actors.venues.toolkit.stream_book import ResubscribingBook
from perps_actors.venues.toolkit.symbol_stream import (
    Op,
    Subscriptions,
    SymbolStates,
    SymbolStream,
    batches,
    chosen,
)

# merged docstring:
# """Deribit's streams: books, touch, trades with liquidations, venue marks, index, funding, open interest and candles.
#
# Source: docs.deribit.com (subscriptions/orderbook, market-data, trades; session-management; articles/rate-limits), read 2026-10, and
# captures of 2021 to 2026. A book begins with a snapshot; from there on every `prev_change_id` equals the `change_id` before, else it is
# subscribed anew. Channels are grouped by 100 ms: `raw` is for those who log in. After `public/set_heartbeat` the venue asks
# (`test_request`) and ends the connection of those who do not answer `public/test` at once. Its gateways end connections that said
# nothing for 30 s, whatever WebSocket's own pings say. 32 connections an address; a subscription costs 3,000 credits of 30,000.
# """

MAX_AWAITED: Final = 1_000
"""Requests whose answer is still expected; beyond that the oldest is forgotten."""


def request(number: int, method: str, params: Mapping[str, Any]) -> str:
    """Return the text of a request."""
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    ).decode()


class Requests:
    """Numbers requests and remembers what the subscriptions among them asked for."""

    def __init__(self) -> None:
        self._number = 0
        self._awaited: dict[int, tuple[str, ...]] = {}

    def make(self, method: str, params: Mapping[str, Any]) -> str:
        """Return a request with a number of its own."""
        self._number += 1
        return request(self._number, method, params)

    def subscribe(self, channels: Sequence[str]) -> str:
        """Return a request for these channels, whose answer is expected to grant them."""
        text = self.make("public/subscribe", {"channels": channels})
        self._awaited[self._number] = tuple(channels)
        if len(self._awaited) > MAX_AWAITED:
            del self._awaited[next(iter(self._awaited))]
        return text

    def refused(self, number: int | str | None, granted: Sequence[str]) -> tuple[str, ...]:
        """Return the channels that an answer does not grant."""
        asked = self._awaited.pop(number, ()) if isinstance(number, int) else ()
        return tuple(channel for channel in asked if channel not in granted)


CHANNELS: Final = {
    "book": "book",
    "ticker": "ticker",
    "trades": "trades",
    "candles": "chart.trades",
}
"""What can be subscribed, and the first part of its channel. Touch, marks, funding and open interest come with the ticker."""
INTERVAL: Final = "100ms"
SYMBOLS_PER_CONNECTION: Final = 100
CHANNELS_PER_REQUEST: Final = 100
HEARTBEAT_S: Final = 15
KEEP_ALIVE: Final = (request(0, "public/test", {}), 15.0)

_SOURCES: Final[dict[str, Source]] = {"book": "book", "ticker": "touch", "trades": "trades"}
_FRAME: Final = msgspec.json.Decoder(Frame).decode
_GROUPED: Final = msgspec.json.Decoder(GroupedBook).decode
_DATA: Final[dict[str, Callable[[msgspec.Raw], Any]]] = {
    "book": msgspec.json.Decoder(BookChange).decode,
    "ticker": msgspec.json.Decoder(Ticker).decode,
    "quote": msgspec.json.Decoder(Ticker).decode,
    "trades": msgspec.json.Decoder(list[TradeRow]).decode,
    "chart": msgspec.json.Decoder(Candle).decode,
}
_BEGINNING: Final = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
_KIND: Final = slice(len(_BEGINNING), len(_BEGINNING) + 4)
# The venue's notifications begin alike, so the kind of channel is found by its place, and all is decoded in one go.
_PUSHES: Final[dict[bytes, Callable[[bytes], Push[Any]]]] = {
    b"book": msgspec.json.Decoder(Push[BookChange]).decode,
    b"tick": msgspec.json.Decoder(Push[Ticker]).decode,
}
_GRANTED: Final = msgspec.json.Decoder(list[str]).decode


def _channel(kind: str, symbol: str) -> str:
    return f"{CHANNELS[kind]}.{symbol}.{'1' if kind == 'candles' else INTERVAL}"


@attrs.define
class _Followed:
    """What is kept for an instrument."""

    instrument: InstrumentId
    book: ResubscribingBook
    open_interest: str | None = None

    def closed(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book, and forget what was told beside it, if this connection fed it, which ended."""
        if self.book.connection == connection:
            self.open_interest = None
        return self.book.closed(connection, received_ns)

    def invalidate(self, cause: str, received_ns: int) -> Sequence[Outcome]:
        """Withdraw the book and begin it anew."""
        return self.book.invalidate(cause, received_ns)

    def depth(self, levels: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best levels a side; none unless the book is good."""
        return self.book.depth(levels)

    def is_news(self, event: OpenInterest) -> bool:
        """Return whether open interest changed: a channel that is not grouped repeats it with every change of another field."""
        before, self.open_interest = self.open_interest, event.open_interest
        return before != event.open_interest


class DeribitStream(SymbolStream[_Followed]):
    """A `StreamAdapter` for Deribit and its gateways. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.
        venue: its name.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self,
        endpoints: Endpoints = LIVE,
        channels: frozenset[str] = frozenset(CHANNELS) - UNASKED,
        venue: str = NAME,
    ) -> None:
        followed = SymbolStates(
            venue,
            lambda instrument: _Followed(instrument, ResubscribingBook(instrument, self._renewal)),
        )
        super().__init__(followed, Subscriptions(self._topics, self._request, CHANNELS_PER_REQUEST))
        self._channels = chosen(channels, CHANNELS, venue)
        self._url = f"{endpoints.stream}/ws/api/v2"
        self._requests = Requests()
        self._readings: dict[type, Callable[[Any, str, str, int], Sequence[Outcome]]] = {
            BookChange: self._change,
            GroupedBook: self._grouped,
            Ticker: self._ticker,
            list: self._trades,
            Candle: self._candle,
        }

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return the connections that carry book, ticker and trades of `symbols`, at most `SYMBOLS_PER_CONNECTION` on each.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        wanted = self._symbols.plan(symbols)
        return self._put_in_force(
            ConnectionPlan(
                name=f"public-{number}",
                url=self._url,
                symbols=tuple(shard),
                sources=tuple(
                    source for channel, source in _SOURCES.items() if channel in self._channels
                ),
                keep_alive=KEEP_ALIVE,
            )
            for number, shard in enumerate(batches(wanted, SYMBOLS_PER_CONNECTION))
        )

    def opened(self, connection: str, received_ns: int) -> Sequence[Outcome]:
        """A connection was opened: ask for heartbeats, and subscribe."""
        heartbeat = SendFrame(
            connection, self._requests.make("public/set_heartbeat", {"interval": HEARTBEAT_S})
        )
        return [heartbeat, *super().opened(connection, received_ns)]

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return what a frame says."""
        decode = _PUSHES.get(data[_KIND])
        if decode is None:
            return self._looked_at(connection, data, received_ns)
        try:
            push = decode(data).params
            return self._readings[type(push.data)](push.data, push.channel, connection, received_ns)
        except Exception:  # noqa: BLE001 - what could not be read changed nothing, and is told by who takes it apart
            return self._looked_at(connection, data, received_ns)

    def _looked_at(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        try:
            frame = _FRAME(data)
            if frame.method == "subscription" and frame.params is not None:
                return self._notified(frame.params, connection, received_ns)
            if frame.method == "heartbeat" and frame.params is not None:
                return self._heartbeat(connection) if frame.params.type == "test_request" else ()
            return self._answered(frame, data)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (InvalidInput(f"{error}: in frame {data[:80]!r}"),)

    def _topics(self, plan: ConnectionPlan) -> list[str]:
        return [_channel(kind, symbol) for symbol in plan.symbols for kind in self._channels]

    def _request(self, op: Op, channels: Sequence[str]) -> str:
        return (
            self._requests.subscribe(channels)
            if op == "subscribe"
            else self._requests.make("public/unsubscribe", {"channels": channels})
        )

    def _renewal(self, symbol: str) -> list[str]:
        channels = [_channel("book", symbol)]
        return [self._request("unsubscribe", channels), self._request("subscribe", channels)]

    def _heartbeat(self, connection: str) -> Sequence[Outcome]:
        return (SendFrame(connection, self._requests.make("public/test", {})),)

    def _answered(self, frame: Frame, data: bytes) -> Sequence[Outcome]:
        if bytes(frame.error) not in (b"", b"null"):
            return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
        if frame.method or frame.id is None:
            return (
                ()
                if frame.method
                else (InvalidInput(f"Expected a notification or an answer, was {data[:80]!r}"),)
            )
        granted = bytes(frame.result)
        refused = self._requests.refused(frame.id, _GRANTED(granted) if granted[:1] == b"[" else ())
        return (
            (
                InvalidInput(
                    f"Expected to be subscribed to all channels, was not to {', '.join(refused)}"
                ),
            )
            if refused
            else ()
        )

    def _notified(self, params: Params, connection: str, received_ns: int) -> Sequence[Outcome]:
        kind, _, rest = params.channel.partition(".")
        decode = _DATA.get(kind)
        if decode is None:
            return ()
        # book.<instrument>.<interval>, or book.<instrument>.<group>.<depth>.<interval>
        if kind == "book" and rest.count(".") > 1:
            decode = _GROUPED
        try:
            record = decode(params.data)
            return self._readings[type(record)](record, params.channel, connection, received_ns)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoder is a complaint
            return (
                InvalidInput(
                    f"{error}: in {kind} {bytes(params.data)[:80]!r}", rest.partition(".")[0][:50]
                ),
            )

    def _change(
        self, change: BookChange, _: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        followed = self._symbols[change.symbol]
        if followed is None:
            return ()
        book, bids, asks = followed.book, changed_levels(change.bids), changed_levels(change.asks)
        last, sequence, time_ns = book.sequence, change.change_id, change.timestamp * NS_PER_MS
        if change.type == "snapshot":
            return book.snapshot(
                bids,
                asks,
                connection,
                sequence=sequence,
                venue_time_ns=time_ns,
                received_ns=received_ns,
            )
        gap = (
            None
            if change.prev_change_id == last
            else f"gap: change {last} was followed by one after {change.prev_change_id}"
        )
        return book.update(
            bids,
            asks,
            connection,
            sequence=sequence,
            venue_time_ns=time_ns,
            received_ns=received_ns,
            gap=gap,
        )

    def _grouped(
        self, whole: GroupedBook, _: str, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        followed = self._symbols[whole.symbol]
        if followed is None:
            return ()
        bids, asks, time_ns = (
            levels_of(whole.bids),
            levels_of(whole.asks),
            whole.timestamp * NS_PER_MS,
        )
        return followed.book.snapshot(
            bids,
            asks,
            connection,
            sequence=whole.change_id,
            venue_time_ns=time_ns,
            received_ns=received_ns,
        )

    def _ticker(self, row: Ticker, channel: str, _: str, received_ns: int) -> Sequence[Outcome]:
        followed = self._symbols[row.symbol]
        if followed is None:
            return ()
        events = ticker_of(followed.instrument, row, received_ns)
        last = events[-1] if events else None
        if (
            isinstance(last, OpenInterest)
            and channel.endswith(".raw")
            and not followed.is_news(last)
        ):
            return events[:-1]
        return events

    def _trades(self, rows: list[TradeRow], _: str, __: str, received_ns: int) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for row in rows:
            state = self._symbols[row.symbol]
            if state is not None:
                outcomes += trade_of(state.instrument, row, received_ns)
        return outcomes

    def _candle(self, row: Candle, channel: str, _: str, received_ns: int) -> Sequence[Outcome]:
        # chart.trades.<instrument>.<resolution>
        symbol, _, resolution = channel.removeprefix("chart.trades.").rpartition(".")
        interval_s = SECONDS.get(resolution)
        state = self._symbols[symbol] if interval_s is not None else None
        if interval_s is None or state is None:
            return ()
        return (candle_in(state.instrument, row, interval_s, received_ns),)
