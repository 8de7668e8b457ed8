"""OKX's streams: books, touch, trades, venue marks, funding, open interest, liquidations and candles.

Source: www.okx.com/docs-v5/en (overview, WebSocket), read 2026-11. The venue closes a connection on
which nothing was said for 30 s, and answers the text `ping` with `pong`. A notice comes before it closes one for maintenance.
Liquidations are those of perpetuals, and not all of them, as the venue says. Candles live at an address of their own (`business`) since
2023-06. Not offered any more: a checksum of the book, and mostly the funding rate after the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import ConnectionPlan
from perps_actors.venues.contract import UNASKED, Endpoints, InvalidInput, Outcome
from perps_actors.venues.okx.parse import (
    SymbolState,
    candle_in,
    funding_of,
    liquidations_of,
    open_interest_of,
    touch_of,
    trade_of,
)
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
    FundingRow,
    IndexRow,
    LiquidationRow,
    MarkRow,
    OpenInterestRow,
    TickerRow,
    Topic,
    TradeRow,
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
)

SYMBOLS_PER_CONNECTION: Final = 50
PING: Final = ("ping", 20.0)
MAX_ROWS: Final = 1_000
"""Rows read of one frame."""

_FRAME: Final = msgspec.json.Decoder(Frame).decode

_Reading = Callable[[SymbolState, Any, int], Sequence[Outcome]]
_READINGS: Final[dict[str, tuple[Callable[[msgspec.Raw], Any], _Reading]]] = {
    "tickers": (
        msgspec.json.Decoder(TickerRow).decode,
        lambda of, row, at: touch_of(of.instrument, row, at),
    ),
    "trades": (
        msgspec.json.Decoder(TradeRow).decode,
        lambda of, row, at: trade_of(of.instrument, row, at),
    ),
    "mark-price": (
        msgspec.json.Decoder(MarkRow).decode,
        lambda of, row, at: [of.told_mark(row, at)],
    ),
    "funding-rate": (
        msgspec.json.Decoder(FundingRow).decode,
        lambda of, row, at: funding_of(of.instrument, row, at),
    ),
    "open-interest": (
        msgspec.json.Decoder(OpenInterestRow).decode,
        lambda of, row, at: open_interest_of(of.instrument, row, at),
    ),
}
_INDEX: Final = msgspec.json.Decoder(IndexRow).decode
_CANDLE: Final = msgspec.json.Decoder(CandleRow).decode
_LIQUIDATION: Final = msgspec.json.Decoder(LiquidationRow).decode


class OkxStream(SymbolStream[SymbolState]):
    """A `StreamAdapter` for OKX. Once `plan` was called, other symbols are complained of.

    Args:
        endpoints: where the venue lives.
        channels: which of `CHANNELS` to subscribe.

    Raises:
        SettingsError: a channel that is none of `CHANNELS`.
    """

    def __init__(
        self, endpoints: Endpoints = LIVE, channels: frozenset[str] = frozenset(CHANNELS) - UNASKED
    ) -> None:
        super().__init__(
            SymbolStates(NAME, self._follow),
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
        self._of_several = {"index-tickers": self._index, "liquidation-orders": self._liquidations}
        self._of_index: dict[str, dict[str, None]] = {}

    def plan(self, symbols: Sequence[str]) -> tuple[ConnectionPlan, ...]:
        """Return one connection for each `SYMBOLS_PER_CONNECTION` symbols, and one more where candles are asked for.

        Raises:
            SettingsError: a symbol that no venue can have.
        """
        shards = batches(self._symbols.plan(symbols), SYMBOLS_PER_CONNECTION)
        return self._put_in_force(
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
        """Return what a frame says; of several rows each bad one is a complaint of its own."""
        if data == b"pong":
            return ()
        try:
            frame = _FRAME(data)
            if frame.arg is None or frame.event is not None:
                return _no_push(frame, data)
            rows = frame.data
            if rows is None:
                return (InvalidInput(f"Expected a channel's data, was {data[:80]!r}"),)
        except Exception as error:  # noqa: BLE001 - whatever hostile text does to the decoders is a complaint
            return (InvalidInput(f"{error}: in frame {data[:80]!r}"),)
        outcomes: list[Outcome] = []
        for row in rows[:MAX_ROWS]:
            try:
                outcomes += self._row(frame, frame.arg, row, connection, received_ns)
            except Exception as error:  # noqa: BLE001 - as above
                outcomes.append(
                    InvalidInput(
                        f"{error}: in {frame.arg.channel[:20]} row {bytes(row)[:80]!r}",
                        frame.arg.symbol[:50] or None,
                    )
                )
        if len(rows) > MAX_ROWS:
            outcomes.append(
                InvalidInput(f"Expected at most {MAX_ROWS} rows in a frame, was {len(rows)}")
            )
        return outcomes

    def _follow(self, instrument: InstrumentId) -> SymbolState:
        index = index_name(instrument.symbol)
        if index is not None:
            self._of_index.setdefault(index, {})[instrument.symbol] = None
        return SymbolState(instrument, _book_renewal)

    def _topics(self, plan: ConnectionPlan) -> list[Topic]:
        channels = [
            name
            for name in self._channels
            if (name in BUSINESS) == plan.name.startswith("business")
        ]
        topics = [topic for symbol in plan.symbols for topic in topics_of(symbol, channels)]
        # All perpetuals' at once: once is enough.
        return (
            [*topics, LIQUIDATIONS]
            if plan.name == "public-0" and LIQUIDATIONS[0] in self._channels
            else topics
        )

    def _row(
        self, frame: Frame, arg: Arg, row: msgspec.Raw, connection: str, received_ns: int
    ) -> Sequence[Outcome]:
        if arg.channel == "books":
            followed = self._symbols[arg.symbol]
            return (
                followed.told_book(row, frame.action, connection, received_ns)
                if followed is not None
                else ()
            )
        if arg.channel.startswith("candle"):
            return self._candle(arg, _CANDLE(row), received_ns)
        of_several = self._of_several.get(arg.channel)
        if of_several is not None:
            return of_several(row, received_ns)
        reading = _READINGS.get(arg.channel)
        if reading is None:
            return ()
        decode, read = reading
        record = decode(row)
        followed = self._symbols[record.symbol]
        return read(followed, record, received_ns) if followed is not None else ()

    def _index(self, raw: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
        row = _INDEX(raw)
        followed = (self._symbols.get(symbol) for symbol in self._of_index.get(row.symbol, ()))
        return [of.told_index(row, received_ns) for of in followed if of is not None]

    def _candle(self, arg: Arg, row: CandleRow, received_ns: int) -> Sequence[Outcome]:
        interval_s = SECONDS.get(arg.channel.removeprefix("candle"))
        if interval_s is None:
            return ()
        followed = self._symbols[arg.symbol]
        return (
            (candle_in(followed.instrument, row, interval_s, received_ns),)
            if followed is not None
            else ()
        )

    def _liquidations(self, raw: msgspec.Raw, received_ns: int) -> Sequence[Outcome]:
        row = _LIQUIDATION(raw)
        followed = (
            self._symbols.get(row.symbol) if self._symbols.planned else self._symbols[row.symbol]
        )
        return (
            liquidations_of(followed.instrument, row, received_ns) if followed is not None else ()
        )


def _book_renewal(symbol: str) -> tuple[str, str]:
    topic = ("books", "instId", symbol)
    return request("unsubscribe", [topic]), request("subscribe", [topic])


def _no_push(frame: Frame, data: bytes) -> Sequence[Outcome]:
    """Answers to requests, and notices."""
    if frame.event == "error":
        return (InvalidInput(f"The venue refused: {data[:150].decode(errors='replace')}"),)
    if frame.event == "notice":
        return (InvalidInput(f"The venue gives notice: {data[:150].decode(errors='replace')}"),)
    return (
        ()
        if frame.event is not None
        else (InvalidInput(f"Expected a channel's data or an answer, was {data[:80]!r}"),)
    )
