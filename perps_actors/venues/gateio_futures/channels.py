"""What a message of each of Gate.io's channels says, each row read by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from perps_actors.errors import MarketError, VenueError
from perps_actors.market.instrument import InstrumentId
from perps_actors.transport.wire import HttpRequest
from perps_actors.venues.contract import InvalidInput, Outcome
from perps_actors.venues.gateio_futures.books import ContractBook
from perps_actors.venues.gateio_futures.parse import (
    candle_in,
    liquidation_of,
    ticker_of,
    touch_of,
    trade_of,
)
from perps_actors.venues.gateio_futures.schema import (
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
