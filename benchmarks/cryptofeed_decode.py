"""cryptofeed playing a recording, with whole books and callbacks that do nothing.

Usage: python -m benchmarks.cryptofeed_decode FOLDER CPU_SECONDS

Runs in the environment that `peers.txt` describes, and prints one JSON object.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptofeed import exchanges
from cryptofeed.defines import FUNDING, L2_BOOK, OPEN_INTEREST, TICKER, TRADES
from cryptofeed.symbols import Symbols

from benchmarks.playing import Heard, Recording, Stopwatch, recording, show

EXCHANGES = {
    "binance_futures": exchanges.BinanceFutures,
    "bitmex": exchanges.Bitmex,
    "bybit": exchanges.Bybit,
    "deribit": exchanges.Deribit,
    "kraken_futures": exchanges.KrakenFutures,
    "okx": exchanges.OKX,
}
CONFIG = {"deribit": {"key_id": "none", "key_secret": "none"}}
"""cryptofeed subscribes to Deribit's raw channels only with a login, as the venue demands."""


@dataclass
class Connection:
    """Stands in for cryptofeed's connection: drops subscriptions, returns recorded answers."""

    address: str
    answers: dict[str, str]
    uuid: str = "recording"
    subscription: dict[str, list[str]] = field(default_factory=dict)

    async def write(self, message: str) -> None:
        """Send nothing."""

    async def read(self, address: str) -> str:
        """Return the recorded answer."""
        return self.answers[address]


async def _nothing(_: Any, __: float) -> None:
    pass


async def _feed(
    played: Recording, connection: Connection, book: Any = _nothing, trade: Any = _nothing
) -> Any:
    feed = EXCHANGES[played.venue](
        symbols=list(played.symbols),
        channels=[L2_BOOK, TRADES, TICKER],
        callbacks={
            L2_BOOK: book,
            TRADES: trade,
            TICKER: _nothing,
            FUNDING: _nothing,
            OPEN_INTEREST: _nothing,
        },
        max_depth=0,
        config=CONFIG,
    )
    feed.http_conn = connection
    await feed.subscribe(connection)
    return feed


async def _heard(
    played: Recording, frames: list[tuple[str, float]], connection: Connection
) -> Heard:
    heard, held = Heard(), {}

    async def book(told: Any, _: float) -> None:
        heard.books += 1
        held[told.symbol] = told.book

    async def trade(_: Any, __: float) -> None:
        heard.trades += 1

    feed = await _feed(played, connection, book, trade)
    for text, received_s in frames:
        await feed.message_handler(text, connection, received_s)
    heard.levels = sum(len(side) for whole in held.values() for side in (whole.bids, whole.asks))
    return heard


async def main(folder: str, cpu_s: str) -> None:
    """Play the recording repeatedly, each time with a new feed."""
    played, watch = recording(Path(folder)), Stopwatch()
    # cryptofeed learns Kraken's product names from REST, where they are in lower case.
    spelling = str.lower if played.venue == "kraken_futures" else str
    Symbols.set(
        EXCHANGES[played.venue].id, {symbol: spelling(symbol) for symbol in played.symbols}, {}
    )
    frames = [(line.text, line.received_s) for line in played.lines if line.is_frame]
    address = next(line.url for line in played.lines if line.is_frame)
    connection = Connection(
        address, {line.url: line.text for line in played.lines if not line.is_frame}
    )
    heard = await _heard(played, frames, connection)
    while watch.cpu_s < float(cpu_s):
        handler = (await _feed(played, connection)).message_handler
        with watch:
            for text, received_s in frames:
                await handler(text, connection, received_s)
    show(played, watch, heard)


asyncio.run(main(*sys.argv[1:]))
