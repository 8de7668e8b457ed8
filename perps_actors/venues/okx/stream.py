"""OKX's streams: books, touch, trades, venue marks, funding, open interest, liquidations, candles.

Source: www.okx.com/docs-v5/en (overview, WebSocket), read 2026-11. The venue closes a connection
on which nothing was sent for 30 s, and answers the text `ping` with `pong`. It sends a notice
before it closes a connection for maintenance. Liquidations are those of perpetuals, and not all of
them, as the venue says. Candles have an address of their own (`business`) since 2023-06. OKX no
longer sends a checksum of the book, and rarely the funding rate after the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.okx.parse import READERS, SymbolState, candle_in, liquidations_of
from perps_actors.venues.okx.rest import LIVE, NAME
from perps_actors.venues.okx.schema import (
    BUSINESS,
    CHANNELS,
    LIQUIDATIONS,
    SECONDS,
    SOURCES,
    TOPICS_PER_REQUEST,
    Arg,
    CandleRow,
    Frame,
    IndexRow,
    LiquidationRow,
    Topic,
    index_name,
    request,
    topics_of,
)
from perps_actors.venues.toolkit.symbol_stream import (
    Subscriptions,
    SymbolStates,
    SymbolStream,
    batches,
    chosen,
    refused,
)

SYMBOLS_PER_CONNECTION: Final = 50
PING: Final = ("ping", 20.0)
MAX_ROWS: Final = 1_000
"""Rows read of one frame."""

_FRAME: Final = msgspec.json.Decoder(Frame).decode
_INDEX: Final = msgspec.json.Decoder(IndexRow).decode
_CANDLE: Final = msgspec.json.Decoder(CandleRow).decode
_LIQUIDATION: Final = msgspec.json.Decoder(LiquidationRow).decode


class OkxStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for OKX. After `plan`, data of other symbols is invalid input.

    Args:
        endpoints: the venue's addresses.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel is not in `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        super().__init__(
            SymbolStates(NAME, self._new_state),
            self._shard,
            Subscriptions(self._topics, request, TOPICS_PER_REQUEST),
        )
        self._base = endpoints.stream
        self._channels = [
            name for channel in chosen(channels, CHANNELS, NAME) for name in CHANNELS[channel]
        ]
        self._sources = tuple(source for channel, source in SOURCES.items() if channel in channels)
        self._addresses = tuple(
            dict.fromkeys("business" if name in BUSINESS else "public" for name in self._channels)
        )
        self._symbols_by_index: dict[str, dict[str, None]] = {}
        self._read_several = {
            "index-tickers": self._index,
            "liquidation-orders": self._liquidations,
        }

    def _shard(self, symbols: Sequence[str]) -> Iterable[ConnectionPlan]:
        """Return a connection for `SYMBOLS_PER_CONNECTION` symbols each, and those for candles."""
        shards = batches(symbols, SYMBOLS_PER_CONNECTION)
        return (
            ConnectionPlan(
                name=f"{address}-{number}",
                url=f"{self._base}/ws/v5/{address}",
                symbols=tuple(shard),
                sources=self._sources if address == "public" else (),
                keep_alive=PING,
            )
            for address in self._addresses
            for number, shard in enumerate(shards)
        )

    def frame(self, connection: str, data: bytes, received_ns: int) -> Sequence[Outcome]:
        """Return the outcomes of a frame; each row that cannot be read is one invalid input."""
        if data == b"pong":
            return ()
        try:
            frame = _FRAME(data)
            if frame.arg is None or frame.event is not None:
                return _not_pushed(frame, data)
            rows = frame.data
            if rows is None:
                return (InvalidInput(f"Expected a channel's data, was {data[:80]!r}"),)
        except Exception as error:  # noqa: BLE001 - hostile text may raise anything in the decoders
            return (InvalidInput(f"{error}: in frame {data[:80]!r}"),)
        outcomes: list[Outcome] = []
        for row in rows[:MAX_ROWS]:
            try:
                outcomes += self._row(frame, frame.arg, row, connection, received_ns)
            except Exception as error:  # noqa: BLE001 - a bad row must not cost its neighbours
                what = f"{error}: in {frame.arg.channel[:20]} row {bytes(row)[:80]!r}"
                outcomes.append(InvalidInput(what, frame.arg.symbol[:50] or None))
        if len(rows) > MAX_ROWS:
            what = f"Expected at most {MAX_ROWS} rows in a frame, was {len(rows)}"
            outcomes.append(InvalidInput(what))
        return outcomes

    def _new_state(self, instrument: InstrumentId) -> SymbolState:
        index = index_name(instrument.symbol)
        if index is not None:
            self._symbols_by_index.setdefault(index, {})[instrument.symbol] = None
        return SymbolState(instrument, _resubscribe)

    def _topics(self, plan: ConnectionPlan) -> list[Topic]:
        is_business = plan.name.startswith("business")
        channels = [name for name in self._channels if (name in BUSINESS) == is_business]
        topics = [topic for symbol in plan.symbols for topic in topics_of(symbol, channels)]
        # One topic has the liquidations of all perpetuals, so one connection subscribes it.
        if plan.name == "public-0" and LIQUIDATIONS[0] in self._channels:
            topics.append(LIQUIDATIONS)
        return topics

    def _row(
        self, frame: Frame, arg: Arg, row: msgspec.Raw, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        channel = arg.channel
        if channel == "books":
            state = self._symbols[arg.symbol]
            return (
                state.read_book(row, frame.action, connection, received_ns)
                if state is not None
                else ()
            )
        if channel.startswith("candle"):
            return self._candle(arg, _CANDLE(row), received_ns)
        read_several = self._read_several.get(channel)
        if read_several is not None:
            return read_several(row, received_ns)
        reader = READERS.get(channel)
        if reader is None:
            return ()
        decode, read = reader
        record = decode(row)
        state = self._symbols[record.symbol]
        return read(state, record, received_ns) if state is not None else ()

    def _index(self, raw: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
        row = _INDEX(raw)
        symbols = self._symbols_by_index.get(row.symbol, ())
        states = (self._symbols.get(symbol) for symbol in symbols)
        return [
            outcome
            for state in states
            if state is not None
            for outcome in state.read_index(row, received_ns)
        ]

    def _candle(self, arg: Arg, row: CandleRow, received_ns: int) -> Sequence[Outcome]:
        interval_s = SECONDS.get(arg.channel.removeprefix("candle"))
        state = self._symbols[arg.symbol] if interval_s is not None else None
        if interval_s is None or state is None:
            return ()
        return (candle_in(state.instrument, row, interval_s, received_ns),)

    def _liquidations(self, raw: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
        row = _LIQUIDATION(raw)
        # The topic has all perpetuals, so most rows are of symbols outside the plan.
        symbols = self._symbols
        state = symbols.get(row.symbol) if symbols.planned else symbols[row.symbol]
        return liquidations_of(state.instrument, row, received_ns) if state is not None else ()


def _resubscribe(symbol: str) -> tuple[str, str]:
    topic = ("books", "instId", symbol)
    return request("unsubscribe", [topic]), request("subscribe", [topic])


def _not_pushed(frame: Frame, data: bytes) -> Sequence[Outcome]:
    """Return the outcomes of answers to requests, and of notices."""
    if frame.event == "error":
        return refused(data)
    if frame.event == "notice":
        return (InvalidInput(f"The venue gives notice: {data[:150].decode(errors='replace')}"),)
    if frame.event is not None:
        return ()
    return (InvalidInput(f"Expected a channel's data or an answer, was {data[:80]!r}"),)
